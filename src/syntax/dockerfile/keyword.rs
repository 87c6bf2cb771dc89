//! The names of instructions.

use std::borrow::Cow;
use std::fmt;

/// So many letters are packed into a number, with a mark before them.
const PACKED_LETTERS: usize = 15;

/// The ASCII letters of `word`, in upper case, as one number: words of so many letters are compared at once.
const fn packed(word: &[u8]) -> u128 {
    let (mut number, mut at) = (1, 0);
    while at < word.len() {
        number = number << 8 | word[at].to_ascii_uppercase() as u128;
        at += 1;
    }
    number
}

/// Declares the keywords once: as values and as words.
macro_rules! keywords {
    ($($variant:ident = $word:literal),* $(,)?) => {
        /// The word that an instruction begins with. Case does not matter in a file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Keyword { $($variant),* }

        impl Keyword {
            /// All keywords, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word, in upper case.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The words of all of them, packed.
            const PACKED: &[u128] = &[$(packed($word.as_bytes())),*];
        }
    };
}

keywords! {
    Add = "ADD", Arg = "ARG", Cmd = "CMD", Copy = "COPY", Entrypoint = "ENTRYPOINT", Env = "ENV",
    Expose = "EXPOSE", From = "FROM", Healthcheck = "HEALTHCHECK", Label = "LABEL",
    Maintainer = "MAINTAINER", Onbuild = "ONBUILD", Run = "RUN", Shell = "SHELL",
    Stopsignal = "STOPSIGNAL", User = "USER", Volume = "VOLUME", Workdir = "WORKDIR",
}

impl Keyword {
    /// The keyword that `word` is, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        // Some letters of other alphabets are ASCII ones in lower case.
        let word = if word.is_ascii() { Cow::Borrowed(word) } else { Cow::Owned(word.to_lowercase()) };
        if word.is_empty() || word.len() > PACKED_LETTERS {
            return None;
        }
        let word = packed(word.as_bytes());
        Self::PACKED.iter().position(|keyword| *keyword == word).map(|at| Self::ALL[at])
    }

    /// Whether heredocs may follow: the rule of BuildKit's `parser.go`.
    pub fn takes_heredocs(self) -> bool {
        matches!(self, Self::Add | Self::Copy | Self::Run)
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_known_in_any_case() {
        for keyword in Keyword::ALL {
            for word in [keyword.word().to_owned(), keyword.word().to_lowercase()] {
                assert_eq!(Keyword::parse(&word), Some(*keyword), "{word}");
            }
        }
        assert_eq!(Keyword::parse("rUn"), Some(Keyword::Run));
        // The sign for kelvin is a k in lower case, which no keyword has.
        for word in
            ["", "RU", "RUNS", "\0RUN", "\u{1}RUN", "RUN\0", "RÜN", "\u{212a}", "HEALTHCHECKHEALTHCHECK"]
        {
            assert_eq!(Keyword::parse(word), None, "{word:?}");
        }
    }
}

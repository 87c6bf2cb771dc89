//! The names of instructions.

use std::borrow::Cow;
use std::fmt;

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
        Self::ALL.iter().copied().find(|keyword| keyword.word().eq_ignore_ascii_case(&word))
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

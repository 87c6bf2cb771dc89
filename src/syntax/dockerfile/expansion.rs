//! Expansion of variables in words, quotes and escapes included.
//!
//! The rules are those of BuildKit's `shell/lex.go`, which is almost a shell: `$name`, `${name}`,
//! `${name:-word}` and its kin, `${name#pattern}`, `${name/pattern/replacement}`; single quotes keep
//! everything, double quotes keep spaces. Where BuildKit differs from a shell, this follows BuildKit.

use std::collections::BTreeSet;

use super::expansion_error::{DEEPEST, ExpansionError};
use super::pattern::{self, PatternError};

/// The variables that an expansion sees.
pub trait Variables {
    /// The value of `name`, when it is set.
    fn get(&self, name: &str) -> Option<&str>;

    /// Whether what [`Self::get`] says of `name` is all that there is to know. A base image may set
    /// variables that no text shows.
    fn is_certain(&self, name: &str) -> bool {
        let _ = name;
        true
    }
}

/// No variable at all.
pub struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// What came out of an expansion.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Expanded {
    /// The text, with its spaces.
    pub text: String,
    /// The text split at spaces that were not quoted.
    pub words: Vec<String>,
    /// The variables that were asked for and are set.
    pub matched: BTreeSet<String>,
    /// The variables that were asked for and are not set.
    pub unmatched: BTreeSet<String>,
    /// The variables that were asked for and are not certain.
    pub uncertain: BTreeSet<String>,
}

impl Expanded {
    /// A text in which no letter means anything else.
    fn plain(text: &str) -> Self {
        let words = text.split_whitespace().map(str::to_owned).collect();
        Self { text: text.to_owned(), words, ..Self::default() }
    }
}

/// So many bytes variables add to a value at the most: Linux gives no program a longer variable. Each value
/// may be made of others, so that 30 lines could ask for all memory; BuildKit's own limit is its memory.
const MOST_ADDED: usize = 128 << 10;

/// So many bytes variables add to a file that stands in the Dockerfile at the most.
const MOST_ADDED_TO_FILE: usize = 16 << 20;

/// Whether no letter of `text` means anything but itself, whatever variables there are.
pub fn is_plain(text: &str, escape: char) -> bool {
    let is_special =
        |byte: u8| matches!(byte, b'$' | b'<' | b'\'' | b'"') || u32::from(byte) == u32::from(escape);
    !text.starts_with('\u{feff}') && !text.bytes().any(is_special)
}

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lexer {
    /// The escape character.
    pub escape: char,
    /// Whether quotes stay in the result.
    pub keeps_quotes: bool,
    /// Whether escape characters stay in the result.
    pub keeps_escapes: bool,
    /// Whether quotes are letters like any other.
    pub ignores_quotes: bool,
    /// Whether variables that are not set stay as they are written.
    pub keeps_unset: bool,
    /// How many bytes longer than its text a result may be.
    pub most_added: usize,
}

impl Lexer {
    /// A lexer that resolves everything.
    pub fn new(escape: char) -> Self {
        Self {
            escape,
            keeps_quotes: false,
            keeps_escapes: false,
            ignores_quotes: false,
            keeps_unset: false,
            most_added: MOST_ADDED,
        }
    }

    /// The lexer for a file that stands in the Dockerfile.
    pub fn of_file() -> Self {
        Self { ignores_quotes: true, most_added: MOST_ADDED_TO_FILE, ..Self::new('\\') }
    }

    /// Expands `text`.
    ///
    /// # Errors
    /// When BuildKit refuses the text; when the result is longer than it may be.
    pub fn expand(self, text: &str, variables: &dyn Variables) -> Result<Expanded, ExpansionError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if is_plain(text, self.escape) {
            return Ok(Expanded::plain(text));
        }
        let mut reader = Reader {
            lexer: self,
            keeps_escapes: self.keeps_escapes,
            variables,
            letters: text.chars().collect(),
            most: text.len() + self.most_added,
            at: 0,
            depth: 0,
            word: String::new(),
            expanded: Expanded::default(),
        };
        let (text, words) = reader.until(None, self.keeps_escapes)?;
        Ok(Expanded { text, words, ..reader.expanded })
    }
}

struct Reader<'v> {
    lexer: Lexer,
    keeps_escapes: bool,
    variables: &'v dyn Variables,
    letters: Vec<char>,
    /// No text that is made on the way is longer, in bytes.
    most: usize,
    at: usize,
    /// How many braces are open.
    depth: usize,
    /// The word that is being gathered. One for all levels: BuildKit's reader shares its buffer with
    /// the texts inside `${…}`, which empties it.
    word: String,
    expanded: Expanded,
}

#[derive(Default)]
struct Words {
    done: Vec<String>,
    in_word: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    /// Reads up to `stop`, which is taken, or to the end of the text.
    fn until(
        &mut self,
        stop: Option<char>,
        keeps_escapes: bool,
    ) -> Result<(String, Vec<String>), ExpansionError> {
        if self.depth == DEEPEST {
            return Err(ExpansionError::TooDeep);
        }
        self.depth += 1;
        let outer = std::mem::replace(&mut self.keeps_escapes, keeps_escapes);
        let result = self.gather(stop);
        self.keeps_escapes = outer;
        self.depth -= 1;
        result
    }

    fn gather(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), ExpansionError> {
        let mut text = String::new();
        let mut words = Words::default();
        self.word.clear();
        while let Some(letter) = self.peek() {
            if Some(letter) == stop {
                self.at += 1;
                return Ok((text, self.finish(words)));
            }
            if let Some(piece) = self.special(letter)? {
                if letter == '$' {
                    piece.chars().for_each(|letter| self.add(&mut words, letter));
                } else {
                    self.word.push_str(&piece);
                    words.in_word = true;
                }
                text += &piece;
                self.check(&text)?;
            } else if self.plain(&mut text, &mut words).is_none() {
                break;
            }
        }
        match stop {
            Some(stop) => Err(ExpansionError::NotClosed(if stop == '}' { '{' } else { stop })),
            None => Ok((text, self.finish(words))),
        }
    }

    fn check(&self, text: &str) -> Result<(), ExpansionError> {
        match text.len() > self.most {
            true => Err(ExpansionError::TooLong { length: text.len(), most_added: self.lexer.most_added }),
            false => Ok(()),
        }
    }

    /// What a quote, a `$` or a `<` begins; `None` for any other letter.
    fn special(&mut self, letter: char) -> Result<Option<String>, ExpansionError> {
        Ok(Some(match letter {
            '$' => self.dollar()?,
            '<' => self.less_than(),
            '\'' if !self.lexer.ignores_quotes => self.single_quote()?,
            '"' if !self.lexer.ignores_quotes => self.double_quote()?,
            _ => return Ok(None),
        }))
    }

    /// Takes one letter, or an escape character and a letter. `None` when the text ends in an escape.
    fn plain(&mut self, text: &mut String, words: &mut Words) -> Option<()> {
        let letter = self.next()?;
        if letter != self.lexer.escape {
            self.add(words, letter);
            text.push(letter);
            return Some(());
        }
        if self.keeps_escapes {
            self.word.push(letter);
            words.in_word = true;
            text.push(letter);
        }
        let escaped = self.next()?;
        self.word.push(escaped);
        words.in_word = true;
        text.push(escaped);
        Some(())
    }

    fn add(&mut self, words: &mut Words, letter: char) {
        if !letter.is_whitespace() {
            self.word.push(letter);
            words.in_word = true;
        } else if words.in_word && !self.word.is_empty() {
            words.done.push(std::mem::take(&mut self.word));
            words.in_word = false;
        }
    }

    fn finish(&mut self, mut words: Words) -> Vec<String> {
        if !self.word.is_empty() {
            words.done.push(std::mem::take(&mut self.word));
        }
        words.done
    }

    fn single_quote(&mut self) -> Result<String, ExpansionError> {
        let mut text = String::new();
        self.quote(&mut text);
        loop {
            match self.peek() {
                None => return Err(ExpansionError::NotClosed('\'')),
                Some('\'') => {
                    self.quote(&mut text);
                    return Ok(text);
                }
                Some(letter) => text.push(letter),
            }
            self.at += 1;
        }
    }

    fn double_quote(&mut self) -> Result<String, ExpansionError> {
        let mut text = String::new();
        self.quote(&mut text);
        loop {
            match self.peek() {
                None => return Err(ExpansionError::NotClosed('"')),
                Some('"') => {
                    self.quote(&mut text);
                    return Ok(text);
                }
                Some('$') => {
                    text += &self.dollar()?;
                    self.check(&text)?;
                }
                Some(letter) => {
                    self.at += 1;
                    self.inside_double_quotes(letter, &mut text);
                }
            }
        }
    }

    fn quote(&mut self, text: &mut String) {
        let quote = self.next();
        if self.lexer.keeps_quotes {
            text.extend(quote);
        }
    }

    fn inside_double_quotes(&mut self, letter: char, text: &mut String) {
        if letter != self.lexer.escape {
            text.push(letter);
            return;
        }
        if self.keeps_escapes {
            text.push(letter);
        }
        match self.peek() {
            None => {}
            Some(escaped) if escaped == '"' || escaped == '$' || escaped == self.lexer.escape => {
                self.at += 1;
                text.push(escaped);
            }
            Some(_) => text.push(letter),
        }
    }

    /// `<<` keeps the space after it, so that a heredoc's word stays with it.
    fn less_than(&mut self) -> String {
        self.at += 1;
        if self.peek() != Some('<') {
            return "<".to_owned();
        }
        self.at += 1;
        let mut text = "<<".to_owned();
        while let Some(space @ ('\t' | '\r' | ' ')) = self.peek() {
            text.push(space);
            self.at += 1;
        }
        text
    }

    fn dollar(&mut self) -> Result<String, ExpansionError> {
        self.at += 1;
        if self.peek() == Some('{') {
            self.at += 1;
            return self.braces();
        }
        let name = self.name();
        if name.is_empty() {
            return Ok("$".to_owned());
        }
        Ok(match self.value(&name) {
            None if self.lexer.keeps_unset => format!("${name}"),
            value => value.unwrap_or_default(),
        })
    }

    fn braces(&mut self) -> Result<String, ExpansionError> {
        match self.peek() {
            None => return Err(ExpansionError::NotClosed('{')),
            Some('{' | '}' | ':') => return Err(ExpansionError::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        match self.next() {
            None => Err(ExpansionError::NotClosed('{')),
            Some('}') => Ok(match self.value(&name) {
                None if self.lexer.keeps_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some('/') => self.replacement(&name),
            Some(':') => {
                let modifier = self.next().unwrap_or('\u{fffd}');
                self.modified(&name, modifier, true)
            }
            Some(modifier @ ('+' | '-' | '?' | '#' | '%')) => self.modified(&name, modifier, false),
            Some(other) => Err(ExpansionError::Modifier(other.to_string())),
        }
    }

    fn modified(
        &mut self,
        name: &str,
        modifier: char,
        empty_is_unset: bool,
    ) -> Result<String, ExpansionError> {
        let written = if empty_is_unset { format!(":{modifier}") } else { modifier.to_string() };
        let is_pattern = matches!(modifier, '#' | '%');
        if empty_is_unset && is_pattern {
            return Err(ExpansionError::Modifier(written));
        }
        let (word, _) = self.until(Some('}'), is_pattern)?;
        let value = self.value(name);
        if self.lexer.keeps_unset && value.is_none() {
            return Ok(format!("${{{name}{written}{word}}}"));
        }
        let is_set = value.as_ref().is_some_and(|value| !empty_is_unset || !value.is_empty());
        let present = value.unwrap_or_default();
        Ok(match modifier {
            '-' if !is_set => word,
            '-' => present,
            '+' if !is_set => String::new(),
            '+' => word,
            '?' if !is_set && self.variables.is_certain(name) => {
                return Err(required(name, word, empty_is_unset));
            }
            '?' => present,
            '#' | '%' => trimmed(modifier, &word, &present)?,
            _ => return Err(ExpansionError::Modifier(written)),
        })
    }

    fn replacement(&mut self, name: &str) -> Result<String, ExpansionError> {
        let all = self.peek() == Some('/');
        if all {
            self.at += 1;
        }
        let (pattern, _) = self.until(Some('/'), true)?;
        let (replacement, _) = self.until(Some('}'), true)?;
        match self.value(name) {
            None if self.lexer.keeps_unset => Ok(format!("${{{name}/{pattern}/{replacement}}}")),
            value => {
                let value = value.unwrap_or_default();
                let replaced = pattern::replace(&pattern, &value, &replacement, all, self.most)?;
                self.check(&replaced)?;
                Ok(replaced)
            }
        }
    }

    fn name(&mut self) -> String {
        let start = self.at;
        match self.peek() {
            Some(first) if is_digit(first) => {
                while self.peek().is_some_and(is_digit) {
                    self.at += 1;
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => self.at += 1,
            _ => {
                while self.peek().is_some_and(|c| c == '_' || c.is_alphabetic() || is_digit(c)) {
                    self.at += 1;
                }
            }
        }
        self.letters[start..self.at].iter().collect()
    }

    fn value(&mut self, name: &str) -> Option<String> {
        if !self.variables.is_certain(name) {
            self.expanded.uncertain.insert(name.to_owned());
        }
        let value = self.variables.get(name).map(str::to_owned);
        let asked = match value {
            Some(_) => &mut self.expanded.matched,
            None => &mut self.expanded.unmatched,
        };
        asked.insert(name.to_owned());
        value
    }
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit() || (!letter.is_ascii() && letter.is_numeric())
}

fn required(name: &str, word: String, or_empty: bool) -> ExpansionError {
    let message = match word.as_str() {
        "" if or_empty => "is not allowed to be empty".to_owned(),
        "" => "is not allowed to be unset".to_owned(),
        _ => word,
    };
    ExpansionError::Required { name: name.to_owned(), message }
}

fn trimmed(modifier: char, word: &str, value: &str) -> Result<String, PatternError> {
    let (word, longest) = word.strip_prefix(modifier).map_or((word, false), |word| (word, true));
    if modifier == '%' {
        pattern::trim_suffix(word, value, longest)
    } else {
        pattern::trim_prefix(word, value, longest)
    }
}

#[cfg(test)]
mod tests;

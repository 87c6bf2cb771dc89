//! How the arguments of an instruction are cut into words: BuildKit's `line_parsers.go` and
//! `split_command.go`.
//!
//! Positions are bytes of the logical line.

use std::ops::Range;

/// A word and where it stands in its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// The word.
    pub text: String,
    /// Where it stands.
    pub range: Range<usize>,
}

/// What a JSON form holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    /// No JSON array: the text has another form.
    None,
    /// An array that holds something else than strings.
    NotStrings,
    /// An array of strings.
    Strings(Vec<String>),
}

/// The white space at which BuildKit splits: `[\t\v\f\r ]`.
pub(super) fn is_separator(letter: char) -> bool {
    matches!(letter, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// The part of `text` within `range` that is left when space around it is taken away.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

/// Splits the first word off: its range and the range of the rest, up to `range.end`.
pub(super) fn split_first(text: &str, range: Range<usize>) -> (Range<usize>, Range<usize>) {
    let part = &text[range.clone()];
    let Some(length) = part.find(is_separator) else {
        return (range.clone(), range.end..range.end);
    };
    let rest = part[length..].trim_start_matches(is_separator);
    (range.start..range.start + length, range.end - rest.len()..range.end)
}

/// Words between white space, quotes without meaning. `range` has none at its ends.
pub(super) fn separated(text: &str, range: Range<usize>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = range;
    while !rest.is_empty() {
        let (word, after) = split_first(text, rest);
        words.push(Word { text: text[word.clone()].to_owned(), range: word });
        rest = after;
    }
    words
}

/// Words between white space that is neither quoted nor escaped. Quotes and escapes stay.
pub(super) fn quoted(text: &str, range: Range<usize>, escape: char) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<char> = None;
    let mut letters = text[range.clone()].char_indices().peekable();
    while let Some((offset, letter)) = letters.next() {
        let at = range.start + offset;
        if quote.is_none() && letter.is_whitespace() {
            words.extend(word.take().filter(|word| !word.text.is_empty()));
            continue;
        }
        let word = word.get_or_insert_with(|| Word { text: String::new(), range: at..at });
        word.range.end = at + letter.len_utf8();
        if letter == escape && quote != Some('\'') {
            let Some((offset, escaped)) = letters.next() else { continue };
            word.range.end = range.start + offset + escaped.len_utf8();
            word.text.extend([letter, escaped]);
            continue;
        }
        match quote {
            Some(open) if open == letter => quote = None,
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            _ => {}
        }
        word.text.push(letter);
    }
    words.extend(word.filter(|word| !word.text.is_empty()));
    words
}

/// The words that begin with `--`, without quotes and escapes, and where the rest begins.
///
/// BuildKit reads bytes here, not characters: a byte above 127 becomes the character of that number.
pub(super) fn flags(text: &str, range: Range<usize>, escape: char) -> (Vec<Word>, usize) {
    let bytes = text.as_bytes();
    let mut flags = Vec::new();
    let mut at = range.start;
    loop {
        while at < range.end && is_byte_space(bytes[at]) {
            at += 1;
        }
        if !bytes[at..range.end].starts_with(b"--") {
            return (flags, text.ceil_char_boundary(at));
        }
        let (word, is_quoted) = flag(bytes, at..range.end, escape);
        at = word.range.end;
        if word.text == "--" {
            return (flags, text.ceil_char_boundary(at));
        }
        if is_quoted || !word.text.is_empty() {
            let range = word.range.start..text.ceil_char_boundary(at);
            flags.push(Word { range, ..word });
        }
    }
}

fn is_byte_space(byte: u8) -> bool {
    char::from(byte).is_whitespace()
}

fn flag(bytes: &[u8], range: Range<usize>, escape: char) -> (Word, bool) {
    let mut text = String::new();
    let mut quote: Option<u8> = None;
    let mut is_quoted = false;
    let mut at = range.start;
    while at < range.end {
        let byte = bytes[at];
        match quote {
            None if is_byte_space(byte) => break,
            None if matches!(byte, b'\'' | b'"') => {
                quote = Some(byte);
                is_quoted = true;
            }
            Some(open) if open == byte => quote = None,
            _ if char::from(byte) == escape => {
                at += 1;
                text.extend(bytes[..range.end].get(at).copied().map(char::from));
            }
            _ => text.push(char::from(byte)),
        }
        at += 1;
    }
    (Word { text, range: range.start..at.min(range.end) }, is_quoted)
}

/// Reads `text` as a JSON array of strings.
pub(super) fn json(text: &str) -> Json {
    let text = text.trim_start();
    if !text.starts_with('[') {
        return Json::None;
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return Json::None };
    let strings = values.into_iter().map(|value| match value {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    });
    strings.collect::<Option<_>>().map_or(Json::NotStrings, Json::Strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[Word]) -> Vec<&str> {
        words.iter().map(|word| word.text.as_str()).collect()
    }

    #[test]
    fn quoted_words_keep_their_quotes() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(texts(&quoted(text, 0..text.len(), '\\')), expected, "{text}");
        };
        check("a=b  c='d e'", &["a=b", "c='d e'"]);
        check("a=\"b\\\" c\" d", &["a=\"b\\\" c\"", "d"]);
        check("a\\ b c", &["a\\ b", "c"]);
        check("'a\\' b", &["'a\\'", "b"]);
        check("a\\", &["a"]);
        check("\"a b", &["\"a b"]);
        check("", &[]);
    }

    #[test]
    fn flags_end_at_the_first_other_word() {
        let check = |text: &str, expected: &[&str], rest: &str| {
            let (flags, at) = flags(text, 0..text.len(), '\\');
            assert_eq!((texts(&flags).as_slice(), &text[at..]), (expected, rest), "{text}");
        };
        check("--a=b --c d --e", &["--a=b", "--c"], "d --e");
        check("--a=\"b c\" d", &["--a=b c"], "d");
        check("--a=b\\ c d", &["--a=b c"], "d");
        check("-- --a", &[], " --a");
        check("--a=é b", &["--a=Ã©"], "b");
        check("--a=", &["--a="], "");
        check("-a", &[], "-a");
    }

    #[test]
    fn json_forms() {
        assert_eq!(json("[\"a\", \"b\"]"), Json::Strings(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(json("[1]"), Json::NotStrings);
        assert_eq!(json("['a']"), Json::None);
        assert_eq!(json("a"), Json::None);
    }
}

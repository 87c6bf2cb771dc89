//! Text for a terminal: control characters are shown, not sent.
//!
//! A name of a file may hold any byte, so that a change by a stranger could move the cursor of whoever looks at it,
//! or end a line. It never changes a text without such letters.

/// `text` with each control character, ends of lines among them, written as it is in a literal.
pub fn printable(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if letter.is_control() { escaped.extend(letter.escape_default()) } else { escaped.push(letter) }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable("a\tb\n\u{1b}[31m"), r"a\tb\n\u{1b}[31m");
        assert_eq!(printable("ü/ä b\\c"), "ü/ä b\\c");
    }
}

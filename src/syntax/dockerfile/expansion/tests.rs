//! Expansions, one a line.

use super::*;

struct Some3;

impl Variables for Some3 {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "A" => Some("a b"),
            "P" => Some("x/y/z"),
            "E" => Some(""),
            _ => None,
        }
    }
}

fn check(text: &str, expected: &str) {
    let found = Lexer::new('\\').expand(text, &Some3);
    assert_eq!(found.map_or_else(|error| format!("! {error}"), |found| found.text), expected, "{text}");
}

fn check_words(text: &str, expected: &[&str]) {
    assert_eq!(Lexer::new('\\').expand(text, &Some3).unwrap().words, expected, "{text}");
}

#[test]
fn variables_are_expanded() {
    check("$A", "a b");
    check("${A}x", "a bx");
    check("$U-", "-");
    check("$", "$");
    check("$.", "$.");
    check("$1a", "a");
    check("\\$A", "$A");
    check("'$A'", "$A");
    check("\"$A\"", "a b");
    check("\"\\$A\\n\"", "$A\\n");
    check("a\\", "a");
    check("${U:-d}", "d");
    check("${E:-d}${E-d}", "d");
    check("${U:-${A}}", "a b");
    check("${A:+y}${U+y}", "y");
    check("${P#*/}", "y/z");
    check("${P##*/}", "z");
    check("${P%/*}", "x/y");
    check("${P%%/*}", "x");
    check("${P/\\//_}", "x_y/z");
    check("${P//\\//_}", "x_y_z");
}

#[test]
fn wrong_texts_are_refused() {
    check("'a", "! `'` is not closed");
    check("\"a", "! `\"` is not closed");
    check("${A", "! `{` is not closed");
    check("${", "! `{` is not closed");
    check("${}", "! bad substitution: a name is expected after `${`");
    check("${A^}", "! unsupported modifier `^` in a substitution");
    check("${A:#x}", "! unsupported modifier `:#` in a substitution");
    check("${A:=x}", "! unsupported modifier `:=` in a substitution");
    check("${U:?no}", "! U: no");
    check("${U?}", "! U: is not allowed to be unset");
    check("${E:?}", "! E: is not allowed to be empty");
    check("${A#\\x}", "! invalid escape `\\x` in the pattern `\\x`");
}

#[test]
fn words_are_split_after_expansion() {
    check_words("$A c", &["a", "b", "c"]);
    check_words("\"$A\" c", &["a b", "c"]);
    check_words("a\\ b", &["a b"]);
    check_words("cat << EOF x", &["cat", "<< EOF", "x"]);
    check_words("a<<b", &["a<<b"]);
}

/// As long as a value may become, of the letter `x`.
struct Long;

impl Variables for Long {
    fn get(&self, name: &str) -> Option<&str> {
        static VALUE: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "x".repeat(100_000));
        (name == "A").then_some(VALUE.as_str())
    }
}

#[test]
fn no_value_becomes_longer_than_a_program_can_get() {
    let expand = |lexer: Lexer, text: &str| lexer.expand(text, &Long).map(|found| found.text.len());
    let value = |text: &str| expand(Lexer::new('\\'), text);
    let too_long = |length| Err(ExpansionError::TooLong { length, most_added: 128 << 10 });
    assert_eq!(value("$A"), Ok(100_000));
    assert_eq!(value("$A$A"), too_long(200_000));
    assert_eq!(value("\"${A}${A}\""), too_long(200_000));
    assert_eq!(value("${B:-$A$A}"), too_long(200_000));
    assert_eq!(value("${A:+${A:+$A$A}}"), too_long(200_000));
    assert!(matches!(value("${A//x/1234}"), Err(ExpansionError::TooLong { length, .. }) if length < 250_000));
    assert_eq!(value("${A/x/$A}"), too_long(199_999));
    assert!(matches!(value("${A//*/\\$0\\$0\\$0}"), Err(ExpansionError::TooLong { .. })));
    assert_eq!(value("${A//x/}"), Ok(0));
    assert_eq!(value("${A//*y/}"), Ok(100_000));
    // What is written is as long as it is.
    let written = "y".repeat(1 << 20);
    assert_eq!(value(&format!("{written}$A")), Ok((1 << 20) + 100_000));
    assert_eq!(expand(Lexer::of_file(), &"$A".repeat(100)), Ok(10_000_000));
    let length = (16 << 20) / 100_000 * 100_000 + 100_000;
    let too_long = ExpansionError::TooLong { length, most_added: 16 << 20 };
    assert_eq!(expand(Lexer::of_file(), &"$A".repeat(1000)), Err(too_long));
}

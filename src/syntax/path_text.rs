//! Path texts as BuildKit reads them: cleaned by their letters, decoded one character at a time.
//!
//! Patterns are texts and file names are bytes. A byte that is no UTF-8 counts as U+FFFD, one
//! character a byte: that is what Go's decoder gives, and so what a pattern is compared with.

/// The shortest path that says the same, by its letters alone: Go's `path.Clean`.
///
/// The empty path is `.`; a leading `..` stays, unless the path begins at the root.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            ".." if rooted => {}
            name => names.push(name),
        }
    }
    match (rooted, names.is_empty()) {
        (true, _) => format!("/{}", names.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => names.join("/"),
    }
}

/// Whether `name` ends with `text`. The last byte decides nearly always, without a call.
pub fn ends_with(name: &[u8], text: &[u8]) -> bool {
    text.is_empty() || (name.last() == text.last() && name.ends_with(text))
}

/// The first character of `bytes` and how many bytes it takes; `None` at the end.
pub fn first_character(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    let length = match first {
        0..=0x7f => return Some((char::from(first), 1)),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let decoded = bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match decoded.and_then(|text| text.chars().next()) {
        Some(character) => Some((character, length)),
        None => Some((char::REPLACEMENT_CHARACTER, 1)),
    }
}

/// `bytes` as text, each byte that is no UTF-8 replaced.
pub fn lossy_text(mut bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    while let Some((character, length)) = first_character(bytes) {
        text.push(character);
        bytes = &bytes[length..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_their_letters() {
        let check = |path: &str, expected: &str| assert_eq!(clean(path), expected, "{path}");
        check("", ".");
        check(".", ".");
        check("./a//b/", "a/b");
        check("a/..", ".");
        check("a/../..", "..");
        check("../../a", "../../a");
        check("/..", "/");
        check("/../a/./b", "/a/b");
        check("a/.../b", "a/.../b");
        check("!../x", "!../x");
        check("!/", "!");
    }

    #[test]
    fn ends_are_ends() {
        for (name, text, expected) in
            [("ab", "b", true), ("ab", "ab", true), ("b", "ab", false), ("a", "", true), ("", "a", false)]
        {
            assert_eq!(ends_with(name.as_bytes(), text.as_bytes()), expected, "{name} {text}");
        }
    }

    #[test]
    fn each_bad_byte_is_one_character() {
        assert_eq!(lossy_text(b"a\xff\xe2\x82z"), "a\u{fffd}\u{fffd}\u{fffd}z");
        assert_eq!(lossy_text("é€𝄞".as_bytes()), "é€𝄞");
        assert_eq!(lossy_text(b"\xed\xa0\x80"), "\u{fffd}\u{fffd}\u{fffd}");
    }
}

//! Documents that others wrote: JSON that becomes no more in memory than a little.
//!
//! A limit on bytes alone is none: a list of two million zeros is a document of four MiB, and a hundred times as
//! much once every zero is a value, and then a part of a copy.

use serde::de::{DeserializeOwned, Error};

/// The most bytes of a manifest, an index or a configuration: what registries take.
pub const LARGEST_DOCUMENT: u64 = 4 * 1024 * 1024;

/// The most values of a document. An image of a hundred layers has about a thousand.
const MOST_VALUES: usize = 100_000;

/// Reads a document.
///
/// # Errors
/// It is not what is expected, or has more values than any such document.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    if has_too_many_values(bytes) {
        return Err(serde_json::Error::custom(format_args!("it has more than {MOST_VALUES} values")));
    }
    serde_json::from_slice(bytes)
}

/// Whether there are more values than that. Each but the first begins behind one of `[{,:`, outside of texts.
fn has_too_many_values(bytes: &[u8]) -> bool {
    let (mut count, mut is_text, mut is_escaped) = (0, false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' | b',' | b':' if !is_text => count += 1,
            _ => {}
        }
    }
    count > MOST_VALUES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match read::<serde_json::Value>(text.as_bytes()) {
            Ok(_) => "read".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(found.starts_with(expected), "{}: {found}", &text[..text.len().min(80)]);
    }

    #[test]
    fn values_are_counted_and_texts_are_not() {
        let many = "it has more than 100000 values";
        check("{}", "read");
        check("[0,", "EOF");
        check(&format!("[{}0]", "0,".repeat(99_999)), "read");
        check(&format!("[{}0]", "0,".repeat(100_000)), many);
        check(&format!("[{}{{}}]", "{},".repeat(50_000)), many);
        check(&format!("{{{}\"a\":0}}", "\"a\":0,".repeat(50_000)), many);
        check(&format!("[\"{}\"]", ",".repeat(1_000_000)), "read");
        check(&format!("[\"\\\"{}\"]", ",".repeat(1_000_000)), "read");
        check(&format!("[\"\\\\\",{}0]", "0,".repeat(100_000)), many);
        check(&"[".repeat(1_000_000), many);
    }
}

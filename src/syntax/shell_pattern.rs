//! Shell patterns for one name, as Go's `filepath.Match` reads them.
//!
//! BuildKit uses them for two things: to find the names that a `COPY` source with wildcards means
//! when links are followed, and to refuse a malformed pattern before it is used.

use super::path_text::first_character;

/// The pattern is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Whether `name` matches `pattern`; `*` and `?` stop at `/`.
///
/// # Errors
/// When the part of the pattern that was looked at is malformed. As in Go, what follows the first
/// piece that fails to match is not looked at.
pub fn matches(pattern: &[u8], name: &[u8]) -> Result<bool, Malformed> {
    let (mut pattern, mut name) = (pattern, name);
    while !pattern.is_empty() {
        let (star, chunk, rest) = first_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        let last = pattern.is_empty();
        let reach = if star { name.iter().take_while(|byte| **byte != b'/').count() } else { 0 };
        let mut found = None;
        for skipped in 0..=reach {
            if let Some(rest) = match_chunk(chunk, &name[skipped..])?
                && (rest.is_empty() || !last)
            {
                found = Some(rest);
                break;
            }
        }
        match found {
            Some(rest) => name = rest,
            None => return Ok(false),
        }
    }
    Ok(name.is_empty())
}

/// Whether `name` holds a character that makes it a pattern.
pub fn has_wildcards(name: &[u8]) -> bool {
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

/// Takes leading stars and what follows them up to the next star.
fn first_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let (mut in_class, mut at) = (false, 0);
    while at < pattern.len() {
        match pattern[at] {
            b'\\' if at + 1 < pattern.len() => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        at += 1;
    }
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// Matches a piece without stars at the beginning of `name` and returns what is left of the name.
/// The whole piece is checked for its form, even when the name has already failed.
fn match_chunk<'n>(chunk: &[u8], name: &'n [u8]) -> Result<Option<&'n [u8]>, Malformed> {
    let mut chunk = chunk;
    let mut left = Some(name);
    while let Some((&first, rest)) = chunk.split_first() {
        let next = left.and_then(first_character);
        let advance = |by: usize| left.map(|name| &name[by..]);
        match first {
            b'[' => {
                let (matched, after) = match_class(rest, next.map(|(character, _)| character))?;
                chunk = after;
                left = next.filter(|_| matched).and_then(|(_, length)| advance(length));
            }
            b'?' => {
                chunk = rest;
                left =
                    next.filter(|(character, _)| *character != '/').and_then(|(_, length)| advance(length));
            }
            _ => {
                let literal = if first == b'\\' { rest } else { chunk };
                let (byte, after) = literal.split_first().ok_or(Malformed)?;
                chunk = after;
                left = left.and_then(|name| name.strip_prefix(std::slice::from_ref(byte)));
            }
        }
    }
    Ok(left)
}

/// Reads a class after its `[`: whether it holds `character`, and what follows it.
fn match_class(class: &[u8], character: Option<char>) -> Result<(bool, &[u8]), Malformed> {
    let (negated, mut class) = match class.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, class),
    };
    let (mut found, mut ranges) = (false, 0);
    loop {
        if let Some(rest) = class.strip_prefix(b"]")
            && ranges > 0
        {
            return Ok((found != negated, rest));
        }
        let (low, rest) = class_character(class)?;
        let (high, rest) = match rest.strip_prefix(b"-") {
            Some(rest) => class_character(rest)?,
            None => (low, rest),
        };
        found |= character.is_some_and(|character| (low..=high).contains(&character));
        class = rest;
        ranges += 1;
    }
}

fn class_character(class: &[u8]) -> Result<(char, &[u8]), Malformed> {
    let class = match class {
        [] | [b'-' | b']', ..] => return Err(Malformed),
        [b'\\', rest @ ..] => rest,
        class => class,
    };
    let (character, length) = first_character(class).ok_or(Malformed)?;
    let bad = character == char::REPLACEMENT_CHARACTER && length == 1;
    let rest = &class[length..];
    if bad || rest.is_empty() { Err(Malformed) } else { Ok((character, rest)) }
}

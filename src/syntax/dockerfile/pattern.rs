//! Patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/replacement}`.
//!
//! BuildKit turns them into regular expressions (`shell/lex.go`): `*` is any text, `?` one
//! character, neither crosses a line end, `\` takes the meaning from `*`, `?` and `\`. All ends of a match
//! are found by walking both once, with no more than the places that are reached at hand.

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid escape `\\{0}` in the pattern `{1}`")]
pub struct PatternError(String, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Any,
    One,
    Letter(char),
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<Token>);

/// `value` without the shortest or longest beginning that `pattern` matches.
pub(super) fn trim_prefix(pattern: &str, value: &str, longest: bool) -> Result<String, PatternError> {
    let compiled = Pattern::compile(pattern)?;
    let letters: Vec<char> = value.chars().collect();
    let end = compiled.end(&letters, 0, longest).unwrap_or(0);
    Ok(letters[end..].iter().collect())
}

/// `value` without the shortest or longest end that `pattern` matches.
pub(super) fn trim_suffix(pattern: &str, value: &str, longest: bool) -> Result<String, PatternError> {
    let reversed: String = value.chars().rev().collect();
    let trimmed = trim_prefix(&reverse(pattern), &reversed, longest)?;
    Ok(trimmed.chars().rev().collect())
}

/// `value` with the first match, or with every match, of `pattern` replaced. It is given up, unfinished, as
/// soon as it is longer than `most` bytes.
pub(super) fn replace(
    pattern: &str,
    value: &str,
    replacement: &str,
    all: bool,
    most: usize,
) -> Result<String, PatternError> {
    let compiled = Pattern::compile(pattern)?;
    let letters: Vec<char> = value.chars().collect();
    Ok(if all {
        compiled.replace_all(&letters, replacement, most)
    } else {
        compiled.replace_first(&letters, replacement)
    })
}

/// A pattern read from its end, escapes kept before what they escape.
fn reverse(pattern: &str) -> String {
    let letters: Vec<char> = pattern.chars().collect();
    let mut units: Vec<String> = Vec::new();
    let mut rest = letters.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let length = if *first == '\\' && !after.is_empty() { 2 } else { 1 };
        units.push(rest[..length].iter().collect());
        rest = &rest[length..];
    }
    units.into_iter().rev().collect()
}

impl Pattern {
    fn compile(pattern: &str) -> Result<Self, PatternError> {
        let mut tokens = Vec::new();
        let mut letters = pattern.chars().peekable();
        while let Some(letter) = letters.next() {
            tokens.push(match letter {
                '*' => Token::Any,
                '?' => Token::One,
                '\\' if matches!(letters.peek(), Some('}' | '/')) => continue,
                '\\' => match letters.next() {
                    Some(escaped @ ('*' | '?' | '\\')) => Token::Letter(escaped),
                    other => {
                        let other = other.map(String::from).unwrap_or_default();
                        return Err(PatternError(other, pattern.to_owned()));
                    }
                },
                letter => Token::Letter(letter),
            });
        }
        Ok(Self(tokens))
    }

    /// Where a match that begins at `start` ends.
    fn end(&self, letters: &[char], start: usize, longest: bool) -> Option<usize> {
        let mut reached = vec![start];
        for token in &self.0 {
            reached = step(*token, letters, &reached);
        }
        if longest { reached.last().copied() } else { reached.first().copied() }
    }

    fn find(&self, letters: &[char], from: usize) -> Option<(usize, usize)> {
        let mut start = from;
        while start <= letters.len() {
            if let Some(end) = self.end(letters, start, true) {
                return Some((start, end));
            }
            // What begins with any text and is not found here is not found further on in this line.
            let skipped = match self.0.first() {
                Some(Token::Any) => letters[start..].iter().position(|letter| *letter == '\n')?,
                _ => 0,
            };
            start += skipped + 1;
        }
        None
    }

    fn replace_first(&self, letters: &[char], replacement: &str) -> String {
        match self.find(letters, 0) {
            None => letters.iter().collect(),
            Some((start, end)) => {
                let before: String = letters[..start].iter().collect();
                let after: String = letters[end..].iter().collect();
                before + replacement + &after
            }
        }
    }

    /// As Go's `Regexp.ReplaceAllString` does it, `$` in the replacement included.
    fn replace_all(&self, letters: &[char], replacement: &str, most: usize) -> String {
        let mut result = String::new();
        let mut copied = 0;
        let mut from = 0;
        while from <= letters.len()
            && result.len() <= most
            && let Some((start, end)) = self.find(letters, from)
        {
            result.extend(&letters[copied..start]);
            if end > copied || start == 0 {
                let matched: String = letters[start..end].iter().collect();
                result += &fill_in(replacement, &matched, most);
            }
            copied = end;
            from = end.max(from + 1);
        }
        result.extend(&letters[copied.min(letters.len())..]);
        result
    }
}

/// The places that are reached through `token` from those of `reached`, sorted as they are.
fn step(token: Token, letters: &[char], reached: &[usize]) -> Vec<usize> {
    let is_in_line = |at: &usize| letters.get(*at).is_some_and(|letter| *letter != '\n');
    let places = reached.iter().copied();
    match token {
        Token::One => places.filter(is_in_line).map(|at| at + 1).collect(),
        Token::Letter(wanted) => {
            places.filter(|at| letters.get(*at) == Some(&wanted)).map(|at| at + 1).collect()
        }
        Token::Any => {
            let mut next: Vec<usize> = Vec::new();
            for place in places {
                let is_reached = next.last().is_some_and(|last| *last >= place);
                if !is_reached {
                    let rest = (place..letters.len()).take_while(is_in_line).map(|at| at + 1);
                    next.push(place);
                    next.extend(rest);
                }
            }
            next
        }
    }
}

/// Go's replacement templates: `$0` is the match, `$$` a dollar, any other name is nothing. It is given up as
/// soon as it is longer than `most` bytes.
fn fill_in(template: &str, matched: &str, most: usize) -> String {
    let mut result = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$').filter(|_| result.len() <= most) {
        result += &rest[..at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        match template_name(rest) {
            None => result.push('$'),
            Some((name, after)) => {
                result += if name.bytes().all(|b| b == b'0') && name.len() == 1 { matched } else { "" };
                rest = after;
            }
        }
    }
    result + rest
}

fn template_name(text: &str) -> Option<(&str, &str)> {
    let (inner, braced) = text.strip_prefix('{').map_or((text, false), |inner| (inner, true));
    let length = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, after) = inner.split_at(length);
    let after = if braced { after.strip_prefix('}')? } else { after };
    (!name.is_empty()).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_trimmed() {
        let check = |found: Result<String, PatternError>, expected: &str| {
            assert_eq!(found.unwrap_or_else(|error| error.to_string()), expected);
        };
        check(trim_prefix("*/", "a/b/c", false), "b/c");
        check(trim_prefix("*/", "a/b/c", true), "c");
        check(trim_prefix("x", "a", true), "a");
        check(trim_suffix("/*", "a/b/c", false), "a/b");
        check(trim_suffix("/*", "a/b/c", true), "a");
        check(trim_suffix("\\*", "a*", true), "a");
        check(trim_prefix("?", "äb", true), "b");
        check(trim_prefix("\\a", "a", true), "invalid escape `\\a` in the pattern `\\a`");
        check(replace("o", "foo", "0", false, 1000), "f0o");
        check(replace("o", "foo", "0", true, 1000), "f00");
        check(replace("*", "foo", "x", true, 1000), "x");
        check(replace("o*", "foo", "<$0>", true, 1000), "f<oo>");
        check(replace("", "ab", "-", true, 1000), "-a-b-");
    }
}

//! The regular expressions that moby/patternmatcher makes of patterns, read as Go's `regexp` does.
//!
//! A pattern's `\`, `[`, `]`, `{`, `}` and `|` reach Go's engine as they are, so that `\d` is a digit,
//! `[!a]` holds an exclamation mark, `a|b*` is a choice, and `[?]` means something unwanted. To agree
//! in those corners too, a pattern is first turned into the same expression text, and the text is
//! parsed here.
//!
//! Only what such a text can hold is understood: it has no groups. The one part that is missing are
//! Unicode classes (`\pL`): they are refused. Matching follows all possibilities at once: its time is
//! bounded by the length of the name times the length of the pattern, whatever the pattern.

use std::ops::RangeInclusive;

use super::path_text::{ends_with, first_character};

/// `(.*/)?`, which stands for `**/`.
pub(super) const ANY_FOLDERS: &str = "(.*/)?";
/// `.*`, which stands for `**` at the end.
pub(super) const ANY_TEXT: &str = ".*";

/// The expression is malformed, or uses a Unicode class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadExpression;

/// How often an item may be repeated at most.
const MOST_REPEATS: usize = 1000;

/// A parsed expression: the sequences of which one must be found in a name.
#[derive(Clone, Debug)]
pub(super) struct PathExpression {
    choices: Vec<Vec<Item>>,
}

#[derive(Clone, Debug)]
enum Item {
    Text(String),
    One(Class),
    Many(Class),
    AnyFolders,
    AnyText,
    Start,
    End,
    /// A place where a word begins or ends, or where none does.
    WordEdge(bool),
    Repeat {
        item: Box<Self>,
        least: usize,
        most: Option<usize>,
    },
}

#[derive(Clone, Debug, Default)]
struct Class {
    negated: bool,
    ranges: Vec<RangeInclusive<char>>,
}

impl Class {
    fn holds(&self, character: char) -> bool {
        self.ranges.iter().any(|range| range.contains(&character)) != self.negated
    }

    fn add(&mut self, other: &Self) {
        if !other.negated {
            self.ranges.extend(other.ranges.iter().cloned());
            return;
        }
        let mut next = Some('\0');
        let mut sorted = other.ranges.clone();
        sorted.sort_by_key(|range| *range.start());
        for range in sorted {
            if let Some(low) = next
                && let Some(high) = before(*range.start())
                && low <= high
            {
                self.ranges.push(low..=high);
            }
            next = (*range.end()..=char::MAX).nth(1);
        }
        self.ranges.extend(next.map(|low| low..=char::MAX));
    }
}

fn before(character: char) -> Option<char> {
    ('\0'..character).next_back()
}

/// The rest of a text together with what was read from its beginning.
type Read<'t, Value> = Result<(Value, &'t str), BadExpression>;

impl PathExpression {
    /// Parses `text`, which begins with `^` and ends with `$` (unless a quotation swallows the `$`).
    pub(super) fn parse(text: &str) -> Result<Self, BadExpression> {
        let mut choices = vec![Vec::new()];
        let mut rest = text;
        while !rest.is_empty() {
            match (rest.strip_prefix('|'), choices.last_mut()) {
                (None, Some(items)) => rest = parse_item(rest, items)?,
                (after, _) => {
                    choices.push(Vec::new());
                    rest = after.unwrap_or(rest);
                }
            }
        }
        Ok(Self { choices })
    }

    /// The letters with which every name that matches begins.
    pub(super) fn literal_prefix(&self) -> &str {
        match self.choices.as_slice() {
            [items] => prefix(items),
            _ => "",
        }
    }

    /// The number of `/` in every name that matches, when it is the same for all.
    pub(super) fn slashes(&self) -> Option<usize> {
        let [items] = self.choices.as_slice() else { return None };
        let [Item::Start, items @ .., Item::End] = items.as_slice() else { return None };
        let mut slashes = 0;
        for item in items {
            match item {
                Item::Text(text) => slashes += text.matches('/').count(),
                Item::One(class) | Item::Many(class) if class.holds('/') => return None,
                Item::AnyFolders | Item::AnyText | Item::Repeat { .. } => return None,
                Item::One(_) | Item::Many(_) | Item::Start | Item::End | Item::WordEdge(_) => {}
            }
        }
        Some(slashes)
    }

    /// Whether `name` matches.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        self.choices.iter().any(|items| found(items, name))
    }
}

fn prefix(items: &[Item]) -> &str {
    match items {
        [Item::Start, Item::Text(text), ..] => text,
        _ => "",
    }
}

fn suffix(items: &[Item]) -> &str {
    match items {
        [.., Item::Text(text), Item::End] => text,
        _ => "",
    }
}

/// Whether all letters of the sequence are somewhere in `name`. Most names of a tree lack them, and
/// this is found out without following possibilities.
fn holds_letters(items: &[Item], name: &[u8]) -> bool {
    // The first byte decides nearly always, without a call.
    let is_at = |part: &[u8], text: &[u8]| part[0] == text[0] && part == text;
    let holds = |text: &[u8]| text.is_empty() || name.windows(text.len()).any(|part| is_at(part, text));
    !items.iter().any(|item| matches!(item, Item::Text(text) if !holds(text.as_bytes())))
}

/// Whether the sequence is found anywhere in `name`.
fn found(items: &[Item], name: &[u8]) -> bool {
    let prefix = prefix(items).as_bytes();
    if (!prefix.is_empty() && !name.starts_with(prefix))
        || !ends_with(name, suffix(items).as_bytes())
        || !holds_letters(items, name)
    {
        return false;
    }
    let mut places = match items {
        [Item::Start, ..] => vec![0],
        _ => run(name, &[0], |_| true),
    };
    for item in items {
        if places.is_empty() {
            return false;
        }
        places = step(item, name, places);
    }
    !places.is_empty()
}

/// The places of `name` that are reached from `places` through `item`, in order.
fn step(item: &Item, name: &[u8], mut places: Vec<usize>) -> Vec<usize> {
    match item {
        Item::Text(text) => {
            places.retain(|at| name[*at..].starts_with(text.as_bytes()));
            places.iter_mut().for_each(|at| *at += text.len());
        }
        Item::One(class) => {
            let after = |at: usize| {
                let (character, length) = first_character(&name[at..])?;
                class.holds(character).then_some(at + length)
            };
            return places.into_iter().filter_map(after).collect();
        }
        Item::Many(class) => return run(name, &places, |character| class.holds(character)),
        Item::AnyText => return run(name, &places, |character| character != '\n'),
        Item::AnyFolders => {
            let reached = run(name, &places, |character| character != '\n');
            places.extend(reached.into_iter().filter(|at| *at > 0 && name[*at - 1] == b'/'));
            // A place at which a run begins is reached by an empty run only: it is there already.
            places.sort_unstable();
            places.dedup();
        }
        Item::Start => places.retain(|at| *at == 0),
        Item::End => places.retain(|at| *at == name.len()),
        Item::WordEdge(wanted) => {
            let word =
                |at: usize| name.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            places.retain(|at| (word(*at) != (*at > 0 && word(*at - 1))) == *wanted);
        }
        Item::Repeat { item, least, most } => return repeat(item, *least, *most, name, places),
    }
    places
}

fn repeat(item: &Item, least: usize, most: Option<usize>, name: &[u8], places: Vec<usize>) -> Vec<usize> {
    let mut last = (0..least).fold(places, |places, _| step(item, name, places));
    let mut reached = last.clone();
    let mut left = most.map(|most| most - least);
    while !last.is_empty() && left != Some(0) {
        last = step(item, name, last);
        last.retain(|at| reached.binary_search(at).is_err());
        reached.extend(&last);
        reached.sort_unstable();
        left = left.map(|left| left - 1);
    }
    reached
}

/// Every place that is reached from one of `places` over characters that are `wanted`.
fn run(name: &[u8], places: &[usize], wanted: impl Fn(char) -> bool) -> Vec<usize> {
    let mut reached: Vec<usize> = Vec::new();
    for &start in places {
        if reached.last().is_some_and(|last| *last >= start) {
            continue;
        }
        let mut at = start;
        reached.push(at);
        while let Some((character, length)) = first_character(&name[at..])
            && wanted(character)
        {
            at += length;
            reached.push(at);
        }
    }
    reached
}

fn push_literal(items: &mut Vec<Item>, character: char) {
    // A byte that is no UTF-8 is this character too: it must be compared decoded.
    if character == char::REPLACEMENT_CHARACTER {
        items.push(Item::One(Class { negated: false, ranges: vec![character..=character] }));
    } else if let Some(Item::Text(text)) = items.last_mut() {
        text.push(character);
    } else {
        items.push(Item::Text(character.to_string()));
    }
}

fn parse_item<'t>(text: &'t str, items: &mut Vec<Item>) -> Result<&'t str, BadExpression> {
    for (generated, item) in [(ANY_FOLDERS, Item::AnyFolders), (ANY_TEXT, Item::AnyText)] {
        if let Some(rest) = text.strip_prefix(generated) {
            items.push(item);
            return Ok(rest);
        }
    }
    let mut characters = text.chars();
    let first = characters.next().ok_or(BadExpression)?;
    let rest = characters.as_str();
    match first {
        '^' => items.push(Item::Start),
        '$' => items.push(Item::End),
        '[' => {
            let (class, rest) = parse_class(rest)?;
            return Ok(match rest.strip_prefix('*') {
                Some(rest) => {
                    items.push(Item::Many(class));
                    rest
                }
                None => {
                    items.push(Item::One(class));
                    rest
                }
            });
        }
        '{' => {
            if let Some((least, most, rest)) = repetition(rest) {
                return push_repeat(items, least?, most?).map(|()| rest);
            }
            push_literal(items, '{');
        }
        '\\' => return parse_escaped_item(text, items),
        character => push_literal(items, character),
    }
    Ok(rest)
}

/// Reads `2}`, `2,}` or `2,3}`. `None` when it is no repetition: then the brace is a character.
#[expect(clippy::type_complexity, reason = "the two numbers may be wrong each for itself")]
fn repetition(
    text: &str,
) -> Option<(Result<usize, BadExpression>, Result<Option<usize>, BadExpression>, &str)> {
    let (least, rest) = number(text)?;
    let (most, rest) = match rest.strip_prefix(',') {
        None => (least.map(Some), rest),
        Some(rest) if rest.starts_with('}') => (Ok(None), rest),
        Some(rest) => number(rest).map(|(most, rest)| (most.map(Some), rest))?,
    };
    Some((least, most, rest.strip_prefix('}')?))
}

/// Reads a number without leading zeros.
fn number(text: &str) -> Option<(Result<usize, BadExpression>, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    if number.is_empty() || (digits > 1 && number.starts_with('0')) {
        return None;
    }
    let number = number.parse().ok().filter(|number| *number <= MOST_REPEATS);
    Some((number.ok_or(BadExpression), rest))
}

/// Makes the last item a repeated one. What is repeated already cannot be repeated again.
fn push_repeat(items: &mut Vec<Item>, least: usize, most: Option<usize>) -> Result<(), BadExpression> {
    let item = match items.pop().ok_or(BadExpression)? {
        Item::Many(_) | Item::AnyFolders | Item::AnyText | Item::Repeat { .. } => return Err(BadExpression),
        Item::Text(mut text) => {
            let last = text.pop().ok_or(BadExpression)?;
            if !text.is_empty() {
                items.push(Item::Text(text));
            }
            Item::Text(last.to_string())
        }
        item => item,
    };
    if most.is_some_and(|most| most < least) {
        return Err(BadExpression);
    }
    items.push(Item::Repeat { item: Box::new(item), least, most });
    Ok(())
}

fn parse_escaped_item<'t>(text: &'t str, items: &mut Vec<Item>) -> Result<&'t str, BadExpression> {
    let item = match text.as_bytes().get(1) {
        Some(b'A') => Item::Start,
        Some(b'z') => Item::End,
        Some(b'b') => Item::WordEdge(true),
        Some(b'B') => Item::WordEdge(false),
        Some(b'Q') => {
            let (quoted, rest) = text[2..].split_once(r"\E").unwrap_or((&text[2..], ""));
            quoted.chars().for_each(|character| push_literal(items, character));
            return Ok(rest);
        }
        _ => match perl_class(text) {
            Some((class, rest)) => {
                items.push(Item::One(class));
                return Ok(rest);
            }
            None => {
                let (character, rest) = parse_escape(text)?;
                push_literal(items, character);
                return Ok(rest);
            }
        },
    };
    items.push(item);
    Ok(&text[2..])
}

/// Reads a class after its `[`. A `]` directly after the `[` or the `^` is one of its characters.
fn parse_class(text: &str) -> Read<'_, Class> {
    let (negated, mut rest) = match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut class = Class { negated, ranges: Vec::new() };
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some((named, after)) = posix_class(rest)? {
            class.add(&named);
            rest = after;
        } else if let Some((perl, after)) = perl_class(rest) {
            class.add(&perl);
            rest = after;
        } else {
            let (range, after) = parse_range(rest)?;
            class.ranges.push(range);
            rest = after;
        }
    }
    Ok((class, &rest[1..]))
}

fn parse_range(text: &str) -> Read<'_, RangeInclusive<char>> {
    let (low, rest) = parse_class_character(text)?;
    match rest.strip_prefix('-') {
        Some(after) if !after.is_empty() && !after.starts_with(']') => {
            let (high, rest) = parse_class_character(after)?;
            if high < low { Err(BadExpression) } else { Ok((low..=high, rest)) }
        }
        _ => Ok((low..=low, rest)),
    }
}

fn parse_class_character(text: &str) -> Read<'_, char> {
    if text.starts_with('\\') {
        return parse_escape(text);
    }
    let mut characters = text.chars();
    let character = characters.next().ok_or(BadExpression)?;
    Ok((character, characters.as_str()))
}

/// `[:alpha:]` and its like, inside a class. Without a closing `:]` the `[` is a character.
fn posix_class(text: &str) -> Result<Option<(Class, &str)>, BadExpression> {
    let Some(inner) = text.strip_prefix("[:") else { return Ok(None) };
    let Some((name, rest)) = inner.split_once(":]") else { return Ok(None) };
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (true, name),
        None => (false, name),
    };
    let ranges: &[RangeInclusive<char>] = match name {
        "alnum" => &['0'..='9', 'A'..='Z', 'a'..='z'],
        "alpha" => &['A'..='Z', 'a'..='z'],
        "ascii" => &['\0'..='\x7f'],
        "blank" => &['\t'..='\t', ' '..=' '],
        "cntrl" => &['\0'..='\x1f', '\x7f'..='\x7f'],
        "digit" => &['0'..='9'],
        "graph" => &['!'..='~'],
        "lower" => &['a'..='z'],
        "print" => &[' '..='~'],
        "punct" => &['!'..='/', ':'..='@', '['..='`', '{'..='~'],
        "space" => &['\t'..='\r', ' '..=' '],
        "upper" => &['A'..='Z'],
        "word" => &['0'..='9', 'A'..='Z', 'a'..='z', '_'..='_'],
        "xdigit" => &['0'..='9', 'A'..='F', 'a'..='f'],
        _ => return Err(BadExpression),
    };
    Ok(Some((Class { negated, ranges: ranges.to_vec() }, rest)))
}

/// `\d`, `\s`, `\w` and their opposites.
fn perl_class(text: &str) -> Option<(Class, &str)> {
    let letter = *text.strip_prefix('\\')?.as_bytes().first()?;
    let ranges: &[RangeInclusive<char>] = match letter.to_ascii_lowercase() {
        b'd' => &['0'..='9'],
        b's' => &['\t'..='\n', '\x0c'..='\r', ' '..=' '],
        b'w' => &['0'..='9', 'A'..='Z', 'a'..='z', '_'..='_'],
        _ => return None,
    };
    Some((Class { negated: letter.is_ascii_uppercase(), ranges: ranges.to_vec() }, &text[2..]))
}

/// One character after a backslash. Letters and digits that mean nothing are errors, and so are
/// characters beyond ASCII.
fn parse_escape(text: &str) -> Read<'_, char> {
    let mut characters = text[1..].chars();
    let character = characters.next().ok_or(BadExpression)?;
    let rest = characters.as_str();
    let simple = match character {
        '0'..='7' => return parse_octal(character, rest),
        'x' => return parse_hexadecimal(rest),
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => other,
        _ => return Err(BadExpression),
    };
    Ok((simple, rest))
}

/// Up to three octal digits. A single digit other than zero would be a reference to a group.
fn parse_octal(first: char, rest: &str) -> Read<'_, char> {
    let more = rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    if first != '0' && more == 0 {
        return Err(BadExpression);
    }
    let digits = std::iter::once(first).chain(rest[..more].chars());
    let value = digits.fold(0, |value, digit| value * 8 + (u32::from(digit) - u32::from('0')));
    Ok((char::from_u32(value).ok_or(BadExpression)?, &rest[more..]))
}

/// Two hexadecimal digits, or any number of them in braces.
fn parse_hexadecimal(rest: &str) -> Read<'_, char> {
    let (digits, rest) = match rest.strip_prefix('{') {
        Some(inner) => inner.split_once('}').ok_or(BadExpression)?,
        None => rest.split_at_checked(2).ok_or(BadExpression)?,
    };
    let add = |value: u32, digit: char| value.checked_mul(16)?.checked_add(digit.to_digit(16)?);
    let value = digits.chars().try_fold(0, add).filter(|_| !digits.is_empty());
    Ok((value.and_then(char::from_u32).ok_or(BadExpression)?, rest))
}

//! What an instruction reads, seen at a glance: for lines so simple that nothing can be wrong with them.
//!
//! Who only wants to know what a file may read need not have each of its lines cut, spanned and kept. A line
//! of the simplest form of its instruction is understood where it stands; every other one is left to the
//! parser.
//!
//! **Invariant:** where a line is understood, the parser finds nothing wrong with it, and finds in it what is
//! found here.

use super::keyword::Keyword;
use super::mount;
use super::parser::is_stage_name;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Glance<'l> {
    /// Nothing that decides what is read.
    Nothing,
    /// `FROM`, and the base.
    Base(&'l str),
    /// `ARG`: names, with their defaults or without.
    Arguments(Words<'l>),
    /// `COPY` or `ADD`: the value of `--from`, and the sources, heredocs among them.
    Copy(Option<&'l str>, Words<'l>),
    /// `RUN`: the value of `from` of each mount, and its text.
    Run(Vec<(String, &'l str)>),
}

/// A heredoc that a line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'l> {
    /// The word that ends it.
    pub(super) name: &'l str,
    /// Whether leading tabs are dropped: `<<-`.
    pub(super) chomp: bool,
}

/// The key of a mount that says what it is of.
const FROM: &[u8] = b"from";

/// The letters in which a line is more than words between spaces.
#[derive(Clone, Copy)]
struct Letters {
    /// Something that is neither printed ASCII nor a space or a tab.
    are_odd: bool,
    /// A quote or a `\`.
    quote: bool,
    /// `$`
    vary: bool,
    /// `<`
    less_than: bool,
}

impl Letters {
    const ODD: u8 = 1;
    const QUOTE: u8 = 2;
    const VARY: u8 = 4;
    const LESS_THAN: u8 = 8;

    /// What each letter is.
    const CLASSES: [u8; 256] = {
        let mut classes = [Self::ODD; 256];
        let mut byte = 0;
        while byte < classes.len() {
            classes[byte] = match byte as u8 {
                b'\'' | b'"' | b'\\' => Self::QUOTE,
                b'$' => Self::VARY,
                b'<' => Self::LESS_THAN,
                b' '..=b'~' | b'\t' => 0,
                _ => Self::ODD,
            };
            byte += 1;
        }
        classes
    };

    fn of(text: &str) -> Self {
        let seen = text.bytes().fold(0, |seen, byte| seen | Self::CLASSES[usize::from(byte)]);
        let has = |class| seen & class != 0;
        Self {
            are_odd: has(Self::ODD),
            quote: has(Self::QUOTE),
            vary: has(Self::VARY),
            less_than: has(Self::LESS_THAN),
        }
    }
}

/// The words of a text of ASCII letters, between spaces and tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words<'l>(&'l str);

impl<'l> Iterator for Words<'l> {
    type Item = &'l str;
    fn next(&mut self) -> Option<&'l str> {
        let (word, rest) = cut(trimmed(self.0));
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The text without the space before it.
fn trimmed(text: &str) -> &str {
    &text[text.bytes().position(|byte| !is_space(&byte)).unwrap_or(text.len())..]
}

/// The letters before the first space, and what follows it.
fn cut(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| is_space(&byte)).unwrap_or(text.len());
    (&text[..end], trimmed(&text[end..]))
}

/// The letters after the last space, and what is before them.
fn cut_last(text: &str) -> (&str, &str) {
    let start = text.bytes().rposition(|byte| is_space(&byte)).map_or(0, |last| last + 1);
    (&text[start..], &text[..start])
}

/// What `line`, a logical line whose escape character is `\`, says, and the heredocs that it names; `None`
/// where the parser has to read it.
pub(super) fn of(line: &str) -> Option<(Glance<'_>, Vec<Named<'_>>)> {
    let letters = Letters::of(line);
    if letters.are_odd {
        return None;
    }
    let end = line.bytes().rposition(|byte| !is_space(&byte)).map_or(0, |last| last + 1);
    let (word, rest) = cut(trimmed(&line[..end]));
    let keyword = Keyword::parse(word)?;
    match keyword {
        Keyword::Run => return run(rest, letters),
        Keyword::Add | Keyword::Copy => return copy(keyword, rest, letters),
        Keyword::Healthcheck => return is_check(rest).then(|| (Glance::Nothing, Vec::new())),
        _ => {}
    }
    let has_flags = rest.starts_with("--");
    let is_simple = !has_flags
        && match keyword {
            Keyword::Cmd | Keyword::Entrypoint => !rest.starts_with('[') || is_list(rest),
            Keyword::User | Keyword::Workdir | Keyword::Stopsignal | Keyword::Expose => !rest.is_empty(),
            Keyword::Volume => !rest.is_empty() && !rest.starts_with('['),
            Keyword::Env | Keyword::Label => !letters.quote && are_pairs(rest),
            Keyword::Arg => {
                let is_right =
                    !letters.quote && !rest.is_empty() && Words(rest).all(|word| !word.starts_with('='));
                return is_right.then(|| (Glance::Arguments(Words(rest)), Vec::new()));
            }
            Keyword::From => return base(rest).map(|base| (Glance::Base(base), Vec::new())),
            _ => false,
        };
    is_simple.then(|| (Glance::Nothing, Vec::new()))
}

/// Whether `text` is a JSON array of strings, and nothing in it is escaped.
fn is_list(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix('[').map(trimmed) else { return false };
    if rest == "]" {
        return true;
    }
    loop {
        let Some(string) = rest.strip_prefix('"') else { return false };
        let Some(end) = string.bytes().position(|byte| matches!(byte, b'"' | b'\\' | b'\t')) else {
            return false;
        };
        let Some(after) = string[end..].strip_prefix('"').map(trimmed) else { return false };
        match after.strip_prefix(',') {
            Some(after) => rest = trimmed(after),
            None => return after == "]",
        }
    }
}

/// Names and values, of which there is at least one.
fn are_pairs(text: &str) -> bool {
    !text.is_empty()
        && Words(text).all(|word| !word.starts_with('=') && word.bytes().any(|byte| byte == b'='))
}

/// Whether `text` is a `HEALTHCHECK` that says `NONE`, or when and how to check.
fn is_check(text: &str) -> bool {
    let Some((flags, rest)) = flags(text) else { return false };
    let is_right = |(at, (name, value)): (usize, &(&str, &str))| {
        let is_first = flags[..at].iter().all(|(other, _)| other != name);
        let (number, is_known) = match *name {
            "interval" | "timeout" | "start-period" | "start-interval" => {
                (value.strip_suffix("ms").or_else(|| value.strip_suffix(['s', 'm', 'h'])), true)
            }
            name => (Some(*value), name == "retries"),
        };
        // So few digits are a number and a time in any case.
        let is_short = |number: &str| (1..=6).contains(&number.len());
        let is_number =
            number.is_some_and(|number| is_short(number) && number.bytes().all(|byte| byte.is_ascii_digit()));
        is_first && is_known && is_number
    };
    match rest.strip_prefix("CMD") {
        Some(command) => flags.iter().enumerate().all(is_right) && is_command(command),
        None => flags.is_empty() && rest == "NONE",
    }
}

/// What follows the `CMD` of a `HEALTHCHECK`: space, and a command of either form.
fn is_command(text: &str) -> bool {
    let command = trimmed(text);
    command.len() < text.len() && !command.is_empty() && (!command.starts_with('[') || is_list(command))
}

/// What a `FROM` without flags is based on.
fn base(text: &str) -> Option<&str> {
    let mut words = Words(text);
    let base = words.next()?;
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Some(base),
        (Some(word), Some(name), None) if word.eq_ignore_ascii_case("as") => {
            is_stage_name(&name.to_ascii_lowercase()).then_some(base)
        }
        _ => None,
    }
}

/// The flags before all else, each a name and a value in which nothing is quoted, and what follows them.
fn flags(text: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let (mut flags, mut rest) = (Vec::new(), text);
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = cut(flag);
        let at = flag.bytes().position(|byte| byte == b'=')?;
        let (name, value) = (&flag[..at], &flag[at + 1..]);
        if value.is_empty() || value.bytes().any(|byte| matches!(byte, b'\'' | b'"' | b'\\')) {
            return None;
        }
        flags.push((name, value));
        rest = after;
    }
    Some((flags, rest))
}

/// Compared with letters of one case first: nearly none of the windows begins alike.
fn is_from(letters: &[u8]) -> bool {
    matches!(letters[0], b'f' | b'F') && letters.eq_ignore_ascii_case(FROM)
}

fn run(text: &str, letters: Letters) -> Option<(Glance<'_>, Vec<Named<'_>>)> {
    let (flags, rest) = flags(text)?;
    let mut mounts = Vec::new();
    for (at, (name, value)) in flags.iter().enumerate() {
        let is_first = flags[..at].iter().all(|(other, _)| other != name);
        match *name {
            "mount" => {
                let may_name_one = value.as_bytes().windows(FROM.len()).any(is_from);
                let from = if may_name_one { mount::from_of(value).ok()? } else { String::new() };
                mounts.push((from, *value));
            }
            "network" if is_first && ["default", "none", "host"].contains(value) => {}
            _ => return None,
        }
    }
    // A list takes no heredocs.
    if rest.starts_with('[') && (letters.less_than || !is_list(rest)) {
        return None;
    }
    let heredocs = if letters.less_than { heredocs(text, letters)? } else { Vec::new() };
    Some((Glance::Run(mounts), heredocs))
}

fn copy(keyword: Keyword, text: &str, letters: Letters) -> Option<(Glance<'_>, Vec<Named<'_>>)> {
    let (flags, rest) = flags(text)?;
    let mut from = None;
    for (at, (name, value)) in flags.iter().enumerate() {
        if flags[..at].iter().any(|(other, _)| other == name) {
            return None;
        }
        match *name {
            "from" if keyword == Keyword::Copy => from = Some(*value),
            "chown" | "chmod" => {}
            _ => return None,
        }
    }
    if rest.starts_with('[') || letters.quote {
        return None;
    }
    let heredocs = if letters.less_than { heredocs(text, letters)? } else { Vec::new() };
    let (destination, paths) = cut_last(rest);
    if trimmed(paths).is_empty() || destination.contains('<') {
        return None;
    }
    Some((Glance::Copy(from, Words(paths)), heredocs))
}

/// The heredocs of a line in which a shell sees nothing but words between spaces: each is a word `<<NAME` or
/// `<<-NAME`, and there is no other `<`.
fn heredocs(text: &str, letters: Letters) -> Option<Vec<Named<'_>>> {
    if letters.quote || letters.vary {
        return None;
    }
    let named = |word| {
        let name = str::strip_prefix(word, "<<")?;
        let (name, chomp) = name.strip_prefix('-').map_or((name, false), |name| (name, true));
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then_some(Named { name, chomp })
    };
    Words(text).filter(|word| word.contains('<')).map(named).collect()
}

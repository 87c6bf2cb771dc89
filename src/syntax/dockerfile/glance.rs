//! What an instruction reads, seen at a glance: for lines so simple that nothing can be wrong with them.
//!
//! Who only wants to know what a file may read need not have each of its lines cut, spanned and kept. A line
//! of the simplest form of its instruction is understood where it stands; every other one is left to the
//! parser.
//!
//! **Invariant:** where a line is understood, the parser finds nothing wrong with it, and finds in it what is
//! found here.

use super::keyword::Keyword;
use super::model::{RawMount, Run};
use super::mount;
use super::parser::is_stage_name;
use crate::types::span::{Span, Spanned};

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Glance<'l> {
    /// Nothing that decides what is read.
    Nothing,
    /// `FROM`, and the base.
    Base(&'l str),
    /// `ARG`, and the names.
    Arguments(Vec<&'l str>),
    /// `COPY` or `ADD`: the value of `--from`, and the sources that are paths or URLs.
    Copy(Option<&'l str>, Vec<&'l str>),
    /// `RUN`. Its mounts have no places.
    Run(Run),
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

/// What `line`, a logical line whose escape character is `\`, says, and the heredocs that it names; `None`
/// where the parser has to read it.
pub(super) fn of(line: &str) -> Option<(Glance<'_>, Vec<Named<'_>>)> {
    let letters = Letters::of(line);
    if letters.are_odd {
        return None;
    }
    let line = line.trim_matches(SPACE);
    let (word, rest) = line.split_once(SPACE).unwrap_or((line, ""));
    let rest = rest.trim_start_matches(SPACE);
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
                let names = words(rest).map(|word| word.split('=').next().unwrap_or_default());
                let names: Vec<&str> = names.collect();
                let is_right = !letters.quote && !names.is_empty() && !names.contains(&"");
                return is_right.then(|| (Glance::Arguments(names), Vec::new()));
            }
            Keyword::From => return base(rest).map(|base| (Glance::Base(base), Vec::new())),
            _ => false,
        };
    is_simple.then(|| (Glance::Nothing, Vec::new()))
}

const SPACE: [char; 2] = [' ', '\t'];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(SPACE).filter(|word| !word.is_empty())
}

/// Whether `text` is a JSON array of strings, and nothing in it is escaped.
fn is_list(text: &str) -> bool {
    serde_json::from_str::<Vec<&str>>(text).is_ok()
}

/// Names and values, of which there is at least one.
fn are_pairs(text: &str) -> bool {
    let is_pair = |word: &str| word.find('=').is_some_and(|at| at > 0);
    !text.is_empty() && words(text).all(is_pair)
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
    let command = text.trim_start_matches(SPACE);
    text.starts_with(SPACE) && !command.is_empty() && (!command.starts_with('[') || is_list(command))
}

/// What a `FROM` without flags is based on.
fn base(text: &str) -> Option<&str> {
    let mut words = words(text);
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
        let (flag, after) = flag.split_once(SPACE).unwrap_or((flag, ""));
        let (name, value) = flag.split_once('=')?;
        if value.is_empty() || Letters::of(value).quote {
            return None;
        }
        flags.push((name, value));
        rest = after.trim_start_matches(SPACE);
    }
    Some((flags, rest))
}

fn run(text: &str, letters: Letters) -> Option<(Glance<'_>, Vec<Named<'_>>)> {
    let (flags, rest) = flags(text)?;
    let mut mounts = Vec::new();
    for (at, (name, value)) in flags.iter().enumerate() {
        let is_first = flags[..at].iter().all(|(other, _)| other != name);
        match *name {
            "mount" => {
                let may_name_one =
                    value.as_bytes().windows(FROM.len()).any(|word| word.eq_ignore_ascii_case(FROM));
                let from = if may_name_one { mount::from_of(value).ok()? } else { String::new() };
                mounts.push(RawMount { text: Spanned::new((*value).to_owned(), Span::default()), from });
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
    Some((Glance::Run(Run { mounts, is_empty_list: rest == "[]" }), heredocs))
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
    let mut paths: Vec<&str> = words(rest).collect();
    let destination = paths.pop()?;
    if paths.is_empty() || destination.contains('<') {
        return None;
    }
    paths.retain(|path| !path.contains('<'));
    Some((Glance::Copy(from, paths), heredocs))
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
    words(text).filter(|word| word.contains('<')).map(named).collect()
}

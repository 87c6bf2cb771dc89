//! The arguments of an instruction as BuildKit's first pass leaves them (`line_parsers.go`).

use std::ops::Range;

use super::keyword::Keyword;
use super::model::Pair;
use super::site::Site;
use super::words::{self, Json, Word};
use crate::types::diagnostic::Diagnostic;

/// The arguments of one instruction.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Arguments {
    /// The words. Text that is not cut into words is one word.
    pub words: Vec<Word>,
    /// The names and values of an `ENV` or a `LABEL`.
    pub pairs: Vec<Pair>,
    /// Whether they were a JSON array.
    pub is_json: bool,
    /// The one way of writing them that all equal ones share.
    pub normal: String,
}

/// Cuts the text in `range`, which has no space at its ends.
pub(super) fn cut(
    site: Site<'_>,
    keyword: Keyword,
    range: Range<usize>,
    escape: char,
) -> Result<Arguments, Diagnostic> {
    let text = &site.line.text;
    Ok(match keyword {
        Keyword::Add | Keyword::Copy | Keyword::Volume => match json(site, range.clone())? {
            Some(arguments) => arguments,
            None => of_words(words::separated(text, range)),
        },
        Keyword::Cmd | Keyword::Entrypoint | Keyword::Run | Keyword::Shell => {
            json(site, range.clone())?.unwrap_or_else(|| of_text(text, range))
        }
        Keyword::From | Keyword::Expose => of_words(words::separated(text, range)),
        Keyword::Arg => of_words(words::quoted(text, range, escape)),
        Keyword::Env | Keyword::Label => pairs(site, keyword, range, escape)?,
        Keyword::Healthcheck => healthcheck(site, range)?,
        Keyword::Maintainer | Keyword::Stopsignal | Keyword::User | Keyword::Workdir | Keyword::Onbuild => {
            of_text(text, range)
        }
    })
}

fn of_words(words: Vec<Word>) -> Arguments {
    let normal = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    Arguments { words, normal, ..Arguments::default() }
}

fn of_text(text: &str, range: Range<usize>) -> Arguments {
    let kept = text[range.clone()].to_owned();
    let words = if kept.is_empty() { Vec::new() } else { vec![Word { text: kept.clone(), range }] };
    Arguments { words, normal: kept, ..Arguments::default() }
}

/// A JSON form. Its normal form is JSON after a space: no other form begins with one.
fn json(site: Site<'_>, range: Range<usize>) -> Result<Option<Arguments>, Diagnostic> {
    match words::json(&site.line.text[range.clone()]) {
        Json::None => Ok(None),
        Json::NotStrings => {
            let message = "a JSON form holds strings only";
            Err(site
                .refuse(&range, message, "not all of these are strings")
                .help("put each value in double quotes"))
        }
        Json::Strings(values) => {
            let normal = format!(" {}", serde_json::Value::from(values.as_slice()));
            let words = values.into_iter().map(|text| Word { text, range: range.clone() }).collect();
            Ok(Some(Arguments { words, normal, is_json: true, ..Arguments::default() }))
        }
    }
}

fn pairs(
    site: Site<'_>,
    keyword: Keyword,
    range: Range<usize>,
    escape: char,
) -> Result<Arguments, Diagnostic> {
    let text = &site.line.text;
    let words = words::quoted(text, range.clone(), escape);
    let Some(first) = words.first() else { return Ok(Arguments::default()) };
    if !first.text.contains('=') {
        return old_pair(site, keyword, range);
    }
    let mut arguments = of_words(Vec::new());
    arguments.normal = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    for word in words {
        let Some((name, value)) = word.text.split_once('=') else {
            let message = format!("`{}` has no value", word.text);
            let help = "write `name=value`; a value with spaces needs quotes";
            return Err(site.refuse(&word.range, message, "expected `=` in this word").help(help));
        };
        let (name, value) = (name.to_owned(), value.to_owned());
        arguments.pairs.push(Pair { name, value, span: site.span(&word.range) });
    }
    Ok(arguments)
}

/// The old form: a name, space, and everything else as the value.
fn old_pair(site: Site<'_>, keyword: Keyword, range: Range<usize>) -> Result<Arguments, Diagnostic> {
    let text = &site.line.text;
    let (name, value) = words::split_first(text, range.clone());
    if value.is_empty() {
        let message = format!("`{keyword}` needs a name and a value");
        return Err(site
            .refuse(&range, message, "expected `name=value`")
            .help(format!("write `{keyword} {}=…`", &text[name])));
    }
    let pair = Pair { name: text[name].to_owned(), value: text[value].to_owned(), span: site.span(&range) };
    let normal = format!("{} {}", pair.name, pair.value);
    Ok(Arguments { pairs: vec![pair], normal, ..Arguments::default() })
}

/// A type, and a command of either form.
fn healthcheck(site: Site<'_>, range: Range<usize>) -> Result<Arguments, Diagnostic> {
    let text = &site.line.text[range.clone()];
    // BuildKit looks for space byte by byte, as in flags.
    let is_space = |byte: &u8| char::from(*byte).is_whitespace();
    let length = text.bytes().position(|byte| is_space(&byte)).unwrap_or(text.len());
    let length = text.floor_char_boundary(length);
    if length == 0 {
        return Ok(Arguments::default());
    }
    let kind = Word { text: text[..length].to_owned(), range: range.start..range.start + length };
    let rest = words::trimmed(&site.line.text, range.start + length..range.end);
    let command = json(site, rest.clone())?.unwrap_or_else(|| of_text(&site.line.text, rest));
    let normal = format!("{} {}", kind.text, command.normal);
    let words = std::iter::once(kind).chain(command.words).collect();
    Ok(Arguments { words, normal, is_json: command.is_json, ..Arguments::default() })
}

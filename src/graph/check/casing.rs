//! Upper case and lower case: keywords, `AS`, protocols.

use super::written;
use crate::graph::lint::{AS_CASING, INSTRUCTION_CASING, PROTOCOL_CASING};
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{Command, Stage};
use crate::types::diagnostic::Diagnostic;
use crate::types::span::Span;

/// What is to be said of the case of words in `dockerfile`.
pub(super) fn check(dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    let mut found = keywords(dockerfile);
    found.extend(dockerfile.stages.iter().filter_map(|stage| of_as(dockerfile, stage)));
    found.extend(protocols(dockerfile));
    found
}

/// Those in another case than most are. Where both are as many, upper case counts.
fn keywords(dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    let spans = written::instructions(dockerfile).filter_map(|found| written::keyword(dockerfile, found));
    let words: Vec<(Span, &str)> = spans.map(|span| (span, written::text(dockerfile, span))).collect();
    let count = |is_right: fn(&str) -> bool| words.iter().filter(|(_, word)| is_right(word)).count();
    let (is_right, name): (fn(&str) -> bool, _) =
        if count(is_lower) > count(is_upper) { (is_lower, "lower") } else { (is_upper, "upper") };
    let say = |(span, word): &(Span, &str)| {
        let right = if name == "lower" { word.to_lowercase() } else { word.to_uppercase() };
        INSTRUCTION_CASING
            .says(format!("`{word}` is not in {name} case, as the file's keywords are"))
            .at(&dockerfile.source, *span, "")
            .help(format!("write `{right}`"))
    };
    words.iter().filter(|(_, word)| !is_right(word)).map(say).collect()
}

fn is_lower(word: &str) -> bool {
    !word.contains(|letter: char| letter.is_ascii_uppercase())
}

fn is_upper(word: &str) -> bool {
    !word.contains(|letter: char| letter.is_ascii_lowercase())
}

fn of_as(dockerfile: &Dockerfile, stage: &Stage) -> Option<Diagnostic> {
    let name = stage.name.as_ref()?;
    let from = written::text(dockerfile, written::keyword(dockerfile, &stage.from)?);
    let between = Span::new(stage.base.span.end(), name.span.start());
    let text = written::text(dockerfile, between);
    let word = text.split_whitespace().find(|word| word.eq_ignore_ascii_case("as"))?;
    let is_other = (is_lower(from) && !is_lower(word)) || (is_upper(from) && !is_upper(word));
    let start = between.start() + text.find(word)?;
    let right = if is_lower(from) { "as" } else { "AS" };
    is_other.then(|| {
        AS_CASING
            .says(format!("`{word}` is in another case than `{from}`"))
            .at(&dockerfile.source, Span::new(start, start + word.len()), "")
            .help(format!("write `{right}`"))
    })
}

fn protocols(dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    let exposed = written::instructions(dockerfile).filter(|found| found.keyword == Keyword::Expose);
    let words = exposed.flat_map(|found| match &found.command {
        Command::Words(words) => words.as_slice(),
        _ => &[],
    });
    let say = |word: &crate::types::span::Spanned<String>| {
        let (port, protocol) = word.value.split_once('/').filter(|(_, protocol)| !is_lower(protocol))?;
        let is_plain = !protocol.contains('$');
        is_plain.then(|| {
            PROTOCOL_CASING
                .says(format!("the protocol `{protocol}` is not in lower case"))
                .at(&dockerfile.source, word.span, "")
                .help(format!("write `{port}/{}`", protocol.to_lowercase()))
        })
    };
    words.filter_map(say).collect()
}

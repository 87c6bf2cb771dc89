//! Reasons as lines that a person reads: what changed, from what to what, and where it comes in.

use crate::engine::explain::Explained;
use crate::graph::affected::Cause;
use crate::graph::manifest::{Change, Reason};

/// How many letters of a value are shown.
const VALUE: usize = 60;

/// A cause as it is explained: what is needed names the way to the cause.
pub(crate) fn of_cause(cause: &Cause) -> Explained {
    let mut reason = cause.reason.clone();
    let way: Vec<String> = cause.through.iter().map(ToString::to_string).collect();
    if !way.is_empty() {
        reason.new = Some(format!("through {}", way.join(" → ")));
    }
    Explained { reason, place: cause.place.clone() }
}

/// At most `most` lines of at most `columns` letters, the last of which counts what was left out.
pub(crate) fn lines(explained: &[Explained], most: usize, columns: usize) -> Vec<String> {
    let shown = if explained.len() > most { most.saturating_sub(1) } else { explained.len() };
    let mut lines: Vec<String> = explained[..shown].iter().map(|one| line(one, columns)).collect();
    if explained.len() > shown {
        lines.push(format!("… and {} more", explained.len() - shown));
    }
    lines
}

/// One reason in a line. Where it is too long, values are cut: the place is kept.
fn line(explained: &Explained, columns: usize) -> String {
    let said = sentence(&explained.reason);
    match explained.place.as_ref().map(|place| place.path_line()) {
        Some(place) if !said.contains(&place) => {
            let place = format!(" ({place})");
            format!("{}{place}", cut(&said, columns.saturating_sub(place.chars().count()).max(VALUE)))
        }
        _ => cut(&said, columns),
    }
}

fn sentence(reason: &Reason) -> String {
    let fact = &reason.fact;
    let value = |value: &Option<String>| value.as_deref().map(short).unwrap_or_default();
    let (old, new) = (value(&reason.old), value(&reason.new));
    match reason.change {
        Change::NeverBuilt => "never built".to_owned(),
        Change::Added if new.is_empty() => format!("{fact} was added"),
        Change::Added => format!("{fact} was added: {new}"),
        Change::Removed if new.is_empty() => format!("{fact} was removed: {old}"),
        Change::Removed => format!("{fact} {new}: {old}"),
        Change::Changed if old.is_empty() => format!("{fact}: {new}"),
        Change::Changed => format!("{fact} changed: {old} → {new}"),
    }
}

/// The first line of a value, cut where it is long; a digest by its first digits.
fn short(value: &str) -> String {
    if let Some(digits) = value.strip_prefix("sha256:").filter(|digits| digits.len() == 64) {
        return format!("sha256:{}", &digits[..12]);
    }
    let first = value.lines().next().unwrap_or_default();
    let whole = first.len() == value.trim_end().len();
    let text = cut(first, VALUE);
    if whole || text.ends_with('…') { text } else { format!("{text} …") }
}

/// `text` in at most `columns` letters.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::types::span::{Location, SourceText, Span};
    use crate::types::workspace_path::WorkspacePath;

    fn explained(fact: &str, change: Change, old: Option<&str>, new: Option<&str>, line: usize) -> Explained {
        let path = WorkspacePath::root().resolve(b"services/api/Dockerfile").unwrap();
        let source = Arc::new(SourceText { path, text: "\n".repeat(20) });
        let place = (line > 0).then(|| Location { source, span: Span::new(line - 1, line) });
        let text = |value: Option<&str>| value.map(str::to_owned);
        let reason = Reason { fact: fact.to_owned(), change, old: text(old), new: text(new) };
        Explained { reason, place }
    }

    fn check(name: &str, explained: &[Explained], most: usize) {
        let drawn = [80, 120].map(|columns| {
            let lines = lines(explained, most, columns);
            assert!(lines.len() <= most, "{lines:?}");
            format!("{}\n{}\n", "-".repeat(columns), lines.join("\n"))
        });
        insta::assert_snapshot!(name, drawn.concat());
    }

    #[test]
    fn reasons_tell_old_and_new_and_where() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let (one, two) = (digest("1"), digest("2"));
        let file = "file services/api/src/main.go (services/api/Dockerfile:3)";
        let long = "RUN apt-get update && apt-get install --yes --no-install-recommends curl make";
        let reasons = [
            explained("", Change::NeverBuilt, None, None, 0),
            explained(file, Change::Changed, Some("0644 1111 (3 bytes)"), Some("0755 2222 (4 bytes)"), 3),
            explained(file, Change::Added, None, Some("0644 2222 (4 bytes)"), 3),
            explained("argument PROFILE", Change::Changed, Some("release"), Some("fast"), 2),
            explained("argument EMPTY", Change::Added, None, None, 2),
            explained("image busybox:1.36", Change::Changed, Some(&one), Some(&two), 1),
            explained("instruction", Change::Changed, Some(long), Some("RUN make\nRUN more"), 7),
            explained("label x", Change::Removed, Some("a"), None, 0),
        ];
        check("reasons", &reasons, 20);
        check("few_reasons", &reasons, 3);
    }
}

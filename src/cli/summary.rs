//! The result of a build, as text: a line per target that was asked for, and a line that counts.

use super::progress::shown_duration;
use crate::engine::report::{Ended, Ending};
use crate::export::documents::{BuildResult, BuildTarget};

/// A line for each root: what it is called, how it ended, its digest and names. For a person, columns
/// stand below each other and digests are short enough for a line.
pub(crate) fn build(result: &BuildResult, for_person: bool) -> String {
    let longest = result.roots().map(|target| target.label.chars().count()).max().unwrap_or(0);
    let (label_width, state_width) = if for_person { (longest, "skipped".len()) } else { (0, 0) };
    let line = |target: &BuildTarget| {
        let digest = target.digest.as_ref().map_or("-", |digest| match for_person {
            true => digest.short(),
            false => digest.as_str(),
        });
        let tags =
            if target.tags.is_empty() { String::new() } else { format!("  {}", target.tags.join(" ")) };
        let BuildTarget { label, state, .. } = target;
        format!("{label:label_width$}  {state:state_width$}  {digest}{tags}\n")
    };
    result.roots().map(line).collect()
}

/// `7 targets: 5 cached, 2 built in 3.2s`.
pub(crate) fn line(result: &BuildResult, seconds: f64) -> String {
    let targets = &result.targets;
    let count = |word: &str| targets.iter().filter(|target| target.state == word).count();
    let words = ["cached", "built", "failed", "skipped"].into_iter().map(|word| (count(word), word));
    let words: Vec<String> =
        words.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if targets.is_empty() {
        return String::new();
    }
    let plural = if targets.len() == 1 { "" } else { "s" };
    format!("{} target{plural}: {} in {}\n", targets.len(), words.join(", "), shown_duration(seconds))
}

/// Whether a node failed by itself.
pub(crate) fn has_failed(ended: &Ended) -> bool {
    matches!(ended.ending, Ending::Failed(_))
}

//! The result of a build, as text: a line per target that was asked for, and a line that counts.

use super::progress::shown_duration;
use crate::engine::report::{Ended, Ending, Report};
use crate::export::documents;
use crate::graph::node::Graph;

/// A line for each root: what it is called, how it ended, its digest and names.
pub(crate) fn build(graph: &Graph, report: &Report) -> String {
    let roots = documents::in_order(graph).into_iter().filter(|(id, _, _)| graph.roots.contains(id));
    roots
        .map(|(id, _, label)| {
            let ended = &report.nodes[id];
            let digest = ended.digest.as_ref().map(|digest| digest.as_str()).unwrap_or("-");
            let tags =
                if ended.tags.is_empty() { String::new() } else { format!("  {}", ended.tags.join(" ")) };
            format!("{label}  {}  {digest}{tags}\n", documents::ending_word(&ended.ending))
        })
        .collect()
}

/// `7 targets: 5 cached, 2 built in 3.2s`.
pub(crate) fn line(graph: &Graph, report: &Report) -> String {
    let targets: Vec<&Ended> =
        documents::in_order(graph).into_iter().map(|(id, _, _)| &report.nodes[id]).collect();
    let count =
        |word: &str| targets.iter().filter(|ended| documents::ending_word(&ended.ending) == word).count();
    let words = ["cached", "built", "failed", "skipped"].into_iter().map(|word| (count(word), word));
    let words: Vec<String> =
        words.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if targets.is_empty() {
        return String::new();
    }
    let plural = if targets.len() == 1 { "" } else { "s" };
    format!("{} target{plural}: {} in {}\n", targets.len(), words.join(", "), shown_duration(report.seconds))
}

/// Whether a node failed by itself.
pub(crate) fn has_failed(ended: &Ended) -> bool {
    matches!(ended.ending, Ending::Failed(_))
}

//! The result of a build, as text: a line per target that was asked for, and a line that counts.

use std::collections::HashSet;

use super::progress::shown_duration;
use crate::engine::report::{Ended, Ending, Report};
use crate::export::documents;
use crate::graph::node::Graph;
use crate::types::ids::NodeId;

/// A line for each root: what it is called, how it ended, its digest and names. For a person, columns
/// stand below each other and digests are short enough for a line.
pub(crate) fn build(graph: &Graph, report: &Report, for_person: bool) -> String {
    let roots: HashSet<NodeId> = graph.roots.iter().copied().collect();
    let targets = documents::in_order(graph).into_iter().filter(|(id, _, _)| roots.contains(id));
    let targets: Vec<(String, &Ended)> =
        targets.map(|(id, _, label)| (label.to_string(), &report.nodes[id])).collect();
    let longest = targets.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let (label_width, state_width) = if for_person { (longest, "skipped".len()) } else { (0, 0) };
    let line = |(label, ended): (String, &Ended)| {
        let digest = ended.digest.as_ref().map_or("-".to_owned(), |digest| match for_person {
            true => digest.short().to_owned(),
            false => digest.to_string(),
        });
        let tags = if ended.tags.is_empty() { String::new() } else { format!("  {}", ended.tags.join(" ")) };
        let state = documents::ending_word(&ended.ending);
        format!("{label:label_width$}  {state:state_width$}  {digest}{tags}\n")
    };
    targets.into_iter().map(line).collect()
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

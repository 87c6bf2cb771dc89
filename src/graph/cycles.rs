//! Cycles among things that name each other in files: variables, aliases, groups.

use crate::types::diagnostic::{CircleStep, Diagnostic};
use crate::types::span::Location;

/// One thing of a cycle, and where it names the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Its position in the list of edges.
    pub(super) node: usize,
    /// Where it names the next.
    pub(super) location: Location,
}

/// The cycles that a walk from each node finds, each once, beginning at its first node. When they
/// are taken away no cycle is left.
pub(super) fn find(edges: &[Vec<(usize, Location)>]) -> Vec<Vec<Step>> {
    let mut walk =
        Walk { edges, state: vec![State::Fresh; edges.len()], path: Vec::new(), cycles: Vec::new() };
    for node in 0..edges.len() {
        walk.from(node);
    }
    walk.cycles
}

/// Says which things lead back to themselves, with every place, and draws the circle.
///
/// `what` are the things ("variables") and `verb` what one does to the next ("needs").
pub(super) fn describe(what: &str, verb: &str, names: &[&str], cycle: &[Step]) -> Diagnostic {
    let first = names.first().copied().unwrap_or_default();
    let chain: Vec<String> = names.iter().chain([&first]).map(|name| format!("`{name}`")).collect();
    let mut diagnostic = Diagnostic::error(format!("{what} lead back to themselves: {}", chain.join(" → ")));
    for (index, step) in cycle.iter().enumerate() {
        let next = names[(index + 1) % names.len()];
        let said = format!("`{}` {verb} `{next}`", names[index]);
        diagnostic = if index == 0 {
            diagnostic.at_location(&step.location, said)
        } else {
            diagnostic.see_location(&step.location, said)
        };
    }
    let steps = names.iter().zip(cycle);
    let step = |(name, step): (&&str, &Step)| CircleStep {
        name: (*name).to_owned(),
        location: step.location.clone(),
    };
    diagnostic.circle(steps.map(step).collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Open,
    Done,
}

struct Walk<'e> {
    edges: &'e [Vec<(usize, Location)>],
    state: Vec<State>,
    /// The open nodes, each with the number of its edges that were followed.
    path: Vec<(usize, usize)>,
    cycles: Vec<Vec<Step>>,
}

impl Walk<'_> {
    /// Walks depth first, with a list for a stack: a chain may be as long as a file.
    fn from(&mut self, start: usize) {
        if self.state[start] != State::Fresh {
            return;
        }
        self.open(start);
        while let Some((node, followed)) = self.path.last_mut() {
            let Some((next, _location)) = self.edges[*node].get(*followed) else {
                self.state[*node] = State::Done;
                self.path.pop();
                continue;
            };
            *followed += 1;
            match self.state[*next] {
                State::Fresh => self.open(*next),
                State::Open => self.close(*next),
                State::Done => {}
            }
        }
    }

    fn open(&mut self, node: usize) {
        self.state[node] = State::Open;
        self.path.push((node, 0));
    }

    /// Keeps the cycle that ends at `first`, which is open.
    fn close(&mut self, first: usize) {
        let from_first = self.path.iter().skip_while(|(node, _followed)| *node != first);
        let step = |(node, followed): &(usize, usize)| Step {
            node: *node,
            location: self.edges[*node][followed - 1].1.clone(),
        };
        let cycle = from_first.map(step).collect();
        self.cycles.push(cycle);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::types::span::{SourceText, Span};
    use crate::types::workspace_path::WorkspacePath;

    fn check(edges: &[&[usize]], expected: &[&[usize]]) {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text: String::new() });
        let place = Location { source, span: Span::default() };
        let edges: Vec<Vec<_>> =
            edges.iter().map(|targets| targets.iter().map(|node| (*node, place.clone())).collect()).collect();
        let found: Vec<Vec<usize>> =
            find(&edges).iter().map(|cycle| cycle.iter().map(|step| step.node).collect()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn cycles_are_found_once() {
        check(&[&[1], &[2], &[]], &[]);
        check(&[&[0]], &[&[0]]);
        check(&[&[1], &[0]], &[&[0, 1]]);
        check(&[&[1], &[2], &[1]], &[&[1, 2]]);
        check(&[&[1, 2], &[3], &[3], &[]], &[]);
        check(&[&[1], &[0, 2], &[1]], &[&[0, 1], &[1, 2]]);
    }
}

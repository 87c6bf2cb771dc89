//! The way to a folder of a commit: the trees that lie on it, kept from one question of a thread to its next.
//!
//! Whoever looks at a commit asks folder by folder and name by name, so that what is asked next lies beside what
//! was asked last. Only ids are kept, which mean the same tree for ever, and places to look at first.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::tree::TreeAt;

/// Tells the ways in one commit's files from those in another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ways(u64);

impl Ways {
    /// Unlike all others of this process.
    pub(super) fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        Self(MADE.fetch_add(1, Ordering::Relaxed))
    }

    /// What `walk` does on the way that this thread went last.
    pub(super) fn walk<Answer>(self, walk: impl FnOnce(&mut Way) -> Answer) -> Answer {
        thread_local! {
            static LAST: Cell<Option<(Ways, Way)>> = const { Cell::new(None) };
        }
        // Taken out, so that nothing breaks where `walk` asks for another folder.
        let last = LAST.take().filter(|(ways, _)| *ways == self);
        let mut way = last.map_or_else(Way::default, |(_, way)| way);
        let answer = walk(&mut way);
        LAST.set(Some((self, way)));
        answer
    }
}

/// The folders on the way to the one that was asked for last, from the topmost one down.
#[derive(Debug, Default)]
pub(super) struct Way {
    path: Vec<u8>,
    steps: Vec<Step>,
    /// Where in the last folder stood what was asked for.
    near: usize,
}

/// One folder on a way.
#[derive(Debug)]
struct Step {
    /// How many bytes of the path lead to it.
    end: usize,
    /// Where it stood in the folder above it.
    place: usize,
    tree: TreeAt,
}

impl Way {
    /// Goes back to the deepest folder that lies on the way to `path` too. Gives the bytes of `path` that lead
    /// on from there.
    pub(super) fn back<'p>(&mut self, path: &'p [u8]) -> &'p [u8] {
        let leads_on = |step: &Step| {
            path.get(..step.end) == self.path.get(..step.end)
                && path.get(step.end).is_none_or(|byte| *byte == b'/')
        };
        let count = self.steps.iter().take_while(|step| leads_on(step)).count();
        if let Some(left) = self.steps.get(count) {
            self.near = left.place;
        }
        self.steps.truncate(count);
        let end = self.steps.last().map_or(0, |step| step.end);
        self.path.truncate(end);
        path.get(end..).unwrap_or_default()
    }

    /// The tree of the folder in which the way ends; `None` for the topmost one.
    pub(super) fn tree(&self) -> Option<TreeAt> {
        self.steps.last().map(|step| step.tree)
    }

    /// Where to look first.
    pub(super) fn near(&self) -> usize {
        self.near
    }

    /// Notes that something was found at `place`.
    pub(super) fn found(&mut self, place: usize) {
        self.near = place;
    }

    /// Goes into the folder `name`, which was found last and has this tree.
    pub(super) fn enter(&mut self, name: &[u8], tree: TreeAt) {
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
        self.steps.push(Step { end: self.path.len(), place: self.near, tree });
        self.near = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::git::object_id::ObjectId;

    fn tree(number: usize) -> TreeAt {
        TreeAt::of(ObjectId::of_bytes(&[number as u8; 20]).unwrap())
    }

    /// Goes to `path`; folders are numbered from 1 in the order in which they were entered.
    fn check(way: &mut Way, path: &str, left: &str, near: usize, entered: &mut usize) {
        let rest = way.back(path.as_bytes());
        assert_eq!((rest, way.near()), (left.as_bytes(), near), "{path}");
        for name in rest.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            *entered += 1;
            way.found(*entered);
            way.enter(name, tree(*entered));
        }
    }

    #[test]
    fn a_way_goes_back_as_far_as_it_must() {
        let (way, entered) = (&mut Way::default(), &mut 0);
        check(way, "a/b", "a/b", 0, entered);
        check(way, "a/b", "", 0, entered);
        assert_eq!(way.tree(), Some(tree(2)));
        check(way, "a/b/c", "/c", 0, entered);
        check(way, "a/b", "", 3, entered);
        check(way, "a/bc", "/bc", 2, entered);
        check(way, "a", "", 4, entered);
        assert_eq!(way.tree(), Some(tree(1)));
        check(way, "ab/c", "ab/c", 1, entered);
        check(way, "", "", 5, entered);
        assert_eq!(way.tree(), None);
    }

    #[test]
    fn ways_of_one_commit_are_not_those_of_another() {
        let (one, other) = (Ways::new(), Ways::new());
        one.walk(|way| way.enter(b"a", tree(1)));
        assert_eq!(one.walk(|way| way.tree()), Some(tree(1)));
        one.walk(|_| other.walk(|way| assert_eq!(way.tree(), None)));
        assert_eq!(one.walk(|way| way.tree()), Some(tree(1)));
        other.walk(|_| ());
        assert_eq!(one.walk(|way| way.tree()), None, "the last of the thread was another's");
    }
}

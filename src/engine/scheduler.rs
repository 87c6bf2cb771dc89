//! Which node may run next, and what follows from its end: a state machine without I/O.
//!
//! The runner asks [`Scheduler::next`] for work and says with [`Scheduler::finish`] how it ended; it
//! gets back what that caused, as values. Everything else (workers, clocks, builders) is around it,
//! so that this part can be tested on a hundred thousand random graphs.
//!
//! Two nodes may turn out to be the same action only when one becomes ready, for that is when its
//! key exists. [`Scheduler::join`] then puts the second behind the first: it gives up its place, waits,
//! and ends as the first ends.
//!
//! ```text
//! Waiting -> Ready -> Running -> Done | Failed | Skipped (cancelled)
//!    |         |         |
//!    |         |         +-> Waiting (joined) -> Done | Failed | Skipped, with its leader
//!    +---------+-> Skipped (a dependency failed, or the run was stopped)
//! ```
//!
//! **Invariant:** every change of state goes through `set`, which alone touches the counters and the
//! queue. **Invariant:** a node starts at most once, and only after all that it depends on is Done.
//! **Invariant:** a joined node waits only for nodes that run, directly or through others that
//! joined; so when nothing is ready and nothing runs, nothing can change any more and the run is
//! over. On a cycle, which the graph layer refuses, nodes would stay Waiting; no loop here and no
//! loop around `is_over` could hang on them.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::mem::take;

use super::critical_path::priorities;
use crate::types::ids::{DenseMap, NodeId};

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Something that it depends on has not ended, or it joined a node that has not ended.
    Waiting,
    /// It may start.
    Ready,
    /// It was given out by [`Scheduler::next`].
    Running,
    /// It ended well.
    Done,
    /// It, or the node that it joined, failed.
    Failed,
    /// It never started, or was cancelled.
    Skipped,
}

/// How a node that ran ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Well.
    Done,
    /// Badly, by its own fault or not.
    Failed,
    /// It was told to stop before it ended.
    Cancelled,
}

/// What a failure does to nodes that do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Nothing new starts; what runs may end.
    Stop,
    /// They run all the same.
    KeepGoing,
}

/// Why a node was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// It needs this node, perhaps through others, and this node failed or was cancelled.
    Dependency(NodeId),
    /// The run was stopped, on demand or by a failure of something that it does not need.
    Stopped,
}

/// A node that will not run, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Skip {
    /// The node.
    pub node: NodeId,
    /// Why.
    pub blame: Blame,
}

/// What a call caused beyond the node that it names, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Nodes that may start.
    pub ready: Vec<NodeId>,
    /// Nodes that had joined and ended with the same outcome.
    pub joined: Vec<NodeId>,
    /// Nodes that will never start.
    pub skipped: Vec<Skip>,
}

/// How many nodes stand in each state. Nodes that take no part in the run are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// In [`State::Waiting`].
    pub waiting: usize,
    /// In [`State::Ready`].
    pub ready: usize,
    /// In [`State::Running`].
    pub running: usize,
    /// In [`State::Done`].
    pub done: usize,
    /// In [`State::Failed`].
    pub failed: usize,
    /// In [`State::Skipped`].
    pub skipped: usize,
}

impl Counts {
    /// All nodes of the run.
    pub fn total(&self) -> usize {
        self.waiting + self.ready + self.running + self.done + self.failed + self.skipped
    }

    fn of(&mut self, state: State) -> &mut usize {
        match state {
            State::Waiting => &mut self.waiting,
            State::Ready => &mut self.ready,
            State::Running => &mut self.running,
            State::Done => &mut self.done,
            State::Failed => &mut self.failed,
            State::Skipped => &mut self.skipped,
        }
    }
}

/// The state machine of one run.
#[derive(Clone, Debug)]
pub struct Scheduler {
    on_failure: OnFailure,
    /// `None`: takes no part in the run.
    states: DenseMap<NodeId, Option<State>>,
    counts: Counts,
    /// Exactly the nodes in [`State::Ready`], the most urgent first, then the lowest id.
    queue: BTreeSet<(Reverse<u64>, NodeId)>,
    priorities: DenseMap<NodeId, u64>,
    /// Within the run, each once.
    dependents: DenseMap<NodeId, Vec<NodeId>>,
    /// How many dependencies are not [`State::Done`].
    missing: DenseMap<NodeId, usize>,
    /// The node that this one joined.
    leader: DenseMap<NodeId, Option<NodeId>>,
    /// The nodes that joined this one and wait for it.
    followers: DenseMap<NodeId, Vec<NodeId>>,
}

impl Scheduler {
    /// A run over `wanted` and everything that they depend on. `durations` are milliseconds of
    /// earlier runs, `None` where there was none; they decide the order among ready nodes alone.
    ///
    /// # Panics
    /// When an id is not one of `dependencies`.
    pub fn new(
        dependencies: &DenseMap<NodeId, Vec<NodeId>>,
        wanted: impl IntoIterator<Item = NodeId>,
        durations: &DenseMap<NodeId, Option<u64>>,
        on_failure: OnFailure,
    ) -> Self {
        let length = dependencies.len();
        let mut scheduler = Self {
            on_failure,
            states: DenseMap::filled(length, None),
            counts: Counts::default(),
            queue: BTreeSet::new(),
            priorities: DenseMap::default(),
            dependents: DenseMap::filled(length, Vec::new()),
            missing: DenseMap::filled(length, 0),
            leader: DenseMap::filled(length, None),
            followers: DenseMap::filled(length, Vec::new()),
        };
        scheduler.want(dependencies, wanted.into_iter().collect());
        scheduler.priorities = priorities(&scheduler.dependents, durations);
        for id in dependencies.ids() {
            if scheduler.states[id].is_some() && scheduler.missing[id] == 0 {
                scheduler.set(id, State::Ready);
            }
        }
        scheduler
    }

    /// Takes the closure of `wanted` into the run, with its edges; a repeated edge counts once.
    fn want(&mut self, dependencies: &DenseMap<NodeId, Vec<NodeId>>, mut wanted: Vec<NodeId>) {
        while let Some(id) = wanted.pop() {
            if self.states[id].is_some() {
                continue;
            }
            self.set(id, State::Waiting);
            let needed: BTreeSet<NodeId> = dependencies[id].iter().copied().collect();
            self.missing[id] = needed.len();
            for dependency in needed {
                self.dependents[dependency].push(id);
                wanted.push(dependency);
            }
        }
        for id in dependencies.ids() {
            self.dependents[id].sort_unstable();
        }
    }

    /// The one place where a state changes.
    fn set(&mut self, id: NodeId, state: State) {
        let previous = self.states[id].replace(state);
        if let Some(previous) = previous {
            *self.counts.of(previous) -= 1;
        }
        *self.counts.of(state) += 1;
        let entry = |scheduler: &Self| (Reverse(scheduler.priorities[id]), id);
        if previous == Some(State::Ready) {
            self.queue.remove(&entry(self));
        }
        if state == State::Ready {
            self.queue.insert(entry(self));
        }
    }

    /// Takes the most urgent ready node and makes it [`State::Running`]. How many run at once is the
    /// caller's business: see [`Counts::running`].
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "not an iterator: None may be followed by a node")]
    pub fn next(&mut self) -> Option<NodeId> {
        let (_priority, id) = *self.queue.first()?;
        self.set(id, State::Running);
        Some(id)
    }

    /// Says how a running node ended, and returns what that causes. Those that joined it end with it;
    /// what depends on it becomes ready or is skipped; with [`OnFailure::Stop`] anything but
    /// [`Outcome::Done`] stops the run.
    ///
    /// # Panics
    /// When `id` is not running: an outcome must be said once, of a node that was given out.
    pub fn finish(&mut self, id: NodeId, outcome: Outcome) -> Effects {
        assert_eq!(self.states[id], Some(State::Running), "only a running node ends");
        let mut effects = Effects::default();
        self.end(id, outcome, &mut effects);
        if outcome != Outcome::Done && self.on_failure == OnFailure::Stop {
            self.skip_all(&mut effects);
        }
        effects
    }

    /// Puts the running node `id` behind `leader`, which is the same action: `id` runs no more and
    /// ends as `leader` ends. When `leader` has ended already, `id` ends at once: its state says so,
    /// and the effects are those of its end.
    ///
    /// # Panics
    /// When `id` is not running, or `leader` was never started, or waits for `id`.
    pub fn join(&mut self, id: NodeId, leader: NodeId) -> Effects {
        assert_eq!(self.states[id], Some(State::Running), "only a running node joins another");
        assert!(self.chain(leader).all(|one| one != id), "a leader does not wait for its follower");
        let mut effects = Effects::default();
        match self.states[leader] {
            Some(State::Done) => self.end(id, Outcome::Done, &mut effects),
            Some(State::Failed) => self.end(id, Outcome::Failed, &mut effects),
            Some(State::Skipped) => self.end(id, Outcome::Cancelled, &mut effects),
            state => {
                let started = state == Some(State::Running) || self.leader[leader].is_some();
                assert!(started, "a leader was given out before its follower joins");
                self.leader[id] = Some(leader);
                self.followers[leader].push(id);
                self.set(id, State::Waiting);
            }
        }
        effects
    }

    /// Lets no new work start: what is neither running nor joined to something that runs is skipped.
    pub fn stop(&mut self) -> Vec<Skip> {
        let mut effects = Effects::default();
        self.skip_all(&mut effects);
        effects.skipped
    }

    /// Where `id` stands; `None` when it takes no part in the run.
    pub fn state(&self, id: NodeId) -> Option<State> {
        self.states.get(id).copied().flatten()
    }

    /// How many nodes stand in each state.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether nothing runs and nothing can start.
    pub fn is_over(&self) -> bool {
        self.counts.running == 0 && self.counts.ready == 0
    }

    /// `id`, what it joined, what that joined, and so on.
    fn chain(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(id), |one| self.leader[*one])
    }

    /// Ends `id` and, with the same outcome, those that joined it.
    fn end(&mut self, id: NodeId, outcome: Outcome, effects: &mut Effects) {
        let mut ending = vec![id];
        let mut position = 0;
        while let Some(one) = ending.get(position).copied() {
            position += 1;
            self.leader[one] = None;
            ending.extend(take(&mut self.followers[one]));
            match outcome {
                Outcome::Done => self.end_well(one, effects),
                Outcome::Failed => self.end_badly(one, State::Failed, effects),
                Outcome::Cancelled => self.end_badly(one, State::Skipped, effects),
            }
        }
        effects.joined.extend(ending.into_iter().skip(1));
    }

    fn end_well(&mut self, id: NodeId, effects: &mut Effects) {
        self.set(id, State::Done);
        for dependent in self.dependents[id].clone() {
            self.missing[dependent] -= 1;
            if self.missing[dependent] == 0 && self.states[dependent] == Some(State::Waiting) {
                self.set(dependent, State::Ready);
                effects.ready.push(dependent);
            }
        }
    }

    /// Ends `id` as `state` and skips everything that depends on it. None of that has started, for
    /// `id` was not done.
    fn end_badly(&mut self, id: NodeId, state: State, effects: &mut Effects) {
        self.set(id, state);
        let mut lost = self.dependents[id].clone();
        let mut position = 0;
        while let Some(node) = lost.get(position).copied() {
            position += 1;
            if self.states[node] == Some(State::Waiting) {
                self.skip(node, Blame::Dependency(id), effects);
                lost.extend_from_slice(&self.dependents[node]);
            }
        }
    }

    /// Skips what has not started. A joined node has: it costs nothing and ends with its leader.
    fn skip_all(&mut self, effects: &mut Effects) {
        for id in self.states.ids() {
            let startable = matches!(self.states[id], Some(State::Waiting | State::Ready));
            if startable && self.leader[id].is_none() {
                self.skip(id, Blame::Stopped, effects);
            }
        }
    }

    fn skip(&mut self, node: NodeId, blame: Blame, effects: &mut Effects) {
        self.set(node, State::Skipped);
        effects.skipped.push(Skip { node, blame });
    }
}

#[cfg(test)]
mod tests;

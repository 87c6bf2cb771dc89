//! How long a run will still take, told while it goes on.
//!
//! It is asked after each change and answers now and then: the estimate looks at every node, and a
//! person reads one number a second. Where no target was ever built there is nothing to judge by, and
//! nothing is told.

use std::time::{Duration, Instant};

use super::estimate::{estimate, filled};
use super::scheduler::{Scheduler, State};
use crate::types::ids::{DenseMap, NodeId};

/// How often it answers.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is known of the pace of a run.
pub(super) struct Prediction {
    dependencies: DenseMap<NodeId, Vec<NodeId>>,
    /// In milliseconds; `None` when no duration is known at all.
    durations: Option<DenseMap<NodeId, u64>>,
    started: DenseMap<NodeId, Option<Instant>>,
    jobs: usize,
    answered: Option<Instant>,
}

impl Prediction {
    /// For a run of nodes that took `durations` before, `jobs` at once.
    pub(super) fn new(
        dependencies: DenseMap<NodeId, Vec<NodeId>>,
        durations: &DenseMap<NodeId, Option<u64>>,
        jobs: usize,
    ) -> Self {
        let started = DenseMap::filled(dependencies.len(), None);
        Self { dependencies, durations: filled(durations), started, jobs, answered: None }
    }

    /// Says that a node starts to be built.
    pub(super) fn start(&mut self, id: NodeId, now: Instant) {
        self.started[id] = Some(now);
    }

    /// The seconds that are left; `None` when it is too early to say it again.
    pub(super) fn seconds(&mut self, scheduler: &Scheduler, now: Instant) -> Option<f64> {
        let durations = self.durations.as_ref()?;
        if self.answered.is_some_and(|answered| now.duration_since(answered) < INTERVAL) {
            return None;
        }
        self.answered = Some(now);
        let left = self.started.iter().map(|(id, started)| match scheduler.state(id)? {
            State::Done | State::Failed | State::Skipped => None,
            State::Waiting | State::Ready | State::Running => {
                let elapsed = started.map_or(0, |started| now.duration_since(started).as_millis() as u64);
                Some(durations[id].saturating_sub(elapsed))
            }
        });
        let left = estimate(&self.dependencies, &left.collect(), self.jobs);
        Some(left.milliseconds as f64 / 1000.0)
    }
}

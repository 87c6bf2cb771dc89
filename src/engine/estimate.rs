//! How long work will take, from how long it took before: the length of a run that has not happened.
//!
//! The estimate plays the run through: the same order of urgency as the scheduler's, as many at once as
//! there are jobs, durations of earlier runs. It is a guess, and decides nothing.
//!
//! **Invariant:** a pure function, and cheap enough to be asked again while a run goes on: each node is
//! looked at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::critical_path::priorities;
use crate::types::ids::{DenseMap, NodeId};

/// What is left to do, and how long it is expected to take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// How long all of it takes, in milliseconds.
    pub milliseconds: u64,
    /// The chain that nothing can make shorter, in the order in which it runs, each node with its own
    /// milliseconds.
    pub chain: Vec<(NodeId, u64)>,
}

/// The estimate for what is left of a graph: `left` has the milliseconds of each node that has not
/// ended, and `None` for one that has.
pub fn estimate(
    dependencies: &DenseMap<NodeId, Vec<NodeId>>,
    left: &DenseMap<NodeId, Option<u64>>,
    jobs: usize,
) -> Estimate {
    let mut dependents: DenseMap<NodeId, Vec<NodeId>> = DenseMap::filled(left.len(), Vec::new());
    let mut missing: DenseMap<NodeId, usize> = DenseMap::filled(left.len(), 0);
    for id in left.ids().filter(|id| left[*id].is_some()) {
        for needed in dependencies[id].iter().filter(|needed| left[**needed].is_some()) {
            dependents[*needed].push(id);
            missing[id] += 1;
        }
    }
    let own: DenseMap<NodeId, Option<u64>> = left.values().iter().map(|own| own.or(Some(0))).collect();
    let urgency = priorities(&dependents, &own);
    Estimate {
        milliseconds: play(&dependents, missing, left, &urgency, jobs.max(1)),
        chain: chain(&dependents, left, &urgency),
    }
}

/// Plays the run through.
fn play(
    dependents: &DenseMap<NodeId, Vec<NodeId>>,
    mut missing: DenseMap<NodeId, usize>,
    left: &DenseMap<NodeId, Option<u64>>,
    urgency: &DenseMap<NodeId, u64>,
    jobs: usize,
) -> u64 {
    let is_ready = |id: &NodeId| left[*id].is_some() && missing[*id] == 0;
    let mut ready: BinaryHeap<(u64, Reverse<NodeId>)> =
        left.ids().filter(is_ready).map(|id| (urgency[id], Reverse(id))).collect();
    let mut running: BinaryHeap<Reverse<(u64, NodeId)>> = BinaryHeap::new();
    let mut now = 0;
    loop {
        while running.len() < jobs {
            let Some((_, Reverse(id))) = ready.pop() else { break };
            running.push(Reverse((now + left[id].unwrap_or(0), id)));
        }
        let Some(Reverse((end, id))) = running.pop() else { return now };
        now = end;
        for dependent in &dependents[id] {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                ready.push((urgency[*dependent], Reverse(*dependent)));
            }
        }
    }
}

/// The most urgent node, the most urgent of those that need it, and so on.
fn chain(
    dependents: &DenseMap<NodeId, Vec<NodeId>>,
    left: &DenseMap<NodeId, Option<u64>>,
    urgency: &DenseMap<NodeId, u64>,
) -> Vec<(NodeId, u64)> {
    let most_urgent =
        |ids: &mut dyn Iterator<Item = NodeId>| ids.max_by_key(|id| (urgency[*id], Reverse(*id)));
    let mut next = most_urgent(&mut left.ids().filter(|id| left[*id].is_some()));
    let mut chain = Vec::new();
    while let Some(id) = next {
        chain.push((id, left[id].unwrap_or(0)));
        next = most_urgent(&mut dependents[id].iter().copied());
    }
    chain
}

/// `known` with the median of the known ones in place of what is not known. `None` when nothing is
/// known: a guess from nothing is none.
pub fn filled(known: &DenseMap<NodeId, Option<u64>>) -> Option<DenseMap<NodeId, u64>> {
    let mut some: Vec<u64> = known.values().iter().flatten().copied().collect();
    some.sort_unstable();
    let median = *some.get(some.len() / 2)?;
    Some(known.values().iter().map(|known| known.unwrap_or(median)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ids::DenseId;

    /// `dependencies` by node; `left` in milliseconds, -1 for what has ended.
    fn check(dependencies: &[&[usize]], left: &[i64], jobs: usize, expected: u64, chain: &[usize]) {
        let ids = |list: &&[usize]| list.iter().copied().map(NodeId::from_index).collect();
        let left: DenseMap<NodeId, Option<u64>> = left.iter().map(|left| u64::try_from(*left).ok()).collect();
        let found = estimate(&dependencies.iter().map(ids).collect(), &left, jobs);
        let found_chain: Vec<usize> = found.chain.iter().map(|(id, _)| id.index()).collect();
        assert_eq!((found.milliseconds, found_chain.as_slice()), (expected, chain), "{left:?} {jobs}");
    }

    #[test]
    fn a_run_takes_as_long_as_its_longest_chain_or_as_its_jobs_allow() {
        check(&[], &[], 1, 0, &[]);
        check(&[&[]], &[-1], 1, 0, &[]);
        check(&[&[], &[0], &[1]], &[5, 7, 11], 4, 23, &[0, 1, 2]);
        check(&[&[], &[], &[], &[]], &[5, 5, 5, 5], 1, 20, &[0]);
        check(&[&[], &[], &[], &[]], &[5, 5, 5, 5], 2, 10, &[0]);
        check(&[&[], &[], &[], &[]], &[5, 5, 5, 5], 9, 5, &[0]);
        check(&[&[], &[], &[0], &[1, 2]], &[10, 30, 10, 5], 2, 35, &[1, 3]);
    }

    #[test]
    fn what_has_ended_holds_nobody_back() {
        check(&[&[], &[0], &[1]], &[-1, 7, 11], 4, 18, &[1, 2]);
        check(&[&[], &[0], &[1]], &[-1, -1, 11], 4, 11, &[2]);
    }

    #[test]
    fn the_longest_chain_begins_first() {
        // With one job for two chains, the long one must not wait for the short one.
        check(&[&[], &[], &[1], &[2]], &[9, 1, 10, 10], 2, 21, &[1, 2, 3]);
    }

    #[test]
    fn the_median_stands_for_what_is_not_known() {
        let known = [Some(3), None, Some(9), Some(5)].into_iter().collect();
        assert_eq!(filled(&known).unwrap().values(), [3, 5, 9, 5]);
        assert_eq!(filled(&[None, None].into_iter().collect()), None);
    }
}

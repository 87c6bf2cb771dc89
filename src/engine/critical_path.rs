//! How urgent each node is: the length of the longest way from its start to the end of the run.
//!
//! A run cannot be shorter than its longest chain, so the head of that chain goes first. Lengths
//! are sums of recorded durations; where none is recorded they degrade to the number of steps.
//!
//! **Invariant:** a pure function: the same graph and durations give the same priorities.

use crate::types::ids::{DenseMap, NodeId};

/// The priority of each node: its own duration and those of the longest chain of dependents.
///
/// Durations are milliseconds; `None` stands for the median of the known ones. Each node counts at
/// least 1, so that of equal durations the longer chain wins. A node on a cycle, or one that is
/// needed by a cycle, counts only the chains that do not pass through it.
pub fn priorities(
    dependents: &DenseMap<NodeId, Vec<NodeId>>,
    durations: &DenseMap<NodeId, Option<u64>>,
) -> DenseMap<NodeId, u64> {
    let unknown = median(durations);
    let own = |id: NodeId| durations.get(id).copied().flatten().unwrap_or(unknown).max(1);
    let mut result: DenseMap<NodeId, u64> = dependents.ids().map(own).collect();
    for id in dependencies_first(dependents).into_iter().rev() {
        let longest = dependents[id].iter().map(|dependent| result[*dependent]).max();
        result[id] = own(id).saturating_add(longest.unwrap_or(0));
    }
    result
}

/// The median of the known durations; 1 when none is known.
fn median(durations: &DenseMap<NodeId, Option<u64>>) -> u64 {
    let mut known: Vec<u64> = durations.values().iter().flatten().copied().collect();
    known.sort_unstable();
    known.get(known.len() / 2).copied().unwrap_or(1)
}

/// All ids, each after everything that it depends on; those that a cycle holds back are left out.
fn dependencies_first(dependents: &DenseMap<NodeId, Vec<NodeId>>) -> Vec<NodeId> {
    let mut missing: DenseMap<NodeId, usize> = DenseMap::filled(dependents.len(), 0);
    for dependent in dependents.values().iter().flatten() {
        missing[*dependent] += 1;
    }
    let mut order: Vec<NodeId> = dependents.ids().filter(|id| missing[*id] == 0).collect();
    let mut position = 0;
    while let Some(id) = order.get(position).copied() {
        position += 1;
        for dependent in &dependents[id] {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                order.push(*dependent);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ids::DenseId;

    fn check(dependents: &[&[usize]], durations: &[Option<u64>], expected: &[u64]) {
        let ids = |list: &&[usize]| list.iter().copied().map(NodeId::from_index).collect();
        let dependents = dependents.iter().map(ids).collect();
        let durations = durations.iter().copied().collect();
        assert_eq!(priorities(&dependents, &durations).values(), expected);
    }

    #[test]
    fn the_longest_chain_decides() {
        check(&[], &[], &[]);
        check(&[&[1], &[2], &[]], &[Some(5), Some(7), Some(11)], &[23, 18, 11]);
        check(&[&[1, 2], &[3], &[3], &[]], &[Some(1), Some(50), Some(9), Some(2)], &[53, 52, 11, 2]);
    }

    #[test]
    fn equal_or_unknown_durations_give_the_number_of_steps() {
        check(&[&[1], &[2], &[], &[]], &[None, None, None, None], &[3, 2, 1, 1]);
        check(&[&[1], &[2], &[], &[]], &[Some(0), Some(0), Some(0), Some(0)], &[3, 2, 1, 1]);
        check(&[&[1], &[2], &[], &[]], &[], &[3, 2, 1, 1]);
    }

    #[test]
    fn an_unknown_duration_is_the_median() {
        check(&[&[], &[], &[], &[]], &[Some(9), None, Some(100), Some(1)], &[9, 9, 100, 1]);
    }

    #[test]
    fn sums_stay_in_range_and_cycles_end() {
        check(&[&[1], &[]], &[Some(u64::MAX), Some(u64::MAX)], &[u64::MAX, u64::MAX]);
        check(&[&[1], &[2], &[1], &[0]], &[None, None, None, None], &[2, 1, 1, 3]);
    }
}

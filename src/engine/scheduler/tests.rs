//! The scheduler against small graphs that say what is meant, and against many random ones.

use proptest::prelude::*;

use super::*;
use crate::types::ids::DenseId;

fn id(index: usize) -> NodeId {
    NodeId::from_index(index)
}

fn graph(dependencies: &[&[usize]]) -> DenseMap<NodeId, Vec<NodeId>> {
    dependencies.iter().map(|list| list.iter().copied().map(id).collect()).collect()
}

fn all(dependencies: &[&[usize]], on_failure: OnFailure) -> Scheduler {
    let graph = graph(dependencies);
    Scheduler::new(&graph, graph.ids(), &DenseMap::default(), on_failure)
}

fn states(scheduler: &Scheduler) -> String {
    let letter = |state: &Option<State>| match state {
        None => '-',
        Some(State::Waiting) => 'w',
        Some(State::Ready) => 'r',
        Some(State::Running) => 'R',
        Some(State::Done) => 'd',
        Some(State::Failed) => 'f',
        Some(State::Skipped) => 's',
    };
    scheduler.states.values().iter().map(letter).collect()
}

/// Starts everything that is ready.
fn start(scheduler: &mut Scheduler) -> Vec<usize> {
    std::iter::from_fn(|| scheduler.next()).map(DenseId::index).collect()
}

#[test]
fn a_node_starts_when_what_it_needs_is_done() {
    let mut scheduler = all(&[&[], &[0, 0], &[0, 1]], OnFailure::Stop);
    assert_eq!(states(&scheduler), "rww");
    assert_eq!(start(&mut scheduler), [0]);
    assert_eq!(scheduler.finish(id(0), Outcome::Done).ready, [id(1)]);
    assert_eq!(states(&scheduler), "drw");
    assert_eq!(start(&mut scheduler), [1]);
    assert_eq!(scheduler.finish(id(1), Outcome::Done).ready, [id(2)]);
    assert!(!scheduler.is_over());
    assert_eq!(start(&mut scheduler), [2]);
    assert_eq!(scheduler.finish(id(2), Outcome::Done), Effects::default());
    assert!(scheduler.is_over());
}

#[test]
fn only_the_closure_of_what_is_wanted_takes_part() {
    let graph = graph(&[&[], &[0], &[1], &[0]]);
    let scheduler = Scheduler::new(&graph, [id(1)], &DenseMap::default(), OnFailure::Stop);
    assert_eq!(states(&scheduler), "rw--");
    assert_eq!(scheduler.counts().total(), 2);
    assert_eq!(scheduler.state(id(3)), None);
    assert_eq!(scheduler.state(id(99)), None);
}

#[test]
fn nothing_to_do_is_over_at_once() {
    assert!(all(&[], OnFailure::Stop).is_over());
}

#[test]
fn the_longest_chain_goes_first_then_the_lowest_id() {
    let mut scheduler = all(&[&[], &[], &[1], &[]], OnFailure::Stop);
    assert_eq!(start(&mut scheduler), [1, 0, 3]);
    let graph = graph(&[&[], &[], &[1], &[]]);
    let durations = [Some(5), Some(1), Some(3), Some(50)].into_iter().collect();
    let mut scheduler = Scheduler::new(&graph, graph.ids(), &durations, OnFailure::Stop);
    assert_eq!(start(&mut scheduler), [3, 0, 1]);
}

#[test]
fn a_chain_outside_the_run_gives_no_urgency() {
    let graph = graph(&[&[], &[], &[1], &[2]]);
    let mut scheduler = Scheduler::new(&graph, [id(0), id(1)], &DenseMap::default(), OnFailure::Stop);
    assert_eq!(start(&mut scheduler), [0, 1]);
}

#[test]
fn a_failure_skips_what_depends_on_it_and_nothing_else_when_going_on() {
    let mut scheduler = all(&[&[], &[0], &[1], &[], &[3]], OnFailure::KeepGoing);
    start(&mut scheduler);
    let effects = scheduler.finish(id(0), Outcome::Failed);
    let blame = Blame::Dependency(id(0));
    assert_eq!(effects.skipped, [Skip { node: id(1), blame }, Skip { node: id(2), blame }]);
    assert_eq!(states(&scheduler), "fssRw");
    assert_eq!(scheduler.finish(id(3), Outcome::Done).ready, [id(4)]);
}

#[test]
fn a_failure_stops_the_rest_and_lets_what_runs_end() {
    let mut scheduler = all(&[&[], &[0], &[], &[2]], OnFailure::Stop);
    assert_eq!(start(&mut scheduler), [0, 2]);
    let effects = scheduler.finish(id(0), Outcome::Failed);
    let dependent = Skip { node: id(1), blame: Blame::Dependency(id(0)) };
    assert_eq!(effects.skipped, [dependent, Skip { node: id(3), blame: Blame::Stopped }]);
    assert_eq!(states(&scheduler), "fsRs");
    assert_eq!(scheduler.finish(id(2), Outcome::Done), Effects::default());
    assert!(scheduler.is_over());
}

#[test]
fn a_stop_skips_what_has_not_started() {
    let mut scheduler = all(&[&[], &[], &[0]], OnFailure::KeepGoing);
    assert_eq!(scheduler.next(), Some(id(0)));
    let stopped = |index| Skip { node: id(index), blame: Blame::Stopped };
    assert_eq!(scheduler.stop(), [stopped(1), stopped(2)]);
    assert_eq!(scheduler.stop(), []);
    assert_eq!(scheduler.next(), None);
    assert_eq!(scheduler.finish(id(0), Outcome::Cancelled), Effects::default());
    assert_eq!(states(&scheduler), "sss");
}

#[test]
fn a_joined_node_ends_as_its_leader() {
    for (outcome, expected) in
        [(Outcome::Done, "dddr"), (Outcome::Failed, "fffs"), (Outcome::Cancelled, "ssss")]
    {
        let mut scheduler = all(&[&[], &[], &[], &[2]], OnFailure::KeepGoing);
        start(&mut scheduler);
        assert_eq!(scheduler.join(id(2), id(1)), Effects::default());
        assert_eq!(scheduler.join(id(1), id(0)), Effects::default());
        assert_eq!(states(&scheduler), "Rwww");
        assert!(!scheduler.is_over());
        let effects = scheduler.finish(id(0), outcome);
        assert_eq!(effects.joined, [id(1), id(2)]);
        assert_eq!(states(&scheduler), expected);
    }
}

#[test]
fn a_node_that_joins_an_ended_leader_ends_at_once() {
    for (outcome, expected) in [(Outcome::Done, "ddr"), (Outcome::Failed, "ffs")] {
        let mut scheduler = all(&[&[], &[], &[1]], OnFailure::KeepGoing);
        start(&mut scheduler);
        scheduler.finish(id(0), outcome);
        scheduler.join(id(1), id(0));
        assert_eq!(states(&scheduler), expected);
    }
}

#[test]
fn a_joined_node_survives_a_stop_with_its_leader() {
    let mut scheduler = all(&[&[], &[], &[1]], OnFailure::Stop);
    start(&mut scheduler);
    scheduler.join(id(1), id(0));
    scheduler.stop();
    assert_eq!(states(&scheduler), "Rws");
    scheduler.finish(id(0), Outcome::Done);
    assert_eq!(states(&scheduler), "dds");
}

#[test]
fn a_cycle_ends_the_run_instead_of_hanging_it() {
    let mut scheduler = all(&[&[], &[2, 0], &[1], &[2], &[4]], OnFailure::KeepGoing);
    assert_eq!(start(&mut scheduler), [0]);
    scheduler.finish(id(0), Outcome::Done);
    assert!(scheduler.is_over());
    assert_eq!(states(&scheduler), "dwwww");
    assert_eq!(scheduler.stop().len(), 4);
}

#[test]
#[should_panic(expected = "only a running node ends")]
fn an_end_is_said_once() {
    let mut scheduler = all(&[&[]], OnFailure::Stop);
    start(&mut scheduler);
    scheduler.finish(id(0), Outcome::Done);
    scheduler.finish(id(0), Outcome::Done);
}

#[test]
#[should_panic(expected = "a leader does not wait for its follower")]
fn two_nodes_do_not_join_each_other() {
    let mut scheduler = all(&[&[], &[]], OnFailure::Stop);
    start(&mut scheduler);
    scheduler.join(id(0), id(1));
    scheduler.join(id(1), id(0));
}

/// One run: a graph, and what happens in it.
#[derive(Clone, Debug)]
struct Run {
    dependencies: DenseMap<NodeId, Vec<NodeId>>,
    wanted: Vec<NodeId>,
    durations: DenseMap<NodeId, Option<u64>>,
    on_failure: OnFailure,
    jobs: usize,
    /// Nodes of equal value are the same action.
    actions: Vec<u8>,
    /// Decides, byte by byte, which running node ends next, and how.
    chances: Vec<u8>,
    failures: u8,
    stop_after: Option<usize>,
}

/// A run over at most `largest` nodes. Edges lead from a place of `order` to earlier ones, so that
/// the graph has no cycle and ids are in no order.
fn runs(largest: usize) -> impl Strategy<Value = Run> {
    (1..=largest).prop_flat_map(|length| {
        let order = Just((0..length).collect::<Vec<_>>()).prop_shuffle();
        let edges = (prop::collection::vec(any::<u64>(), length), any::<u64>(), any::<bool>());
        let nodes = (
            prop::collection::vec(prop::option::of(0_u64..4), length),
            prop::collection::vec(any::<u8>(), length),
            any::<u64>(),
        );
        let chances = (
            prop::collection::vec(any::<u8>(), 2 * length),
            prop::sample::select(vec![0_u8, 0, 30, 120]),
            prop::sample::select(vec![None, None, None, Some(1), Some(3)]),
            1_usize..5,
            any::<bool>(),
        );
        (order, edges, nodes, chances).prop_map(build_run)
    })
}

type Parts = (
    Vec<usize>,
    (Vec<u64>, u64, bool),
    (Vec<Option<u64>>, Vec<u8>, u64),
    (Vec<u8>, u8, Option<usize>, usize, bool),
);

fn build_run((order, edges, nodes, chances): Parts) -> Run {
    let (masks, thinner, dense) = edges;
    let (durations, actions, wanted) = nodes;
    let (chances, failures, stop_after, jobs, keep_going) = chances;
    let mut dependencies = DenseMap::filled(order.len(), Vec::new());
    for (place, node) in order.iter().enumerate() {
        let mask = if dense { masks[place] } else { masks[place] & thinner & thinner.rotate_left(7) };
        let earlier = (0..place).filter(|bit| mask.rotate_right(*bit as u32) & 1 == 1);
        dependencies[id(*node)] = earlier.map(|earlier| id(order[earlier])).collect();
    }
    let wanted = dependencies.ids().filter(|node| wanted.rotate_right(node.index() as u32) & 3 != 0);
    Run {
        wanted: wanted.collect(),
        dependencies,
        durations: durations.into_iter().collect(),
        on_failure: if keep_going { OnFailure::KeepGoing } else { OnFailure::Stop },
        jobs,
        actions: actions.into_iter().map(|action| action % 16).collect(),
        chances,
        failures,
        stop_after,
    }
}

/// Drives a run as the runner would, and checks every promise at every step.
struct Driver<'r> {
    run: &'r Run,
    scheduler: Scheduler,
    running: Vec<NodeId>,
    started: Vec<NodeId>,
    joined: Vec<(NodeId, NodeId)>,
    /// What ended badly by itself: failed, or was cancelled.
    lost: Vec<NodeId>,
    stopped: bool,
    chances: std::iter::Cycle<std::slice::Iter<'r, u8>>,
}

impl<'r> Driver<'r> {
    fn new(run: &'r Run) -> Self {
        let scheduler =
            Scheduler::new(&run.dependencies, run.wanted.iter().copied(), &run.durations, run.on_failure);
        let chances = run.chances.iter().cycle();
        let (running, started, joined, lost) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { run, scheduler, running, started, joined, lost, stopped: false, chances }
    }

    fn chance(&mut self) -> u8 {
        *self.chances.next().expect("a run has chances")
    }

    fn drive(&mut self) {
        let mut steps = 0;
        self.check_counts();
        while !self.scheduler.is_over() {
            self.fill();
            if let Some(count) = self.run.stop_after
                && steps >= count
            {
                self.stop();
            }
            if !self.running.is_empty() {
                self.end_one();
            }
            steps += 1;
            assert!(steps <= 3 * self.run.dependencies.len() + 3, "the run hangs");
        }
        self.check_end();
    }

    fn fill(&mut self) {
        while self.running.len() < self.run.jobs {
            let best = self.scheduler.queue.first().map(|(Reverse(priority), _id)| *priority);
            let Some(node) = self.scheduler.next() else { return };
            assert!(!self.stopped, "nothing starts after a stop");
            assert_eq!(Some(self.scheduler.priorities[node]), best);
            assert!(!self.started.contains(&node), "nothing runs twice");
            for dependency in &self.run.dependencies[node] {
                assert_eq!(self.scheduler.state(*dependency), Some(State::Done), "order is kept");
            }
            self.started.push(node);
            self.place(node);
            self.check_counts();
        }
    }

    /// Runs `node`, or joins it to an earlier node with the same action.
    fn place(&mut self, node: NodeId) {
        let action = |one: NodeId| self.run.actions[one.index()];
        let leader = self.started.iter().copied().find(|one| *one != node && action(*one) == action(node));
        match leader {
            None => self.running.push(node),
            Some(leader) => {
                let effects = self.scheduler.join(node, leader);
                self.joined.push((node, leader));
                self.check_effects(&effects);
            }
        }
    }

    fn end_one(&mut self) {
        let chosen = self.chance() as usize % self.running.len();
        let node = self.running.swap_remove(chosen);
        let chance = self.chance();
        let outcome = match chance < self.run.failures {
            true if chance.is_multiple_of(4) => Outcome::Cancelled,
            true => Outcome::Failed,
            false => Outcome::Done,
        };
        let effects = self.scheduler.finish(node, outcome);
        let mut joined = effects.joined.clone();
        joined.sort_unstable();
        let mut expected: Vec<NodeId> =
            self.joined.iter().filter(|(_, leader)| *leader == node).map(|(one, _)| *one).collect();
        expected.sort_unstable();
        assert_eq!(joined, expected, "those that joined end with their leader");
        if outcome != Outcome::Done {
            self.lost.push(node);
            self.stopped |= self.run.on_failure == OnFailure::Stop;
        }
        self.check_effects(&effects);
        self.check_counts();
    }

    fn stop(&mut self) {
        self.stopped = true;
        for skip in self.scheduler.stop() {
            assert_eq!(skip.blame, Blame::Stopped);
            assert!(!self.started.contains(&skip.node));
        }
        self.check_counts();
    }

    fn check_effects(&self, effects: &Effects) {
        for node in &effects.ready {
            assert_eq!(self.scheduler.state(*node), Some(State::Ready));
        }
        for Skip { node, blame } in &effects.skipped {
            assert_eq!(self.scheduler.state(*node), Some(State::Skipped));
            match blame {
                Blame::Dependency(lost) => assert!(self.needs(*node, *lost), "{node:?} needs {lost:?}"),
                Blame::Stopped => assert!(self.stopped),
            }
        }
    }

    fn needs(&self, node: NodeId, needed: NodeId) -> bool {
        let mut seen = DenseMap::filled(self.run.dependencies.len(), false);
        let mut reached = vec![node];
        while let Some(one) = reached.pop() {
            if !std::mem::replace(&mut seen[one], true) {
                reached.extend_from_slice(&self.run.dependencies[one]);
            }
        }
        node != needed && seen[needed]
    }

    fn check_counts(&self) {
        let mut counts = Counts::default();
        for state in self.scheduler.states.values().iter().flatten() {
            *counts.of(*state) += 1;
        }
        assert_eq!(self.scheduler.counts(), counts, "counts are those of the states");
        assert_eq!(counts.ready, self.scheduler.queue.len(), "the queue holds what is ready");
        assert_eq!(counts.running, self.running.len());
        assert!(counts.running <= self.run.jobs, "the limit of jobs is kept");
    }

    fn check_end(&self) {
        assert!(self.running.is_empty());
        let wanted =
            |node: NodeId| self.run.wanted.iter().any(|wanted| *wanted == node || self.needs(*wanted, node));
        for (node, state) in self.scheduler.states.iter() {
            let state = *state;
            assert_eq!(state.is_some(), wanted(node), "the run is the closure of what is wanted");
            let ended = matches!(state, None | Some(State::Done | State::Failed | State::Skipped));
            assert!(ended, "every node ends");
            let follows = |lost: NodeId| self.joined.contains(&(node, lost));
            let lost = self.lost.iter().any(|lost| node == *lost || follows(*lost));
            let blocked = self.lost.iter().any(|lost| self.needs(node, *lost))
                || self
                    .joined
                    .iter()
                    .any(|(one, leader)| self.lost.contains(leader) && self.needs(node, *one));
            let expected_done = state.is_some() && !lost && !blocked;
            if self.stopped {
                assert!(state != Some(State::Done) || expected_done);
            } else {
                assert_eq!(state == Some(State::Done), expected_done, "a failure stops its dependents alone");
            }
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(98_000))]
    #[test]
    fn random_small_graphs_keep_every_promise(run in runs(9)) {
        Driver::new(&run).drive();
    }
}

proptest! {
    #![proptest_config(config(2_000))]
    #[test]
    fn random_larger_graphs_keep_every_promise(run in runs(60)) {
        Driver::new(&run).drive();
    }
}

#[test]
fn a_hundred_thousand_nodes_take_no_quadratic_time() {
    let length = 100_000;
    let dependencies: DenseMap<NodeId, Vec<NodeId>> =
        (0..length).map(|node| (node.max(3) - 3..node).map(id).collect()).collect();
    let mut scheduler =
        Scheduler::new(&dependencies, [id(length - 1)], &DenseMap::default(), OnFailure::Stop);
    let mut done = 0;
    while let Some(node) = scheduler.next() {
        scheduler.finish(node, Outcome::Done);
        done += 1;
    }
    assert_eq!(done, length);
}

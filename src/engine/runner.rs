//! Runs a graph: the loop around the scheduler.
//!
//! One thread decides, workers build. The deciding thread finds each node's action key when its
//! dependencies are done, takes the output from the cache where it is known, puts twins of one key
//! behind each other, and gives the rest to workers, as many at once as there are jobs.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::lookup::{Found, Known, link_name};
use super::prediction::Prediction;
use super::report::{Ended, Ending, Report};
use super::scheduler::{self, Effects, OnFailure, Scheduler, Skip, State};
use super::worker::{self, Finished, Order, Shop};
use crate::build::builder::{BuildError, Builder};
use crate::cache::last_build::LastBuild;
use crate::graph::node::{Build, Node, Work};
use crate::source::snapshot::Snapshot;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::{ActionKey, OutputDigest, SourceKey};
use crate::types::environment::Environment;
use crate::types::event::{Event, EventSink, Outcome, Subject};
use crate::types::ids::{DenseMap, NodeId};
use crate::types::label::Label;

/// How often a waiting run looks whether it is to stop.
const POLL: Duration = Duration::from_millis(50);

/// What a run needs.
#[derive(Clone, Copy)]
pub struct Run<'r> {
    /// What is known before.
    pub known: Known<'r>,
    /// Who builds.
    pub builder: &'r dyn Builder,
    /// The files.
    pub snapshot: &'r Snapshot,
    /// Where secrets come from.
    pub environment: &'r Environment,
    /// The source key of each node.
    pub source_keys: &'r DenseMap<NodeId, SourceKey>,
    /// How long each node took before, in milliseconds, where that is known.
    pub durations: &'r DenseMap<NodeId, Option<u64>>,
    /// How many builds may run at once; at least one.
    pub jobs: usize,
    /// Whether a failure stops only what depends on it.
    pub keep_going: bool,
    /// Whether forced nodes leave the builder's own cache aside.
    pub no_cache: bool,
    /// Whether to stop.
    pub cancellation: &'r Cancellation,
    /// Who is told.
    pub events: &'r dyn EventSink,
}

/// Builds everything that is wanted and not known.
pub fn run(run: Run<'_>) -> Report {
    let started = Instant::now();
    let targets = run.known.graph.nodes.values().iter().filter(|node| node.label().is_some()).count();
    run.events.take(&Event::RunStarted { targets, builder: run.builder.description().to_owned() });
    let mut report = std::thread::scope(|scope| Foreman::new(run).work(scope));
    report.seconds = started.elapsed().as_secs_f64();
    run.events.take(&Event::RunDone { seconds: report.seconds });
    report
}

/// What a worker says when it is done.
type Message = (NodeId, Finished);

/// The deciding thread.
struct Foreman<'r> {
    run: Run<'r>,
    scheduler: Scheduler,
    ended: DenseMap<NodeId, Option<Ended>>,
    leaders: HashMap<ActionKey, NodeId>,
    warnings: Vec<Diagnostic>,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    stopped: bool,
    prediction: Prediction,
}

impl<'r> Foreman<'r> {
    fn new(run: Run<'r>) -> Self {
        let nodes = &run.known.graph.nodes;
        let dependencies = run.known.graph.dependencies();
        let on_failure = if run.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop };
        let wanted = &run.known.graph.roots;
        let (sender, receiver) = mpsc::channel();
        Self {
            run,
            scheduler: Scheduler::new(&dependencies, wanted.iter().copied(), run.durations, on_failure),
            ended: DenseMap::filled(nodes.len(), None),
            leaders: HashMap::new(),
            warnings: Vec::new(),
            sender,
            receiver,
            stopped: false,
            prediction: Prediction::new(dependencies, run.durations, run.jobs),
        }
    }

    fn work<'scope>(mut self, scope: &'scope Scope<'scope, 'r>) -> Report
    where
        'r: 'scope,
    {
        loop {
            self.obey();
            while self.scheduler.counts().running < self.run.jobs {
                let Some(id) = self.scheduler.next() else { break };
                self.start(scope, id);
            }
            if self.scheduler.is_over() {
                break;
            }
            if let Some(seconds) = self.prediction.seconds(&self.scheduler, Instant::now()) {
                self.run.events.take(&Event::Expected { seconds });
            }
            match self.receiver.recv_timeout(POLL) {
                Ok((id, finished)) => self.finish(id, finished),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let nodes = self.ended.values().iter().cloned();
        Report {
            nodes: nodes
                .map(|ended| ended.unwrap_or_else(|| Ended::skipped("the run was stopped")))
                .collect(),
            cancelled: self.run.cancellation.is_cancelled(),
            warnings: self.warnings,
            seconds: 0.0,
        }
    }

    /// Starts nothing more once somebody asked to stop.
    fn obey(&mut self) {
        if !self.stopped && self.run.cancellation.is_cancelled() {
            self.stopped = true;
            let skipped = self.scheduler.stop();
            self.skip(&skipped);
        }
    }

    fn start<'scope>(&mut self, scope: &'scope Scope<'scope, 'r>, id: NodeId)
    where
        'r: 'scope,
    {
        let node = &self.run.known.graph.nodes[id];
        let (shop, sender) = (self.shop(), self.sender.clone());
        match &node.work {
            Work::External(external) => match self.run.known.external_digest(external, &node.platform) {
                Some(digest) => self.end(id, known_output(digest), scheduler::Outcome::Done),
                None => spawn(scope, sender, id, move || worker::fetch(shop, node, external)),
            },
            Work::Build(build) => {
                let Some(order) = self.order(id, node, build) else { return };
                let (subject, action_key) = (order.subject.clone(), order.key);
                self.run.events.take(&Event::TargetStarted { subject, action_key });
                self.prediction.start(id, Instant::now());
                spawn(scope, sender, id, move || worker::build(shop, node, build, &order));
            }
        }
    }

    /// What is to be built for a node; `None` when its output is known or somebody builds it already.
    fn order(&mut self, id: NodeId, node: &'r Node, build: &'r Build) -> Option<Order> {
        let known = self.run.known;
        let output = |dependency: NodeId| self.output(dependency);
        let key = known.key(id, build, &output);
        let source_key = self.run.source_keys[id];
        let order = Order {
            id,
            key,
            source_key,
            subject: node.subject().expect("what is built is a target"),
            outputs: node.dependencies.iter().map(|d| (d.node, output(d.node))).collect(),
            tags: build.tags(&source_key),
        };
        // What is to be built whatever the cache knows does not join what may be taken from it.
        let leader = self.leaders.get(&key).copied();
        if let Some(leader) = leader.filter(|leader| known.is_forced(*leader) || !known.is_forced(id)) {
            let effects = self.scheduler.join(id, leader);
            if self.scheduler.state(id) != Some(State::Waiting) {
                self.follow(id, leader);
            }
            self.apply(effects);
            return None;
        }
        self.leaders.insert(key, id);
        if !known.is_forced(id)
            && let Found::Output(record) = known.look_up(&key, &mut self.warnings)
        {
            self.remember(
                node,
                LastBuild {
                    action_key: key,
                    digest: record.digest.clone(),
                    seconds: record.seconds,
                    built_at: record.built_at,
                },
            );
            let ended = Ended { action_key: Some(key), ..known_output(record.digest) };
            self.end(id, ended, scheduler::Outcome::Done);
            return None;
        }
        Some(order)
    }

    fn output(&self, id: NodeId) -> OutputDigest {
        let ended = self.ended[id].as_ref().and_then(|ended| ended.digest.clone());
        ended.expect("a node starts when all that it needs has ended well")
    }

    fn finish(&mut self, id: NodeId, finished: Finished) {
        self.warnings.extend(finished.warnings);
        let outcome = match &finished.ended.ending {
            Ending::Built | Ending::Cached => scheduler::Outcome::Done,
            Ending::Skipped { .. } if finished.cancelled => scheduler::Outcome::Cancelled,
            Ending::Failed(_) | Ending::Skipped { .. } => scheduler::Outcome::Failed,
        };
        self.end(id, finished.ended, outcome);
    }

    fn end(&mut self, id: NodeId, ended: Ended, outcome: scheduler::Outcome) {
        let is_named = self.keep(id, ended);
        let outcome = if is_named { outcome } else { scheduler::Outcome::Failed };
        let effects = self.scheduler.finish(id, outcome);
        for joined in effects.joined.clone() {
            self.follow(joined, id);
        }
        self.apply(effects);
    }

    /// A node that joined `leader` ends as it ended.
    fn follow(&mut self, id: NodeId, leader: NodeId) {
        let Some(ended) = self.ended[leader].clone() else { return };
        if let (Some(action_key), Some(digest)) = (ended.action_key, ended.digest.clone()) {
            let built_at = jiff::Timestamp::now().as_second();
            let node = &self.run.known.graph.nodes[id];
            self.remember(node, LastBuild { action_key, digest, seconds: ended.seconds, built_at });
        }
        let ending = if ended.ending == Ending::Built { Ending::Cached } else { ended.ending };
        self.keep(id, Ended { ending, seconds: 0.0, log: None, tags: Vec::new(), ..ended });
    }

    /// Keeps what the target of `node` last was, so that later reasons are told against it.
    fn remember(&mut self, node: &Node, last: LastBuild) {
        let stored = node.subject().map(|subject| self.run.known.last_builds.store(&subject, &last));
        if let Some(Err(error)) = stored {
            self.warnings.push(error.warning());
        }
    }

    fn apply(&mut self, effects: Effects) {
        self.skip(&effects.skipped);
    }

    fn skip(&mut self, skipped: &[Skip]) {
        for skip in skipped {
            let reason = match skip.blame {
                scheduler::Blame::Dependency(id) => {
                    format!("{} failed", self.run.known.graph.nodes[id].name())
                }
                scheduler::Blame::Stopped => "the run was stopped".to_owned(),
            };
            self.keep(skip.node, Ended::skipped(reason));
        }
    }

    /// Remembers how a node ended, gives its image the names that it lacks, and tells. Who built it
    /// has named it. `false` when a name could not be given: then the node has failed.
    fn keep(&mut self, id: NodeId, mut ended: Ended) -> bool {
        let node = &self.run.known.graph.nodes[id];
        let mut named = Ok(());
        if let (Work::Build(build), Some(digest)) = (&node.work, &ended.digest)
            && ended.ending == Ending::Cached
        {
            ended.tags = build.tags(&self.run.source_keys[id]);
            named = self.name(digest, &ended.tags, &build.target.label);
        }
        let is_named = named.is_ok();
        if let Err(error) = named {
            ended = Ended { ending: worker::ending_of(error), tags: Vec::new(), ..ended };
        }
        if let Some(subject) = node.subject() {
            self.run.events.take(&done(subject, &ended));
        }
        self.ended[id] = Some(ended);
        is_named
    }

    /// Gives a known image the names that its target wants today, and the one that links it.
    fn name(&self, digest: &OutputDigest, tags: &[String], label: &Label) -> Result<(), BuildError> {
        let link = link_name(label, digest);
        let is_lacking = |tag: &&String| self.run.known.inventory.references.get(*tag) != Some(digest);
        tags.iter().chain([&link]).filter(is_lacking).try_for_each(|tag| self.run.builder.tag(digest, tag))
    }

    fn shop(&self) -> Shop<'r> {
        Shop {
            known: self.run.known,
            builder: self.run.builder,
            snapshot: self.run.snapshot,
            environment: self.run.environment,
            cancellation: self.run.cancellation,
            events: self.run.events,
            no_cache: self.run.no_cache,
        }
    }
}

fn spawn<'scope, 'r: 'scope>(
    scope: &'scope Scope<'scope, 'r>,
    sender: Sender<Message>,
    id: NodeId,
    work: impl FnOnce() -> Finished + Send + 'scope,
) {
    scope.spawn(move || {
        // The deciding thread holds the other end for as long as a worker runs.
        let _received = sender.send((id, work()));
    });
}

fn known_output(digest: OutputDigest) -> Ended {
    Ended {
        ending: Ending::Cached,
        action_key: None,
        digest: Some(digest),
        tags: Vec::new(),
        seconds: 0.0,
        log: None,
    }
}

fn done(subject: Subject, ended: &Ended) -> Event {
    let outcome = match (&ended.ending, &ended.digest) {
        (Ending::Built, Some(digest)) => Outcome::Built { digest: digest.clone() },
        (Ending::Cached, Some(digest)) => Outcome::Cached { digest: digest.clone() },
        (Ending::Failed(failure), _) => Outcome::Failed { message: failure.message.clone() },
        (Ending::Skipped { reason }, _) => Outcome::Skipped { reason: reason.clone() },
        (Ending::Built | Ending::Cached, None) => Outcome::Skipped { reason: "no output".to_owned() },
    };
    let log = ended.log.as_ref().map(|log| log.display().to_string());
    Event::TargetDone { subject, outcome, seconds: ended.seconds, log }
}

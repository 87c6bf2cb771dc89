//! A workspace, a cache and a scripted builder, to plan and run on.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use imgraph::build::builder::Builder;
use imgraph::cache::folder::CacheFolder;
use imgraph::cache::last_build::LastBuilds;
use imgraph::engine::lookup::{self, Known};
use imgraph::engine::plan::{self, Plan, State};
use imgraph::engine::report::{Blame, Ending, Report};
use imgraph::engine::runner::{self, Run};
use imgraph::engine::secrets::OptionalSecrets;
use imgraph::graph::key::{Absent, Keyed};
use imgraph::graph::manifest::Reason;
use imgraph::graph::node_views::NodeViews;
use imgraph::types::cancellation::Cancellation;
use imgraph::types::environment::Environment;
use imgraph::types::event::Silence;
use imgraph::types::ids::{DenseMap, NodeId};

use crate::scripted::Scripted;
use crate::workspace::{Expanded, OnDisk, Workspace};

/// All that a test works with.
pub(crate) struct Shop {
    pub(crate) disk: OnDisk,
    pub(crate) builder: Scripted,
    cache: tempfile::TempDir,
}

/// How a run is asked for.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) keep_going: bool,
    /// Builds what is wanted even if it is cached.
    pub(crate) forced: bool,
    pub(crate) jobs: Option<usize>,
    pub(crate) cancellation: Cancellation,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

impl Shop {
    /// The root's `BUILD.toml` begins with a `[workspace]`.
    pub(crate) fn new(text: &str) -> Self {
        let disk = Workspace::of(&format!("[workspace]\nname = \"shop\"\n{text}")).on_disk();
        Self { disk, builder: Scripted::new(), cache: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        fs::write(self.disk.path().join(path), text).unwrap();
    }

    /// Every file in a kind of cache folder.
    pub(crate) fn cache_files(&self, kind: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut waiting = vec![self.cache.path().to_path_buf()];
        while let Some(folder) = waiting.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    waiting.push(path);
                } else if path.components().any(|name| name.as_os_str() == kind) {
                    found.push(path);
                }
            }
        }
        found
    }

    fn with<Value>(
        &self,
        pattern: &str,
        forced: bool,
        work: impl FnOnce(&Expanded, Known<'_>) -> Value,
    ) -> Value {
        let expanded = self.disk.expand(&[pattern], &[]);
        let said: Vec<_> = expanded.diagnostics.iter().map(|diagnostic| &diagnostic.message).collect();
        assert!(!expanded.graph.nodes.is_empty(), "{said:#?}");
        let views = NodeViews::new(&expanded.graph, &expanded.snapshot).unwrap();
        let cache = CacheFolder::new(self.cache.path());
        let last_builds = LastBuilds::new(&cache, expanded.snapshot.root_on_disk());
        let inventory = self.builder.inventory().unwrap();
        let bases = self.builder.bases(&lookup::unpinned_bases(&expanded.graph)).unwrap();
        let forced: &[NodeId] = if forced { &expanded.graph.roots } else { &[] };
        let known = Known {
            graph: &expanded.graph,
            views: &views,
            builder: &self.builder,
            inventory: &inventory,
            bases: &bases,
            absent: &Absent::default(),
            cache: &cache,
            last_builds: &last_builds,
            forced,
        };
        work(&expanded, known)
    }

    /// `LABEL STATE: REASON; REASON`, a line each.
    pub(crate) fn plan(&self, pattern: &str) -> Vec<String> {
        self.with(pattern, false, |_, known| planned(known, &plan::plan(known)))
    }

    /// As [`Self::plan`], with what is wanted built in any case.
    pub(crate) fn forced_plan(&self, pattern: &str) -> Vec<String> {
        self.with(pattern, true, |_, known| planned(known, &plan::plan(known)))
    }

    /// What was odd about the cache when it was planned.
    pub(crate) fn plan_warnings(&self, pattern: &str) -> Vec<String> {
        self.with(pattern, false, |_, known| messages(&plan::plan(known).warnings))
    }

    pub(crate) fn run(&self, pattern: &str) -> Outcome {
        self.run_as(pattern, &Asked::default())
    }

    pub(crate) fn run_as(&self, pattern: &str, asked: &Asked) -> Outcome {
        self.with(pattern, asked.forced, |expanded, known| {
            let source_keys = Keyed { graph: known.graph, views: known.views }.source_keys();
            let variables =
                asked.environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let environment: Environment = variables.collect();
            let root = expanded.snapshot.root_on_disk();
            let secrets = OptionalSecrets::look(known.graph, &environment, root);
            let known = Known { absent: &secrets.absent, ..known };
            let report = runner::run(Run {
                known,
                builder: &self.builder,
                snapshot: &expanded.snapshot,
                environment: &environment,
                source_keys: &source_keys,
                durations: &DenseMap::filled(known.graph.nodes.len(), None),
                jobs: asked.jobs.unwrap_or(2),
                keep_going: asked.keep_going,
                no_cache: false,
                cancellation: &asked.cancellation,
                events: &Silence,
            });
            Outcome::new(known, report)
        })
    }
}

/// How a run ended.
pub(crate) struct Outcome {
    /// By label: `built`, `cached`, `failed: …`, `skipped: …`.
    pub(crate) ended: BTreeMap<String, String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) report: Report,
}

impl Outcome {
    fn new(known: Known<'_>, report: Report) -> Self {
        let ended = report.nodes.iter().map(|(id, ended)| {
            let how = match &ended.ending {
                Ending::Built => "built".to_owned(),
                Ending::Cached => "cached".to_owned(),
                Ending::Skipped { reason } => format!("skipped: {reason}"),
                Ending::Failed(failure) => match &failure.blame {
                    Blame::Target => format!("failed: {}", failure.message),
                    Blame::Surroundings => format!("surroundings: {}", failure.message),
                    Blame::InputsChanged(_) => format!("inputs changed: {}", failure.message),
                },
            };
            (known.graph.nodes[id].name(), how)
        });
        Self { ended: ended.collect(), warnings: messages(&report.warnings), report }
    }

    /// `LABEL HOW`, a line each, in order of labels.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.ended.iter().map(|(label, how)| format!("{label} {how}")).collect()
    }
}

fn messages(diagnostics: &[imgraph::types::diagnostic::Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect()
}

fn planned(known: Known<'_>, plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = known
        .graph
        .nodes
        .iter()
        .map(|(id, node)| {
            let planned = &plan.nodes[id];
            let state = match planned.state {
                State::Cached { .. } => "cached",
                State::Dirty => "dirty",
                State::Waits => "waits",
            };
            let reasons: Vec<String> = planned.reasons.iter().map(reason).collect();
            format!("{} {state}: {}", node.name(), reasons.join("; ")).trim_end_matches(": ").to_owned()
        })
        .collect();
    lines.sort();
    lines
}

/// Digests are of no use to a reader: they are left out.
fn reason(reason: &Reason) -> String {
    let change = format!("{:?}", reason.change).to_lowercase();
    match &reason.new {
        Some(new) if new.contains(' ') => format!("{} {change} ({new})", reason.fact),
        _ => format!("{} {change}", reason.fact),
    }
}

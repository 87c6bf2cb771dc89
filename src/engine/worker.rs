//! One node's work, on a thread of its own: ask the builder, look at the inputs again, remember.
//!
//! **Invariant:** what is recorded under a key was built from exactly the facts of that key; when a
//! file or a base changed meanwhile, nothing is recorded.

use std::path::PathBuf;
use std::time::Instant;

use super::log_sink::LogSink;
use super::lookup::{Known, link_name};
use super::report::{Blame, Ended, Ending, Failure};
use super::request::Prepared;
use super::{agents, secrets, tee::Tee};
use crate::build::builder::{BuildError, Builder};
use crate::cache::action_record::{ActionRecord, SCHEMA};
use crate::cache::last_build::LastBuild;
use crate::cache::log_file::LogFile;
use crate::cache::view_listing;
use crate::graph::key::Outputs;
use crate::graph::node::{Build, Dependency, External, Node, Role, Work};
use crate::graph::slice::{Reference, ReferenceKind};
use crate::graph::view::{ReadSources, View, ViewError};
use crate::source::snapshot::Snapshot;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::{ActionKey, OutputDigest, SourceKey};
use crate::types::environment::Environment;
use crate::types::event::{EventSink, Subject};
use crate::types::ids::NodeId;
use crate::types::workspace_path::WorkspacePath;

/// What every worker shares.
#[derive(Clone, Copy)]
pub(super) struct Shop<'w> {
    pub(super) known: Known<'w>,
    pub(super) builder: &'w dyn Builder,
    pub(super) snapshot: &'w Snapshot,
    pub(super) environment: &'w Environment,
    pub(super) cancellation: &'w Cancellation,
    pub(super) events: &'w dyn EventSink,
    pub(super) no_cache: bool,
}

/// One build to do.
pub(super) struct Order {
    pub(super) id: NodeId,
    pub(super) key: ActionKey,
    pub(super) source_key: SourceKey,
    pub(super) subject: Subject,
    /// The outputs of the dependencies.
    pub(super) outputs: Vec<(NodeId, OutputDigest)>,
    pub(super) tags: Vec<String>,
}

/// What a worker brings back.
pub(super) struct Finished {
    pub(super) ended: Ended,
    pub(super) warnings: Vec<Diagnostic>,
    /// Whether the builder stopped because it was told to.
    pub(super) cancelled: bool,
}

impl Order {
    fn output(&self, id: NodeId) -> OutputDigest {
        let found = self.outputs.iter().find(|(node, _)| *node == id);
        found.map(|(_, digest)| digest.clone()).expect("an order holds the outputs of all dependencies")
    }
}

/// Fetches an image from elsewhere.
pub(super) fn fetch(shop: Shop<'_>, node: &Node, external: &External) -> Finished {
    let started = Instant::now();
    let resolved = shop.builder.resolve(&external.reference, &node.platform, shop.cancellation);
    let seconds = started.elapsed().as_secs_f64();
    let cancelled = matches!(resolved, Err(BuildError::Cancelled));
    let (ending, digest) = match resolved {
        Ok(digest) => (Ending::Built, Some(digest)),
        Err(error) => (ending_of(error), None),
    };
    let ended = Ended { ending, action_key: None, digest, tags: Vec::new(), seconds, log: None };
    Finished { ended, warnings: Vec::new(), cancelled }
}

/// Builds `order`.
pub(super) fn build(shop: Shop<'_>, node: &Node, build: &Build, order: &Order) -> Finished {
    let started = Instant::now();
    let mut warnings = Vec::new();
    let log =
        LogFile::create(shop.known.cache, &order.key).map_err(|error| warnings.push(error.warning())).ok();
    let log_path = log.as_ref().map(|log| log.path().to_path_buf());
    let log_name = log.as_ref().map(|log| log.name().to_owned());
    let result = match log {
        Some(log) => {
            let log = LogSink::new(log, order.subject.clone());
            let result = attempt(shop, build, order, &Tee::new([shop.events, &log]));
            if let Err(cause) = log.finish() {
                warnings.push(Diagnostic::warning(format!(
                    "the log of {} is not whole: {cause}",
                    order.subject.label
                )));
            }
            result
        }
        None => attempt(shop, build, order, shop.events),
    };
    let seconds = started.elapsed().as_secs_f64();
    let cancelled = matches!(result, Err(BuildError::Cancelled));
    let (ending, digest) = match result {
        Ok(digest) => match changed_meanwhile(shop, node, build, order) {
            None => {
                warnings.extend(remember(shop, build, order, &digest, seconds, log_name));
                (Ending::Built, Some(digest))
            }
            Some(failure) => (Ending::Failed(failure), None),
        },
        Err(error) => (ending_of(error), None),
    };
    let ended = ended(order, ending, digest, seconds, log_path);
    Finished { ended, warnings, cancelled }
}

fn ended(
    order: &Order,
    ending: Ending,
    digest: Option<OutputDigest>,
    seconds: f64,
    log: Option<PathBuf>,
) -> Ended {
    let tags = if digest.is_some() { order.tags.clone() } else { Vec::new() };
    Ended { ending, action_key: Some(order.key), digest, tags, seconds, log }
}

/// Builds, and links the output under the name by which other builds find it.
fn attempt(
    shop: Shop<'_>,
    build: &Build,
    order: &Order,
    events: &dyn EventSink,
) -> Result<OutputDigest, BuildError> {
    let triggers = triggers(shop, build, order)?;
    let definition = build.definition();
    let surroundings = |message: String| BuildError::Surroundings { message, help: None };
    let dockerfile =
        shop.snapshot.read(&definition.dockerfile.value).map_err(|error| surroundings(error.to_string()))?;
    let outputs: Outputs<'_> = &|id| order.output(id);
    let prepared =
        Prepared::new(shop.known, order.id, build, &order.subject, outputs, shop.snapshot, dockerfile);
    let missing = |message: String| BuildError::Failed { message, line: None, log_tail: Vec::new() };
    let secrets = secrets::read(definition, shop.known.absent, shop.environment, shop.snapshot)
        .map_err(|error| missing(error.to_string()))?;
    let agents = agents::look(definition, shop.known.absent, shop.environment)
        .map_err(|error| missing(error.to_string()))?;
    let prepared = prepared.with_secrets(secrets).with_agents(agents);
    let mut prepared = prepared.with_triggers(triggers).with_tags(order.tags.clone());
    if shop.no_cache && shop.known.forced.contains(&order.id) {
        prepared = prepared.without_cache();
    }
    let built = shop.builder.build(&prepared.request(shop.known.views), events, shop.cancellation)?;
    shop.builder.tag(&built.digest, &link_name(&order.subject.label, &built.digest))?;
    Ok(built.digest)
}

/// The `ONBUILD` instructions of bases. Refuses a base from elsewhere whose instructions read what the key may not
/// hold: the Dockerfile does not say which they are, and only the builder knows that they are there.
fn triggers(shop: Shop<'_>, build: &Build, order: &Order) -> Result<Vec<String>, BuildError> {
    let node = &shop.known.graph.nodes[order.id];
    let own = node.dependencies.iter().filter_map(|used| shop.known.graph.nodes[used.node].build());
    let own = own.flat_map(|base| &base.slice.triggers).map(|trigger| trigger.value.clone());
    let mut all: Vec<String> = own.collect();
    for reference in build.slice.references.iter().filter(|reference| reference.kind == ReferenceKind::From) {
        let Some(id) = node.dependencies.iter().find_map(|used| is_use(used, reference).then_some(used.node))
        else {
            continue;
        };
        let Node { work: Work::External(external), platform, .. } = &shop.known.graph.nodes[id] else {
            continue;
        };
        let exact = shop.known.exact_reference(external, platform, &order.output(id));
        let triggers = shop.builder.triggers(&exact, platform, shop.cancellation)?;
        let refused = triggers.iter().find_map(|trigger| Some((trigger, hidden_by(trigger, build)?)));
        if let Some((trigger, hidden)) = refused {
            let line = build.dockerfile.source.line_column(reference.span.start()).line;
            let message = format!(
                "the base `{}` leaves `ONBUILD {trigger}` to this Dockerfile, which does not say that it {hidden}",
                external.reference
            );
            return Err(BuildError::Failed { message, line: Some(line), log_tail: Vec::new() });
        }
        all.extend(triggers);
    }
    Ok(all)
}

/// Whether a dependency is what `reference` names. One name stands for one image for each platform.
fn is_use(dependency: &Dependency, reference: &Reference) -> bool {
    matches!(
        &dependency.role,
        Role::Reference { name, platform } if *name == reference.name && *platform == reference.platform
    )
}

/// What a trigger reads that is not in the key of `build`, and how to put it right.
fn hidden_by(trigger: &str, build: &Build) -> Option<String> {
    let stamps = &build.definition().stamp;
    let is_keyed = |name: &str| {
        !build.given.contains_key(name) || build.arguments.contains_key(name) || stamps.contains_key(name)
    };
    if let Some(name) = declared_argument(trigger).filter(|name| !is_keyed(name)) {
        return Some(format!("uses that argument: write `ARG {name}` after its `FROM`"));
    }
    if reads_elsewhere(trigger) {
        return Some("reads from there: take a base without this trigger".to_owned());
    }
    let whole = build.context.as_ref().is_some_and(|context| context.spec.sources == ReadSources::Whole);
    (!whole && reads_files(trigger)).then(|| {
        "reads those files: take a base without this trigger, or read the whole context with \
         `RUN --mount=type=bind,target=/context true`"
            .to_owned()
    })
}

/// Whether an instruction of an image's `OnBuild` may read from another stage or image.
fn reads_elsewhere(trigger: &str) -> bool {
    trigger.contains("from=")
}

/// The argument that an instruction of an image's `OnBuild` declares.
fn declared_argument(trigger: &str) -> Option<&str> {
    let (word, rest) = trigger.trim_start().split_once(char::is_whitespace)?;
    let name = rest.trim_start().split(|letter: char| letter == '=' || letter.is_whitespace()).next()?;
    word.eq_ignore_ascii_case("ARG").then_some(name)
}

/// Whether an instruction of an image's `OnBuild` may read the build context. In doubt it does.
fn reads_files(trigger: &str) -> bool {
    let word = trigger.split_whitespace().next().unwrap_or_default().to_uppercase();
    match word.as_str() {
        "ADD" | "COPY" => true,
        "RUN" => trigger.contains("--mount"),
        _ => false,
    }
}

/// A failure when something that the key speaks of is no longer what it was.
fn changed_meanwhile(shop: Shop<'_>, node: &Node, build: &Build, order: &Order) -> Option<Failure> {
    let again = shop.snapshot.look_again();
    let changed = match shop.known.views.changed(order.id, build, &again) {
        Ok(changed) => changed,
        Err(ViewError::Read(error)) => vec![error.path().clone()],
        Err(_no_longer_a_view) => vec![build.definition().context.value.clone()],
    };
    if !changed.is_empty() {
        return Some(inputs_changed(changed));
    }
    moved_base(shop, node, order).map(|reference| Failure {
        message: format!("`{reference}` stands for another image than when the build began"),
        ..inputs_changed(Vec::new())
    })
}

fn inputs_changed(paths: Vec<WorkspacePath>) -> Failure {
    let shown: Vec<String> = paths.iter().take(3).map(|path| format!("`{path}`")).collect();
    let more = if paths.len() > shown.len() {
        format!(" and {} more", paths.len() - shown.len())
    } else {
        String::new()
    };
    Failure {
        message: format!(
            "{}{more} changed while the target was built: nothing was recorded",
            shown.join(", ")
        ),
        blame: Blame::InputsChanged(paths),
        line: None,
        log_tail: Vec::new(),
        help: Some("run the same command again".to_owned()),
    }
}

/// A base without a pin whose name means another image than the key says. Builders look names up by
/// themselves, so a name that was moved during the build may have been built on.
fn moved_base(shop: Shop<'_>, node: &Node, order: &Order) -> Option<String> {
    let named = |dependency: &Dependency| {
        let needed = &shop.known.graph.nodes[dependency.node];
        let Work::External(external) = &needed.work else { return None };
        let base = (external.reference.clone(), needed.platform.clone());
        // What the builder had no image for at first was asked for by its digest.
        shop.known.bases.contains_key(&base).then_some((base, dependency.node))
    };
    let bases: Vec<_> = node.dependencies.iter().filter_map(named).collect();
    if bases.is_empty() {
        return None;
    }
    let wanted = bases.iter().map(|((reference, platform), _)| (reference.as_str(), platform)).collect();
    // A builder that cannot be asked is reported by what is asked of it next.
    let today = shop.builder.bases(&wanted).ok()?;
    let moved =
        |(base, id): &&(_, NodeId)| today.get(base).is_some_and(|digest| *digest != order.output(*id));
    bases.iter().find(moved).map(|((reference, _), _)| reference.clone())
}

/// Keeps the record, the listings of the views, and the last build. What cannot be kept is a warning.
fn remember(
    shop: Shop<'_>,
    build: &Build,
    order: &Order,
    digest: &OutputDigest,
    seconds: f64,
    log: Option<String>,
) -> Vec<Diagnostic> {
    let facts = shop.known.facts(order.id, build, &|id| order.output(id));
    let views: Vec<(&str, &View)> =
        build.contexts().map(|(name, _)| (name, shop.known.views.view(order.id, name))).collect();
    let record = ActionRecord {
        schema: SCHEMA,
        action_key: order.key,
        source_key: order.source_key,
        label: order.subject.label.to_string(),
        platform: order.subject.platform.clone(),
        digest: digest.clone(),
        facts: facts.into_iter().map(|fact| (fact.name, fact.value)).collect(),
        views: views.iter().map(|(name, view)| ((*name).to_owned(), view.digest)).collect(),
        seconds,
        built_at: jiff::Timestamp::now().as_second(),
        builder: shop.builder.description().to_owned(),
        log,
    };
    let last =
        LastBuild { action_key: order.key, digest: digest.clone(), seconds, built_at: record.built_at };
    let mut results = Vec::new();
    for (_, view) in views {
        results.push(view_listing::store(shop.known.cache, &view.digest, &view.entries));
    }
    results.push(record.store(shop.known.cache));
    results.push(shop.known.last_builds.store(&order.subject, &last));
    results.into_iter().filter_map(Result::err).map(|error| error.warning()).collect()
}

/// How a target ends of which the builder says `error`.
pub(super) fn ending_of(error: BuildError) -> Ending {
    let failure = |blame, message| Failure { blame, message, line: None, log_tail: Vec::new(), help: None };
    match error {
        BuildError::Cancelled => Ending::Skipped { reason: "cancelled".to_owned() },
        BuildError::Failed { message, line, log_tail } => {
            Ending::Failed(Failure { line, log_tail, ..failure(Blame::Target, message) })
        }
        BuildError::InputChanged { path } => Ending::Failed(inputs_changed(vec![path])),
        BuildError::Surroundings { message, help } => {
            Ending::Failed(Failure { help, ..failure(Blame::Surroundings, message) })
        }
    }
}

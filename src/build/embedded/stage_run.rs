//! `RUN` of a stage: a command in a sandbox, and what it changed as a layer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::context_tree::ContextTree;
use super::file_step::hash_below;
use super::late_layers::LateLayers;
use super::mounts::{self, Caches};
use super::root::Root;
use super::run_command::{RunCommand, command};
use super::sandbox::{self, MountSpec, Network, Outcome, Privileges, SandboxError, SandboxSpec, User};
use super::stage::Stage;
use super::step_log::StepLog;
use super::steps::StepKeyHasher;
use super::tree::{Node, Tree, cleaned, join, resolve};
use super::workplace::Workplace;
use super::{owner, refusals, trouble};
use crate::build::builder::BuildError;
use crate::build::redaction::Redactor;
use crate::graph::slice::{ProgramStep, Source};
use crate::oci::blob_digest::DiffId;
use crate::oci::layers::root_view::RootView;
use crate::syntax::dockerfile::expansion::Variables;
use crate::syntax::dockerfile::model::Run;
use crate::syntax::dockerfile::mount::{self, Mount, MountError, MountKind};
use crate::types::span::Span;

/// The name of the machine that commands see: that of BuildKit's sandbox, since programs write it down.
const HOSTNAME: &str = "buildkitsandbox";

/// Runs a `RUN`.
///
/// # Errors
/// When the command fails or cannot be run here, or the build is to stop.
pub fn run(stage: &mut Stage<'_>, step: &ProgramStep<'_>, run: &Run) -> Result<(), BuildError> {
    let prepared = Prepared::new(stage, step, run)?;
    let mut key = StepKeyHasher::new("command");
    prepared.key(stage, step.span, &mut key)?;
    let key = stage.key(key);
    let told = told(stage, &prepared.command);
    stage.done_once(step, &key, told, |stage| prepared.run(stage, step))
}

/// The line of the history: the declared arguments with their values, and the command.
fn told(stage: &Stage<'_>, command: &RunCommand) -> String {
    let value = |name: &String| stage.position.scope.get(name).unwrap_or_default();
    let arguments: Vec<String> =
        stage.declared.iter().map(|name| format!("{name}={}", value(name))).collect();
    let count = if arguments.is_empty() { String::new() } else { format!("|{} ", arguments.len()) };
    let words = arguments.iter().chain(&command.words).map(String::as_str).collect::<Vec<_>>();
    format!("RUN {count}{} # buildkit", words.join(" "))
}

/// A `RUN`, all words expanded.
struct Prepared<'p> {
    command: RunCommand,
    environment: Vec<String>,
    network: Network,
    mounts: Vec<(Mount, MountedFrom<'p>)>,
}

/// Where a mount's files come from.
enum MountedFrom<'p> {
    /// Nowhere: an empty root.
    Nothing,
    /// A view.
    Folder(&'p ContextTree<'p>),
    /// A root.
    Root(std::sync::Arc<Root>),
}

impl<'p> Prepared<'p> {
    fn new(stage: &Stage<'p>, step: &ProgramStep<'_>, run: &Run) -> Result<Self, BuildError> {
        let site = stage.site;
        let mut mounts = Vec::new();
        for (raw, read) in run.mounts.iter().zip(&step.reads) {
            let read_value = |value: &str| {
                let expanded = stage.expand(step, value);
                let message = |error: BuildError| MountError { message: error.to_string(), help: None };
                expanded.map(|expanded| expanded.text).map_err(message)
            };
            let mut mount = mount::read(&raw.text.value, read_value)
                .map_err(|error| site.failed(step.span, error.message))?;
            if mount.kind == MountKind::Cache && mount.id.is_empty() {
                mount.id.clone_from(&mount.target);
            }
            if !mount.target.is_empty() {
                mount.target = stage.absolute(&mount.target);
            }
            let needs_target = !matches!(mount.kind, MountKind::Secret | MountKind::Ssh);
            if needs_target && cleaned(mount.target.as_bytes()).is_empty() {
                return Err(site.failed(step.span, "a mount needs a `target` below `/`"));
            }
            let from = match read {
                None if mount.kind == MountKind::Bind && mount.from.is_empty() => {
                    site.context.map_or(MountedFrom::Nothing, MountedFrom::Folder)
                }
                Some(Source::Image { context: Some(context), .. })
                    if site.folders.contains_key(context.as_str()) =>
                {
                    MountedFrom::Folder(&site.folders[context.as_str()])
                }
                Some(source @ (Source::Stage(_) | Source::Image { .. })) => {
                    MountedFrom::Root(stage.sources.root(source)?)
                }
                _ => MountedFrom::Nothing,
            };
            mounts.push((mount, from));
        }
        let network = step.instruction.flag("network").last().or(site.request.network);
        let network = if network == Some("none") { Network::None } else { Network::Host };
        let command = command(&step.instruction, &stage.position.configuration);
        Ok(Self { command, environment: stage.position.scope.pairs(), network, mounts })
    }

    /// Adds everything that decides the layer, but for the files below it. What a secret holds does not, nor which
    /// agent answers; whether it is given does, and so do the rights that the command has.
    fn key(&self, stage: &Stage<'_>, span: Span, key: &mut StepKeyHasher) -> Result<(), BuildError> {
        let configuration = &stage.position.configuration;
        key.list("command", &self.command.words);
        key.list("script", self.command.script.iter().flat_map(|(name, text)| [name, text]));
        key.list("environment", &self.environment);
        key.field("folder", configuration.folder().as_bytes());
        key.field("user", configuration.image.config.user.as_bytes());
        key.field("network", &[u8::from(self.network == Network::None)]);
        key.field("ownership", sandbox::best_privileges().ownership().name().as_bytes());
        for (mount, from) in &self.mounts {
            key.field("mount", format!("{mount:?}").as_bytes());
            key.field("secret", &[u8::from(mounts::is_given(mount, stage.site.request))]);
            match from {
                MountedFrom::Nothing => {}
                MountedFrom::Root(root) => key.field("chain", &root.chain()),
                MountedFrom::Folder(tree) => {
                    let path = resolve(*tree, mount.source.as_bytes(), true);
                    let path = path.map_err(|error| stage.site.failed(span, error.to_string()))?;
                    hash_below(tree, &path, key);
                }
            }
        }
        Ok(())
    }

    fn run(&self, stage: &Stage<'_>, step: &ProgramStep<'_>) -> Result<Option<DiffId>, BuildError> {
        let workshop = stage.site.workshop;
        let found = workshop.rights.found();
        let found = found.map_err(|refusal| stage.site.failed(step.span, refusals::runs_nothing(refusal)))?;
        let view = stage.position.root.view(&workshop.layers)?;
        let user = user(stage, step, view, found.privileges)?;
        let workplace = Workplace::new(stage, found)?;
        let caches = Caches::take(
            self.mounts.iter(),
            &workshop.caches,
            &|mount, from, folder| begin_cache((stage, step, &workplace), from, mount, folder),
            stage.site.cancellation,
        )?;
        let late = self.late_layers(stage, &caches, found.has_overlay)?;
        let (root, work) = (workplace.root(&stage.position.root, &late)?, workplace.folder("work")?);
        let mounts = self.mounts(stage, step, (&workplace, &late), &caches)?;
        let mut agents = self.mounts.iter().filter(|(mount, _)| mount.kind == MountKind::Ssh);
        let agent =
            agents.next().map(|(mount, _)| format!("SSH_AUTH_SOCK={}", mounts::agent_target(mount, 0)));
        let own = agent.into_iter().chain(self.environment.iter().cloned());
        let environment = stage.site.arguments.proxies().into_iter().chain(own);
        let spec = SandboxSpec {
            root: root.clone(),
            work,
            args: self.command.words.clone(),
            env: environment.collect(),
            cwd: stage.position.configuration.folder().to_owned(),
            user,
            hostname: HOSTNAME.to_owned(),
            network: self.network,
            mounts,
            extra_hosts: Vec::new(),
            privileges: found.privileges,
            read_only_root: false,
        };
        let executed = execute(stage, step, spec);
        late.end();
        executed?;
        let layer = workplace.difference(&stage.position.root, root);
        layer.map(Some).map_err(|error| match error {
            BuildError::Failed { message, line: None, .. } => stage.site.failed(step.span, message),
            other => other,
        })
    }

    /// The layers that look later than they are, because a program with a cache sees them.
    fn late_layers(
        &self,
        stage: &Stage<'_>,
        caches: &Caches,
        has_overlay: bool,
    ) -> Result<LateLayers, BuildError> {
        let notes: Vec<PathBuf> =
            caches.folders().map(|cache| cache.folder.with_extension("layers")).collect();
        if notes.is_empty() {
            return Ok(LateLayers::default());
        }
        let mounted = self.mounts.iter().filter_map(|(_, from)| match from {
            MountedFrom::Root(root) => Some(&**root),
            MountedFrom::Folder(_) | MountedFrom::Nothing => None,
        });
        let roots: Vec<&Root> = std::iter::once(&*stage.position.root).chain(mounted).collect();
        // What is copied for this command alone, from layers or from a folder, always looks new.
        let is_folder = |(mount, from): &(Mount, MountedFrom<'_>)| {
            mount.kind == MountKind::Bind && matches!(from, MountedFrom::Folder(_))
        };
        let sees_new = !has_overlay || self.mounts.iter().any(is_folder);
        let layers = &stage.site.workshop.layers;
        let late = LateLayers::of(&roots, layers, stage.site.time, notes, sees_new)?;
        late.keep()?;
        Ok(late)
    }

    fn has_cache(&self) -> bool {
        self.mounts.iter().any(|(mount, _)| mount.kind == MountKind::Cache)
    }

    /// What the sandbox mounts. The folders of caches are those of `caches`.
    fn mounts(
        &self,
        stage: &Stage<'_>,
        step: &ProgramStep<'_>,
        (workplace, late): (&Workplace<'_>, &LateLayers),
        caches: &Caches,
    ) -> Result<Vec<MountSpec>, BuildError> {
        let failed = |message: String| stage.site.failed(step.span, message);
        let folder = workplace.path();
        let mut specs = Vec::new();
        if let Some((name, text)) = &self.command.script {
            specs.push(script(folder, name, text)?);
        }
        for (number, (mount, from)) in self.mounts.iter().enumerate() {
            let target = mount.target.clone();
            let read_only = !mounts::is_writable(mount);
            match mount.kind {
                MountKind::Secret => {
                    specs.extend(mounts::secret(mount, stage.site.request.secrets).map_err(failed)?);
                }
                MountKind::Ssh => {
                    let before =
                        self.mounts[..number].iter().filter(|(mount, _)| mount.kind == MountKind::Ssh);
                    let target = mounts::agent_target(mount, before.count());
                    specs.extend(mounts::agent(mount, target, stage.site.request.agents).map_err(failed)?);
                }
                MountKind::Tmpfs => specs.push(MountSpec::Tmpfs { target, size: mount.size }),
                MountKind::Bind => {
                    let place = folder.join(format!("bind-{number}"));
                    let (lower, source) = lower_of((stage, step, workplace), from, mount, (&place, late))?;
                    // With a cache, programs compare times to see what changed.
                    if matches!(from, MountedFrom::Folder(_)) && !self.has_cache() {
                        mounts::fix_times(&place, stage.site.time)?;
                    }
                    specs.push(MountSpec::Bind { lower, source, target, read_only });
                }
                MountKind::Cache => {
                    let Some(cache) = caches.of(mount) else { continue };
                    specs.push(MountSpec::Cache { source: cache.folder.clone(), target, read_only });
                }
            }
        }
        Ok(specs)
    }
}

/// A step at work.
type Here<'h> = (&'h Stage<'h>, &'h ProgramStep<'h>, &'h Workplace<'h>);

/// The folders of which a bind mount shows a part, and which part.
fn lower_of(
    (stage, step, workplace): Here<'_>,
    from: &MountedFrom<'_>,
    mount: &Mount,
    (folder, late): (&Path, &LateLayers),
) -> Result<(Vec<PathBuf>, String), BuildError> {
    let source = if mount.source.is_empty() { "/".to_owned() } else { mount.source.clone() };
    if let MountedFrom::Root(root) = from
        && let Some(lower) = workplace.lower(root, late)?
    {
        return Ok((lower, source));
    }
    fs::create_dir(folder).map_err(|cause| trouble::of_disk("make a folder to work in", &cause))?;
    let lower = vec![folder.to_owned()];
    match from {
        MountedFrom::Root(root) => workplace.copy(root, folder, late)?,
        MountedFrom::Nothing => {}
        MountedFrom::Folder(tree) => {
            let failed = |message: String| stage.site.failed(step.span, message);
            let path = resolve(*tree, source.as_bytes(), true).map_err(|error| failed(error.to_string()))?;
            if tree.node(&path).is_none() {
                return Err(failed(format!("the source of a mount, `{source}`, is not there")));
            }
            make_folders_around(folder, &path)?;
            // They are root's, as BuildKit sends them: this process is root, outside or inside.
            mounts::lay_out(*tree, &path, folder, false)?;
            return Ok((lower, format!("/{}", String::from_utf8_lossy(&path))));
        }
    }
    Ok((lower, source))
}

/// Makes of an empty folder what a cache begins with. Its mode and owner come last: they may shut this process out.
fn begin_cache(
    (stage, step, workplace): Here<'_>,
    from: &MountedFrom<'_>,
    mount: &Mount,
    folder: &Path,
) -> Result<(), BuildError> {
    seed((stage, step, workplace), from, mount, folder)?;
    let mode = fs::Permissions::from_mode(mounts::cache_mode(mount));
    fs::set_permissions(folder, mode).map_err(|cause| trouble::of_disk("make a cache", &cause))?;
    if mount.uid.is_some() || mount.gid.is_some() {
        workplace.give(folder, mount.uid.unwrap_or(0), mount.gid.unwrap_or(0))?;
    }
    Ok(())
}

/// Puts what a cache begins with into its folder.
fn seed(
    (stage, step, workplace): Here<'_>,
    from: &MountedFrom<'_>,
    mount: &Mount,
    folder: &Path,
) -> Result<(), BuildError> {
    let tree: &dyn Tree = match from {
        MountedFrom::Nothing if mount.source.is_empty() => return Ok(()),
        MountedFrom::Nothing => &RootView::default(),
        MountedFrom::Folder(tree) => *tree,
        MountedFrom::Root(root) => root.view(&stage.site.workshop.layers)?,
    };
    let failed = |message: String| stage.site.failed(step.span, message);
    let path = resolve(tree, mount.source.as_bytes(), true).map_err(|error| failed(error.to_string()))?;
    if !tree.node(&path).is_some_and(|node| node.is_folder()) {
        return Err(failed(format!("what the cache begins with, `{}`, is no folder", mount.source)));
    }
    let below = Below { tree, path };
    for name in below.names(b"") {
        mounts::lay_out(&below, &name, folder, workplace.gives_away())?;
    }
    Ok(())
}

/// A folder of a tree as a tree.
struct Below<'b> {
    tree: &'b dyn Tree,
    path: Box<[u8]>,
}

impl Tree for Below<'_> {
    fn node(&self, path: &[u8]) -> Option<Node> {
        self.tree.node(&join(&self.path, path))
    }

    fn names(&self, path: &[u8]) -> Vec<Box<[u8]>> {
        self.tree.names(&join(&self.path, path))
    }
}

fn make_folders_around(folder: &Path, path: &[u8]) -> Result<(), BuildError> {
    let around: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(super::tree::parent(path));
    fs::create_dir_all(folder.join(around)).map_err(|cause| trouble::of_disk("lay out a mount", &cause))
}

/// A script with a `#!` line, where BuildKit puts it.
fn script(folder: &Path, name: &str, text: &str) -> Result<MountSpec, BuildError> {
    let place = folder.join("script");
    let file = place.join(name);
    let written = fs::create_dir(&place)
        .and_then(|()| fs::write(&file, text))
        .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)));
    written.map_err(|cause| trouble::of_disk("write a script", &cause))?;
    Ok(MountSpec::Bind {
        lower: vec![place],
        source: "/".to_owned(),
        target: super::run_command::SCRIPTS.to_owned(),
        read_only: true,
    })
}

/// Whom the command runs as; refused where there is only one id, which is root.
fn user(
    stage: &Stage<'_>,
    step: &ProgramStep<'_>,
    view: &RootView,
    privileges: Privileges,
) -> Result<User, BuildError> {
    let text = &stage.position.configuration.image.config.user;
    let failed = |message: String| stage.site.failed(step.span, message);
    let user = owner::user(text, view).map_err(|error| failed(error.to_string()))?;
    let user = User { uid: user.owner.uid, gid: user.owner.gid, groups: user.groups };
    sandbox::check_user(&user, privileges).map_err(|refusal| failed(refusal.whole()))?;
    Ok(user)
}

/// Runs the command, and passes on what it writes.
fn execute(stage: &Stage<'_>, step: &ProgramStep<'_>, spec: SandboxSpec) -> Result<(), BuildError> {
    let site = stage.site;
    let name = stage.step_name(step);
    let redactor = Redactor::new(site.request.secrets);
    let shown = spec.args.join(" ");
    let mut log = StepLog::new(site.events, site.request.subject, &name, &redactor);
    let outcome = site.workshop.rights.sandbox.run(
        spec,
        &mut |stream, bytes| log.take(stream, bytes),
        site.cancellation,
    );
    let log_tail = log.finish();
    let line = Some(site.dockerfile.source.line_column(step.span.start()).line);
    let failed = |message: String| Err(BuildError::Failed { message, line, log_tail });
    match outcome {
        Ok(Outcome::Exited(0)) => Ok(()),
        Ok(Outcome::Exited(code)) => {
            failed(format!("process \"{shown}\" did not complete successfully: exit code: {code}"))
        }
        Ok(Outcome::Signalled(signal)) => {
            failed(format!("process \"{shown}\" was ended by the signal {signal}"))
        }
        Ok(Outcome::NotStarted { message, help, exit_code }) => {
            let help = help.map(|help| format!("; {help}")).unwrap_or_default();
            failed(format!(
                "process \"{shown}\" could not be started (exit code: {exit_code}): {message}{help}"
            ))
        }
        Err(SandboxError::Cancelled) => Err(BuildError::Cancelled),
        Err(SandboxError::Refused(refusal)) => Err(BuildError::Surroundings {
            message: format!("the sandbox cannot be made: {}", refusal.message),
            help: refusal.help,
        }),
        Err(error @ SandboxError::Vanished) => {
            Err(BuildError::Surroundings { message: error.to_string(), help: None })
        }
    }
}

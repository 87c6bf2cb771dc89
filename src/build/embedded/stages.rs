//! The stages of a build, side by side: each begins at once and waits only for what it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::configuration::Configuration;
use super::images::BaseImage;
use super::instruction;
use super::pending::Pending;
use super::root::Root;
use super::site::Site;
use super::stage::{Position, Sources, Stage};
use super::tree::{Tree, join};
use super::variables::{DEFAULT_PATH, VariableList};
use crate::build::builder::{BuildError, ContextSource};
use crate::graph::slice::{Program, ProgramStage, ProgramStep, Source};
use crate::oci::image_config::ImageConfig;
use crate::oci::layers::compression::Compression;
use crate::oci::layers::root_view::RootView;
use crate::syntax::dockerfile::parse_trigger;
use crate::types::platform::Platform;
use crate::types::span::SourceText;

type Results = BTreeMap<usize, Result<Position, BuildError>>;

/// The stages at work.
struct Stages<'s> {
    site: &'s Site<'s>,
    /// Those whose layers the image gets.
    kept: BTreeSet<usize>,
    results: Mutex<Results>,
    changed: Condvar,
}

/// Runs all stages of `program`, and gives the wanted one.
///
/// # Errors
/// The first thing that failed, in the order of the file.
pub fn run(site: &Site<'_>, program: &Program<'_>) -> Result<Position, BuildError> {
    let stages = Stages { site, kept: kept(program), results: Mutex::default(), changed: Condvar::new() };
    std::thread::scope(|scope| {
        let (last, others) = program.stages.split_last().expect("a program has a stage");
        for (number, stage) in others.iter().enumerate() {
            let stages = &stages;
            scope.spawn(move || stages.finish(number, stages.stage(number, stage)));
        }
        stages.finish(others.len(), stages.stage(others.len(), last));
    });
    let mut results = stages.results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let is_cause = |error: &BuildError| !matches!(error, BuildError::Cancelled);
    let cause = results.values().find_map(|result| result.as_ref().err().filter(|error| is_cause(error)));
    if let Some(cause) = cause {
        return Err(cause.clone());
    }
    results.remove(&program.wanted).unwrap_or(Err(BuildError::Cancelled))
}

/// The wanted stage, and those that it is based on.
fn kept(program: &Program<'_>) -> BTreeSet<usize> {
    let below = |number: &usize| match program.stages.get(*number)?.base {
        Source::Stage(below) => Some(below),
        Source::Scratch | Source::Image { .. } => None,
    };
    std::iter::successors(Some(program.wanted), below).collect()
}

impl Stages<'_> {
    fn finish(&self, number: usize, result: Result<Position, BuildError>) {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).insert(number, result);
        self.changed.notify_all();
    }

    /// Whether some stage failed: then no other goes on.
    fn has_failed(&self) -> bool {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).values().any(Result::is_err)
    }

    /// Where the stage `number` ended. It is waited for.
    fn position(&self, number: usize) -> Result<Position, BuildError> {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match results.get(&number) {
                Some(Ok(position)) => return Ok(position.clone()),
                Some(Err(_)) => return Err(BuildError::Cancelled),
                None => results = self.changed.wait(results).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn stage(&self, number: usize, stage: &ProgramStage<'_>) -> Result<Position, BuildError> {
        let platform = stage.platform.as_ref().unwrap_or(&self.site.request.subject.platform);
        let (position, triggers) = self.begin(stage, platform)?;
        let steps: Vec<ProgramStep<'_>> = triggers.into_iter().chain(stage.steps.iter().cloned()).collect();
        let mut at_work = Stage {
            site: self.site,
            sources: self,
            position,
            name: &stage.name,
            form: if self.kept.contains(&number) { self.site.form() } else { Compression::None },
            declared: Vec::new(),
            progress: (0, steps.len()),
        };
        for step in &steps {
            if self.has_failed() {
                return Err(BuildError::Cancelled);
            }
            instruction::run(&mut at_work, step)?;
        }
        Ok(at_work.position)
    }

    /// Where a stage begins, and what the image that it is based on left it to do.
    fn begin<'d>(
        &self,
        stage: &ProgramStage<'d>,
        platform: &Platform,
    ) -> Result<(Position, Vec<ProgramStep<'d>>), BuildError> {
        match &stage.base {
            Source::Scratch => Ok((self.nothing(), Vec::new())),
            Source::Stage(number) => {
                let below = self.position(*number)?;
                let configuration = below.configuration.child();
                let mut scope = below.scope;
                self.site.hold(stage.span, 2 * scope.size())?;
                let env = configuration.image.config.env.iter().flatten();
                env.filter_map(|pair| pair.split_once('=')).for_each(|(name, value)| scope.set(name, value));
                Ok((Position { root: below.root, configuration, scope }, Vec::new()))
            }
            Source::Image { name, context } => {
                if let Some(root) = self.folder(context.as_deref())? {
                    return Ok((Position { root, ..self.nothing() }, Vec::new()));
                }
                let image = self.image(name, context.as_deref(), platform)?;
                let triggers = self.triggers(&image, stage)?;
                let mut configuration = Configuration::on(without_foreign(image.config));
                configuration.image.config.on_build = None;
                let env = configuration.image.config.env.get_or_insert_default();
                if !env.iter().any(|pair| pair.starts_with("PATH=")) {
                    env.push(format!("PATH={DEFAULT_PATH}"));
                }
                let scope = VariableList::of_image(env);
                self.site.hold(stage.span, scope.size())?;
                Ok((Position { root: image.root, configuration, scope }, triggers))
            }
        }
    }

    /// Where `FROM scratch` begins.
    fn nothing(&self) -> Position {
        let platform = &self.site.request.subject.platform;
        let mut image = ImageConfig {
            architecture: platform.architecture().to_owned(),
            os: platform.os().to_owned(),
            variant: platform.variant().map(str::to_owned),
            ..ImageConfig::default()
        };
        let env = vec![format!("PATH={DEFAULT_PATH}")];
        let scope = VariableList::of_image(&env);
        image.config.env = Some(env);
        image.config.working_dir = "/".to_owned();
        Position { root: Root::empty(), configuration: Configuration::on(image), scope }
    }

    fn image(&self, name: &str, context: Option<&str>, platform: &Platform) -> Result<BaseImage, BuildError> {
        let given = context.and_then(|context| self.site.request.contexts.get(context));
        let reference = match given {
            Some(ContextSource::Image(reference)) => reference,
            _ => name,
        };
        self.site.images.get(reference, platform, self.site.cancellation)
    }

    /// The files of a named context that is a folder, as a root.
    fn folder(&self, context: Option<&str>) -> Result<Option<Arc<Root>>, BuildError> {
        let Some(tree) = context.and_then(|context| self.site.folders.get(context)) else { return Ok(None) };
        let nothing = RootView::default();
        let mut pending = Pending::over(&nothing);
        put_all(tree, b"", &mut pending);
        if pending.is_empty() {
            return Ok(Some(Root::empty()));
        }
        let diff_id = self.site.workshop.layers.write(pending, self.site.time, Compression::None)?;
        Ok(Some(Root::empty().with(super::root::ChainLayer { diff_id, stored: None })))
    }

    /// The `ONBUILD` instructions of an image, as steps of the stage that is based on it.
    fn triggers<'d>(
        &self,
        image: &BaseImage,
        stage: &ProgramStage<'d>,
    ) -> Result<Vec<ProgramStep<'d>>, BuildError> {
        let path = &self.site.dockerfile.source.path;
        let triggers = image.config.config.on_build.iter().flatten();
        triggers
            .map(|text| {
                let source = Arc::new(SourceText { path: path.clone(), text: text.clone() });
                let instruction = parse_trigger(&source).map_err(|wrong| {
                    let reason = wrong.first().map(|wrong| wrong.message.clone()).unwrap_or_default();
                    let message = format!("a trigger of the base cannot be run: `ONBUILD {text}`: {reason}");
                    self.site.failed(stage.span, message)
                })?;
                if instruction.flag("from").next().is_some() {
                    let message = format!("a trigger of the base reads from elsewhere: `ONBUILD {text}`");
                    return Err(self.site.failed(stage.span, message));
                }
                let reads = instruction.flag("mount").map(|_| None).collect();
                Ok(ProgramStep { instruction: std::borrow::Cow::Owned(instruction), reads, span: stage.span })
            })
            .collect()
    }
}

impl Sources for Stages<'_> {
    fn root(&self, source: &Source) -> Result<Arc<Root>, BuildError> {
        match source {
            Source::Scratch => Ok(Root::empty()),
            Source::Stage(number) => Ok(self.position(*number)?.root),
            Source::Image { name, context } => {
                if let Some(root) = self.folder(context.as_deref())? {
                    return Ok(root);
                }
                let platform = &self.site.request.subject.platform;
                Ok(self.image(name, context.as_deref(), platform)?.root)
            }
        }
    }
}

/// What BuildKit does not take over from an image: fields that neither it nor OCI knows.
fn without_foreign(mut config: ImageConfig) -> ImageConfig {
    config.others.retain(|name, _| ["author", "os.version", "os.features"].contains(&name.as_str()));
    config.config.others.clear();
    config
}

fn put_all(tree: &dyn Tree, folder: &[u8], pending: &mut Pending<'_>) {
    for name in tree.names(folder) {
        let path = join(folder, &name);
        let Some(node) = tree.node(&path) else { continue };
        let is_folder = node.is_folder();
        pending.put(&path, node);
        if is_folder {
            put_all(tree, &path, pending);
        }
    }
}

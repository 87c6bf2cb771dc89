//! One stage at work: instruction by instruction, from a root and a configuration to the next.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::configuration::Configuration;
use super::copying::Copying;
use super::pending::Pending;
use super::root::{ChainLayer, Root};
use super::site::Site;
use super::steps::StepKeyHasher;
use super::tree::{Tree, cleaned, resolve};
use super::variables::VariableList;
use super::{history, owner};
use crate::build::builder::BuildError;
use crate::graph::slice::{ProgramStep, Source};
use crate::oci::blob_digest::DiffId;
use crate::oci::layers::compression::Compression;
use crate::syntax::dockerfile::expansion::{Expanded, Lexer};
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::Pair;
use crate::types::digest::StepKey;
use crate::types::span::Spanned;

/// Where a stage stands.
#[derive(Clone, Debug)]
pub struct Position {
    /// The files.
    pub root: Arc<Root>,
    /// The configuration.
    pub configuration: Configuration,
    /// The variables that instructions see.
    pub scope: VariableList,
}

/// What the `--from` and the mounts of instructions read from.
pub trait Sources: Sync {
    /// The root of a stage or of an image; it is waited for.
    ///
    /// # Errors
    /// When that stage failed, or the image cannot be had.
    fn root(&self, source: &Source) -> Result<Arc<Root>, BuildError>;
}

/// A stage at work.
pub struct Stage<'s> {
    /// The build.
    pub site: &'s Site<'s>,
    /// What can be read from elsewhere.
    pub sources: &'s dyn Sources,
    /// Where it stands.
    pub position: Position,
    /// Its name, for people.
    pub name: &'s str,
    /// The arguments that the stage declared so far, in order.
    pub declared: Vec<String>,
    /// How its layers are compressed in the image that is made.
    pub form: Compression,
    /// The number of the step at hand, from 1, and of all steps.
    pub progress: (usize, usize),
}

impl Stage<'_> {
    /// The text of an instruction, for people and for the history.
    pub fn text(&self, step: &ProgramStep<'_>) -> String {
        let instruction = &step.instruction;
        let flags: String = instruction.flags.iter().map(|flag| format!(" {}", flag.value)).collect();
        let words = instruction.arguments.trim_start();
        format!("{}{flags} {words}", instruction.keyword)
    }

    /// The name of the step at hand, for people.
    pub fn step_name(&self, step: &ProgramStep<'_>) -> String {
        let (number, all) = self.progress;
        format!("[{} {number}/{all}] {}", self.name, self.text(step))
    }

    /// Adds a line to the history.
    pub fn remember(&mut self, told: String, empty_layer: bool) {
        self.position.configuration.remember(told, &self.site.created(), empty_layer);
    }

    /// Expands a word with what the stage sees.
    ///
    /// # Errors
    /// When it is malformed, or asks for a variable that must be set.
    pub fn expand(&self, step: &ProgramStep<'_>, text: &str) -> Result<Expanded, BuildError> {
        let lexer = Lexer::new(self.site.dockerfile.escape);
        let expanded = self.site.allowance.expand(lexer, text, &self.position.scope);
        expanded.map_err(|error| self.site.failed(step.span, error.to_string()))
    }

    /// `ENV` and `LABEL`: all names and values are expanded before the first is set.
    ///
    /// # Errors
    /// As [`Self::expand`]; when variables hold too much.
    pub fn pairs(&mut self, step: &ProgramStep<'_>, pairs: &[Pair]) -> Result<(), BuildError> {
        let mut values = Vec::new();
        for pair in pairs {
            let name = self.expand(step, &pair.name)?.text;
            values.push((name, self.expand(step, &pair.value)?.text));
        }
        let mut told = step.instruction.keyword.to_string();
        for (name, value) in values {
            self.site.hold(step.span, 2 * (name.len() + value.len()))?;
            told += &format!(" {name}={value}");
            if step.instruction.keyword == Keyword::Env {
                self.position.scope.set(&name, &value);
                self.position.configuration.set_variable(&name, &value);
            } else {
                self.position.configuration.set_label(&name, &value);
            }
        }
        self.remember(told, true);
        Ok(())
    }

    /// `USER`, `STOPSIGNAL`, `VOLUME` and `EXPOSE`.
    ///
    /// # Errors
    /// As [`Self::expand`].
    pub fn words(&mut self, step: &ProgramStep<'_>, words: &[Spanned<String>]) -> Result<(), BuildError> {
        let keyword = step.instruction.keyword;
        let mut told: Vec<String> = Vec::new();
        let mut ports = BTreeSet::new();
        for word in words {
            let expanded = self.expand(step, &word.value)?;
            let configuration = &mut self.position.configuration;
            match keyword {
                Keyword::User => configuration.image.config.user.clone_from(&expanded.text),
                Keyword::Stopsignal => configuration.image.config.stop_signal.clone_from(&expanded.text),
                Keyword::Volume => configuration.add_volume(&expanded.text),
                Keyword::Expose => {
                    ports.extend(expanded.words.iter().flat_map(|port| configuration.expose(port)));
                }
                _ => {}
            }
            told.push(expanded.text);
        }
        let told = match keyword {
            Keyword::Expose => history::ports(&ports),
            Keyword::Volume => format!("[{}]", told.join(" ")),
            _ => told.join(" "),
        };
        self.remember(format!("{keyword} {told}"), true);
        Ok(())
    }

    /// `WORKDIR`: the folder is made where it is not there.
    ///
    /// # Errors
    /// As [`Self::expand`]; when the layer cannot be made.
    pub fn enter_folder(&mut self, step: &ProgramStep<'_>, word: &Spanned<String>) -> Result<(), BuildError> {
        let written = self.expand(step, &word.value)?.text;
        // A relative path is joined and cleaned; an absolute one stays as it is written.
        let folder = if written.starts_with('/') {
            written
        } else {
            format!("/{}", String::from_utf8_lossy(&cleaned(self.absolute(&written).as_bytes())))
        };
        self.position.configuration.image.config.working_dir.clone_from(&folder);
        let told = format!("WORKDIR {folder}");
        if folder == "/" {
            self.remember(told, true);
            return Ok(());
        }
        let mut key = StepKeyHasher::new("folder");
        key.field("path", folder.as_bytes());
        key.field("user", self.position.configuration.image.config.user.as_bytes());
        let key = self.key(key);
        let user = self.position.configuration.image.config.user.clone();
        self.layer(step, &key, told, |stage, pending| {
            let view = stage.position.root.view(&stage.site.workshop.layers)?;
            let path = resolve(pending, folder.as_bytes(), true)
                .map_err(|error| stage.site.failed(step.span, error.to_string()))?;
            let failed = |message: String| stage.site.failed(step.span, format!("WORKDIR failed: {message}"));
            let listed: Option<&dyn Tree> = Some(view);
            let owner = owner::owner(&user, listed.filter(|_| !view.names(b"").is_empty()));
            let owner = owner.map_err(|error| failed(error.to_string()))?;
            // Where nobody is named, folders get their owner as the kernel gives it.
            let copying = Copying { owner: Some(owner).filter(|_| !user.is_empty()), ..Copying::default() };
            copying.make_folders(&path, pending).map_err(|error| failed(error.to_string()))
        })
    }

    /// A path as the working folder makes it.
    pub fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        format!("{}/{path}", self.position.configuration.folder())
    }

    /// The key of a step on top of the files that are there.
    pub fn key(&self, mut hasher: StepKeyHasher) -> StepKey {
        hasher.field("root", &self.position.root.chain());
        hasher.field("time", &self.site.time.to_le_bytes());
        hasher.finish()
    }

    /// Does a step that writes files, or takes what it gave before. `told` is its line of the history.
    ///
    /// # Errors
    /// Those of `write`; when the layer cannot be kept.
    pub fn layer(
        &mut self,
        step: &ProgramStep<'_>,
        key: &StepKey,
        told: String,
        write: impl FnOnce(&Self, &mut Pending<'_>) -> Result<(), BuildError>,
    ) -> Result<(), BuildError> {
        self.done_once(step, key, told, |stage| {
            let layers = &stage.site.workshop.layers;
            let view = stage.position.root.view(layers)?;
            let mut pending = Pending::over(view);
            write(stage, &mut pending)?;
            stage.keep(pending)
        })
    }

    /// Keeps what was written as a layer, which may hold nothing.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn keep(&self, pending: Pending<'_>) -> Result<Option<DiffId>, BuildError> {
        self.site.workshop.layers.write(pending, self.site.time, self.form).map(Some)
    }

    /// Does a step, or takes what it gave before. `told` is its line of the history.
    ///
    /// # Errors
    /// Those of `make`; when it is cancelled.
    pub fn done_once(
        &mut self,
        step: &ProgramStep<'_>,
        key: &StepKey,
        told: String,
        make: impl FnOnce(&Self) -> Result<Option<DiffId>, BuildError>,
    ) -> Result<(), BuildError> {
        let name = self.step_name(step);
        let (site, workshop) = (self.site, self.site.workshop);
        let started = Instant::now();
        let mut began = false;
        let is_there = |layer: &_| workshop.layers.has(layer);
        let again = site.request.no_cache;
        let done = workshop.steps.once(key, &is_there, again, site.cancellation, || {
            began = true;
            site.step_begins(&name, false);
            make(self)
        });
        if !began {
            site.step_begins(&name, true);
        }
        let error = done.as_ref().err().map(ToString::to_string);
        site.step_ends(&name, started.elapsed().as_secs_f64(), error);
        let done = done?;
        site.pass_on(done.warnings);
        if let Some(diff_id) = done.layer {
            self.position.root = self.position.root.with(ChainLayer { diff_id, stored: None });
        }
        self.remember(told, done.layer.is_none());
        Ok(())
    }
}

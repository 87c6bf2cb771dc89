//! A builder that does what a test says, and writes down what it was asked for.
//!
//! It is the trait that every builder has: what no real engine can be made to do at will (fail here,
//! give the same output twice, see a base move in the middle) is said by a script. What real engines do
//! is tested on them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use imgraph::build::builder::{Bases, BuildError, BuildOutput, BuildRequest, Builder, Inventory};
use imgraph::syntax::image_reference::ImageReference;
use imgraph::types::cancellation::Cancellation;
use imgraph::types::digest::OutputDigest;
use imgraph::types::event::EventSink;
use imgraph::types::platform::Platform;

/// What a build does before it gives its output; a text in place of it decides the output.
pub(crate) type Step =
    Arc<dyn Fn(&BuildRequest<'_>, &Cancellation) -> Result<Option<String>, BuildError> + Send + Sync>;

/// What the script says and what was done.
#[derive(Default)]
struct State {
    steps: HashMap<String, Step>,
    inventory: Inventory,
    /// What `resolve` finds elsewhere.
    elsewhere: HashMap<String, OutputDigest>,
    triggers: HashMap<String, Vec<String>>,
    calls: Vec<String>,
    /// A name that cannot be given.
    refused: Option<String>,
    /// How many names under which builds find outputs were given.
    links: usize,
}

/// The builder.
pub(crate) struct Scripted {
    platform: Platform,
    state: Mutex<State>,
}

/// A digest that is the same for the same text.
pub(crate) fn digest(text: &str) -> OutputDigest {
    let hash = blake3::hash(text.as_bytes());
    format!("sha256:{}", hash.to_hex()).parse().unwrap()
}

/// The failure of a step.
pub(crate) fn failed(message: &str) -> BuildError {
    BuildError::Failed { message: message.to_owned(), line: Some(1), log_tail: vec!["last".to_owned()] }
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self { platform: "linux/amd64".parse().unwrap(), state: Mutex::default() }
    }

    /// What the build of `label` does from here on.
    pub(crate) fn on(
        &self,
        label: &str,
        step: impl Fn(&BuildRequest<'_>, &Cancellation) -> Result<Option<String>, BuildError>
        + Send
        + Sync
        + 'static,
    ) {
        self.state.lock().unwrap().steps.insert(label.to_owned(), Arc::new(step));
    }

    /// Lets the builds of `label` give the same output whatever they are made of.
    pub(crate) fn constant(&self, label: &str, output: &'static str) {
        self.on(label, move |_, _| Ok(Some(output.to_owned())));
    }

    /// Lets `reference` be found elsewhere.
    pub(crate) fn elsewhere(&self, reference: &str, image: &str) {
        self.state.lock().unwrap().elsewhere.insert(reference.to_owned(), digest(image));
    }

    /// Lets the name of an image in the store mean another image.
    pub(crate) fn name(&self, reference: &str, image: &str) {
        let mut state = self.state.lock().unwrap();
        state.inventory.digests.insert(digest(image));
        state.inventory.references.insert(reference.to_owned(), digest(image));
    }

    pub(crate) fn triggers_of(&self, reference: &str, triggers: &[&str]) {
        let triggers = triggers.iter().map(|trigger| (*trigger).to_owned()).collect();
        self.state.lock().unwrap().triggers.insert(reference.to_owned(), triggers);
    }

    /// Lets no image be given the name `name`.
    pub(crate) fn refuse(&self, name: &str) {
        self.state.lock().unwrap().refused = Some(name.to_owned());
    }

    /// Takes every image out of the store, as `docker system prune` does.
    pub(crate) fn prune(&self) {
        self.state.lock().unwrap().inventory = Inventory::default();
    }

    /// What was asked for since the last time, in order: `build //:a`, `tag NAME`, `resolve NAME`.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// How often an output was linked since the last time.
    pub(crate) fn links(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap().links)
    }

    fn note(&self, call: String) {
        self.state.lock().unwrap().calls.push(call);
    }
}

/// The output that a request gives when nothing is said: another one for another request.
fn made_of(request: &BuildRequest<'_>) -> String {
    let BuildRequest { dockerfile, stage, context, contexts, args, labels, .. } = request;
    let files = context.map(|context| context.entries.to_vec());
    let contexts: Vec<String> = contexts.iter().map(|(name, source)| format!("{name} {source:?}")).collect();
    format!("{dockerfile:?} {stage:?} {files:?} {contexts:?} {args:?} {labels:?}")
}

impl Builder for Scripted {
    fn family(&self) -> &str {
        "scripted"
    }

    fn description(&self) -> &str {
        "a script"
    }

    fn platform(&self) -> &Platform {
        &self.platform
    }

    fn inventory(&self) -> Result<Inventory, BuildError> {
        Ok(self.state.lock().unwrap().inventory.clone())
    }

    fn has(&self, digest: &OutputDigest) -> Result<bool, BuildError> {
        Ok(self.state.lock().unwrap().inventory.digests.contains(digest))
    }

    fn bases(&self, wanted: &BTreeSet<(&str, &Platform)>) -> Result<Bases, BuildError> {
        let state = self.state.lock().unwrap();
        let found = wanted.iter().filter_map(|(reference, platform)| {
            let name = reference.parse::<ImageReference>().unwrap().with_default_tag().familiar();
            let digest = state.inventory.references.get(&name)?.clone();
            Some((((*reference).to_owned(), (*platform).clone()), digest))
        });
        Ok(found.collect())
    }

    fn resolve(&self, reference: &str, _: &Platform, _: &Cancellation) -> Result<OutputDigest, BuildError> {
        self.note(format!("resolve {reference}"));
        let mut state = self.state.lock().unwrap();
        let missing = || BuildError::Surroundings { message: format!("no {reference}"), help: None };
        let digest = state.elsewhere.get(reference).cloned().ok_or_else(missing)?;
        state.inventory.digests.insert(digest.clone());
        state.inventory.references.insert(reference.to_owned(), digest.clone());
        Ok(digest)
    }

    fn triggers(&self, reference: &str, _: &Platform, _: &Cancellation) -> Result<Vec<String>, BuildError> {
        let name = reference.split('@').next().unwrap();
        Ok(self.state.lock().unwrap().triggers.get(name).cloned().unwrap_or_default())
    }

    fn build(
        &self,
        request: &BuildRequest<'_>,
        _: &dyn EventSink,
        cancellation: &Cancellation,
    ) -> Result<BuildOutput, BuildError> {
        let label = request.subject.label.to_string();
        self.note(format!("build {label}"));
        let step = self.state.lock().unwrap().steps.get(&label).cloned();
        let said = step.map(|step| step(request, cancellation)).transpose()?.flatten();
        let digest = digest(&said.unwrap_or_else(|| made_of(request)));
        let mut state = self.state.lock().unwrap();
        state.inventory.digests.insert(digest.clone());
        for tag in request.tags {
            state.inventory.references.insert(tag.clone(), digest.clone());
        }
        state.calls.push(format!("done {label}"));
        Ok(BuildOutput { digest })
    }

    fn tag(&self, digest: &OutputDigest, name: &str) -> Result<(), BuildError> {
        let mut state = self.state.lock().unwrap();
        if state.refused.as_deref() == Some(name) {
            return Err(BuildError::Surroundings { message: format!("cannot name {name}"), help: None });
        }
        assert!(state.inventory.digests.contains(digest), "{name}: what is named must be there");
        state.inventory.references.insert(name.to_owned(), digest.clone());
        match name.starts_with("imgraph.local/") {
            true => state.links += 1,
            false => state.calls.push(format!("tag {name}")),
        }
        Ok(())
    }
}

//! The embedded builder as a [`Builder`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::build_time::build_time;
use super::context_tree::ContextTree;
use super::images::{Images, reference_of_name};
use super::naming::{Names, Naming};
use super::refusals;
use super::rights::Rights;
use super::root::Layers;
use super::sandbox::{Privileges, Sandbox, best_privileges};
use super::site::{Site, Workshop};
use super::stage::Position;
use super::stages;
use super::steps::Steps;
use super::trouble;
use super::variables::Arguments;
use crate::build::builder::{
    Bases, BuildError, BuildOutput, BuildRequest, Builder, ContextSource, Inventory,
};
use crate::cache::folder::CacheFolder;
use crate::graph::slice::{SliceRequest, program};
use crate::oci::blob_digest::{BlobDigest, DiffId};
use crate::oci::compressed_layers::CompressedLayers;
use crate::oci::image::{LayerBlob, write_image};
use crate::oci::layers::compression::Compression;
use crate::oci::remote::settings::RemoteSettings;
use crate::oci::store::{Lease, Store, digest_of};
use crate::syntax::dockerfile;
use crate::syntax::dockerfile::allowance::Allowance;
use crate::syntax::image_reference::ImageReference;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::OutputDigest;
use crate::types::event::EventSink;
use crate::types::platform::Platform;
use crate::types::sorted_map::SortedMap;
use crate::types::span::SourceText;
use crate::types::workspace_path::WorkspacePath;

/// The families whose outputs are comparable: what the machine's root makes, and what another user makes, root of a
/// user namespace among them. Commands of a user who is everybody in his sandbox see other owners, and may write other
/// files.
pub const FAMILIES: [&str; 2] = ["embedded", "embedded-user"];

/// Where a builder keeps things, and how it reaches others.
#[derive(Clone)]
pub struct EmbeddedSettings {
    /// The user's caches.
    pub cache: PathBuf,
    /// How registries are reached.
    pub remote: RemoteSettings,
}

/// The folder of the store, in the user's caches.
pub const STORE: &str = "oci";

/// The folder of what is derived from the store and may be made again.
pub const DERIVED: &str = "embedded";

/// Builds images by itself.
pub struct EmbeddedBuilder {
    workshop: Workshop,
    images: Images,
    platform: Platform,
    family: &'static str,
    /// What a run has asked for or made stays until the run ends, also between two of its builds.
    lease: OnceLock<Lease>,
    naming: Arc<Naming>,
}

impl EmbeddedBuilder {
    /// A builder that keeps things where `settings` say.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(settings: EmbeddedSettings) -> Result<Self, BuildError> {
        // Sandboxes work in another folder than this process.
        let cache = std::path::absolute(&settings.cache)
            .map_err(|cause| trouble::of_disk(format!("find `{}`", settings.cache.display()), &cause))?;
        let store = Store::open(&cache.join(STORE)).map_err(trouble::of_store)?;
        let naming = Arc::new(Naming::default());
        let derived = cache.join(DERIVED);
        let workshop = Workshop {
            layers: Layers::new(store.clone(), derived.join("layers"), &derived.join("compressed")),
            steps: Steps::new(CacheFolder::new(&cache), derived.join("locks")),
            rights: Rights::new(Sandbox::default(), derived.join("running"), derived.join("unpacked")),
            caches: derived.join("caches"),
        };
        let running = &workshop.rights.running;
        std::fs::create_dir_all(running)
            .map_err(|cause| trouble::of_disk(format!("make `{}`", running.display()), &cause))?;
        workshop.rights.clean();
        let compressed = derived.join("compressed");
        for folder in [&derived.join("layers"), &compressed, &workshop.caches] {
            workshop.rights.sweep(folder);
        }
        Ok(Self {
            images: Images::new(store, Arc::clone(&naming), settings.remote),
            platform: Platform::local(),
            family: FAMILIES[usize::from(best_privileges() != Privileges::Root)],
            lease: OnceLock::new(),
            naming,
            workshop,
        })
    }

    /// The store that images lie in.
    pub fn store(&self) -> &Store {
        self.workshop.layers.store()
    }

    /// The compressed forms of layers.
    pub fn compressed(&self) -> &CompressedLayers {
        self.workshop.layers.compressed()
    }

    /// Keeps everything that is used from now on from being removed while this builder is there.
    fn hold(&self) -> Result<(), BuildError> {
        if self.lease.get().is_none() {
            let lease = self.store().lease().map_err(trouble::of_store)?;
            // Another thread may have been faster: its lease holds as well.
            let _ = self.lease.set(lease);
        }
        Ok(())
    }

    /// Writes the image of a stage that ended.
    fn finish(&self, site: &Site<'_>, position: Position) -> Result<BlobDigest, BuildError> {
        let Position { root, mut configuration, .. } = position;
        configuration.add_labels(site.request.labels);
        let mut image = configuration.image;
        image.created = Some(site.created());
        let wanted = site.form();
        let mut layers = Vec::new();
        for layer in root.layers() {
            let stored = match layer.stored {
                Some(stored) => stored,
                None => self.made_here(&layer.diff_id)?,
            };
            // What others compressed stays as it is; a stage's layers are not compressed.
            let is_ready = stored.compression != Compression::None || wanted == Compression::None;
            layers.push(if is_ready {
                stored
            } else {
                self.compressed().in_form(self.store(), &stored, wanted).map_err(trouble::of_store)?
            });
        }
        write_image(self.store(), &image, &layers).map_err(trouble::of_store)
    }

    /// A layer that was made here, as it is stored.
    fn made_here(&self, diff_id: &DiffId) -> Result<LayerBlob, BuildError> {
        let digest = diff_id.0;
        let size = self.store().size(&digest).map_err(trouble::of_store)?.unwrap_or_default();
        Ok(LayerBlob { digest, size, diff_id: *diff_id, compression: Compression::None })
    }

    /// What these names of an image stand for.
    fn names<'n>(
        &self,
        digest: &BlobDigest,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<Names, BuildError> {
        let size = self.store().size(digest).map_err(trouble::of_store)?;
        let size = size.ok_or_else(|| BuildError::Surroundings {
            message: format!("the image {digest} is no longer in the store"),
            help: Some("run it again: what is gone is made again".to_owned()),
        })?;
        let media_type = oci_spec::image::MediaType::ImageManifest;
        let described = crate::oci::store::descriptor(digest, media_type, size);
        Ok(names.map(|name| (listed(name), described.clone())).collect())
    }
}

/// A name as the store has it.
fn listed(name: &str) -> String {
    name.parse::<ImageReference>().map_or_else(|_other| name.to_owned(), |name| name.listed())
}

impl Builder for EmbeddedBuilder {
    fn family(&self) -> &str {
        self.family
    }

    fn description(&self) -> &str {
        "the embedded builder"
    }

    fn platform(&self) -> &Platform {
        &self.platform
    }

    fn inventory(&self) -> Result<Inventory, BuildError> {
        // A store that cannot be written can be asked.
        let _held = self.hold();
        let mut inventory = Inventory::default();
        for (name, named) in self.store().names().map_err(trouble::of_store)? {
            let Ok(digest) = digest_of(&named) else { continue };
            let digest = digest.to_output();
            inventory.digests.insert(digest.clone());
            // A name by itself comes before those for platforms, and goes before them.
            inventory.references.entry(reference_of_name(&name).to_owned()).or_insert(digest);
        }
        inventory.digests.retain(|digest| self.store().has_image(&BlobDigest::from(digest)));
        let Inventory { digests, references } = &mut inventory;
        references.retain(|_, digest| digests.contains(digest));
        Ok(inventory)
    }

    fn has(&self, digest: &OutputDigest) -> Result<bool, BuildError> {
        Ok(self.store().has_image(&BlobDigest::from(digest)))
    }

    fn bases(&self, wanted: &BTreeSet<(&str, &Platform)>) -> Result<Bases, BuildError> {
        let mut bases = Bases::new();
        for (reference, platform) in wanted {
            if let Some(image) = self.images.find(reference, platform)? {
                bases.insert(((*reference).to_owned(), (*platform).clone()), image.digest.to_output());
            }
        }
        Ok(bases)
    }

    fn resolve(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<OutputDigest, BuildError> {
        Ok(self.images.get(reference, platform, cancellation)?.digest.to_output())
    }

    fn triggers(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<Vec<String>, BuildError> {
        let image = self.images.get(reference, platform, cancellation)?;
        Ok(image.config.config.on_build.unwrap_or_default())
    }

    fn build(
        &self,
        request: &BuildRequest<'_>,
        events: &dyn EventSink,
        cancellation: &Cancellation,
    ) -> Result<BuildOutput, BuildError> {
        self.hold()?;
        let path = WorkspacePath::root().resolve(request.dockerfile_name.as_bytes()).unwrap_or_default();
        let source = Arc::new(SourceText::of_bytes(path, request.dockerfile));
        let parsed = dockerfile::parse(&source).map_err(|problems| refused(&problems))?;
        let args: SortedMap<String, String> =
            request.args.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let contexts: BTreeSet<String> = request.contexts.keys().map(|name| (*name).to_owned()).collect();
        let asked = SliceRequest {
            stage: request.stage,
            args: &args,
            platform: &request.subject.platform,
            build_platform: &self.platform,
            contexts: &contexts,
        };
        let program = program(&parsed, &asked).map_err(|problems| refused(&problems))?;
        refusals::check(&parsed, &program, request, &self.platform, &self.workshop.rights)?;
        let time = build_time(request.args, &program.globals);
        let time =
            time.map_err(|message| BuildError::Failed { message, line: None, log_tail: Vec::new() })?;
        let context = request.context.map(ContextTree::new);
        let folders: BTreeMap<&str, ContextTree<'_>> = request
            .contexts
            .iter()
            .filter_map(|(name, source)| match source {
                ContextSource::Folder(folder) => Some((*name, ContextTree::new(*folder))),
                ContextSource::Image(_) => None,
            })
            .collect();
        let site = Site {
            workshop: &self.workshop,
            images: &self.images,
            request,
            dockerfile: &parsed,
            arguments: Arguments { given: request.args, globals: &program.globals },
            allowance: Allowance::default(),
            context: context.as_ref(),
            folders: &folders,
            time,
            events,
            cancellation,
        };
        let at_work = self.naming.begin(self.store());
        let built = stages::run(&site, &program).and_then(|position| self.finish(&site, position));
        if built.is_err() {
            self.workshop.layers.set_aside_damaged();
        }
        let digest = built?;
        let names = self.names(&digest, request.tags.iter().map(String::as_str))?;
        at_work.end(names).map_err(trouble::of_store)?;
        Ok(BuildOutput { digest: digest.to_output() })
    }

    fn tag(&self, digest: &OutputDigest, name: &str) -> Result<(), BuildError> {
        let at_work = self.naming.begin(self.store());
        let names = self.names(&BlobDigest::from(digest), std::iter::once(name))?;
        at_work.end(names).map_err(trouble::of_store)
    }
}

fn refused(problems: &[Diagnostic]) -> BuildError {
    let first = problems.first();
    let message = first.map(|problem| problem.message.clone()).unwrap_or_default();
    BuildError::Failed { message, line: None, log_tail: Vec::new() }
}

//! The images that builds begin with: those of the store, and those that registries have.
//!
//! A name means what the store has under it; where it has nothing for the platform, a registry is asked, and what
//! it answers is kept under the name for that platform. So what is loaded or built under a name later is what it
//! means from then on. A name is never moved by a build that only reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::naming::Naming;
use super::root::{ChainLayer, Root};
use super::trouble;
use crate::build::builder::BuildError;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::image::{Image, read_image};
use crate::oci::image_config::ImageConfig;
use crate::oci::remote::error::RemoteError;
use crate::oci::remote::registry::Remote;
use crate::oci::remote::settings::RemoteSettings;
use crate::oci::remote::store_sink::StoreSink;
use crate::oci::store::{Store, StoreError, digest_of};
use crate::syntax::image_reference::ImageReference;
use crate::types::cancellation::Cancellation;
use crate::types::platform::Platform;

/// How names of outputs begin that other builds are given: no registry has them.
const OUTPUTS: &str = "imgraph.local/";

/// An image to begin with.
#[derive(Clone, Debug)]
pub struct BaseImage {
    /// The manifest.
    pub digest: BlobDigest,
    /// The files.
    pub root: Arc<Root>,
    /// The configuration.
    pub config: ImageConfig,
}

/// The images of a store, and of registries behind it.
pub struct Images {
    store: Store,
    naming: Arc<Naming>,
    settings: RemoteSettings,
    remote: OnceLock<Result<Remote, String>>,
    /// Images that were looked at, by manifest: their trees are shared by all builds.
    known: Mutex<BTreeMap<BlobDigest, BaseImage>>,
    /// One image is fetched once, whoever wants it.
    fetching: Mutex<()>,
}

impl Images {
    /// Those of `store` with the names that `naming` is going to give, and of registries that are reached as
    /// `settings` say.
    pub fn new(store: Store, naming: Arc<Naming>, settings: RemoteSettings) -> Self {
        let (remote, known, fetching) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Self { store, naming, settings, remote, known, fetching }
    }

    /// The registries.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn remote(&self) -> Result<&Remote, BuildError> {
        let remote =
            self.remote.get_or_init(|| Remote::new(self.settings.clone()).map_err(|error| error.to_string()));
        remote.as_ref().map_err(|message| BuildError::Surroundings { message: message.clone(), help: None })
    }

    /// The image that the store has under `reference` for `platform`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn find(&self, reference: &str, platform: &Platform) -> Result<Option<BaseImage>, BuildError> {
        let Ok(name) = reference.parse::<ImageReference>() else { return Ok(None) };
        let listed = name.listed();
        let own = name.digest.as_deref().and_then(|digest| digest.parse::<BlobDigest>().ok());
        let mut digests = Vec::new();
        for name in [listed.clone(), pulled_name(&listed, platform)] {
            let named = self.naming.named(&self.store, &name).map_err(trouble::of_store)?;
            digests.extend(named.and_then(|named| digest_of(&named).ok()));
        }
        for digest in digests.into_iter().chain(own) {
            let image = match read_image(&self.store, &digest, platform) {
                Ok(image) => image,
                // What is missing or damaged is as good as not there: it is fetched again.
                Err(StoreError::Missing(_) | StoreError::DamagedBlob { .. }) => None,
                Err(StoreError::Document { .. }) if Some(digest) == own => None,
                Err(error) => return Err(trouble::of_store(error)),
            };
            if let Some(image) = image.filter(|image| is_for(image, platform) && self.is_whole(image)) {
                return Ok(Some(self.base(image)));
            }
        }
        Ok(None)
    }

    /// The image `reference` for `platform`, which is fetched when it is not there.
    ///
    /// # Errors
    /// When no such image can be had.
    pub fn get(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<BaseImage, BuildError> {
        if let Some(found) = self.find(reference, platform)? {
            return Ok(found);
        }
        if reference.starts_with(OUTPUTS) {
            return Err(BuildError::Surroundings {
                message: format!("the output `{reference}` is no longer in the store"),
                help: Some("run it again: what is gone is made again".to_owned()),
            });
        }
        let _one = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.find(reference, platform)? {
            return Ok(found);
        }
        let name: ImageReference = reference.parse().map_err(|error| BuildError::Failed {
            message: format!("{error}"),
            line: None,
            log_tail: Vec::new(),
        })?;
        let pulled = self.remote()?.pull(&name, platform, &StoreSink(&self.store), &|_, _| {}, cancellation);
        let pulled = pulled.map_err(|error| cannot_fetch(reference, &error, cancellation))?;
        let size = self.store.size(&pulled.manifest).map_err(trouble::of_store)?.unwrap_or_default();
        let media_type = oci_spec::image::MediaType::ImageManifest;
        self.store
            .name(&pulled_name(&name.listed(), platform), &pulled.manifest, media_type, size)
            .map_err(trouble::of_store)?;
        let gone = || BuildError::Surroundings {
            message: format!("`{reference}` was fetched, and is not there"),
            help: Some("run it again".to_owned()),
        };
        let image = read_image(&self.store, &pulled.manifest, platform).map_err(trouble::of_store)?;
        image.map(|image| self.base(image)).ok_or_else(gone)
    }

    /// Whether all layers are there, in one form or another.
    fn is_whole(&self, image: &Image) -> bool {
        image.layers.iter().all(|layer| self.store.has(&layer.diff_id.0) || self.store.has(&layer.digest))
    }

    fn base(&self, image: Image) -> BaseImage {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let base = known.entry(image.manifest_digest).or_insert_with(|| {
            let layers = image.layers.iter();
            let root = layers.fold(Root::empty(), |root, layer| {
                root.with(ChainLayer { diff_id: layer.diff_id, stored: Some(*layer) })
            });
            BaseImage { digest: image.manifest_digest, root, config: image.config.clone() }
        });
        base.clone()
    }
}

/// The name under which an image from a registry is kept: one name may be many images, one for each platform.
fn pulled_name(listed: &str, platform: &Platform) -> String {
    format!("{listed}#{platform}")
}

/// The reference of a name of the store, without the platform that it was fetched for.
pub fn reference_of_name(name: &str) -> &str {
    name.split('#').next().unwrap_or(name)
}

fn is_for(image: &Image, platform: &Platform) -> bool {
    let config = &image.config;
    config.os.is_empty() || (config.os == platform.os() && config.architecture == platform.architecture())
}

fn cannot_fetch(reference: &str, error: &RemoteError, cancellation: &Cancellation) -> BuildError {
    if cancellation.is_cancelled() {
        return BuildError::Cancelled;
    }
    BuildError::Surroundings { message: format!("cannot fetch `{reference}`: {error}"), help: error.help() }
}

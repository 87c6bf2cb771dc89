//! Images of registries.
//!
//! A reference with a digest whose documents are in the sink already needs no registry at all. Otherwise the
//! mirrors are asked in their order, and then the registry; a mirror that fails in whatever way is passed
//! over, and what it gives under a digest must have that digest.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::StreamExt;

use crate::oci::blob_digest::BlobDigest;
use crate::oci::document::LARGEST_DOCUMENT;
use crate::syntax::image_reference::ImageReference;
use crate::types::cancellation::Cancellation;
use crate::types::platform::Platform;

use super::blob_fetch::BlobFetch;
use super::blob_sink::{BlobSink, copy};
use super::endpoint::Endpoint;
use super::error::RemoteError;
use super::image::{DocumentKind, DocumentSource, FoundImage, Image, Search};
use super::incoming::{Incoming, whole_body};
use super::manifest::Descriptor;
use super::network::Network;
use super::places::Places;
use super::session::Session;
use super::settings::RemoteSettings;

/// How many blobs are fetched at once.
const AT_ONCE: usize = 3;

/// The registries.
pub struct Remote {
    network: Network,
    settings: RemoteSettings,
    /// Mirrors that did not answer, which are not asked again.
    silent: Mutex<Vec<String>>,
}

/// One image.
struct Repository<'r> {
    network: &'r Network,
    places: Places<'r>,
    /// What it is called in errors.
    name: String,
    sink: Option<&'r dyn BlobSink>,
    cancellation: &'r Cancellation,
}

impl Remote {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// A proxy is not right, or the system gives no certificates or threads.
    pub fn new(settings: RemoteSettings) -> Result<Self, RemoteError> {
        Ok(Self {
            network: Network::new(&settings.proxies, settings.patience)?,
            settings,
            silent: Mutex::default(),
        })
    }

    /// What a reference means for a platform: the manifest's digest, the configuration, the layers. A tag is
    /// `latest` where none is given; where there is a digest, the tag means nothing.
    ///
    /// # Errors
    /// The image is not there, not for the platform or not one that is taken, or nobody answered.
    pub fn resolve(
        &self,
        image: &ImageReference,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<Image, RemoteError> {
        let repository = self.repository(image, None, cancellation)?;
        Ok(repository.find(image, platform)?.image)
    }

    /// Fetches an image into the sink: layers first, then the configuration, the manifest last. Progress is
    /// told in bytes: how many came, and of how many.
    ///
    /// # Errors
    /// As for [`Self::resolve`]; also where a blob's bytes are not those of its digest, or the sink fails.
    pub fn pull(
        &self,
        image: &ImageReference,
        platform: &Platform,
        sink: &dyn BlobSink,
        progress: &dyn Fn(u64, u64),
        cancellation: &Cancellation,
    ) -> Result<Image, RemoteError> {
        let repository = self.repository(image, Some(sink), cancellation)?;
        let found = repository.find(image, platform)?;
        repository.fetch_layers(&found.image, sink, progress)?;
        repository.put(&found.image.config_digest, &found.config_bytes, sink)?;
        repository.put(&found.image.manifest, &found.manifest_bytes, sink)?;
        Ok(found.image)
    }

    /// What files of URLs are fetched with as well.
    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    fn repository<'r>(
        &'r self,
        image: &ImageReference,
        sink: Option<&'r dyn BlobSink>,
        cancellation: &'r Cancellation,
    ) -> Result<Repository<'r>, RemoteError> {
        let session = |endpoint| Session::new(&self.network, &self.settings.credentials, endpoint);
        let endpoints = Endpoint::all(&self.settings, image)?;
        let places = Places {
            sessions: endpoints.into_iter().map(session).collect(),
            silent: &self.silent,
            attempts: self.settings.patience.attempts,
        };
        Ok(Repository { network: &self.network, places, name: image.familiar(), sink, cancellation })
    }
}

impl Repository<'_> {
    fn find(&self, image: &ImageReference, platform: &Platform) -> Result<FoundImage, RemoteError> {
        let search = Search { source: self, what: &self.name, platform, unnamed: Cell::default() };
        let bytes = match &image.digest {
            Some(digest) => {
                let digest: BlobDigest = digest
                    .parse()
                    .or(Err(RemoteError::unfit(&self.name, "its digest is not one of sha256")))?;
                self.document_of(&digest, DocumentKind::Manifest)?
            }
            None => self.fetch_document("manifests", image.tag_or_latest(), None)?,
        };
        search.image(bytes)
    }

    /// The bytes of this digest.
    fn document_of(&self, digest: &BlobDigest, kind: DocumentKind) -> Result<Vec<u8>, RemoteError> {
        // A sink that fails to read is written to later, and tells then.
        let kept = self.sink.and_then(|sink| sink.read(digest, LARGEST_DOCUMENT).ok().flatten());
        if let Some(bytes) = kept.filter(|bytes| BlobDigest::of(bytes) == *digest) {
            return Ok(bytes);
        }
        let folder = if kind == DocumentKind::Manifest { "manifests" } else { "blobs" };
        self.fetch_document(folder, &digest.to_string(), Some(digest))
    }

    fn fetch_document(
        &self,
        folder: &str,
        name: &str,
        digest: Option<&BlobDigest>,
    ) -> Result<Vec<u8>, RemoteError> {
        let kind = if folder == "manifests" { "the manifest" } else { "the configuration" };
        let what = format!("{kind} of {}", self.name);
        self.network.wait(self.cancellation, async {
            self.places
                .at_each_place(async |session, attempts| {
                    let url = session.endpoint.url(folder, name);
                    let bytes = session.network.persist(attempts, async || {
                        let response = session.get(&url, &what, 0).await?;
                        let silence = session.network.patience.silence;
                        whole_body(Incoming::new(response, &url, &what, silence), LARGEST_DOCUMENT).await
                    });
                    let bytes = bytes.await?;
                    match digest {
                        Some(digest) if BlobDigest::of(&bytes) != *digest => {
                            Err(RemoteError::Digest { what: what.clone(), expected: digest.to_string() })
                        }
                        _ => Ok(bytes),
                    }
                })
                .await
        })
    }

    fn fetch_layers(
        &self,
        image: &Image,
        sink: &dyn BlobSink,
        progress: &dyn Fn(u64, u64),
    ) -> Result<(), RemoteError> {
        let mut missing = BTreeMap::new();
        for layer in &image.layers {
            let known = sink.has(&layer.blob).map_err(|error| self.local(error))?;
            if !known {
                missing.insert(layer.blob, layer.size);
            }
        }
        let total = missing.values().fold(0, |sum: u64, size| sum.saturating_add(*size));
        let room = sink.room().map_err(|error| self.local(error))?;
        if total > room {
            return Err(RemoteError::NoRoom { what: self.name.clone(), needed: total, room });
        }
        let came = Cell::new(0);
        let tell = |more: i64| {
            came.set(u64::saturating_add_signed(came.get(), more));
            progress(came.get(), total);
        };
        let failed = RefCell::new(None);
        self.network.wait(self.cancellation, async {
            let fetches = missing.iter().map(|(digest, size)| {
                BlobFetch { places: &self.places, image: &self.name, sink, digest, size: *size, tell: &tell }
                    .run()
            });
            let mut running = futures_util::stream::iter(fetches).buffer_unordered(AT_ONCE);
            while let Some(done) = running.next().await {
                if let Err(error) = done {
                    failed.replace(Some(error));
                    break;
                }
            }
            failed.take().map_or(Ok(()), Err)
        })
    }

    fn put(&self, digest: &BlobDigest, bytes: &[u8], sink: &dyn BlobSink) -> Result<(), RemoteError> {
        if !sink.has(digest).map_err(|error| self.local(error))? {
            copy(sink, digest, &mut &*bytes)
                .map_err(|error| RemoteError::copying(&self.name, digest, error))?;
        }
        Ok(())
    }

    fn local(&self, error: std::io::Error) -> RemoteError {
        RemoteError::Local { what: self.name.clone(), error }
    }
}

impl DocumentSource for Repository<'_> {
    fn document(&self, descriptor: &Descriptor, kind: DocumentKind) -> Result<Vec<u8>, RemoteError> {
        self.document_of(&descriptor.digest, kind)
    }
}

//! Which blobs of a store need which: an index its manifests, a manifest its configuration and layers, a
//! configuration the tars of its layers.
//!
//! Any small blob that is such a document counts, whether a name leads to it or not: somebody may hold its
//! digest and trust that what it lists is there as long as it is.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read};

use serde::Deserialize;

use super::blob_digest::BlobDigest;
use super::document::{self, LARGEST_DOCUMENT};
use super::store::{Store, StoreError};

/// The blobs of a store, each before those that it needs, and what each needs of those that are there.
#[derive(Debug, Default)]
pub(super) struct References {
    pub(super) order: Vec<BlobDigest>,
    needs: HashMap<BlobDigest, Vec<BlobDigest>>,
}

impl References {
    /// Reads the documents among `sizes`: all blobs with their sizes in bytes.
    pub(super) fn read(store: &Store, sizes: &BTreeMap<BlobDigest, u64>) -> Result<Self, StoreError> {
        let mut needs = HashMap::new();
        for (digest, _) in sizes.iter().filter(|(_, size)| **size <= LARGEST_DOCUMENT) {
            let mut found = needed_by(store, digest)?;
            found.retain(|needed| sizes.contains_key(needed));
            if !found.is_empty() {
                needs.insert(*digest, found);
            }
        }
        let order = order(sizes.keys().copied(), &needs);
        Ok(Self { order, needs })
    }

    /// What `digest` needs.
    pub(super) fn needs(&self, digest: &BlobDigest) -> &[BlobDigest] {
        self.needs.get(digest).map_or(&[], Vec::as_slice)
    }
}

/// A document, of whatever kind: a blob of another kind has none of these fields.
#[derive(Deserialize)]
struct Document {
    config: Option<Described>,
    #[serde(default)]
    layers: Vec<Described>,
    #[serde(default)]
    manifests: Vec<Described>,
    rootfs: Option<RootFs>,
}

/// Also the `config` of a configuration, which is an object without a digest.
#[derive(Deserialize)]
struct Described {
    digest: Option<String>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<String>>,
}

/// What is no document needs nothing. The bytes are not verified: a damaged document is of no use to anybody.
fn needed_by(store: &Store, digest: &BlobDigest) -> Result<Vec<BlobDigest>, StoreError> {
    let Some(document) = document(store, digest)? else { return Ok(Vec::new()) };
    let described = document.config.into_iter().chain(document.layers).chain(document.manifests);
    let diff_ids = document.rootfs.and_then(|root| root.diff_ids).unwrap_or_default();
    let digests = described.filter_map(|described| described.digest).chain(diff_ids);
    Ok(digests.filter_map(|digest| digest.parse().ok()).collect())
}

impl Store {
    /// Whether the image with the manifest `digest` is there, with its configuration and its layers. Their bytes are
    /// not looked at. To ask is to use, as with [`Store::has`].
    pub fn has_image(&self, digest: &BlobDigest) -> bool {
        let is_there = |described: Described| {
            let digest = described.digest.and_then(|digest| digest.parse().ok());
            digest.is_some_and(|digest| self.has(&digest))
        };
        self.has(digest)
            && document(self, digest).is_ok_and(|document| {
                document
                    .is_some_and(|document| document.config.into_iter().chain(document.layers).all(is_there))
            })
    }
}

fn document(store: &Store, digest: &BlobDigest) -> Result<Option<Document>, StoreError> {
    let failed = |cause| store.stream_error("read", digest, cause);
    let mut file = match store.file(digest) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        result => result.map_err(failed)?,
    };
    let mut bytes = vec![0; 1];
    if file.read(&mut bytes).map_err(failed)? == 0 || bytes != b"{" {
        return Ok(None);
    }
    file.take(LARGEST_DOCUMENT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(document::read(&bytes).ok())
}

/// Each before what it needs. There is no circle among digests; where damage makes one, it is cut.
fn order(
    all: impl Iterator<Item = BlobDigest>,
    needs: &HashMap<BlobDigest, Vec<BlobDigest>>,
) -> Vec<BlobDigest> {
    let mut seen = std::collections::HashSet::new();
    let mut finished = Vec::new();
    for start in all {
        // A blob comes twice: to be opened, and to be closed when all that it needs is finished.
        let mut stack = vec![(start, false)];
        while let Some((digest, is_open)) = stack.pop() {
            if is_open {
                finished.push(digest);
            } else if seen.insert(digest) {
                stack.push((digest, true));
                stack.extend(needs.get(&digest).into_iter().flatten().map(|needed| (*needed, false)));
            }
        }
    }
    finished.reverse();
    finished
}

//! The files that an instruction begins with: a chain of layers, and the tree that they are together.
//!
//! A chain knows its name, which is made of the names of its layers, without looking at any of them: steps that
//! were done before need no tree. The tree is made when somebody asks for it, and shared by all chains that
//! begin with the same layers.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::open_layers::OpenLayers;
use super::pending::Pending;
use super::rootfs::chore::Chain;
use super::tree::{Content, Node, Owner, Tree};
use super::trouble;
use crate::build::builder::BuildError;
use crate::oci::blob_digest::DiffId;
use crate::oci::compressed_layers::CompressedLayers;
use crate::oci::image::LayerBlob;
use crate::oci::layers::coming_index::ComingIndex;
use crate::oci::layers::compression::{self, Compression};
use crate::oci::layers::index::LayerIndex;
use crate::oci::layers::layer::Layer;
use crate::oci::layers::read_ahead;
use crate::oci::layers::root_view::{Found, RootView};
use crate::oci::layers::writer::LayerWriter;
use crate::oci::new_layer::NewLayer;
use crate::oci::store::{BlobWriter, Store};

/// As many bytes of a layer are written at once.
const WRITTEN_AT_ONCE: usize = 1 << 18;

/// A layer of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLayer {
    /// The digest of its tar.
    pub diff_id: DiffId,
    /// The blob that it came in; `None` for one that was made here.
    pub stored: Option<LayerBlob>,
}

/// A chain of layers.
#[derive(Debug)]
pub struct Root {
    below: Option<Arc<Root>>,
    layer: Option<ChainLayer>,
    chain: [u8; 32],
    view: OnceLock<RootView>,
}

impl Root {
    /// A root without files.
    pub fn empty() -> Arc<Self> {
        let view = OnceLock::from(RootView::default());
        Arc::new(Self { below: None, layer: None, chain: [0; 32], view })
    }

    /// `self` with one layer more.
    pub fn with(self: &Arc<Self>, layer: ChainLayer) -> Arc<Self> {
        let mut hasher = blake3::Hasher::new_derive_key("imgraph chain of layers 1");
        hasher.update(&self.chain).update(layer.diff_id.0.as_bytes());
        let chain = *hasher.finalize().as_bytes();
        Arc::new(Self { below: Some(Arc::clone(self)), layer: Some(layer), chain, view: OnceLock::new() })
    }

    /// The name of the whole chain.
    pub fn chain(&self) -> [u8; 32] {
        self.chain
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> Vec<&ChainLayer> {
        let mut layers: Vec<&ChainLayer> = self.upper_first().collect();
        layers.reverse();
        layers
    }

    /// The layers, the uppermost first.
    fn upper_first(&self) -> impl Iterator<Item = &ChainLayer> {
        std::iter::successors(Some(self), |root| root.below.as_deref()).filter_map(|root| root.layer.as_ref())
    }

    /// The files.
    ///
    /// # Errors
    /// When a layer is gone, damaged or hostile.
    pub fn view(&self, layers: &Layers) -> Result<&RootView, BuildError> {
        if let Some(view) = self.view.get() {
            return Ok(view);
        }
        let mut view = match &self.below {
            Some(below) => below.view(layers)?.clone(),
            None => RootView::default(),
        };
        if let Some(layer) = &self.layer {
            view.apply(layers.layer(layer)?);
        }
        Ok(self.view.get_or_init(|| view))
    }
}

/// The layers of a store, with an index of each.
#[derive(Debug)]
pub struct Layers {
    store: Store,
    indexes: PathBuf,
    compressed: CompressedLayers,
    open: Mutex<OpenLayers>,
}

impl Layers {
    /// The layers of `store`, whose indexes are kept in the folder `indexes`, and notes of their compressed forms in
    /// the folder `compressed`.
    pub fn new(store: Store, indexes: PathBuf, compressed: &Path) -> Self {
        Self { store, indexes, compressed: CompressedLayers::new(compressed), open: Mutex::default() }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The compressed forms of layers.
    pub fn compressed(&self) -> &CompressedLayers {
        &self.compressed
    }

    /// Whether the tar of a layer is in the store.
    pub fn has(&self, diff_id: &DiffId) -> bool {
        self.store.has(&diff_id.0)
    }

    /// The layers of a view that can be seen, by name.
    pub fn chain(&self, view: &RootView) -> Chain {
        Chain {
            tars: self.tars(),
            indexes: self.indexes.clone(),
            layers: view.visible_layers().iter().map(|layer| layer.diff_id()).collect(),
        }
    }

    /// The folder of the tars.
    fn tars(&self) -> PathBuf {
        self.store.folder().join("blobs/sha256")
    }

    /// A layer, opened.
    ///
    /// # Errors
    /// When it is gone, damaged or hostile.
    pub fn layer(&self, layer: &ChainLayer) -> Result<Arc<Layer>, BuildError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = open.get(&layer.diff_id) {
            return Ok(found);
        }
        let tar = self.unpack(layer)?;
        let path = self.tars().join(layer.diff_id.0.hex());
        let opened = match Layer::load(&self.indexes, &path, layer.diff_id) {
            Some(opened) => opened,
            None => {
                let index = match tar {
                    Tar::WasThere => self.verify(&layer.diff_id).map(|()| None)?,
                    Tar::Unpacked(index) => index,
                };
                Layer::make(&self.indexes, &path, layer.diff_id, index).map_err(trouble::of_layer)?
            }
        };
        open.add(&opened);
        Ok(opened)
    }

    /// Reads the tar of a layer. One that is not what its name says is moved aside.
    fn verify(&self, diff_id: &DiffId) -> Result<(), BuildError> {
        let reader = self.store.verified_reader(&diff_id.0).map_err(trouble::of_store)?;
        let read = reader.map(|mut reader| io::copy(&mut reader, &mut io::sink()));
        let failed = |cause| trouble::of_store(self.store.stream_error("read", &diff_id.0, cause));
        read.transpose().map(drop).map_err(failed)
    }

    /// Moves the tars of layers aside in which damage was found, so that they are made again.
    pub fn set_aside_damaged(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.close_damaged(|diff_id| self.verify(diff_id).is_ok());
    }

    /// Makes sure that the tar of a layer is in the store.
    fn unpack(&self, layer: &ChainLayer) -> Result<Tar, BuildError> {
        if self.has(&layer.diff_id) {
            return Ok(Tar::WasThere);
        }
        let gone = || BuildError::Surroundings {
            message: format!("the layer {} is no longer in the store", layer.diff_id),
            help: Some("run it again: what is gone is made or fetched again".to_owned()),
        };
        let stored = layer.stored.as_ref().ok_or_else(gone)?;
        let blob = self.store.verified_reader(&stored.digest).map_err(trouble::of_store)?.ok_or_else(gone)?;
        let writer = self.store.writer().map_err(trouble::of_store)?;
        let mut both = Both { writer, index: ComingIndex::begin(layer.diff_id).ok() };
        let copied =
            compression::unpacked(blob).and_then(|(_, mut tar)| read_ahead::copy(&mut tar, &mut both));
        copied.map_err(|cause| {
            let error = self.store.stream_error("unpack", &stored.digest, cause);
            let BuildError::Surroundings { message, help } = trouble::of_store(error) else { return gone() };
            BuildError::Surroundings { message: format!("cannot unpack a layer: {message}"), help }
        })?;
        both.writer.finish_as(&layer.diff_id.0).map_err(trouble::of_store)?;
        Ok(Tar::Unpacked(both.index.and_then(ComingIndex::finish)))
    }

    /// Writes `pending` as a layer into the store, all its times being `time`; also in the form `form`.
    ///
    /// # Errors
    /// When a content cannot be read, changed, or cannot be written.
    pub fn write(&self, pending: Pending<'_>, time: i64, form: Compression) -> Result<DiffId, BuildError> {
        self.write_with(form, |writer| {
            let mut tar = LayerWriter::new(writer, time);
            for (entry, node) in pending.entries() {
                let mut content = node.content.open()?;
                tar.append(&entry, &mut content).map_err(trouble::of_written)?;
            }
            tar.finish().map(drop).map_err(|cause| trouble::of_disk(trouble::WRITING, &cause))
        })
    }

    /// Puts the tar that `write` writes into the store as a layer; also in the form `form`.
    ///
    /// # Errors
    /// Those of `write`, and when the disk does not take it.
    pub fn write_with(
        &self,
        form: Compression,
        write: impl FnOnce(&mut dyn Write) -> Result<(), BuildError>,
    ) -> Result<DiffId, BuildError> {
        let layer = NewLayer::begin(&self.store, &self.compressed, form).map_err(trouble::of_store)?;
        let mut writer = BufWriter::with_capacity(WRITTEN_AT_ONCE, layer);
        write(&mut writer)?;
        let layer = writer.into_inner().map_err(|cause| trouble::of_disk(trouble::WRITING, cause.error()))?;
        layer.finish().map(|blob| DiffId(blob.digest)).map_err(trouble::of_store)
    }
}

/// How a tar came to be in the store.
enum Tar {
    WasThere,
    /// It was hashed on the way, and has this index, as far as one could be made.
    Unpacked(Option<LayerIndex>),
}

/// A tar that goes into the store, and is looked into on the way.
struct Both {
    writer: BlobWriter,
    index: Option<ComingIndex>,
}

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        if let Some(index) = &mut self.index {
            index.write_all(&bytes[..written])?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Tree for RootView {
    fn node(&self, path: &[u8]) -> Option<Node> {
        if path.is_empty() {
            let (mode, uid, gid) = self.root().owner();
            return Some(Node::folder(mode, Owner { uid, gid }));
        }
        self.lookup(path).map(|found| node_of(&found))
    }

    fn names(&self, path: &[u8]) -> Vec<Box<[u8]>> {
        self.children(path).into_iter().map(|(name, _)| name).collect()
    }
}

fn node_of(found: &Found<'_>) -> Node {
    let (mode, uid, gid) = found.owner();
    let identity = found.same_file().map(|(layer, group)| {
        let bytes = layer.0.as_bytes().first_chunk().copied().unwrap_or_default();
        (u64::from_le_bytes(bytes), u64::from(group))
    });
    Node {
        kind: found.kind(),
        mode,
        uid,
        gid,
        xattrs: found.xattrs().to_vec(),
        content: Content::InLayer(found.bytes()),
        identity,
    }
}

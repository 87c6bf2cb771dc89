//! What the layers below a layer have to do with how it is unpacked: [`super::unpack`] says why.

use std::collections::{HashMap, HashSet};

use crate::oci::layer_entry::Attribute;
use crate::oci::layers::index::{LayerIndex, ROOT};
use crate::oci::layers::layer::Layer;
use crate::oci::layers::root_view::{Found, RootView};

/// Mode, user and group.
pub(super) type Owner = (u32, u32, u32);

/// Digits of what distinguishes the folders of one layer.
const DIGITS: usize = 16;

/// What the layers below have to do with how a layer is unpacked.
pub(super) struct Surroundings<'v> {
    /// Folders of the layer that no entry of it makes, as the layers below have them. The root does not
    /// count: an overlay shows that of its upper folder.
    pub(super) implied: HashMap<u32, (Owner, &'v [Attribute])>,
    /// Marks that hide nothing.
    pub(super) idle_marks: HashSet<u32>,
    hash: blake3::Hash,
}

impl<'v> Surroundings<'v> {
    /// Those of a layer with this index.
    pub(super) fn of(index: &LayerIndex, below: &'v RootView) -> Self {
        let (mut implied, mut idle_marks) = (HashMap::new(), HashSet::new());
        let mut hasher = blake3::Hasher::new();
        for record in 1..index.len() as u32 {
            let entry = if index.is_implied(record) && !index.is_whiteout(record) {
                let found = seen_below(index, record, below).filter(Found::is_folder);
                let Some(found) = found else { continue };
                implied.insert(record, (found.owner(), found.xattrs()));
                Some(found.entry(b""))
            } else if index.is_whiteout(record) && seen_below(index, record, below).is_none() {
                idle_marks.insert(record);
                None
            } else {
                continue;
            };
            let bytes = postcard::to_stdvec(&(record, entry)).expect("it is written into memory");
            hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
        }
        Self { implied, idle_marks, hash: hasher.finalize() }
    }

    /// The name of the folder of `layer`, when it is in these.
    pub(super) fn name(&self, layer: &Layer) -> String {
        if self.implied.is_empty() && self.idle_marks.is_empty() {
            return layer.diff_id().0.hex();
        }
        format!("{}.{}", layer.diff_id().0.hex(), &self.hash.to_hex()[..DIGITS])
    }
}

/// What the layers below have at the path of `record`, as far as folders of its own layer let it be seen.
fn seen_below<'v>(index: &LayerIndex, record: u32, below: &'v RootView) -> Option<Found<'v>> {
    let mut folder = index.parent(record);
    while folder != ROOT && !index.is_opaque(folder) {
        folder = index.parent(folder);
    }
    if index.is_opaque(folder) { None } else { below.lookup(&index.path(record)) }
}

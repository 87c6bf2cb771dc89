//! Work on the folders of a command that has to be done by whoever owns the files: before it runs, and after.
//!
//! Root does it where it is. For others it is root of a user namespace who owns them, which is a process of its own: then the
//! chore travels there with the names of the layers, and what it writes comes back as a stream. So the same
//! few functions serve both, and nothing else of a build needs to know of namespaces.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::copy::copy_root;
use super::difference::{Written, write_difference};
use super::error::RootfsError;
use super::facts::UnpackedLayer;
use super::ownership::Ownership;
use super::sweep::{sweep_unpacked, unpacked_layers};
use super::unpack::{Unpacked, dress_root, set_aside_damaged, unpack};
use super::unpacked_times::UnpackedTimes;
use crate::oci::blob_digest::DiffId;
use crate::oci::layers::layer::Layer;
use crate::oci::layers::root_view::RootView;
use crate::oci::layers::writer::{LayerWriter, WriteError};

/// A chain of layers, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Chain {
    /// The folder in which the tar of each layer is a file, named by the digits of its diff id.
    pub tars: PathBuf,
    /// The folder of the indexes.
    pub indexes: PathBuf,
    /// The layers, lowest first.
    pub layers: Vec<DiffId>,
}

impl Chain {
    /// The tree that the layers are together.
    ///
    /// # Errors
    /// When a layer is gone, damaged or hostile.
    pub fn view(&self) -> Result<RootView, RootfsError> {
        let mut view = RootView::default();
        for layer in &self.layers {
            let tar = self.tars.join(layer.0.hex());
            // Whoever gives the chain has made the indexes of its layers, and looked whether their tars are whole.
            let opened = match Layer::load(&self.indexes, &tar, *layer) {
                Some(opened) => opened,
                None => Layer::make(&self.indexes, &tar, *layer, None)?,
            };
            view.apply(opened);
        }
        Ok(view)
    }
}

/// One piece of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Chore {
    /// Unpack the layers into folders of `unpacked`, and say which those are.
    Unpack {
        /// Where unpacked layers are.
        unpacked: PathBuf,
        /// The upper folder of an overlay, which gets the owner and mode of the root.
        upper: Option<PathBuf>,
        /// Layers whose files are to look later than they are.
        late: BTreeMap<DiffId, UnpackedTimes>,
        /// Folders that were found to be whole by this run.
        trusted: BTreeSet<PathBuf>,
    },
    /// Copy the whole root into a folder, which is empty.
    Copy {
        /// The folder.
        folder: PathBuf,
        /// The times of its files.
        times: UnpackedTimes,
    },
    /// Write a layer of what a command changed.
    Difference {
        /// The upper folder, or the copy.
        folder: PathBuf,
        /// Whether it is a copy of the whole root.
        is_copy: bool,
        /// The time of all entries, in seconds since 1970.
        time: i64,
    },
    /// Give a folder to somebody.
    Give {
        /// The folder.
        folder: PathBuf,
        /// Whose it is to be.
        uid: u32,
        /// And of which group.
        gid: u32,
    },
    /// Remove what is left over of unpacked layers in this folder.
    Sweep(PathBuf),
    /// Look whether what is unpacked in this folder is what it was, and set aside what is not.
    Check(PathBuf),
}

/// What a chore has to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoreReport {
    /// The folders that layers are unpacked in, the uppermost first; of a check, those that are whole.
    pub folders: Vec<PathBuf>,
    /// The folders that somebody had changed. They are set aside.
    pub damaged: Vec<PathBuf>,
}

impl Chore {
    /// Does it, for the root `view`, which `chain` names. A layer is written to `output`.
    ///
    /// # Errors
    /// When a file cannot be read, written or given away.
    pub fn run(
        &self,
        (view, chain): (&RootView, &Chain),
        ownership: Ownership,
        output: &mut dyn Write,
    ) -> Result<ChoreReport, RootfsError> {
        match self {
            Self::Unpack { unpacked, upper, late, trusted } => {
                if let Some(upper) = upper {
                    dress_root(view, upper, ownership)?;
                }
                let unpacked = Unpacked { folder: unpacked, ownership, trusted };
                return unpack_all(view.visible_layers(), unpacked, late);
            }
            Self::Check(unpacked) => return check_all(unpacked, ownership, chain),
            Self::Copy { folder, times } => copy_root(view, folder, ownership, *times)?,
            Self::Difference { folder, is_copy, time } => {
                let written = if *is_copy { Written::Copy(folder) } else { Written::Upper(folder) };
                let mut tar = LayerWriter::new(output, *time);
                write_difference(written, view, ownership, &mut tar)?;
                tar.finish().and_then(Write::flush).map_err(WriteError::from)?;
            }
            Self::Give { folder, uid, gid } => give_folder(folder, *uid, *gid)?,
            Self::Sweep(unpacked) => sweep_unpacked(unpacked, ownership)?,
        }
        Ok(ChoreReport::default())
    }
}

/// The folders of `layers`, the uppermost first.
fn unpack_all(
    layers: &[Arc<Layer>],
    unpacked: Unpacked<'_>,
    late: &BTreeMap<DiffId, UnpackedTimes>,
) -> Result<ChoreReport, RootfsError> {
    let mut below = RootView::default();
    let mut damaged = Vec::new();
    let mut folders = Vec::with_capacity(layers.len());
    for layer in layers {
        let times = late.get(&layer.diff_id()).copied().unwrap_or(UnpackedTimes::OfTar);
        folders.push(unpack(layer, &below, unpacked, times, &mut damaged)?);
        below.apply(Arc::clone(layer));
    }
    folders.reverse();
    // Steps that wrote the same have one folder, which an overlay takes once. All that the lower one has is in
    // the upper one, too.
    let mut seen = HashSet::new();
    folders.retain(|folder: &PathBuf| seen.insert(folder.clone()));
    Ok(ChoreReport { folders, damaged })
}

/// Looks at all folders of layers whose index is at hand; of others it is not known what should be in them.
fn check_all(unpacked: &Path, ownership: Ownership, chain: &Chain) -> Result<ChoreReport, RootfsError> {
    let mut report = ChoreReport::default();
    for (place, diff_id) in unpacked_layers(unpacked, ownership)? {
        let Some(layer) = Layer::load(&chain.indexes, &chain.tars.join(diff_id.0.hex()), diff_id) else {
            continue;
        };
        let is_damaged = set_aside_damaged(&UnpackedLayer { place: &place, index: layer.index() })?;
        if is_damaged { report.damaged.push(place) } else { report.folders.push(place) }
    }
    Ok(report)
}

/// A change of owner takes bits of the mode away.
fn give_folder(folder: &Path, uid: u32, gid: u32) -> Result<(), RootfsError> {
    let give = || {
        let mode = fs::metadata(folder)?.permissions().mode();
        chown(folder, Some(uid), Some(gid))?;
        fs::set_permissions(folder, Permissions::from_mode(mode & 0o7777))
    };
    let shown = std::os::unix::ffi::OsStrExt::as_bytes(folder.as_os_str());
    give().map_err(|cause| RootfsError::system("give away", shown, cause))
}

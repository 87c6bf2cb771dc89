//! Where a command works: the folders of one step, and the layer that is made of them afterwards.
//!
//! Layers lie over each other where the machine can do that; elsewhere the step gets a copy of the whole root.
//! Both become the same layer.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::late_layers::LateLayers;
use super::rights::{Found, StepFolder};
use super::root::Root;
use super::rootfs::chore::{Chore, ChoreReport};
use super::sandbox::{self, Privileges};
use super::site::Site;
use super::stage::Stage;
use super::trouble;
use crate::build::builder::BuildError;
use crate::oci::blob_digest::DiffId;
use crate::oci::layers::compression::Compression;

/// The folders of one step. They go with the value.
pub struct Workplace<'w> {
    site: &'w Site<'w>,
    found: Found,
    form: Compression,
    folder: StepFolder<'w>,
}

impl<'w> Workplace<'w> {
    /// A place for a step of `stage`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(stage: &Stage<'w>, found: Found) -> Result<Self, BuildError> {
        let folder = stage.site.workshop.rights.step_folder(found.privileges)?;
        Ok(Self { site: stage.site, found, form: stage.form, folder })
    }

    /// The step's own folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a folder in it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf, BuildError> {
        let path = self.path().join(name);
        fs::create_dir(&path).map_err(|cause| trouble::of_disk("make a folder to work in", &cause))?;
        Ok(path)
    }

    /// The files of `root`, for a command to change.
    ///
    /// # Errors
    /// When layers cannot be unpacked.
    pub fn root(&self, root: &Root, late: &LateLayers) -> Result<sandbox::Root, BuildError> {
        if !self.found.has_overlay {
            let folder = self.folder("root")?;
            self.copy(root, &folder, late)?;
            return Ok(sandbox::Root::Folder(folder));
        }
        let upper = self.folder("upper")?;
        let mut lower = self.unpack(root, Some(upper.clone()), late)?;
        if lower.is_empty() {
            lower.push(self.folder("nothing")?);
        }
        Ok(sandbox::Root::Layers { lower, upper })
    }

    /// The folders of the layers of `root`, the uppermost first, to be read. `None` where nothing is in it, or
    /// folders cannot be put over each other.
    ///
    /// # Errors
    /// When layers cannot be unpacked.
    pub fn lower(&self, root: &Root, late: &LateLayers) -> Result<Option<Vec<PathBuf>>, BuildError> {
        if !self.found.has_overlay {
            return Ok(None);
        }
        self.unpack(root, None, late).map(|lower| Some(lower).filter(|lower| !lower.is_empty()))
    }

    /// Copies the files of `root` into the empty folder `folder`.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn copy(&self, root: &Root, folder: &Path, late: &LateLayers) -> Result<(), BuildError> {
        let chore = Chore::Copy { folder: folder.to_owned(), times: late.times_of_copy() };
        self.do_chore(chore, root, &mut std::io::sink()).map(drop)
    }

    /// Whether files can be given to others from this very process.
    pub fn gives_away(&self) -> bool {
        self.found.privileges == Privileges::Root
    }

    /// Gives a folder to somebody, where there is anybody else.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn give(&self, folder: &Path, uid: u32, gid: u32) -> Result<(), BuildError> {
        if self.found.privileges == Privileges::Single {
            return Ok(());
        }
        let chore = Chore::Give { folder: folder.to_owned(), uid, gid };
        self.do_chore(chore, &Root::empty(), &mut std::io::sink()).map(drop)
    }

    /// Writes what a command changed in `written`, which was `root` before, as a layer into the store. The folders go
    /// while the disk takes the layer.
    ///
    /// # Errors
    /// When it cannot be read, or not be kept.
    pub fn difference(self, root: &Root, written: sandbox::Root) -> Result<DiffId, BuildError> {
        let (folder, is_copy) = match written {
            sandbox::Root::Layers { upper, .. } => (upper, false),
            sandbox::Root::Folder(folder) => (folder, true),
        };
        let chore = Chore::Difference { folder, is_copy, time: self.site.time };
        let layers = &self.site.workshop.layers;
        std::thread::scope(|scope| {
            layers.write_with(self.form, |writer| {
                self.do_chore(chore, root, writer)?;
                scope.spawn(|| drop(self.folder));
                Ok(())
            })
        })
    }

    fn unpack(
        &self,
        root: &Root,
        upper: Option<PathBuf>,
        late: &LateLayers,
    ) -> Result<Vec<PathBuf>, BuildError> {
        let rights = &self.site.workshop.rights;
        let trusted = || rights.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        let (unpacked, known) = (rights.unpacked.clone(), trusted().clone());
        let chore = Chore::Unpack { unpacked, upper, late: late.times(), trusted: known };
        let report = self.do_chore(chore, root, &mut std::io::sink())?;
        for damaged in report.damaged {
            let shown = damaged.display();
            self.site
                .warn(format!("files in `{shown}` were changed from outside: the layer is unpacked again"));
        }
        trusted().extend(report.folders.iter().cloned());
        Ok(report.folders)
    }

    fn do_chore(
        &self,
        chore: Chore,
        root: &Root,
        output: &mut dyn std::io::Write,
    ) -> Result<ChoreReport, BuildError> {
        let layers = &self.site.workshop.layers;
        let view = root.view(layers)?;
        let root = (view, layers.chain(view));
        self.site.workshop.rights.do_chore(chore, root, self.found.privileges, output, self.site.cancellation)
    }
}

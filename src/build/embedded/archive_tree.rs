//! `ADD` of an archive: what is in it comes to lie in the destination (BuildKit's `unpack` of
//! `file/backend.go`, which is Docker's `Untar`).
//!
//! Owners and modes are those of the archive, whatever `--chown` says. What is there already is replaced, but
//! for folders by folders. Contents wait in one file without a name, because a layer is sorted and an archive
//! is not.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use super::copying::Copying;
use super::file_error::FileStepError;
use super::pending::Pending;
use super::selection::Selected;
use super::tree::{Content, Node, Owner, Tree, join, parent, resolve};
use super::trouble;
use crate::build::builder::BuildError;
use crate::oci::archive::reader::{Archive, ArchiveLimits, is_archive};
use crate::oci::disk_full;
use crate::oci::layer_entry::{EntryKind, LayerEntry};

/// Unpacks `selected` of `source` if it is an archive, and says whether it is. Contents wait in a file in
/// `waiting`.
///
/// # Errors
/// When it cannot be read, is hostile, or does not fit to what is there.
pub fn unpack(
    source: &dyn Tree,
    selected: &Selected,
    copying: &Copying,
    layer: &mut Pending<'_>,
    waiting: &Path,
) -> Result<bool, FileStepError> {
    let Some(node @ Node { kind: EntryKind::File { .. }, .. }) = source.node(&selected.path) else {
        return Ok(false);
    };
    let name = || String::from_utf8_lossy(&selected.written).into_owned();
    let failed = |reason: String| FileStepError::Archive { name: name(), reason };
    if !is_archive(node.content.open()?).map_err(|error| failed(error.to_string()))? {
        return Ok(false);
    }
    let destination = resolve(layer, &copying.destination, true)?;
    copying.make_folders(&destination, layer)?;
    let mut contents = Contents::new(waiting)?;
    let mut content = node.content.open()?;
    let mut archive =
        Archive::new(&mut content, ArchiveLimits::default()).map_err(|error| failed(error.to_string()))?;
    while let Some(entry) = archive.next_entry().map_err(|error| failed(error.to_string()))? {
        let content = match &entry.kind {
            EntryKind::File { size } => {
                contents.keep(&mut archive, *size).map_err(|error| match disk_full::help(&error) {
                    Some(_) => trouble::of_disk(format!("write in `{}`", waiting.display()), &error).into(),
                    None => failed(error.to_string()),
                })?
            }
            _ => Content::Nothing,
        };
        place(entry, content, &destination, layer)?;
    }
    // What is behind the archive's end was keyed with the file, and so it must be as it was.
    drop(archive);
    io::copy(&mut content, &mut io::sink()).map_err(|error| failed(error.to_string()))?;
    Ok(true)
}

/// Puts an entry into the folder `destination`.
fn place(
    entry: LayerEntry,
    content: Content,
    destination: &[u8],
    layer: &mut Pending<'_>,
) -> Result<(), FileStepError> {
    let path = join(destination, &entry.path);
    let around = resolve(layer, parent(&path), true)?;
    // Folders that the archive does not have are root's, also in one that passes its group on.
    let copying = Copying { owner: Some(Owner::default()), ..Copying::default() };
    copying.make_folders(&around, layer)?;
    let path = join(&around, super::tree::last_name(&path));
    let LayerEntry { kind, mode, uid, gid, xattrs, .. } = entry;
    if kind.is_dangerous_device() {
        let name = String::from_utf8_lossy(&path).into_owned();
        let reason = "it is a device node that no image needs; make the archive without it".to_owned();
        return Err(FileStepError::Archive { name, reason });
    }
    if let EntryKind::HardLink { target } = kind {
        let target = resolve(layer, &join(destination, &target), false)?;
        match layer.node(&target) {
            Some(_) if layer.was_written(&target) => {
                layer.put_hard_link(&path, &target);
                // Docker gives the file what its last name says.
                layer.set_owner(&path, mode, Owner { uid, gid });
            }
            Some(node) if !node.is_folder() => layer.put(&path, node),
            _ => {
                let name = String::from_utf8_lossy(&path).into_owned();
                let reason = "it is a hard link to what is not there".to_owned();
                return Err(FileStepError::Archive { name, reason });
            }
        }
        return Ok(());
    }
    layer.put(&path, Node { kind, xattrs, content, ..Node::folder(mode, Owner { uid, gid }) });
    Ok(())
}

/// A file without a name that contents wait in.
struct Contents {
    file: Arc<File>,
    end: u64,
}

impl Contents {
    fn new(folder: &Path) -> Result<Self, BuildError> {
        let file = tempfile::tempfile_in(folder)
            .map_err(|cause| trouble::of_disk(format!("write in `{}`", folder.display()), &cause))?;
        Ok(Self { file: Arc::new(file), end: 0 })
    }

    /// Keeps the next `size` bytes of `source`.
    fn keep(&mut self, source: &mut dyn Read, size: u64) -> io::Result<Content> {
        let mut file = &*self.file;
        file.seek(io::SeekFrom::Start(self.end))?;
        let mut writer = io::BufWriter::with_capacity(1 << 16, file);
        let copied = io::copy(&mut source.take(size), &mut writer)?;
        writer.flush()?;
        if copied != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let content = Content::InFile { file: Arc::clone(&self.file), offset: self.end, size };
        self.end += size;
        Ok(content)
    }
}

//! Images in an OCI image layout: a folder, in which whatever was there stays.

use std::io;
use std::path::Path;

use super::exported::{Content, Exported, blobs};
use crate::oci::store::{Store, StoreError, reference_of};

/// Puts images into the layout at `folder`, which is made when it is not there. A name that is there already
/// stands for the image of this export from then on; blobs come before names, so that a reader at any moment
/// sees whole images.
///
/// # Errors
/// When something is missing or damaged, the folder is a layout of another version, or the disk does not take
/// it.
pub fn write(store: &Store, images: &[Exported], folder: &Path) -> Result<(), StoreError> {
    let layout = Store::open(folder)?;
    for (digest, content) in blobs(images) {
        match content {
            Content::Bytes(bytes) => drop(layout.put(bytes)?),
            Content::Stored(size) if layout.size(&digest)? == Some(size) => {}
            Content::Stored(_) => {
                let mut reader = store.verified_reader(&digest)?.ok_or(StoreError::Missing(digest))?;
                let mut writer = layout.writer()?;
                io::copy(&mut reader, &mut writer)
                    .map_err(|error| store.stream_error("copy", &digest, error))?;
                writer.finish_as(&digest)?;
            }
        }
    }
    let added: Vec<_> = images.iter().flat_map(Exported::entries).collect();
    layout.change(|entries| {
        entries.retain(|entry| {
            let name = reference_of(entry);
            let replaced = |new| match name {
                Some(name) => reference_of(new) == Some(name),
                None => new == entry,
            };
            !added.iter().any(replaced)
        });
        entries.extend(added.iter().cloned());
    })?;
    layout.sync()?;
    layout.tidy()
}

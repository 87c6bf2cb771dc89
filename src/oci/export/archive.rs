//! Images in a tar, written in one pass: an OCI image layout, with what `docker load` of a classic store reads
//! beside it where that is asked for.
//!
//! The documents come first, so that a reader knows what follows. Entries have the time 0, the owner 0 and one
//! mode.

use std::io::{self, Read, Write};

use oci_spec::image::{ImageIndexBuilder, MediaType};
use serde_json::json;
use tar::{EntryType, Header};

use super::exported::{Content, Exported, blobs};
use crate::oci::blob_digest::BlobDigest;
use crate::oci::store::{LAYOUT, Store, StoreError, canonical};

/// Writes images as an OCI image layout; `docker` adds `manifest.json`.
///
/// # Errors
/// When a blob is missing or damaged ([`StoreError`] inside), or the writer fails. What was written then is no
/// archive.
pub fn write(store: &Store, images: &[Exported], docker: bool, writer: &mut dyn Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(writer);
    append(&mut archive, "oci-layout", LAYOUT.len() as u64, LAYOUT)?;
    let index = index(images)?;
    append(&mut archive, "index.json", index.len() as u64, &index[..])?;
    if docker {
        let manifest = docker_manifest(images)?;
        append(&mut archive, "manifest.json", manifest.len() as u64, &manifest[..])?;
    }
    for folder in ["blobs/", "blobs/sha256/"] {
        let mut header = header(EntryType::Directory, 0o755, 0);
        archive.append_data(&mut header, folder, io::empty())?;
    }
    for (digest, content) in blobs(images) {
        let path = blob_path(&digest);
        match content {
            Content::Bytes(bytes) => append(&mut archive, &path, bytes.len() as u64, bytes)?,
            Content::Stored(size) => {
                let reader = store.verified_reader(&digest).map_err(io::Error::other)?;
                let reader = reader.ok_or(StoreError::Missing(digest)).map_err(io::Error::other)?;
                append(&mut archive, &path, size, reader)?;
            }
        }
    }
    archive.into_inner()?.flush()
}

fn append(
    archive: &mut tar::Builder<&mut dyn Write>,
    path: &str,
    size: u64,
    mut content: impl Read,
) -> io::Result<()> {
    let mut header = header(EntryType::Regular, 0o644, size);
    archive.append_data(&mut header, path, &mut content)
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn blob_path(digest: &BlobDigest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn index(images: &[Exported]) -> io::Result<Vec<u8>> {
    let index = ImageIndexBuilder::default()
        .schema_version(oci_spec::image::SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests(images.iter().flat_map(Exported::entries).collect::<Vec<_>>())
        .build()
        .expect("all that an index needs is given");
    canonical(&index)
}

/// What an engine with a classic store reads. The paths are those of the layout: nothing is in the archive
/// twice.
fn docker_manifest(images: &[Exported]) -> io::Result<Vec<u8>> {
    let entry = |image: &Exported| {
        let layers: Vec<String> = image.layers.iter().map(|layer| blob_path(&layer.digest)).collect();
        json!({
            "Config": blob_path(&image.config_digest()),
            "RepoTags": image.familiar_names(),
            "Layers": layers,
        })
    };
    Ok(serde_json::to_vec(&images.iter().map(entry).collect::<Vec<_>>())?)
}

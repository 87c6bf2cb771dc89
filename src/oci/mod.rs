//! OCI: images as they are stored and moved, without a daemon.
//!
//! A *layer* is a tar of entries, named by its *diff id*: the digest of the tar itself. A *blob* is bytes
//! named by their digest: a manifest, a configuration, a layer as it is stored. Everything that is read
//! was written by somebody else, and is checked before it is believed.
//!
//! **Invariant:** a digest that is handed out is the digest of bytes that were hashed here.

pub mod blob_digest;
pub mod layer_entry;
pub mod disk_full;
mod file_lock;
pub mod temporary;
pub mod document;
pub mod image_config;
pub mod archive;
pub mod layers;
pub mod store;
pub mod store_check;
pub mod image;
pub mod compressed_layers;
pub mod new_layer;
mod references;
mod derived;
pub mod collect;
pub mod export;
pub mod remote;

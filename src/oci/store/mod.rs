//! The store: an OCI image layout on disk, shared by all workspaces of a user and by many processes.
//!
//! ```text
//! <folder>/oci-layout               what the folder is
//!         /index.json               the names of images
//!         /blobs/sha256/<digest>    blobs
//!         /.imgraph/gate            the lock between those who use blobs and the one who removes some
//!                  /names           the lock of those who change index.json
//!                  /temporary/      blobs that are being written, each locked by its writer
//!                  /leases/         one locked file for each build that runs
//!                  /damaged/        blobs that were found to have other bytes
//!                  /trash/          blobs that are being removed
//! ```
//!
//! Other tools read the folder as any image layout; what is imgraph's own lies in one folder beside it. A
//! file's time of change is when the blob was last used: the collector goes by it.
//!
//! **Invariant:** a file under a blob's name was whole and on the disk before it got the name.
//! **Invariant:** what lives is told by locks, which the system lets go of when a process dies, however it
//! dies; never by age and never by the number of a process.

pub mod error;
mod places;
mod blob_writer;
mod verified_reader;
mod known_index;
mod layout;
mod names;
mod lease;
mod tidy;
mod upkeep;

pub use blob_writer::{Blob, BlobWriter};
pub use error::StoreError;
pub(super) use layout::LAYOUT;
pub use layout::Store;
pub use lease::Lease;
pub(super) use names::canonical;
pub use names::{REFERENCE_NAME, descriptor, digest_of, reference_of};
pub use verified_reader::VerifiedReader;

#[cfg(test)]
mod tests;

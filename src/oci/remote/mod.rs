//! Images and files from elsewhere: registries, image layouts, tars, URLs.
//!
//! Whatever comes in is a manifest, a configuration and layers, whose bytes go into a *sink* under their
//! digests; what is there already is not fetched again. Everything was written by somebody else: documents have
//! a limit, layers are streamed, and a digest that does not agree is an error.
//!
//! Whoever calls waits: the network's own threads and tasks stay inside. None of it may be called from a task.
//!
//! **Invariant:** a secret is in no error, no debug text and no URL, and is sent only to the registry that it
//! is for, or to the host that gives tokens for that registry.

pub mod blob_sink;
pub mod store_sink;
pub mod error;
pub mod manifest;
pub mod platform_choice;
pub mod image;
pub mod layout_files;
pub mod layout;
pub mod settings;
pub mod credential;
mod credential_helper;
pub mod credentials;
pub mod challenge;
mod endpoint;
mod network;
mod incoming;
mod session;
mod places;
mod blob_fetch;
pub mod registry;
pub mod download;

#[cfg(test)]
mod tests;

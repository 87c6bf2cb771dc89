//! What was typed for `imgraph cache`, and the forms of results, which other commands share.
//!
//! It stands beside `arguments.rs`, as its part.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::amounts;

/// Text for people or a document for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Commands about the caches.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Cache {
    /// Read every file that the workspace's stat index knows, and compare; exit with 1 when it is wrong
    Verify {
        /// The form of the result
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Remove images and layers of the embedded builder that are not used; what runs at the same time keeps its own
    Gc(CollectGarbage),
    /// Put an image into the store of the embedded builder: a base where there is no registry
    Load(LoadImage),
    /// Show what the caches hold
    Stats {
        /// The form of the result
        #[arg(long, default_value = "text")]
        format: Format,
    },
}

/// Arguments of `cache gc`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CollectGarbage {
    /// Remove the least recently used until this much is left, such as 20GB; named images too
    #[arg(long, value_name = "SIZE", value_parser = amounts::bytes)]
    pub(crate) keep: Option<u64>,
    /// Remove what was not used for this long, such as 14d; named images too. With neither, what no image
    /// needs and was not used for 14d is removed
    #[arg(long, value_name = "TIME", value_parser = amounts::duration)]
    pub(crate) older: Option<Duration>,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The form of the result
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// Arguments of `cache load`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadImage {
    /// An OCI image layout, a tar of one, or what `docker save` wrote
    pub(crate) path: PathBuf,
    /// The name to give it, as Dockerfiles say it
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: String,
    /// Which of several images: its name, tag or digest there
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// For which platform; this machine's where nothing is said
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
}

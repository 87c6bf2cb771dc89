//! The monorepos that the benches measure on, and the workspace loaded from one.
//!
//! `IMGRAPH_BENCH=100x20,1000x50,10000x10` says which: services x files of each. Trees stay in the
//! system's temporary folder from one run to the next; the name of each holds a hash of the generator,
//! so that a tree of another generator is never taken for one of this.

#![allow(dead_code, unreachable_pub, reason = "each bench takes a part of it")]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use imgraph::graph::expand::{Wanted, expand};
use imgraph::graph::load::{self, Loaded};
use imgraph::graph::node::Graph;
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;
use imgraph::types::platform::Platform;
use imgraph::types::workspace_path::WorkspacePath;

use crate::monorepo::{self, Options};

/// Without a word a bench is quick to run.
const DEFAULT_SIZES: &str = "100x20";

/// How large a monorepo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    pub services: usize,
    pub files: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}", self.services, self.files)
    }
}

/// The sizes to measure.
pub fn sizes() -> Vec<Size> {
    let text = std::env::var("IMGRAPH_BENCH").unwrap_or_else(|_unset| DEFAULT_SIZES.to_owned());
    let size = |word: &str| {
        let (services, files) = word.trim().split_once('x')?;
        Some(Size { services: services.parse().ok()?, files: files.parse().ok()? })
    };
    let sizes: Option<Vec<Size>> = text.split(',').map(size).collect();
    sizes.unwrap_or_else(|| panic!("IMGRAPH_BENCH is `{text}`, and should be like `100x20,1000x50`"))
}

/// The folder of the monorepo of that size, made when it is not there.
pub fn tree(size: Size) -> PathBuf {
    let generator = blake3::hash(include_bytes!("../../tests/support/monorepo.rs")).to_hex();
    let root = std::env::temp_dir().join("imgraph-bench").join(format!("{size}-{}", &generator[..12]));
    if !root.is_dir() {
        let partial = root.with_extension("partial");
        let _absent = fs::remove_dir_all(&partial);
        let options =
            Options { services: size.services, files_per_service: size.files, ..Options::default() };
        monorepo::generate(&partial, &options).expect("the tree can be written");
        fs::rename(&partial, &root).expect("the tree can be renamed");
    }
    root
}

/// A look at the tree of that size that knows nothing yet.
pub fn snapshot(size: Size) -> Snapshot {
    Snapshot::of_disk(&tree(size)).expect("the tree is a folder")
}

/// The targets of the workspace.
pub fn load(snapshot: &Snapshot) -> Loaded {
    let options =
        load::Options { set: &BTreeMap::new(), environment: &Environment::default(), version: "0.1.0" };
    let loaded = load::load(snapshot, &options);
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    loaded
}

/// The graph of all targets.
pub fn graph(snapshot: &Snapshot, loaded: &Loaded) -> Graph {
    let targets = loaded.select(&["//..."], &WorkspacePath::root().into()).expect("there are targets");
    let wanted = Wanted { targets: &targets, platforms: &[], build_platform: platform() };
    let (graph, diagnostics) = expand(snapshot, loaded, wanted);
    assert!(!graph.nodes.is_empty(), "{diagnostics:#?}");
    graph
}

/// What everything is built for.
pub fn platform() -> &'static Platform {
    static PLATFORM: OnceLock<Platform> = OnceLock::new();
    PLATFORM.get_or_init(|| "linux/amd64".parse().expect("it is a platform"))
}

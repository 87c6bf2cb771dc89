//! The Docker Engine as a [`Builder`].
//!
//! It owns a small tokio runtime, on which sessions and connections live; calls block in it from
//! whatever thread they come. It must not be called from inside another tokio runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;

use bollard::models::SystemInfo;
use tokio::runtime::Runtime;

use super::absent_mounts::without_absent;
use super::address::EngineAddress;
use super::answerer::Answerer;
use super::bases::Finder;
use super::connection::{self, Connection};
use super::names_mark::NamesMark;
use super::store_files::StorePlace;
use super::{images, load, solve, version};
use crate::build::builder::{Bases, BuildError, BuildOutput, BuildRequest, Builder, Inventory};
use crate::types::cancellation::Cancellation;
use crate::types::digest::OutputDigest;
use crate::types::event::EventSink;
use crate::types::platform::Platform;

/// How often a cancellation is looked for.
const CANCELLATION_INTERVAL: Duration = Duration::from_millis(25);
/// The family of engines that keep images in a graph driver.
const CLASSIC: &str = "docker";
/// What an engine says of itself when images lie in containerd.
const CONTAINERD_STORE: &str = "io.containerd.snapshotter.v1";

/// A Docker Engine that answers and is new enough.
#[derive(Debug)]
pub struct DockerBuilder {
    runtime: Runtime,
    connection: Connection,
    /// Whose answers these are, and where it keeps names, where that can be seen from here.
    seen: Option<(Answerer, StorePlace)>,
    family: &'static str,
    description: String,
    platform: Platform,
}

impl DockerBuilder {
    /// Connects to the engine at `address`.
    ///
    /// # Errors
    /// [`BuildError::Surroundings`] when it cannot be reached, is too old or is not Docker's.
    pub fn connect(address: &EngineAddress) -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("imgraph-docker")
            .enable_all()
            .build()
            .map_err(|error| BuildError::Surroundings {
                message: format!("cannot start threads: {error}"),
                help: None,
            })?;
        let (answerer, connection, version, info) = runtime.block_on(async {
            // First, so that what is asked later was answered by nobody else if it is the same at the end.
            let answerer = Answerer::at(address).await;
            let connection = Connection::open(address).await?;
            let no_engine = |error| connection::no_engine(address, &error);
            let (version, info) = tokio::join!(connection.api.version(), connection.api.info());
            let version = version.map_err(no_engine)?;
            version::check(&version).map_err(|message| BuildError::Surroundings {
                message,
                help: Some("update Docker Engine: https://docs.docker.com/engine/install/".to_owned()),
            })?;
            Ok((answerer, connection, version, info.map_err(no_engine)?))
        })?;
        let place = StorePlace::of(&info).filter(|_| version::is_read(&version) && family(&info) == CLASSIC);
        let platform = format!("{}/{}", version.os.unwrap_or_default(), version.arch.unwrap_or_default());
        Ok(Self {
            runtime,
            connection,
            seen: answerer.zip(place),
            family: family(&info),
            description: description(&version.version.unwrap_or_default(), &info),
            platform: platform.parse().unwrap_or_else(|_unknown| Platform::local()),
        })
    }

    /// Whether an inventory of many images costs as much as one of all: filtering costs a classic store
    /// more than listing, and a containerd store far less.
    pub fn lists_all(&self) -> bool {
        self.family == CLASSIC
    }

    /// Whether an inventory of so many images costs as much as one of all.
    pub fn lists_all_for(&self, images: usize) -> bool {
        self.lists_all() && images > images::FEW
    }

    /// A mark by which a later run sees that `names`, each of which this engine was asked for, still stand
    /// for these images. `None` where there can be none.
    pub fn mark(&self, names: &BTreeMap<String, OutputDigest>) -> Option<Box<NamesMark>> {
        let (engine, place) = self.seen.as_ref()?;
        self.runtime.block_on(NamesMark::take(engine, place, &self.connection.address, names)).map(Box::new)
    }

    /// Gives the engine the images of a tar as `docker load` takes it, which `write` writes. They are streamed:
    /// `write` is called in a thread of its own and waits for the engine.
    ///
    /// # Errors
    /// What `write` fails with; when the engine does not take them, or somebody asks to stop.
    pub fn load(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
        cancellation: &Cancellation,
    ) -> Result<(), BuildError> {
        let (mut writer, content) = load::pipe();
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                let written = write(&mut writer).and_then(|()| writer.flush());
                if written.is_err() {
                    writer.fail();
                }
                written
            });
            let loaded = self.run(load::load(&self.connection, content), cancellation);
            match writing.join() {
                // What an engine says of half an archive is of no interest.
                Ok(_) if cancellation.is_cancelled() => Err(BuildError::Cancelled),
                // The engine did not want to read any more, and has said why.
                Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(BuildError::Surroundings { message: error.to_string(), help: None })
                }
                Ok(_) => loaded,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn finder(&self) -> Finder<'_> {
        Finder { connection: &self.connection, platform: &self.platform, is_classic: self.family == CLASSIC }
    }

    /// Waits for `work`, or for somebody to ask to stop: then `work` is dropped.
    fn run<Value>(
        &self,
        work: impl Future<Output = Result<Value, BuildError>>,
        cancellation: &Cancellation,
    ) -> Result<Value, BuildError> {
        let cancelled = async {
            while !cancellation.is_cancelled() {
                tokio::time::sleep(CANCELLATION_INTERVAL).await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = cancelled => Err(BuildError::Cancelled),
                result = work => result,
            }
        })
    }
}

impl Builder for DockerBuilder {
    fn family(&self) -> &str {
        self.family
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn platform(&self) -> &Platform {
        &self.platform
    }

    fn inventory(&self) -> Result<Inventory, BuildError> {
        self.runtime.block_on(images::inventory(&self.connection))
    }

    fn inventory_of(&self, references: &BTreeSet<&str>) -> Result<Inventory, BuildError> {
        match self.lists_all() {
            true if self.lists_all_for(references.len()) => self.inventory(),
            true => self.runtime.block_on(images::inventory_of_few(&self.connection, references)),
            false => self.runtime.block_on(images::inventory_of(&self.connection, references)),
        }
    }

    fn has(&self, digest: &OutputDigest) -> Result<bool, BuildError> {
        self.runtime.block_on(images::has(&self.connection, digest))
    }

    fn bases(&self, wanted: &BTreeSet<(&str, &Platform)>) -> Result<Bases, BuildError> {
        self.runtime.block_on(self.finder().bases(wanted))
    }

    fn resolve(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<OutputDigest, BuildError> {
        self.run(self.finder().resolve(reference, platform), cancellation)
    }

    fn triggers(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<Vec<String>, BuildError> {
        self.run(self.finder().triggers(reference, platform), cancellation)
    }

    fn build(
        &self,
        request: &BuildRequest<'_>,
        events: &dyn EventSink,
        cancellation: &Cancellation,
    ) -> Result<BuildOutput, BuildError> {
        let dockerfile = without_absent(request.dockerfile, request.secrets, request.agents);
        let request = BuildRequest { dockerfile: &dockerfile, ..request.clone() };
        self.run(solve::build(self.finder(), &request, events), cancellation)
    }

    fn tag(&self, digest: &OutputDigest, name: &str) -> Result<(), BuildError> {
        self.runtime.block_on(images::tag(&self.connection, digest, name))
    }
}

fn has_containerd_store(info: &SystemInfo) -> bool {
    let facts = info.driver_status.as_deref().unwrap_or_default();
    facts.iter().any(|fact| fact.iter().any(|part| part == CONTAINERD_STORE))
}

/// The two stores name an image differently, so that their keys must differ too.
fn family(info: &SystemInfo) -> &'static str {
    if has_containerd_store(info) { "docker-containerd" } else { CLASSIC }
}

fn description(version: &str, info: &SystemInfo) -> String {
    let driver = info.driver.as_deref().unwrap_or("unknown storage");
    let store = if has_containerd_store(info) { ", containerd store" } else { "" };
    format!("Docker Engine {version} ({driver}{store})")
}

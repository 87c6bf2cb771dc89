//! Engines, views and requests for tests.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use imgraph::build::builder::{
    AgentSocket, BuildError, BuildOutput, BuildRequest, Builder, ContextSource, SecretValue, SentFolder,
};
use imgraph::build::docker::{DockerBuilder, EngineAddress};
use imgraph::types::cancellation::Cancellation;
use imgraph::types::digest::ContentHash;
use imgraph::types::event::{Event, EventSink, Subject};
use imgraph::types::file_entry::{FileEntry, FileKind};
use imgraph::types::label::Label;
use imgraph::types::workspace_path::WorkspacePath;
use tempfile::TempDir;

/// A shell and its tools. `tests/support/engine` imports a stand-in; another engine fetches it.
pub(crate) const BASE: &str = "busybox:1.36";

pub(crate) struct Engine {
    pub(crate) builder: DockerBuilder,
    pub(crate) address: EngineAddress,
}

pub(crate) fn classic() -> Engine {
    connect("IMGRAPH_TEST_DOCKER")
}

pub(crate) fn containerd() -> Engine {
    connect("IMGRAPH_TEST_DOCKER_CONTAINERD")
}

fn connect(variable: &str) -> Engine {
    let Ok(address) = std::env::var(variable) else {
        panic!(
            "{variable} is not set. These tests need two Docker Engines, 23.0 or newer: set \
             IMGRAPH_TEST_DOCKER to the address of one with the classic image store and \
             IMGRAPH_TEST_DOCKER_CONTAINERD to one with the containerd image store, such as \
             unix:///run/engine/docker.sock. `tests/run` starts both"
        );
    };
    let address: EngineAddress = address.parse().unwrap();
    let builder = DockerBuilder::connect(&address).unwrap_or_else(|error| panic!("{error}"));
    builder
        .resolve(BASE, builder.platform(), &Cancellation::default())
        .unwrap_or_else(|error| panic!("{error}"));
    Engine { builder, address }
}

impl Engine {
    /// Asks the Engine API itself, with the client that the builder uses.
    pub(crate) fn api<Value>(&self, ask: impl AsyncFnOnce(bollard::Docker) -> Value) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let version = bollard::API_DEFAULT_VERSION;
            let api = match &self.address {
                EngineAddress::Unix(path) => {
                    bollard::Docker::connect_with_unix(&path.to_string_lossy(), 120, version)
                }
                EngineAddress::Tcp(host) => {
                    bollard::Docker::connect_with_http(&format!("tcp://{host}"), 120, version)
                }
            };
            ask(api.unwrap().negotiate_version().await.unwrap()).await
        })
    }

    /// What `command` writes, run with the image `reference` at `/image`.
    pub(crate) fn look(&self, reference: &str, command: &str) -> String {
        let dockerfile = format!("FROM {BASE}\nRUN --mount=from={reference},target=/image {command}\n");
        let case = Case { dockerfile: &dockerfile, no_cache: true, ..Case::default() };
        let (result, events) = case.run(self);
        result.unwrap_or_else(|error| panic!("{error}: {error:?}"));
        logs(&events)
    }
}

/// A folder and the entries of it that are sent.
pub(crate) struct View {
    pub(crate) folder: TempDir,
    pub(crate) entries: Vec<FileEntry>,
}

impl View {
    /// A view of files with these contents.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            write(folder.path(), path, content);
        }
        Self::whole(folder)
    }

    /// A view of everything in a folder.
    pub(crate) fn whole(folder: TempDir) -> Self {
        let mut view = Self { folder, entries: Vec::new() };
        view.read();
        view
    }

    /// Reads the entries again.
    pub(crate) fn read(&mut self) {
        self.entries.clear();
        walk(self.folder.path(), &WorkspacePath::root(), &mut self.entries);
        self.entries.sort_by(|one, other| one.path.cmp(&other.path));
    }

    pub(crate) fn sent(&self) -> SentFolder<'_> {
        SentFolder { on_disk: self.folder.path(), entries: &self.entries }
    }
}

pub(crate) fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn walk(root: &Path, folder: &WorkspacePath, entries: &mut Vec<FileEntry>) {
    for entry in fs::read_dir(folder.on_disk(root)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join_name(entry.file_name().as_bytes());
        let metadata = fs::symlink_metadata(entry.path()).unwrap();
        let permissions = metadata.permissions().mode() & 0o7777;
        let kind = if metadata.is_dir() {
            walk(root, &path, entries);
            FileKind::Folder
        } else if metadata.is_symlink() {
            FileKind::Link { target: fs::read_link(entry.path()).unwrap().as_os_str().as_bytes().into() }
        } else {
            let content = fs::read(entry.path()).unwrap();
            let hash = ContentHash::from_bytes(*blake3::hash(&content).as_bytes());
            FileKind::File { size: content.len() as u64, content: hash }
        };
        entries.push(FileEntry { path, permissions, kind });
    }
}

/// A request with everything that a test does not speak of left out.
#[derive(Default)]
pub(crate) struct Case<'r> {
    pub(crate) label: &'r str,
    pub(crate) dockerfile: &'r str,
    pub(crate) stage: Option<&'r str>,
    pub(crate) context: Option<&'r View>,
    pub(crate) contexts: Vec<(&'r str, ContextSource<'r>)>,
    pub(crate) args: &'r [(&'r str, &'r str)],
    pub(crate) labels: &'r [(&'r str, &'r str)],
    pub(crate) secrets: &'r [(&'r str, &'r str)],
    pub(crate) agents: &'r [AgentSocket],
    pub(crate) network: Option<&'r str>,
    pub(crate) no_cache: bool,
    pub(crate) tags: &'r [&'r str],
}

impl Case<'_> {
    pub(crate) fn run(&self, engine: &Engine) -> (Result<BuildOutput, BuildError>, Vec<Event>) {
        let recorder = Recorder::default();
        let result = self.run_with(&engine.builder, &recorder, &Cancellation::default());
        (result, recorder.events())
    }

    /// Builds, and expects it to work.
    pub(crate) fn output(&self, engine: &Engine) -> BuildOutput {
        self.run(engine).0.unwrap_or_else(|error| panic!("{error}: {error:?}"))
    }

    pub(crate) fn run_with(
        &self,
        builder: &DockerBuilder,
        events: &dyn EventSink,
        cancellation: &Cancellation,
    ) -> Result<BuildOutput, BuildError> {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let secret =
            |(id, value): &(&str, &str)| SecretValue { id: (*id).to_owned(), value: (*value).into() };
        let secrets: Vec<SecretValue> = self.secrets.iter().map(secret).collect();
        let tags: Vec<String> = self.tags.iter().map(|tag| (*tag).to_owned()).collect();
        let label = if self.label.is_empty() { "//test" } else { self.label };
        let label = Label::parse(label, &Arc::new(WorkspacePath::root())).unwrap();
        let request = BuildRequest {
            subject: &Subject { label, platform: builder.platform().clone() },
            dockerfile: self.dockerfile.as_bytes(),
            triggers: &[],
            dockerfile_name: "docker/Dockerfile",
            stage: self.stage,
            context: self.context.map(View::sent),
            contexts: self.contexts.iter().copied().collect(),
            args: &map(self.args),
            labels: &map(self.labels),
            secrets: &secrets,
            agents: self.agents,
            network: self.network.or(Some("none")),
            is_product: true,
            no_cache: self.no_cache,
            tags: &tags,
        };
        builder.build(&request, events, cancellation)
    }
}

/// Keeps events with the time at which they came.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<(Instant, Event)>>);

impl EventSink for Recorder {
    fn take(&self, event: &Event) {
        self.0.lock().unwrap().push((Instant::now(), event.clone()));
    }
}

impl Recorder {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().iter().map(|(_, event)| event.clone()).collect()
    }

    /// When a text was first logged.
    pub(crate) fn logged_at(&self, wanted: &str) -> Option<Instant> {
        let events = self.0.lock().unwrap();
        let is_wanted = |event: &Event| matches!(event, Event::Log { text, .. } if text.contains(wanted));
        events.iter().find(|(_, event)| is_wanted(event)).map(|(at, _)| *at)
    }
}

/// Everything that was logged.
pub(crate) fn logs(events: &[Event]) -> String {
    let text = |event: &Event| match event {
        Event::Log { text, .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

/// A name that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("imgraph-test/{name}:{}-{count}-{now}", std::process::id())
}

/// Stands between a builder and an engine: counts what is sent, and can go away.
pub(crate) struct Proxy {
    pub(crate) builder: DockerBuilder,
    state: Arc<ProxyState>,
}

#[derive(Default)]
struct ProxyState {
    sent: AtomicUsize,
    gone: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Listens on a port of this machine.
    pub(crate) fn before(engine: &Engine) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: EngineAddress = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
        let state = Arc::new(ProxyState::default());
        let (target, shared) = (engine.address.clone(), Arc::clone(&state));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.gone.load(Ordering::SeqCst) {
                    return;
                }
                shared.connect(stream.unwrap(), &target);
            }
        });
        Self { builder: DockerBuilder::connect(&address).unwrap(), state }
    }

    /// How many bytes went to the engine so far.
    pub(crate) fn sent(&self) -> usize {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// Breaks all connections.
    pub(crate) fn leave(&self) {
        self.state.gone.store(true, Ordering::SeqCst);
        for stream in self.state.open.lock().unwrap().iter() {
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }
}

impl ProxyState {
    fn connect(self: &Arc<Self>, client: TcpStream, target: &EngineAddress) {
        self.open.lock().unwrap().push(client.try_clone().unwrap());
        let EngineAddress::Unix(path) = target else { panic!("the engine of a test listens on a socket") };
        let engine = UnixStream::connect(path).unwrap();
        let (mut up, mut down) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
        let (mut client, mut engine, state) = (client, engine, Arc::clone(self));
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = up.read(&mut buffer) {
                state.sent.fetch_add(length, Ordering::SeqCst);
                if engine.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            engine.shutdown(Shutdown::Both).unwrap_or_default();
        });
        thread::spawn(move || {
            std::io::copy(&mut down, &mut client).unwrap_or_default();
            client.shutdown(Shutdown::Both).unwrap_or_default();
        });
    }
}

//! Telling again what an earlier run told, when nothing that it leaned on has changed.
//!
//! **Invariant:** every question that has no clear answer here is answered by a run that looks at
//! everything.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::arguments::Targets;
use super::builder_choice::Connect;
use super::exit::{self, Exit};
use super::prepared::{Anew, Early, Engine, Prepared};
use super::session::Session;
use super::terminal;
use crate::build::docker::NamesMark;
use crate::cache::folder::CacheFolder;
use crate::cache::index_file::IndexFile;
use crate::cache::last_build::LastBuilds;
use crate::cache::recall_file::RecallFile;
use crate::engine::parts::{Parts, Touched};
use crate::engine::recall::{Recall, StoreFacts};
use crate::source::git_facts::GitFacts;
use crate::source::snapshot::Snapshot;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::OutputDigest;
use crate::types::ids::NodeId;

/// So many bytes are read by one run after another before it is written down what they are.
const MOST_READ_AGAIN: u64 = 16 << 20;

/// A request that may have been told before.
pub(crate) struct Request {
    root: PathBuf,
    file: RecallFile,
    cache: CacheFolder,
    connect: Connect,
}

/// What is kept of a run.
#[derive(Serialize, Deserialize)]
struct Kept<Told> {
    recall: Recall<Told>,
    /// What tells that all its images are there, where they need not be asked for.
    images: Option<Box<NamesMark>>,
}

/// What the engine has of what an earlier run leaned on.
enum Images {
    /// All of it: the mark says so, and nobody asked for them.
    Marked,
    /// All of it: they were asked for. A mark for them, where there is one.
    Asked(Option<Box<NamesMark>>),
    /// Less, or it cannot be asked.
    Differ,
}

/// What is known of an earlier run of the same request.
pub(crate) enum Before<Told> {
    /// All that it leaned on is as it was.
    Same {
        /// What it told.
        told: Told,
        /// What the builder calls itself.
        builder: String,
    },
    /// Files differ, and nothing else.
    Partly(Box<Partly<Told>>),
    /// Something differs, or there was none. The engine may have been asked.
    Differs(Option<Early>),
}

/// An earlier run, of which a part is to be looked at again.
pub(crate) struct Partly<Told> {
    /// What it told, and what it leaned on.
    pub(crate) before: BeforePart<Told>,
    /// What is to be looked at again.
    pub(crate) anew: Anew,
}

/// What an earlier run told, of which a part is to be looked at again.
pub(crate) struct BeforePart<Told>(Kept<Told>);

impl<Told> BeforePart<Told> {
    /// What it told.
    pub(crate) fn told(&self) -> &Told {
        &self.0.recall.told
    }
}

impl Request {
    /// The request of `command` for `targets`. `None` where nothing can be told again: without an index,
    /// or without a place for the caches.
    ///
    /// # Errors
    /// The exit code when the user stands in no workspace, which was told.
    pub(crate) fn new(session: &Session, command: &str, targets: &Targets) -> Result<Option<Self>, Exit> {
        let (directory, root) = session.place()?;
        Ok(Self::of(session, command, targets, &directory, root))
    }

    fn of(
        session: &Session,
        command: &str,
        targets: &Targets,
        directory: &Path,
        root: PathBuf,
    ) -> Option<Self> {
        session.index_file(&root)?;
        let cache = CacheFolder::new(&session.cache_place()?);
        let everywhere = &session.everywhere;
        let mut fields: Vec<Vec<u8>> = vec![
            program()?,
            command.as_bytes().to_vec(),
            directory.as_os_str().as_bytes().to_vec(),
            everywhere.docker_host.clone().unwrap_or_default().into_bytes(),
            format!("{:?}", session.builder_choice()).into_bytes(),
        ];
        for list in [&targets.patterns, &targets.platform] {
            fields.push(list.len().to_le_bytes().to_vec());
            fields.extend(list.iter().map(|word| word.clone().into_bytes()));
        }
        let set = everywhere.set.iter().map(|(name, value)| format!("{name}={value}").into_bytes());
        fields.extend(set);
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        let file = RecallFile::new(&cache, &root, &fields);
        let connect = session.engine();
        Some(Self { root, file, cache, connect })
    }

    /// What was told before, when all that it leaned on is as it was.
    pub(crate) fn told_before<Told>(&self, session: &Session) -> Before<Told>
    where
        Told: Serialize + DeserializeOwned,
    {
        // Both are large. What is known of the files is of no use without the rest, which nearly always is there.
        let (kept, known) = std::thread::scope(|scope| {
            let known = scope.spawn(|| known_files(&self.root, &self.file.index()));
            let kept = self.file.load::<Kept<Told>>();
            (kept, known.join().expect("reading an index does not panic"))
        });
        let mut warnings = Vec::new();
        let kept = kept.value(&mut warnings);
        // This run replaces what is damaged.
        session.show_once(&warnings);
        let Some(mut kept) = kept.filter(|kept| self.is_asked_alike(session, &kept.recall)) else {
            return Before::Differs(None);
        };
        let (images, early) = ask_aside(&self.connect, &kept);
        let Some((snapshot, touched)) = self.touched(session, &kept.recall, known) else {
            return Before::Differs(Some(early));
        };
        let how = match images.recv().unwrap_or(Images::Differ) {
            Images::Differ => return Before::Differs(Some(early)),
            Images::Marked => " (of images, the engine's file of names is the same)",
            Images::Asked(mark) => {
                self.keep_mark(&mut kept, mark);
                ""
            }
        };
        if session.everywhere.verbose {
            terminal::message(&format!("{}{how}\n", how_much_changed(&touched)));
        }
        match touched {
            Some(touched) if !touched.roots.is_empty() => {
                let store = Arc::clone(&kept.recall.store);
                let anew = Anew { touched, snapshot, store, early };
                Before::Partly(Box::new(Partly { before: BeforePart(kept), anew }))
            }
            _ => {
                exit::leave(snapshot);
                let Recall { store, told, .. } = kept.recall;
                Before::Same { builder: store.description().to_owned(), told }
            }
        }
    }

    /// Keeps what holds once more together with a mark for its images.
    fn keep_mark<Told: Serialize>(&self, kept: &mut Kept<Told>, mark: Option<Box<NamesMark>>) {
        if mark.is_some() {
            kept.images = mark;
            // A cache that cannot be written is told by whoever has something of his own to keep.
            let _kept = self.file.store(kept);
        }
    }

    /// The files as they are, and whom their changes touch: `None` when there are none. Nothing at all
    /// where everything has to be looked at.
    fn touched<Told>(
        &self,
        session: &Session,
        recall: &Recall<Told>,
        known: KnownFiles,
    ) -> Option<(Snapshot, Option<Touched>)> {
        // This run replaces what is damaged.
        session.show_once(&known.warnings);
        let snapshot = known.snapshot?;
        let changes = snapshot.changes_since(&recall.looks)?;
        if changes.are_none() {
            return Some((snapshot, None));
        }
        let parts: Parts = self.file.load_parts(&recall.parts?)?;
        let touched = parts.touched(&changes, &self.cache)?;
        Some((snapshot, Some(touched)))
    }

    /// Whether what is not in files and not in the engine is as it was.
    fn is_asked_alike<Told>(&self, session: &Session, recall: &Recall<Told>) -> bool {
        let (names, hash) = &recall.environment;
        let facts = GitFacts::of(&self.root);
        session.environment.hash(names) == *hash
            && recall.secrets.iter().all(|(place, was)| place.is_filled(&session.environment) == *was)
            && recall.git.iter().all(|(question, answer)| facts.answer(*question) == *answer)
            && self.last_builds_changed_at() == recall.last_builds
    }

    fn last_builds_changed_at(&self) -> Option<String> {
        LastBuilds::new(&self.cache, &self.root).changed_at()
    }

    /// Ends a run that looked at a part, and told `told` of the whole. Where that is what was told before, it
    /// leaned on the files as they are. Where all is cached in another way, or much was read of which nothing
    /// is written down here, the next run is to look at everything, so that it is.
    pub(crate) fn end_part<Told: Serialize + PartialEq>(
        &self,
        session: &Session,
        prepared: &Prepared,
        before: BeforePart<Told>,
        has_work: bool,
        told: &Told,
    ) {
        let (BeforePart(mut kept), snapshot) = (before, &prepared.workspace.snapshot);
        if has_work {
            if snapshot.learnt() > MOST_READ_AGAIN {
                self.file.forget();
            }
        } else if kept.recall.told != *told || session.has_said_something() {
            self.file.forget();
        } else if let Some((looks, index)) = snapshot.renewed(&kept.recall.looks) {
            kept.recall.looks = looks;
            kept.recall.secrets.extend(prepared.optional_secrets.seen.iter().cloned());
            // A cache that cannot be written is told by whoever has something of his own to keep.
            let _kept = self.file.index().write(&index).and_then(|()| self.file.store(kept));
        }
    }

    /// Keeps what a run told that found all outputs cached, where it leaned on nothing but what can be
    /// asked for again. `output` gives the outputs of the run's nodes.
    pub(crate) fn keep<Told: Serialize>(
        &self,
        session: &Session,
        prepared: &Prepared,
        output: impl Fn(NodeId) -> Option<OutputDigest>,
        told: Told,
    ) {
        let workspace = &prepared.workspace;
        session.keep_index(workspace);
        // What was warned of is to be warned of again.
        if session.has_said_something() {
            return;
        }
        let last_builds = prepared.last_builds();
        let store = StoreFacts::of(prepared.known(&last_builds, &[]), &prepared.source_keys, output);
        let (Some(store), Some((looks, index))) = (store, workspace.snapshot.looks()) else { return };
        let git = workspace.loaded.git.clone();
        let (environment, last_builds) = (workspace.environment.asked(), self.last_builds_changed_at());
        let parts = Parts::of(&prepared.graph, &prepared.views, &workspace.loaded, &workspace.snapshot);
        // Without it a run after an edit looks at everything.
        let parts = parts.and_then(|parts| self.file.store_parts(&parts).ok());
        let mark = |names| prepared.engine.as_ref()?.mark(&names);
        let images = store.every_name().and_then(mark);
        let secrets = prepared.optional_secrets.seen.clone();
        let store = Arc::new(store);
        let recall = Recall { looks, environment, secrets, git, store, parts, last_builds, told };
        // Last what the others are found by.
        let kept = Kept { recall, images };
        if let Err(error) = self.file.index().write(&index).and_then(|()| self.file.store(kept)) {
            session.show(&[error.warning()]);
        }
    }
}

/// What an earlier run knew of the files.
struct KnownFiles {
    /// The files, as far as they are as they were; `None` where nothing can be told of them.
    snapshot: Option<Snapshot>,
    warnings: Vec<Diagnostic>,
}

fn known_files(root: &Path, file: &IndexFile) -> KnownFiles {
    let mut warnings = Vec::new();
    let index = file.read().value(&mut warnings);
    let snapshot = match index.and_then(|index| Snapshot::with_index(root, index).ok()) {
        Some((_, Some(damage))) => {
            warnings.push(file.warning(&damage.to_string()));
            None
        }
        known => known.map(|(snapshot, _no_damage)| snapshot),
    };
    KnownFiles { snapshot, warnings }
}

fn how_much_changed(touched: &Option<Touched>) -> String {
    match touched.as_ref().map(|touched| touched.part.targets.len()) {
        None => "nothing has changed since the same was asked before".to_owned(),
        Some(0) => "nothing that is read has changed since the same was asked before".to_owned(),
        Some(count) => {
            format!("files have changed since the same was asked before: {count} targets are looked at")
        }
    }
}

/// Asks on a thread of its own what the engine has of what `kept` leaned on. Where files changed, nobody
/// waits for what it says; but the run that follows may.
fn ask_aside<Told>(connect: &Connect, kept: &Kept<Told>) -> (Receiver<Images>, Early) {
    let (told_images, images) = mpsc::channel();
    let (asked, early) = mpsc::channel();
    let (connect, store, mark) = (connect.clone(), Arc::clone(&kept.recall.store), kept.images.clone());
    std::thread::spawn(move || {
        // Whoever does not listen needs no answer.
        if mark.is_some_and(|mark| connect.holds(&mark)) {
            let _told = told_images.send(Images::Marked);
            return;
        }
        let engine = ask(&connect, store.names());
        let holds = |engine: &Engine| store.hold_for(&*engine.builder, engine.listed.as_ref());
        let mark = |engine: &Engine| store.every_name().and_then(|names| engine.builder.mark(&names));
        let found = engine.as_ref().filter(|engine| holds(engine));
        let _told = told_images.send(found.map_or(Images::Differ, |engine| Images::Asked(mark(engine))));
        let _told = asked.send(engine);
    });
    (images, Early(early))
}

/// Connects, and lists all images where so many names are wanted that it is quicker.
fn ask(connect: &Connect, names: usize) -> Option<Engine> {
    let builder = Arc::new(connect.connect().ok()?);
    let listed = if builder.lists_all_for(names) { Some(connect.inventory(&builder).ok()?) } else { None };
    Some(Engine { builder, listed })
}

/// What tells this program from any other, of the same version too.
fn program() -> Option<Vec<u8>> {
    let path = std::env::current_exe().ok()?;
    let facts = std::fs::metadata(&path).ok()?;
    let (size, inode, time) = (facts.size(), facts.ino(), (facts.mtime(), facts.mtime_nsec()));
    Some(format!("{} {size} {inode} {time:?} {}", env!("CARGO_PKG_VERSION"), path.display()).into_bytes())
}

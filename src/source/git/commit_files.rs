//! The files of a commit, for a snapshot.
//!
//! Git keeps no times, no owners and no permissions but one bit: files and folders have the permissions
//! that a checkout gives them. A submodule is a folder that holds what the commit that is pinned holds,
//! where that can be read, and else nothing: who needs it asks for [`CommitFiles::closed`].
//!
//! **Invariant:** two snapshots that tell contents by the ids of blobs are compared with each other, and
//! with no other: such a hash is no hash of bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::changed_places::ChangedPlaces;
use super::command::{Git, GitError};
use super::early_blobs::Wanted;
use super::object_id::ObjectId;
use super::objects::ObjectKind;
use super::tree::{Mode, Tree, TreeAt, TreeEntry};
use super::trees::Trees;
use super::way::{Way, Ways};
use crate::source::origin::{Content, Hashed, Listed, Origin, Place, StatResult, Text};
use crate::source::read_error::ReadError;
use crate::source::stat::{EntryKind, Stat, Timestamp};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// The derived-key context of a content that is told by the id of its blob.
const BY_ID: &str = "imgraph 2026-11 content by the id of a blob of git";

/// How contents are told apart.
#[derive(Clone, Debug)]
pub(in crate::source) enum Contents {
    /// By their bytes, as on disk.
    Bytes,
    /// By the ids of blobs, which need no reading; by their bytes in these places and below them.
    Ids {
        /// The places.
        but: ChangedPlaces,
    },
}

/// The files of a commit below one of its folders. Clones share everything.
#[derive(Clone)]
pub(in crate::source) struct CommitFiles(Arc<Shared>);

struct Shared {
    trees: Arc<Trees>,
    ways: Ways,
    root: ObjectId,
    /// Where the workspace lies on disk: there the repositories of submodules are.
    on_disk: PathBuf,
    contents: Contents,
    /// What was looked into of submodules.
    submodules: Mutex<HashMap<WorkspacePath, Submodule>>,
    closed: Mutex<BTreeMap<WorkspacePath, ObjectId>>,
}

/// The repository of a submodule, and the tree of its commit; none where that cannot be read here.
#[derive(Clone)]
struct Submodule {
    trees: Arc<Trees>,
    root: Option<ObjectId>,
}

/// A folder: its tree, which a submodule that cannot be read here has none of, and the repository that has it.
struct Found<'f> {
    trees: Cow<'f, Arc<Trees>>,
    tree: Option<TreeAt>,
}

impl Found<'_> {
    fn look<Answer: Default>(&self, look: impl FnOnce(Tree<'_>) -> Answer) -> Result<Answer, GitError> {
        self.tree.map_or_else(|| Ok(Answer::default()), |tree| self.trees.look_into(tree, look))
    }

    /// What has that name in it, where it is not far from the last that was looked for on the way.
    fn entry(&self, name: &[u8], way: &mut Way) -> Result<Option<TreeEntry>, GitError> {
        self.look(|tree| {
            let (place, entry) = tree.find(name, way.near())?;
            way.found(place);
            Some(*entry)
        })
    }
}

impl CommitFiles {
    /// What is in the tree `root`, which is that of the workspace.
    pub(super) fn new(trees: &Arc<Trees>, root: ObjectId, on_disk: &Path, contents: Contents) -> Self {
        Self(Arc::new(Shared {
            trees: Arc::clone(trees),
            ways: Ways::new(),
            root,
            on_disk: on_disk.to_path_buf(),
            contents,
            submodules: Mutex::default(),
            closed: Mutex::default(),
        }))
    }

    /// Makes ready for somebody who looks into every folder and parses what is there: all trees and
    /// what looks like a text for us are read in one go, what is not parsed first perhaps in the background.
    pub(in crate::source) fn read_all(&self) -> Result<(), GitError> {
        self.0.trees.read_below(self.0.root, is_parsed)
    }

    /// As [`Self::read_all`], but no text.
    pub(in crate::source) fn read_folders(&self) -> Result<(), GitError> {
        self.0.trees.read_below(self.0.root, |_name| Wanted::Not)
    }

    /// The submodules that somebody looked into and that cannot be read here, with their commits.
    pub(in crate::source) fn closed(&self) -> BTreeMap<WorkspacePath, ObjectId> {
        self.0.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What stands at `place`, whatever repository it is of.
    pub(in crate::source) fn entry(&self, place: Place<'_>) -> Result<Option<(Mode, ObjectId)>, GitError> {
        Ok(self.find(place)?.map(|(_, entry)| (entry.mode, entry.id)))
    }

    /// What is in a folder: names, and what each stands for. Nothing is in what is no folder.
    pub(in crate::source) fn names(
        &self,
        folder: &WorkspacePath,
    ) -> Result<Vec<(Vec<u8>, Mode, ObjectId)>, ReadError> {
        let found = self.folder(folder);
        let found = found.map_err(|error| unreadable(&Place::of_folder(folder), &error))?;
        let Some(found) = found else { return Ok(Vec::new()) };
        let names = found.look(|tree| {
            let named = |entry: &TreeEntry| (tree.name(entry).to_vec(), entry.mode, entry.id);
            tree.entries().iter().map(named).collect()
        });
        names.map_err(|error| unreadable(&Place::of_folder(folder), &error))
    }

    /// How the content of a file is told that has the blob `id`, when it need not be read.
    pub(in crate::source) fn by_id(&self, place: Place<'_>, id: ObjectId) -> Option<Content> {
        let Contents::Ids { but } = &self.0.contents else { return None };
        if but.hold(&place) {
            return None;
        }
        let hash = ContentHash::from_bytes(blake3::derive_key(BY_ID, id.as_bytes()));
        Some(Content { hash, size: 0 })
    }

    fn find(&self, place: Place<'_>) -> Result<Option<(Found<'_>, TreeEntry)>, GitError> {
        self.0.ways.walk(|way| {
            let Some(found) = self.walk(place.folder, way)? else { return Ok(None) };
            let entry = found.entry(place.name, way)?;
            Ok(entry.map(|entry| (found, entry)))
        })
    }

    /// The folder at `path`.
    fn folder(&self, path: &WorkspacePath) -> Result<Option<Found<'_>>, GitError> {
        self.0.ways.walk(|way| self.walk(path, way))
    }

    /// The same. Each name that does not lie on the way is looked for, which takes less than to remember every
    /// folder.
    fn walk(&self, path: &WorkspacePath, way: &mut Way) -> Result<Option<Found<'_>>, GitError> {
        let rest = way.back(path.as_bytes());
        let mut length = path.as_bytes().len() - rest.len();
        let tree = Some(way.tree().unwrap_or(TreeAt::of(self.0.root)));
        let mut found = Found { trees: Cow::Borrowed(&self.0.trees), tree };
        for name in rest.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            length += name.len() + usize::from(length > 0);
            let Some(entry) = found.entry(name, way)? else { return Ok(None) };
            match entry.mode {
                Mode::Folder => {
                    let tree = TreeAt { id: entry.id, made: entry.made };
                    found.tree = Some(tree);
                    if matches!(found.trees, Cow::Borrowed(_)) {
                        way.enter(name, tree);
                    }
                }
                Mode::Submodule => {
                    let mut above = std::iter::successors(Some(path.clone()), WorkspacePath::parent);
                    let at = above.find(|above| above.as_bytes().len() <= length).unwrap_or_default();
                    let Submodule { trees, root } = self.submodule(&at, entry.id);
                    found = Found { trees: Cow::Owned(trees), tree: root.map(TreeAt::of) };
                }
                Mode::File | Mode::Executable | Mode::Link => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// What the commit of a submodule holds, where its repository is here and has it.
    fn submodule(&self, path: &WorkspacePath, commit: ObjectId) -> Submodule {
        let mut known = self.0.submodules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(path) {
            return known.clone();
        }
        let on_disk = path.on_disk(&self.0.on_disk);
        let trees = Arc::new(Trees::new(Git::in_folder(&on_disk)));
        // Without this file git would answer for the repository around it.
        let root = on_disk.join(".git").exists().then(|| {
            let id = trees.resolve(&format!("{commit}^{{tree}}"), ObjectKind::Tree).ok()??;
            trees.look(id, |_tree| id).ok()
        });
        let found = Submodule { trees, root: root.flatten() };
        if found.root.is_none() {
            self.0.closed.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), commit);
        }
        known.insert(path.clone(), found.clone());
        found
    }

    /// The entry at `place` and its repository; an error where nothing is.
    fn present(&self, place: Place<'_>) -> Result<(Found<'_>, TreeEntry), ReadError> {
        let found = self.find(place).map_err(|error| unreadable(&place, &error))?;
        found.ok_or_else(|| ReadError::Missing { path: place.path() })
    }

    fn bytes(&self, place: Place<'_>) -> Result<Arc<[u8]>, ReadError> {
        let (found, entry) = self.present(place)?;
        found.trees.blob(entry.id).map_err(|error| unreadable(&place, &error))
    }
}

impl fmt::Debug for CommitFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CommitFiles").field(&self.0.root).finish()
    }
}

impl Origin for CommitFiles {
    fn again(&self) -> Box<dyn Origin> {
        Box::new(self.clone())
    }

    fn telling_device(&self) -> Option<u64> {
        None
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn stat(&self, place: Place<'_>) -> StatResult {
        if place.name.is_empty() {
            return Ok(Some(facts(Mode::Folder)));
        }
        let found = self.find(place).map_err(|error| unreadable(&place, &error))?;
        Ok(found.map(|(_, entry)| facts(entry.mode)))
    }

    fn holds_no_links(&self) -> bool {
        self.0.trees.holds_no_links(self.0.root)
    }

    fn list(&self, folder: &WorkspacePath) -> Result<Listed, ReadError> {
        let place = Place::of_folder(folder);
        let found = self.folder(folder).map_err(|error| unreadable(&place, &error))?;
        let found = found.ok_or_else(|| ReadError::Missing { path: folder.clone() })?;
        let listed = found.look(|tree| {
            let mut listed = Listed::default();
            listed.entries.reserve_exact(tree.entries().len());
            listed.names.reserve_exact(tree.entries().iter().map(|entry| tree.name(entry).len()).sum());
            for entry in tree.entries() {
                match entry.mode.kind() {
                    EntryKind::Folder => {
                        listed.push_folder(tree.name(entry), found.trees.may_hold_packages(entry));
                    }
                    kind => listed.push(tree.name(entry), kind),
                }
            }
            listed
        });
        listed.map_err(|error| unreadable(&place, &error))
    }

    fn link_target(&self, link: Place<'_>) -> Result<Box<[u8]>, ReadError> {
        Ok(self.bytes(link)?.to_vec().into_boxed_slice())
    }

    fn content(&self, file: Place<'_>) -> Result<Hashed, ReadError> {
        let (found, entry) = self.present(file)?;
        let content = match self.by_id(file, entry.id) {
            Some(content) => content,
            None => {
                let bytes = found.trees.blob(entry.id).map_err(|error| unreadable(&file, &error))?;
                let hash = ContentHash::from_bytes(*blake3::hash(&bytes).as_bytes());
                Content { hash, size: bytes.len() as u64 }
            }
        };
        Ok(Hashed { content, facts: facts(entry.mode), is_steady: false })
    }

    fn read(&self, file: Place<'_>) -> Result<Text, ReadError> {
        Ok(Text { bytes: self.bytes(file)?, steady: None })
    }
}

/// Whether a file of this name is likely to be parsed, and when. Nothing depends on it but how fast it comes.
pub(super) fn is_parsed(name: &[u8]) -> Wanted {
    let is = |letters: &[u8], word: &[u8]| letters.eq_ignore_ascii_case(word);
    let (build_file, dockerfile, ignore_file) = (b"build.toml", b"dockerfile", b".dockerignore");
    if is(name, build_file) || is(name, b".gitignore") {
        return Wanted::First;
    }
    let is_later = name.windows(dockerfile.len()).any(|letters| is(letters, dockerfile))
        || name.len().checked_sub(ignore_file.len()).is_some_and(|start| is(&name[start..], ignore_file));
    if is_later { Wanted::Later } else { Wanted::Not }
}

/// What a checkout gives an entry.
pub(super) fn facts(mode: Mode) -> Stat {
    let permissions = match mode {
        Mode::Folder | Mode::Submodule | Mode::Executable => 0o755,
        Mode::File => 0o644,
        Mode::Link => 0o777,
    };
    let kind = mode.kind();
    let (modified, changed) = (Timestamp::default(), Timestamp::default());
    Stat { kind, permissions, size: 0, modified, changed, inode: 0, device: 0 }
}

pub(super) fn unreadable(place: &Place<'_>, error: &GitError) -> ReadError {
    ReadError::io(&place.path(), io::Error::other(error.to_string()))
}

//! A file system in memory, whose clock a test sets: coarse, set back, ahead, as it likes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::source::origin::{Content, Hashed, Listed, Origin, Place, StatResult, Text};
use crate::source::read_error::ReadError;
use crate::source::stat::{EntryKind, Stat, Timestamp};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// Shared by the snapshots of one test.
#[derive(Clone, Default)]
pub(super) struct Script(Arc<Mutex<World>>);

#[derive(Default)]
pub(super) struct World {
    /// Milliseconds.
    pub(super) now: i64,
    /// Milliseconds between two times that a file can have.
    pub(super) tick: i64,
    pub(super) names: BTreeMap<String, u64>,
    pub(super) inodes: BTreeMap<u64, Inode>,
    /// Whether everything seems to change while it is read.
    pub(super) restless: bool,
    /// How many files, folders and links were read.
    pub(super) reads: usize,
}

#[derive(Clone)]
pub(super) struct Inode {
    pub(super) stat: Stat,
    pub(super) bytes: Vec<u8>,
}

fn timestamp(milliseconds: i64) -> Timestamp {
    let (seconds, rest) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    Timestamp { seconds, nanoseconds: rest as u32 * 1_000_000 }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Script {
    /// An empty root at the second 1,000, on a file system with this tick in milliseconds.
    pub(super) fn new(tick: i64) -> Self {
        let script = Self::default();
        {
            let mut world = script.world();
            world.now = 1_000_000;
            world.tick = tick;
            world.make("", EntryKind::Folder, b"");
        }
        script
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl World {
    fn tick_now(&self) -> Timestamp {
        timestamp(self.now.div_euclid(self.tick) * self.tick)
    }

    /// The lowest free inode is taken, as many file systems do: a removed one comes back at once.
    fn make(&mut self, path: &str, kind: EntryKind, bytes: &[u8]) {
        let inode = (1..).find(|number| !self.inodes.contains_key(number)).unwrap();
        let now = self.tick_now();
        let size = bytes.len() as u64;
        let stat = Stat { kind, permissions: 0o644, size, modified: now, changed: now, inode, device: 7 };
        self.inodes.insert(inode, Inode { stat, bytes: bytes.to_vec() });
        self.names.insert(path.to_owned(), inode);
        self.touch_parent(path);
    }

    fn touch_parent(&mut self, path: &str) {
        let now = self.tick_now();
        if let Some(folder) = self.inode(parent(path)).filter(|_| !path.is_empty()) {
            (folder.stat.modified, folder.stat.changed) = (now, now);
        }
    }

    pub(super) fn inode(&mut self, path: &str) -> Option<&mut Inode> {
        self.inodes.get_mut(self.names.get(path)?)
    }

    pub(super) fn kind(&mut self, path: &str) -> Option<EntryKind> {
        self.inode(path).map(|inode| inode.stat.kind)
    }

    fn can_hold(&mut self, path: &str) -> bool {
        self.kind(parent(path)) == Some(EntryKind::Folder)
    }

    /// Writes into the file that is there, or makes one.
    pub(super) fn write(&mut self, path: &str, text: &str) {
        let now = self.tick_now();
        match self.inode(path) {
            Some(inode) if inode.stat.kind == EntryKind::File => {
                inode.bytes = text.as_bytes().to_vec();
                inode.stat = Stat { size: text.len() as u64, modified: now, changed: now, ..inode.stat };
            }
            _ => self.replace(path, EntryKind::File, text),
        }
    }

    /// Puts something else there.
    pub(super) fn replace(&mut self, path: &str, kind: EntryKind, text: &str) {
        if self.can_hold(path) {
            self.remove(path);
            self.make(path, kind, text.as_bytes());
        }
    }

    pub(super) fn remove(&mut self, path: &str) {
        let inside = format!("{path}/");
        self.names.retain(|name, _| name.is_empty() || (name != path && !name.starts_with(&inside)));
        let used: Vec<u64> = self.names.values().copied().collect();
        self.inodes.retain(|number, _| used.contains(number));
        self.touch_parent(path);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let inside = format!("{from}/");
        let loops = to == from || to.starts_with(&inside) || from.starts_with(&format!("{to}/"));
        if loops || from.is_empty() || self.kind(from).is_none() || !self.can_hold(to) {
            return;
        }
        self.remove(to);
        let moved = |name: &String| *name == from || name.starts_with(&inside);
        let names: Vec<String> = self.names.keys().filter(|name| moved(name)).cloned().collect();
        for name in names {
            let inode = self.names.remove(&name).unwrap();
            self.names.insert(format!("{to}{}", &name[from.len()..]), inode);
        }
        let now = self.tick_now();
        self.inode(to).unwrap().stat.changed = now;
        self.touch_parent(from);
        self.touch_parent(to);
    }

    pub(super) fn hard_link(&mut self, from: &str, to: &str) {
        let loops = to == from || from.starts_with(&format!("{to}/"));
        if loops || self.kind(from) != Some(EntryKind::File) || !self.can_hold(to) {
            return;
        }
        self.remove(to);
        let inode = self.names[from];
        self.names.insert(to.to_owned(), inode);
        let now = self.tick_now();
        self.inode(to).unwrap().stat.changed = now;
        self.touch_parent(to);
    }

    /// What `touch -d` does.
    pub(super) fn set_modified(&mut self, path: &str, milliseconds: i64) {
        let now = self.tick_now();
        if let Some(inode) = self.inode(path) {
            inode.stat.modified = timestamp(milliseconds);
            inode.stat.changed = now;
        }
    }

    fn at(&mut self, place: Place<'_>) -> Option<Inode> {
        self.inode(&place.path().to_string()).cloned()
    }

    fn read(&mut self, place: Place<'_>) -> Result<Inode, ReadError> {
        self.reads += 1;
        self.at(place).ok_or_else(|| ReadError::Missing { path: place.path() })
    }
}

impl Origin for Script {
    fn again(&self) -> Box<dyn Origin> {
        Box::new(self.clone())
    }

    fn now(&self) -> Timestamp {
        timestamp(self.world().now)
    }

    fn telling_device(&self) -> Option<u64> {
        self.stat(Place::of_folder(&WorkspacePath::root())).ok()?.map(|root| root.device)
    }

    fn stat(&self, place: Place<'_>) -> StatResult {
        Ok(self.world().at(place).map(|inode| inode.stat))
    }

    fn list(&self, folder: &WorkspacePath) -> Result<Listed, ReadError> {
        let mut world = self.world();
        let stat = world.read(Place::of_folder(folder))?.stat;
        let steady = (!world.restless).then_some(stat);
        let mut listed = Listed { steady, ..Listed::default() };
        let folder = folder.to_string();
        for (path, inode) in world.names.iter().rev().filter(|(path, _)| !path.is_empty()) {
            if parent(path) == folder {
                let name = path.rsplit('/').next().unwrap();
                listed.push(name.as_bytes(), world.inodes[inode].stat.kind);
            }
        }
        Ok(listed)
    }

    fn link_target(&self, link: Place<'_>) -> Result<Box<[u8]>, ReadError> {
        Ok(self.world().read(link)?.bytes.into())
    }

    fn content(&self, file: Place<'_>) -> Result<Hashed, ReadError> {
        let mut world = self.world();
        let inode = world.read(file)?;
        let hash = ContentHash::from_bytes(*blake3::hash(&inode.bytes).as_bytes());
        let content = Content { hash, size: inode.stat.size };
        Ok(Hashed { content, facts: inode.stat, is_steady: !world.restless })
    }

    fn read(&self, file: Place<'_>) -> Result<Text, ReadError> {
        let mut world = self.world();
        let inode = world.read(file)?;
        let steady = (!world.restless).then_some(inode.stat);
        Ok(Text { bytes: inode.bytes.into(), steady })
    }
}

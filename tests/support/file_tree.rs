//! The files of a folder as a value, to compare with the files of a view.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// What lies at a path.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A folder with these permission bits.
    Folder(u32),
    /// A file with these permission bits and bytes.
    File(u32, Vec<u8>),
    /// A link that points there.
    Link(Vec<u8>),
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(permissions) => write!(formatter, "folder {permissions:04o}"),
            Self::File(permissions, bytes) => {
                write!(formatter, "file {permissions:04o} {:?}", String::from_utf8_lossy(bytes))
            }
            Self::Link(target) => write!(formatter, "link to {:?}", String::from_utf8_lossy(target)),
        }
    }
}

/// The entries of a folder by their paths, which are relative and separated by `/`.
pub(crate) type FileTree = BTreeMap<Vec<u8>, Entry>;

/// Reads all that lies in a folder, not the folder itself.
pub(crate) fn read(folder: &Path) -> FileTree {
    let mut tree = FileTree::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&relative)).unwrap() {
            let path = relative.join(entry.unwrap().file_name());
            let found = read_entry(&folder.join(&path));
            if matches!(found, Entry::Folder(_)) {
                waiting.push(path.clone());
            }
            tree.insert(path.as_os_str().as_bytes().to_vec(), found);
        }
    }
    tree
}

fn read_entry(path: &Path) -> Entry {
    let metadata = fs::symlink_metadata(path).unwrap();
    let permissions = metadata.permissions().mode() & 0o7777;
    if metadata.is_dir() {
        Entry::Folder(permissions)
    } else if metadata.is_symlink() {
        Entry::Link(fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec())
    } else {
        Entry::File(permissions, fs::read(path).unwrap())
    }
}

/// Writes a tree into a folder that is there. Folders that the tree does not name get 0755.
pub(crate) fn write(tree: &FileTree, folder: &Path) {
    for (path, entry) in tree {
        let path = folder.join(OsStr::from_bytes(path));
        make_parents(folder, &path);
        match entry {
            Entry::Folder(_) => make_folder(&path),
            Entry::File(permissions, bytes) => {
                fs::write(&path, bytes).unwrap();
                set_permissions(&path, *permissions);
            }
            Entry::Link(target) => symlink(OsStr::from_bytes(target), &path).unwrap(),
        }
    }
    // The deepest first: a folder that may not be written is closed when all is in it.
    for (path, entry) in tree.iter().rev() {
        if let Entry::Folder(permissions) = entry {
            set_permissions(&folder.join(OsStr::from_bytes(path)), *permissions);
        }
    }
}

fn make_parents(folder: &Path, path: &Path) {
    let parent = path.parent().unwrap();
    if parent != folder && !parent.exists() {
        make_parents(folder, parent);
        make_folder(parent);
    }
}

fn make_folder(path: &Path) {
    if !path.is_dir() {
        fs::create_dir(path).unwrap();
        set_permissions(path, 0o755);
    }
}

fn set_permissions(path: &Path, permissions: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(permissions)).unwrap();
}

/// What differs between two trees, a line each.
pub(crate) fn differences(expected: &FileTree, found: &FileTree) -> Vec<String> {
    let paths = expected.keys().chain(found.keys()).collect::<std::collections::BTreeSet<_>>();
    let differs = |path: &&&Vec<u8>| expected.get(**path) != found.get(**path);
    let line = |path: &Vec<u8>| {
        let name = String::from_utf8_lossy(path).into_owned();
        format!("{name:?}: expected {:?}, found {:?}", expected.get(path), found.get(path))
    };
    paths.iter().filter(differs).map(|path| line(path)).collect()
}

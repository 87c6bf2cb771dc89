//! A path inside a workspace: bytes, relative, with `/` between names.
//!
//! It is not an OS path on purpose: it is the same on every machine, so that it may enter a key,
//! and it cannot leave the workspace, for no value with `..`, an empty name or a leading `/` exists.
//! Names are bytes because file names on Unix are; they are shown lossily and compared exactly.

use std::fmt;
use std::path::{Path, PathBuf};

/// A cleaned path relative to the workspace's root. The empty path is the root itself.
///
/// Order is by names from the root down, so that a folder comes directly before what is in it.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct WorkspacePath(Box<[u8]>);

/// Why a text is not a path inside the workspace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path climbs above the root of the workspace.
    #[error("`{0}` leaves the workspace")]
    Escapes(String),
    /// The path is absolute, or holds a NUL byte.
    #[error("`{0}` is not a path inside the workspace")]
    Malformed(String),
}

impl WorkspacePath {
    /// The workspace's own folder.
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads `text` as a path relative to `self`, resolving `.` and `..` by their letters.
    /// A text that begins with `//` is relative to the root.
    ///
    /// # Errors
    /// When the path climbs out of the workspace, is absolute, or holds a NUL byte.
    pub fn resolve(&self, text: &[u8]) -> Result<Self, PathError> {
        let shown = || String::from_utf8_lossy(text).into_owned();
        let (start, rest) = match text.strip_prefix(b"//") {
            Some(rest) => (&b""[..], rest),
            None if text.first() == Some(&b'/') => return Err(PathError::Malformed(shown())),
            None => (self.as_bytes(), text),
        };
        if rest.contains(&0) {
            return Err(PathError::Malformed(shown()));
        }
        let mut names: Vec<&[u8]> = Vec::new();
        for name in start.split(|byte| *byte == b'/').chain(rest.split(|byte| *byte == b'/')) {
            match name {
                b"" | b"." => {}
                b".." => {
                    names.pop().ok_or_else(|| PathError::Escapes(shown()))?;
                }
                name => names.push(name),
            }
        }
        Ok(Self(names.join(&b'/').into_boxed_slice()))
    }

    /// The path of the entry `name` of this folder. `name` is one name as a folder lists it.
    pub fn join_name(&self, name: &[u8]) -> Self {
        debug_assert!(!name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..");
        if self.is_root() {
            return Self(name.into());
        }
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Self(bytes.into_boxed_slice())
    }

    /// The path of `names`, from the root down, each of them one name as a folder lists it.
    pub fn of_names<'n>(names: impl Iterator<Item = &'n [u8]>) -> Self {
        let mut bytes = Vec::new();
        for name in names {
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(name);
        }
        Self(bytes.into_boxed_slice())
    }

    /// This path's names below `other`, joined; for two folders of one workspace.
    pub fn join(&self, other: &Self) -> Self {
        match (self.is_root(), other.is_root()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => Self([&*self.0, &*other.0].join(&b'/').into_boxed_slice()),
        }
    }

    /// The path relative to `folder`, when it is `folder` or lies in it.
    pub fn strip_prefix(&self, folder: &Self) -> Option<Self> {
        self.letters_below(folder).map(|letters| Self(letters.into()))
    }

    /// The letters of [`Self::strip_prefix`].
    pub fn letters_below(&self, folder: &Self) -> Option<&[u8]> {
        if folder.is_root() {
            return Some(&self.0);
        }
        match self.0.strip_prefix(&*folder.0)?.split_first() {
            None => Some(b""),
            Some((b'/', rest)) => Some(rest),
            Some(_) => None,
        }
    }

    /// As it is compared with a path of these letters, which may be the first ones of a path: in this order all
    /// paths that begin with them stand together, and nothing that begins otherwise comes between them and these.
    pub fn cmp_letters(&self, letters: &[u8]) -> std::cmp::Ordering {
        // The end of a name comes before every letter, and the end of a path before that of a name.
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 };
        match first_difference(&self.0, letters) {
            Some(at) => rank(&self.0[at]).cmp(&rank(&letters[at])),
            None => self.0.len().cmp(&letters.len()),
        }
    }

    /// The folder that this path lies in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self(self.0[..end].into()))
    }

    /// The last name; `None` for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.names().next_back()
    }

    /// The names from the root down.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// Whether this is the workspace's own folder.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes, without a leading or trailing `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Where the path lies on a disk on which the workspace is at `root`.
    pub fn on_disk(&self, root: &Path) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        if self.is_root() { root.to_path_buf() } else { root.join(std::ffi::OsStr::from_bytes(&self.0)) }
    }
}

impl PartialOrd for WorkspacePath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WorkspacePath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.cmp_letters(&other.0)
    }
}

/// Where the shorter of the two first has another byte than the longer. Paths of one workspace begin alike:
/// that is passed eight bytes at a time.
fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let mut same = 0;
    while let (Some(chunk), Some(of_other)) =
        (one[same..].first_chunk::<8>(), other[same..].first_chunk::<8>())
    {
        let differing = u64::from_le_bytes(*chunk) ^ u64::from_le_bytes(*of_other);
        if differing != 0 {
            return Some(same + differing.trailing_zeros() as usize / 8);
        }
        same += 8;
    }
    let shorter = one.len().min(other.len());
    (same..shorter).find(|at| one[*at] != other[*at])
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for WorkspacePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "//{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(folder: &str, text: &str, expected: Result<&str, &str>) {
        let folder = WorkspacePath::root().resolve(folder.as_bytes()).unwrap();
        let found = folder.resolve(text.as_bytes());
        let found = found.as_ref().map(ToString::to_string).map_err(ToString::to_string);
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{text} in {folder}");
    }

    #[test]
    fn texts_resolve_inside_the_workspace() {
        check("", "a/b", Ok("a/b"));
        check("a", "b", Ok("a/b"));
        check("a", "./b//c/", Ok("a/b/c"));
        check("a/b", "../c", Ok("a/c"));
        check("a/b", "//c", Ok("c"));
        check("a", "..", Ok(""));
        check("a", "//", Ok(""));
        check("a", "../..", Err("`../..` leaves the workspace"));
        check("a", "//..", Err("`//..` leaves the workspace"));
        check("", "/etc", Err("`/etc` is not a path inside the workspace"));
    }

    #[test]
    fn a_folder_sorts_directly_before_what_is_in_it() {
        let mut paths = ["a-b", "a/b", "a", "a.c", "a/b/c", "b"]
            .map(|text| WorkspacePath::root().resolve(text.as_bytes()).unwrap());
        paths.sort();
        let paths = paths.map(|path| path.to_string());
        assert_eq!(paths, ["a", "a/b", "a/b/c", "a-b", "a.c", "b"]);
    }

    #[test]
    fn long_paths_sort_as_short_ones() {
        for same in 0..20 {
            let path = |end: &str| {
                let text = format!("{}{end}", "x".repeat(same));
                WorkspacePath::root().resolve(text.as_bytes()).unwrap()
            };
            let ordered = ["a", "a/b", "a/bcdefghijk", "a/bcdefghijkl", "a-b", "b"].map(path);
            assert!(ordered.is_sorted_by(|one, next| one < next), "{ordered:?}");
            assert!(ordered.iter().all(|path| path.cmp(path).is_eq()), "{ordered:?}");
        }
    }

    #[test]
    fn prefixes_end_at_a_name() {
        let path = |text: &str| WorkspacePath::root().resolve(text.as_bytes()).unwrap();
        assert_eq!(path("a/b").strip_prefix(&path("a")), Some(path("b")));
        assert_eq!(path("ab").strip_prefix(&path("a")), None);
        assert_eq!(path("a").strip_prefix(&path("a")), Some(path("")));
        assert_eq!(path("a/b").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(path("")));
        assert_eq!(path("").parent(), None);
    }
}

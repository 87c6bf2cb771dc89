//! Finds the packages of a workspace: the folders that hold a `BUILD.toml`.
//!
//! One parallel walk over the snapshot, which later views use again. It reads names only, and it does
//! not look into folders that git ignores or the workspace excludes, nor into `.git`, nor through
//! links. Rules of git above the workspace's root, and the user's own, are left aside: which packages
//! there are depends on the workspace alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::parallel::each;
use super::read_error::ReadError;
use super::snapshot::{EntryRef, FolderRef, Snapshot};
use super::stat::EntryKind;
use crate::syntax::path_patterns::{FolderMatches, PathPatterns, PatternError};
use crate::types::workspace_path::WorkspacePath;

const BUILD_FILE: &[u8] = b"BUILD.toml";
const IGNORE_FILE: &[u8] = b".gitignore";

/// What a walk for packages found.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    /// The packages, sorted. The root's own is among them when it has a `BUILD.toml`.
    pub folders: Vec<WorkspacePath>,
    /// The folders that the user may not list, in which no package was looked for.
    pub unreadable: Vec<ReadError>,
}

/// Why packages cannot be looked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PackagesError {
    /// A folder or a `.gitignore` cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An `exclude` pattern is malformed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Finds the packages of the workspace. `exclude` is relative to the root and never excludes the
/// root's own package.
///
/// # Errors
/// When a folder cannot be listed for another reason than a missing permission, a `.gitignore`
/// cannot be read, or a pattern is malformed.
pub fn find_packages(snapshot: &Snapshot, exclude: &PathPatterns) -> Result<Packages, PackagesError> {
    let search = Search { snapshot, exclude };
    let root = WorkspacePath::root();
    let shared = snapshot.git_exclude().map(|text| search.rules(None, &root, &text));
    search.look_into(snapshot.root(), shared.as_ref(), &FolderMatches::default())
}

/// The ignore rules of one folder, and those of the folders above it.
struct GitRules<'r> {
    own: Gitignore,
    above: Option<&'r Self>,
}

/// What a folder holds that has to do with packages. Nearly all folders of a workspace hold none of it, so that
/// their names are gone through once, and nothing is made of them.
struct Names<'s> {
    ignore_file: Option<EntryRef<'s>>,
    build_file: Option<EntryRef<'s>>,
    /// The folders in which a package may lie.
    folders: Vec<FolderRef<'s>>,
}

impl<'s> Names<'s> {
    fn of(folder: FolderRef<'s>) -> Result<Self, ReadError> {
        let mut names = Self { ignore_file: None, build_file: None, folders: Vec::new() };
        for entry in folder.each_entry()? {
            match (entry.kind(), entry.name()) {
                (EntryKind::Folder, b".git") => {}
                (EntryKind::Folder, _) if entry.may_hold_packages() => {
                    names.folders.extend(entry.as_folder());
                }
                (EntryKind::File, IGNORE_FILE) => names.ignore_file = Some(entry),
                (EntryKind::File | EntryKind::Link, BUILD_FILE) => names.build_file = Some(entry),
                _ => {}
            }
        }
        Ok(names)
    }
}

struct Search<'s> {
    snapshot: &'s Snapshot,
    exclude: &'s PathPatterns,
}

impl Search<'_> {
    fn look_into(
        &self,
        folder: FolderRef<'_>,
        above: Option<&GitRules<'_>>,
        excluded: &FolderMatches,
    ) -> Result<Packages, PackagesError> {
        let Names { ignore_file, build_file, folders } = match Names::of(folder) {
            Err(error) if error.is_permission_denied() => {
                return Ok(Packages { unreadable: vec![error], ..Packages::default() });
            }
            names => names?,
        };
        let own = match ignore_file {
            Some(file) => Some(self.rules(above, folder.path(), &self.snapshot.read(&file.path())?)),
            None => None,
        };
        let rules = own.as_ref().or(above);
        let mut found = Packages::default();
        if let Some(file) = build_file
            && (folder.path().is_root() || self.keeps(file, rules, excluded)?)
        {
            found.folders.push(folder.path().clone());
        }
        if folders.is_empty() {
            return Ok(found);
        }
        let depth = folder.path().names().count();
        for inner in each(folders, depth, |_| true, |inner| self.look_at(inner, rules, excluded))? {
            found.folders.extend(inner.folders);
            found.unreadable.extend(inner.unreadable);
        }
        Ok(found)
    }

    fn look_at(
        &self,
        folder: FolderRef<'_>,
        rules: Option<&GitRules<'_>>,
        excluded: &FolderMatches,
    ) -> Result<Packages, PackagesError> {
        let path = folder.path();
        let (is_excluded, said) = self.exclude.matches(path.as_bytes(), excluded)?;
        if (is_excluded && self.exclude.all_below(path.as_bytes())) || self.git_ignores(rules, path, true) {
            return Ok(Packages::default());
        }
        self.look_into(folder, rules, &said)
    }

    /// Whether the file of a package counts: neither git nor the workspace leaves it out.
    fn keeps(
        &self,
        file: EntryRef<'_>,
        rules: Option<&GitRules<'_>>,
        excluded: &FolderMatches,
    ) -> Result<bool, PackagesError> {
        let path = file.path();
        let is_excluded = self.exclude.matches_leaf(path.as_bytes(), excluded)?;
        Ok(!is_excluded && !self.git_ignores(rules, &path, false))
    }

    /// The rules that `text` says for what is in `folder`.
    fn rules<'r>(
        &self,
        above: Option<&'r GitRules<'r>>,
        folder: &WorkspacePath,
        text: &[u8],
    ) -> GitRules<'r> {
        let text = String::from_utf8_lossy(text);
        let mut builder = GitignoreBuilder::new(folder.on_disk(self.snapshot.root_on_disk()));
        for line in text.trim_start_matches('\u{feff}').lines() {
            // Git passes over a line that it does not understand, too.
            let _malformed = builder.add_line(None, line).is_err();
        }
        let own = builder.build().unwrap_or_else(|_too_large| Gitignore::empty());
        GitRules { own, above }
    }

    /// Whether git ignores `path`, the folders above it not being ignored: the rules nearest to it
    /// that say something decide.
    fn git_ignores(&self, rules: Option<&GitRules<'_>>, path: &WorkspacePath, is_folder: bool) -> bool {
        let mut rules = rules;
        if rules.is_none() {
            return false;
        }
        let on_disk = self.snapshot.root_on_disk().join(OsStr::from_bytes(path.as_bytes()));
        while let Some(GitRules { own, above }) = rules {
            match own.matched(&on_disk, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => rules = *above,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn check(files: &[(&str, &str)], exclude: &[&str], expected: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let snapshot = Snapshot::of_disk(root.path()).unwrap();
        let found = find_packages(&snapshot, &PathPatterns::new(exclude).unwrap()).unwrap();
        let found: Vec<String> = found.folders.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{files:?} without {exclude:?}");
    }

    #[test]
    fn folders_with_a_build_file_are_packages() {
        check(
            &[("BUILD.toml", ""), ("a/b/BUILD.toml", ""), ("a-b/BUILD.toml", ""), ("c/x", "")],
            &[],
            &["", "a/b", "a-b"],
        );
        check(&[("a/BUILD.toml/x", "")], &[], &[]);
    }

    #[test]
    fn git_rules_are_honoured() {
        let a = ("a/BUILD.toml", "");
        check(&[a, ("b/BUILD.toml", ""), (".gitignore", "/a/\n")], &[], &["b"]);
        check(&[a, (".gitignore", "*\n")], &[], &[]);
        check(&[("x/a/BUILD.toml", ""), (".gitignore", "a\n"), ("x/.gitignore", "!a\n")], &[], &["x/a"]);
        check(&[("x/a/BUILD.toml", ""), a, ("x/.gitignore", "/a\n")], &[], &["a"]);
        check(&[a, (".git/info/exclude", "a\n")], &[], &[]);
        check(&[a, (".git/info/exclude", "a\n"), (".gitignore", "!a\n")], &[], &["a"]);
        check(&[a, (".git/a/BUILD.toml", "")], &[], &["a"]);
        check(&[a, ("BUILD.toml", ""), (".gitignore", "BUILD.toml\n")], &[], &[""]);
    }

    #[test]
    fn the_workspace_excludes_folders() {
        let files = [("BUILD.toml", ""), ("a/BUILD.toml", ""), ("a/b/BUILD.toml", ""), ("c/BUILD.toml", "")];
        check(&files, &["a/**"], &["", "c"]);
        check(&files, &["a"], &["", "c"]);
        check(&files, &["*"], &[""]);
        check(&files, &["a", "!a/b"], &["", "a/b", "c"]);
        check(&files, &["**/b"], &["", "a", "c"]);
    }
}

//! A path as it is typed in a shell, made a path of the workspace.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::types::diagnostic::Diagnostic;
use crate::types::workspace_path::WorkspacePath;

/// The path of the workspace at `root` that `typed` means to someone who stands in `directory`; both are
/// without links. `//a` means `a` of the workspace. Nothing has to be at the path.
///
/// # Errors
/// When the path lies outside of the workspace.
pub(crate) fn resolve(directory: &Path, root: &Path, typed: &Path) -> Result<WorkspacePath, Diagnostic> {
    let bytes = typed.as_os_str().as_bytes();
    let outside = || {
        let message = format!("`{}` lies outside of the workspace `{}`", typed.display(), root.display());
        Diagnostic::error(message)
            .help("a path is relative to the current folder, and one that begins with `//` to the workspace")
    };
    if bytes.starts_with(b"//") {
        return WorkspacePath::root().resolve(bytes).map_err(|_leaves| outside());
    }
    let on_disk = by_letters(&directory.join(typed));
    let below = on_disk.strip_prefix(root).map(Path::to_owned).ok();
    let below = below.or_else(|| Some(real(&on_disk)?.strip_prefix(root).ok()?.to_owned()));
    let below = below.ok_or_else(outside)?;
    WorkspacePath::root().resolve(below.as_os_str().as_bytes()).map_err(|_leaves| outside())
}

/// `path` without `.` and `..`, by its letters.
fn by_letters(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// `path` with the links followed that lead to the last of its folders that is there.
fn real(path: &Path) -> Option<PathBuf> {
    let folder =
        path.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok().map(|real| (folder, real)));
    let (folder, real) = folder?;
    Some(real.join(path.strip_prefix(folder).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(root: &Path, directory: &str, typed: &str, expected: Option<&str>) {
        let found = resolve(&root.join(directory), root, Path::new(typed));
        let found = found.ok().map(|path| path.to_string());
        assert_eq!(found.as_deref(), expected, "{typed} in {directory}");
    }

    #[test]
    fn paths_are_read_as_a_shell_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("w");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::os::unix::fs::symlink("w", folder.path().join("link")).unwrap();
        check(&root, "a", "x", Some("a/x"));
        check(&root, "a", "./b//x/", Some("a/b/x"));
        check(&root, "a", "../x", Some("x"));
        check(&root, "a", "..", Some(""));
        check(&root, "a", ".", Some("a"));
        check(&root, "a", "//b/x", Some("b/x"));
        check(&root, "a", "//", Some(""));
        check(&root, "a", "../../w/x", Some("x"));
        check(&root, "a", "../../x", None);
        check(&root, "a", "//../x", None);
        check(&root, "a", "/etc/passwd", None);
        check(&root, "a", root.join("b/x").to_str().unwrap(), Some("b/x"));
        check(&root, "a", folder.path().join("link/b/x").to_str().unwrap(), Some("b/x"));
    }
}

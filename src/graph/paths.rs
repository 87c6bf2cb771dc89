//! Paths that a `BUILD.toml` names: inside the workspace, and there.

use crate::source::read_error::ReadError;
use crate::source::snapshot::{FolderRef, Snapshot};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::span::Location;
use crate::types::workspace_path::{PathError, WorkspacePath};

/// What must be at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A file.
    File,
    /// A folder.
    Folder,
}

impl Wanted {
    fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
        }
    }
}

/// The path that `text`, written at `location` for a target of `package`, means.
///
/// # Errors
/// When it leaves the workspace, is absolute, or is empty.
pub(super) fn resolve(
    text: &str,
    package: &WorkspacePath,
    location: &Location,
) -> Result<WorkspacePath, Diagnostic> {
    if text.is_empty() {
        let diagnostic = Diagnostic::error("an empty path").at_location(location, "expected a path");
        return Err(diagnostic.help("write `.` for the package's own folder, `//` for the workspace's"));
    }
    package.resolve(text.as_bytes()).map_err(|cause| {
        let said = match cause {
            PathError::Escapes(_) => format!("a path is relative to its package, `//{package}`"),
            PathError::Malformed(_) => "expected a path inside the workspace".to_owned(),
        };
        Diagnostic::error(cause.to_string())
            .at_location(location, said)
            .help("a path that begins with `//` is relative to the workspace, any other to its package")
    })
}

/// Checks that what is wanted is at `path`.
///
/// # Errors
/// When something else is there, nothing is, or it cannot be looked at.
pub(super) fn check(
    snapshot: &Snapshot,
    path: &WorkspacePath,
    wanted: Wanted,
    location: &Location,
) -> Result<(), Diagnostic> {
    let found = match wanted {
        Wanted::Folder => snapshot.folder(path).map(|folder| folder.is_some()),
        Wanted::File => snapshot.file(path).map(|file| file.is_some()),
    };
    match found {
        Ok(true) => Ok(()),
        Ok(false) => Err(missing(snapshot, path, wanted, location)),
        Err(ReadError::Missing { .. }) => Err(missing(snapshot, path, wanted, location)),
        Err(error) => Err(Diagnostic::error(error.to_string())
            .at_location(location, format!("expected a {}", wanted.as_str()))),
    }
}

fn missing(snapshot: &Snapshot, path: &WorkspacePath, wanted: Wanted, location: &Location) -> Diagnostic {
    let message = format!("there is no {} `{path}` in the workspace", wanted.as_str());
    let diagnostic = Diagnostic::error(message).at_location(location, "nothing is there");
    match near(snapshot, path) {
        Some(near) => diagnostic.help(format!("did you mean `//{near}`?")),
        None => diagnostic,
    }
}

/// The path nearest to `path`: its first name that is not there is replaced by one that is.
fn near(snapshot: &Snapshot, path: &WorkspacePath) -> Option<WorkspacePath> {
    let mut folder = WorkspacePath::root();
    for name in path.names() {
        let listed = snapshot.folder(&folder).ok().flatten()?;
        if let Some(next) = inside(listed, name) {
            folder = folder.join_name(name);
            if !next {
                return None;
            }
            continue;
        }
        let entries = listed.entries().ok()?;
        let names: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(entry.name())).collect();
        let near = nearest(&String::from_utf8_lossy(name), names.iter().map(AsRef::as_ref))?;
        return Some(folder.join_name(near.as_bytes()));
    }
    None
}

/// Whether `name` is in `folder`, and then whether one can go on below it.
fn inside(folder: FolderRef<'_>, name: &[u8]) -> Option<bool> {
    let entry = folder.entry(name).ok().flatten()?;
    Some(entry.kind() != crate::source::stat::EntryKind::File)
}

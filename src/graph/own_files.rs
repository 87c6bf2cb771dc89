//! The files that say what a target is and how it is built: its `BUILD.toml`, its Dockerfile and the ignore files of
//! its contexts. Where they are the same on both sides of a comparison, so is what they say.
//!
//! **Invariant:** where a link is on the way to one of them, or stands in its place, it counts as another file: which
//! file is read then is not told by its path.

use super::dockerfiles::ignore_file_places;
use super::target::{BuildDefinition, Target};
use crate::source::comparison::Differences;
use crate::source::snapshot::Snapshot;
use crate::source::stat::EntryKind;
use crate::syntax::build_toml::file::FILE_NAME;
use crate::types::workspace_path::WorkspacePath;

/// What tells whether a file is the same on both sides.
#[derive(Clone, Copy)]
pub(super) struct OwnFiles<'o> {
    /// The newer side.
    pub(super) snapshot: &'o Snapshot,
    /// In what the sides differ: in nothing but files.
    pub(super) differences: &'o Differences,
}

impl OwnFiles<'_> {
    /// Whether a file of `target` may be another on the older side.
    pub(super) fn may_differ(self, target: &Target) -> bool {
        self.may_declare_otherwise(&target.label.package)
            || target.build().is_some_and(|build| self.may_be_built_otherwise(build))
    }

    /// Whether the `BUILD.toml` of `package` may be another on the older side.
    pub(super) fn may_declare_otherwise(self, package: &WorkspacePath) -> bool {
        self.may_be_another(&package.join_name(FILE_NAME.as_bytes()))
    }

    fn may_be_built_otherwise(self, build: &BuildDefinition) -> bool {
        let dockerfile = &build.dockerfile.value;
        self.may_be_another(dockerfile)
            || self.may_ignore_otherwise(&build.context.value, Some(dockerfile))
            || build.named_folders().any(|folder| self.may_ignore_otherwise(folder, None))
    }

    /// Whether another file may say what of `context` is ignored, or the context itself is elsewhere.
    fn may_ignore_otherwise(self, context: &WorkspacePath, dockerfile: Option<&WorkspacePath>) -> bool {
        let differs = |place: WorkspacePath| match self.snapshot.entry(&place) {
            // A folder of that name is no file, neither here nor, as it differs in nothing, there.
            Ok(Some(entry)) => entry.kind() == EntryKind::Link || self.has(&place),
            Ok(None) => self.has(&place),
            Err(_) => true,
        };
        !self.is_real(context, EntryKind::Folder) || ignore_file_places(context, dockerfile).any(differs)
    }

    fn may_be_another(self, path: &WorkspacePath) -> bool {
        !self.is_real(path, EntryKind::File) || self.has(path)
    }

    /// Whether `path` leads to something of that kind, over no link.
    fn is_real(self, path: &WorkspacePath, kind: EntryKind) -> bool {
        path.is_root() || matches!(self.snapshot.entry(path), Ok(Some(entry)) if entry.kind() == kind)
    }

    /// Whether `path` differs, or lies in a folder that the newer side alone has.
    fn has(self, path: &WorkspacePath) -> bool {
        let is_inside = |folder: &WorkspacePath| path.letters_below(folder).is_some();
        self.differences.has(path) || self.differences.folders.iter().any(is_inside)
    }
}

//! Both sides of a comparison, loaded, with a graph of what may differ between them.
//!
//! All targets of the newer side are loaded. The older one is loaded only where a file that is parsed differs; else
//! its targets are those of the newer side, and so is its graph. In either case only those targets get into a graph
//! that a difference may touch: to slice a Dockerfile takes far more than to see that nothing came of it.
//!
//! **Invariant:** a target that is left out has one key, whichever side is asked.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::load::Loaded;
use super::own_files::OwnFiles;
use super::side::{Asked, Choice, Read, Side};
use super::touched::{Older, touched};
use crate::source::comparison::{Comparison, Differences};
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::TargetId;
use crate::types::label::Label;
use crate::types::workspace_path::WorkspacePath;

/// Files by which it is decided what packages there are.
const DECIDING: [&[u8]; 2] = [b"BUILD.toml", b".gitignore"];
const IGNORE_FILE: &[u8] = b".dockerignore";

/// Both sides.
#[derive(Debug)]
pub struct Sides {
    /// The newer one.
    pub newer: Side,
    /// The older one; `None` where all of it is as the newer one.
    pub older: Option<Side>,
}

/// Why they are not both there.
#[derive(Debug)]
pub enum Unloadable {
    /// What is wrong with the newer one.
    Newer(Vec<Diagnostic>),
    /// What is wrong with the older one, and the newer one with all that is wanted.
    Older(Box<Side>, Vec<Diagnostic>),
}

impl Sides {
    /// Loads both sides of `comparison`, which have these `differences`.
    ///
    /// What is wrong with a Dockerfile of a target that is left out is as wrong on the other side: it is told
    /// when it cannot be parsed, and else not looked for.
    ///
    /// # Errors
    /// Everything that is wrong with the files of a side that were looked at.
    pub fn of(
        comparison: &Comparison,
        differences: &Differences,
        asked: &Asked<'_>,
    ) -> Result<Self, Unloadable> {
        let mut newer = Choice::of(&comparison.head, asked).map_err(Unloadable::Newer)?;
        let same_places = OnceLock::new();
        let has_the_same_places = |loaded: &Loaded| {
            has_the_same_dockerfiles(loaded, differences)
                && has_its_places_in(comparison, loaded, differences)
        };
        // What the snapshot has read decides: the texts of the targets first, and at last all that a graph is made of.
        let has_same = |loaded: &Loaded| {
            has_the_same_texts(comparison, loaded, differences)
                && !differences.paths.iter().any(is_ignore_file)
                && *same_places.get_or_init(|| has_the_same_places(loaded))
        };
        let loaded = &newer.loaded;
        let (mut read, is_same) = rayon::join(|| Read::new(&comparison.head, loaded), || has_same(loaded));
        if newer.unknown.is_empty() && is_same {
            let materials = read.materials(loaded);
            let targets = touched(materials, &comparison.head, &newer.targets, differences, None);
            if has_same(loaded) {
                let newer_side = newer.part(read, &targets).map_err(Unloadable::Newer)?;
                if has_same(&newer_side.loaded) {
                    return Ok(Self { newer: newer_side, older: None });
                }
                (newer, read) = newer_side.without_graph(asked);
            }
        }
        Pair { comparison, differences, newer, read }.with_older(asked)
    }
}

/// The newer side, and what the older one is to be compared in.
struct Pair<'p> {
    comparison: &'p Comparison,
    differences: &'p Differences,
    newer: Choice<'p>,
    read: Read,
}

/// Those targets of either side that may differ, or are on one of them alone.
struct Parts {
    newer: Vec<TargetId>,
    older: Vec<TargetId>,
}

impl<'p> Pair<'p> {
    fn with_older(self, asked: &'p Asked<'p>) -> Result<Sides, Unloadable> {
        let older = if self.has_the_same_targets() {
            self.newer.clone()
        } else {
            match Choice::of(&self.comparison.base, asked) {
                Ok(older) => older,
                Err(wrong) => return Err(self.broken(wrong)),
            }
        };
        let read = Read::new(&self.comparison.base, &older.loaded);
        let Some(parts) = self.parts(&older, &read) else {
            return match older.whole(read) {
                Ok(older) => {
                    let newer = self.newer.whole(self.read).map_err(Unloadable::Newer)?;
                    Ok(Sides { newer, older: Some(older) })
                }
                Err(wrong) => Err(self.broken(wrong)),
            };
        };
        match older.part(read, &parts.older) {
            Ok(older) => {
                let newer = self.newer.part(self.read, &parts.newer).map_err(Unloadable::Newer)?;
                Ok(Sides { newer, older: Some(older) })
            }
            Err(wrong) => Err(self.broken(wrong)),
        }
    }

    /// Whether the older side is sure to have the very targets of the newer one, whatever is in their Dockerfiles.
    fn has_the_same_targets(&self) -> bool {
        let Self { comparison, differences, newer, .. } = self;
        has_the_same_texts(comparison, &newer.loaded, differences)
            && has_its_places_in(comparison, &newer.loaded, differences)
    }

    fn broken(self, wrong: Vec<Diagnostic>) -> Unloadable {
        match self.newer.whole(self.read) {
            Ok(newer) => Unloadable::Older(Box::new(newer), wrong),
            Err(wrong) => Unloadable::Newer(wrong),
        }
    }

    /// What may differ; `None` where it may be everything.
    fn parts(&self, older: &Choice<'_>, read: &Read) -> Option<Parts> {
        let Self { comparison: Comparison { base, head, .. }, differences, newer, .. } = self;
        let asked_git = !(newer.loaded.git.is_empty() && older.loaded.git.is_empty());
        if !differences.are_files || asked_git || head.has_dangling_text() || base.has_dangling_text() {
            return None;
        }
        // The root's file, and those that say something of the targets of other packages.
        let own = OwnFiles { snapshot: head, differences };
        let shared = newer.loaded.shared.iter().chain(&older.loaded.shared);
        let may_differ = |package: &WorkspacePath| own.may_declare_otherwise(package);
        if may_differ(&WorkspacePath::root()) || shared.into_iter().any(|package| may_differ(package)) {
            return None;
        }
        let before = Older { loaded: &older.loaded, published: &read.published };
        let materials = self.read.materials(&newer.loaded);
        let may_differ = touched(materials, head, &newer.targets, differences, Some(before));
        let wanted = Choice::labels(older);
        let mut parts: HashSet<TargetId> = may_differ.into_iter().collect();
        let label = |id: &TargetId| &newer.loaded.targets[*id].label;
        parts.extend(newer.targets.iter().filter(|id| !wanted.contains(label(id))));
        let differing: HashSet<&Label> = parts.iter().map(label).collect();
        let wanted = newer.labels();
        let is_in = |id: &&TargetId| {
            let label = &older.loaded.targets[**id].label;
            differing.contains(label) || !wanted.contains(label)
        };
        let older = older.targets.iter().filter(is_in).copied().collect();
        Some(Parts { newer: newer.targets.iter().filter(|id| parts.contains(id)).copied().collect(), older })
    }
}

/// Whether the older side is sure to have the very targets of the newer one, as far as texts were read: every
/// one of them is the same, nothing decides that there are other packages, and git was asked nothing that has another
/// answer. What the targets name is left to [`has_its_places_in`].
fn has_the_same_texts(comparison: &Comparison, loaded: &Loaded, differences: &Differences) -> bool {
    let head = &comparison.head;
    if !differences.are_files || !loaded.git.is_empty() || head.has_dangling_text() {
        return false;
    }
    let decides = |path: &WorkspacePath| {
        let name = path.file_name().unwrap_or_default();
        DECIDING.contains(&name) || head.has_read(path)
    };
    if differences.paths.iter().any(decides) {
        return false;
    }
    let texts = if differences.folders.is_empty() { Vec::new() } else { head.texts() };
    let is_inside = |text: &WorkspacePath, folder| text.strip_prefix(folder).is_some();
    !differences.folders.iter().any(|folder| texts.iter().any(|text| is_inside(text, folder)))
}

fn is_ignore_file(path: &WorkspacePath) -> bool {
    path.file_name().unwrap_or_default().ends_with(IGNORE_FILE)
}

fn has_the_same_dockerfiles(loaded: &Loaded, differences: &Differences) -> bool {
    let mut builds = loaded.targets.values().iter().filter_map(|target| target.build());
    !builds.any(|build| differences.has(&build.dockerfile.value))
}

/// Whether the older side has every file and every folder that a target of the newer one names, whatever is in
/// them.
fn has_its_places_in(comparison: &Comparison, loaded: &Loaded, differences: &Differences) -> bool {
    let Comparison { base, head, .. } = comparison;
    let builds = || loaded.targets.values().iter().filter_map(|target| target.build());
    let mut dockerfiles = builds().map(|build| &build.dockerfile.value).filter(|path| differences.has(path));
    if !dockerfiles.all(|path| base.file(path).is_ok_and(|file| file.is_some())) {
        return false;
    }
    let mut folders: Vec<&WorkspacePath> =
        builds().flat_map(|build| build.named_folders().chain([&build.context.value])).collect();
    // Those of one folder after the other are mostly the same.
    folders.dedup();
    folders.sort_unstable();
    folders.dedup();
    // Without links a folder is there as long as nothing that lies in it came.
    let may_have_come = |folder: &WorkspacePath| {
        !head.holds_no_links() || differences.has(folder) || !differences.beginning(folder, b"").is_empty()
    };
    let is_there = |folder: &WorkspacePath| base.folder(folder).is_ok_and(|folder| folder.is_some());
    folders.into_iter().all(|folder| !may_have_come(folder) || is_there(folder))
}

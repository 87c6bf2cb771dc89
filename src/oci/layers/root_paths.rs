//! Paths in a root, with symbolic links followed inside it: what a program in a container would find.
//!
//! `..` at the root stays there, and an absolute target begins at the root of the view: no path leads out.

use super::root_view::{Found, RootView};

/// How many links may be followed for one path, as Docker has it.
pub const LINKS_FOLLOWED: usize = 255;

/// The most names that may be left to look up, so that links of links do not grow without end.
const NAMES_LEFT: usize = 4096;

/// Where a path leads.
#[derive(Clone, Debug)]
pub struct Resolved<'v> {
    /// The deepest thing on the way that is there: clean, relative to the root, no link but maybe the last.
    pub existing: Box<[u8]>,
    /// What is there.
    pub found: Found<'v>,
    /// The names behind it that are not there, joined with `/`; empty when all of the path is there.
    pub rest: Box<[u8]>,
}

impl Resolved<'_> {
    /// The whole path: clean and relative to the root.
    pub fn path(&self) -> Box<[u8]> {
        let joint: &[u8] = if self.existing.is_empty() || self.rest.is_empty() { b"" } else { b"/" };
        [&*self.existing, joint, &*self.rest].concat().into()
    }

    /// Whether all of the path is there.
    pub fn is_there(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Links lead round in a circle, or there are too many of them.
    #[error("`{0}` leads through too many symbolic links")]
    Links(String),
    /// Something on the way is no folder.
    #[error("`{0}` is not a folder")]
    NoFolder(String),
}

impl RootView {
    /// Where `path` leads, which may have any form. Links on the way are followed inside the root; one at the
    /// end is followed when `follow_last`, or when a `/` comes after it.
    pub fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Resolved<'_>, PathError> {
        let too_many = || PathError::Links(String::from_utf8_lossy(path).into_owned());
        let mut pending: Vec<Vec<u8>> = names_backwards(path);
        let mut way: Vec<(Vec<u8>, Found<'_>)> = Vec::new();
        let mut missing: Vec<Vec<u8>> = Vec::new();
        let mut followed = 0;
        while let Some(name) = pending.pop() {
            let here = way.last().map_or_else(|| self.root(), |(_name, found)| found.clone());
            if name == b".." {
                // What is missing has no links, so that its names can be taken back.
                if missing.pop().is_none() {
                    way.pop();
                }
                continue;
            }
            if !missing.is_empty() {
                missing.push(name);
                continue;
            }
            if !here.is_folder() {
                return Err(PathError::NoFolder(shown(&way)));
            }
            let Some(child) = here.child(&name) else {
                missing.push(name);
                continue;
            };
            let is_last = pending.is_empty() && !path.ends_with(b"/");
            match child.link_target().filter(|_target| follow_last || !is_last) {
                Some(target) => {
                    followed += 1;
                    if followed > LINKS_FOLLOWED || pending.len() > NAMES_LEFT {
                        return Err(too_many());
                    }
                    if target.starts_with(b"/") {
                        way.clear();
                    }
                    pending.extend(names_backwards(target));
                }
                None => way.push((name, child)),
            }
        }
        let found = way.last().map_or_else(|| self.root(), |(_name, found)| found.clone());
        if !missing.is_empty() && !found.is_folder() {
            return Err(PathError::NoFolder(shown(&way)));
        }
        Ok(Resolved { existing: joined(&way).into(), found, rest: missing.join(&b'/').into() })
    }
}

fn names_backwards(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.map(<[u8]>::to_vec).rev().collect()
}

fn joined(way: &[(Vec<u8>, Found<'_>)]) -> Vec<u8> {
    way.iter().map(|(name, _found)| &**name).collect::<Vec<_>>().join(&b'/')
}

fn shown(way: &[(Vec<u8>, Found<'_>)]) -> String {
    format!("/{}", String::from_utf8_lossy(&joined(way)))
}

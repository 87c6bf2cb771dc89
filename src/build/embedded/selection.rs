//! What the sources of a `COPY` or an `ADD` name in a tree (fsutil's `copy.ResolveWildcards`).

use super::tree::{TooManyLinks, Tree, join, resolve};
use crate::syntax::shell_pattern;

/// One thing that a source names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The path as it was found: its last name is the name of a copy.
    pub written: Box<[u8]>,
    /// Where it leads.
    pub path: Box<[u8]>,
}

/// Why a source names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Nothing is there.
    #[error("`/{0}` is not there")]
    NotFound(String),
    /// The pattern cannot be read.
    #[error("`{0}` is not a pattern")]
    Malformed(String),
    /// Links lead in a circle.
    #[error(transparent)]
    Links(#[from] TooManyLinks),
}

/// What `source` names, sorted. It is clean and relative to the root; a pattern may match nothing.
///
/// # Errors
/// When a source without wildcards is not there.
pub fn select(tree: &dyn Tree, source: &[u8]) -> Result<Vec<Selected>, SelectionError> {
    let names: Vec<&[u8]> = source.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
    let plain = names.iter().position(|name| shell_pattern::has_wildcards(name)).unwrap_or(names.len());
    let (plain, patterns) = names.split_at(plain);
    let folder: Box<[u8]> = plain.join(&b'/').into();
    let mut found = Vec::new();
    if patterns.is_empty() {
        found.push(folder);
    } else {
        let folder = resolve(tree, &folder, true)?;
        below(tree, &folder, patterns, &mut found)
            .map_err(|_malformed| SelectionError::Malformed(shown(source)))?;
    }
    let select = |written: Box<[u8]>| {
        let path = resolve(tree, &written, true)?;
        match tree.node(&path) {
            Some(_) => Ok(Selected { written, path }),
            None => Err(SelectionError::NotFound(shown(&written))),
        }
    };
    found.into_iter().map(select).collect()
}

/// Adds what `patterns` match below `folder`, a pattern for each level.
fn below(
    tree: &dyn Tree,
    folder: &[u8],
    patterns: &[&[u8]],
    found: &mut Vec<Box<[u8]>>,
) -> Result<(), shell_pattern::Malformed> {
    let Some((first, rest)) = patterns.split_first() else { return Ok(()) };
    for name in tree.names(folder) {
        if !shell_pattern::matches(first, &name)? {
            continue;
        }
        let path = join(folder, &name);
        if rest.is_empty() {
            found.push(path);
        } else if tree.node(&path).is_some_and(|node| node.is_folder()) {
            below(tree, &path, rest, found)?;
        }
    }
    Ok(())
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

//! Sources of `COPY`, `ADD` and bind mounts, made into patterns with links followed.
//!
//! A source may lead through links: `COPY app` where `app` points at `build/app` needs both. BuildKit
//! asks the sender to add what links lead to (fsutil's `FollowLinks`); this does the same on a
//! snapshot, quirks included: where the last name of a prefix with wildcards matches a link, that
//! whole prefix is asked for; a link that points above the context ends at the context's root.

use std::collections::BTreeSet;

use crate::source::read_error::ReadError;
use crate::source::snapshot::FolderRef;
use crate::source::stat::EntryKind;
use crate::syntax::path_text::clean;
use crate::syntax::shell_pattern;

/// The patterns that `sources`, relative to `context`, ask for; `None` asks for everything.
///
/// # Errors
/// When a folder on the way cannot be listed or a link cannot be read.
pub fn follow_links<'t>(
    context: FolderRef<'_>,
    sources: impl IntoIterator<Item = &'t str>,
) -> Result<Option<Vec<String>>, ReadError> {
    let mut links = Links { context, resolved: BTreeSet::new(), unknown: false };
    for source in sources {
        links.follow(source)?;
    }
    let everything = links.unknown || links.resolved.contains(".");
    Ok((!everything).then(|| without_nested(links.resolved)))
}

struct Links<'s> {
    context: FolderRef<'s>,
    resolved: BTreeSet<String>,
    /// A link leads to a name that no pattern can spell.
    unknown: bool,
}

impl<'s> Links<'s> {
    /// Follows `source` and what it leads to, the first link first. The list of what is left is kept
    /// here: a chain of links may be longer than the stack is deep.
    fn follow(&mut self, source: &str) -> Result<(), ReadError> {
        let mut pending = vec![source.to_owned()];
        while let Some(source) = pending.pop() {
            let found = self.step(&source)?;
            pending.extend(found.into_iter().rev());
        }
        Ok(())
    }

    /// Follows `source` up to its first link; gives where that leads.
    fn step(&mut self, source: &str) -> Result<Vec<String>, ReadError> {
        let source = clean(&format!("./{source}"));
        let mut current = String::new();
        let mut names = source.split('/').peekable();
        while let Some(name) = names.next() {
            if !current.is_empty() {
                current.push('/');
            }
            current.push_str(name);
            let targets = self.targets(&current)?;
            let last = names.peek().is_none();
            if (last || !targets.is_empty()) && !self.resolved.insert(current.clone()) {
                return Ok(Vec::new());
            }
            if !targets.is_empty() {
                let rest: Vec<&str> = names.collect();
                let rest = rest.join("/");
                return Ok(targets.iter().map(|target| format!("{target}/{rest}")).collect());
            }
        }
        Ok(Vec::new())
    }

    /// Where the links at `path` point, from the context's root.
    fn targets(&mut self, path: &str) -> Result<Vec<String>, ReadError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(entries) = self.folder(folder)? else { return Ok(Vec::new()) };
        let entries = if shell_pattern::has_wildcards(name.as_bytes()) {
            let matches = |found: &[u8]| shell_pattern::matches(name.as_bytes(), found).unwrap_or(false);
            entries.entries()?.into_iter().filter(|entry| matches(entry.name())).collect()
        } else {
            Vec::from_iter(entries.entry(name.as_bytes())?)
        };
        let mut targets = Vec::new();
        for link in entries.into_iter().filter(|entry| entry.kind() == EntryKind::Link) {
            match std::str::from_utf8(link.link_target()?) {
                Ok(target) if target.starts_with('/') => targets.push(clean(target)),
                Ok(target) => targets.push(clean(&format!("/{folder}/{target}"))),
                Err(_not_text) => self.unknown = true,
            }
        }
        Ok(targets)
    }

    /// The folder of the context at `path`, by its letters; `None` when there is none.
    fn folder(&self, path: &str) -> Result<Option<FolderRef<'s>>, ReadError> {
        let mut folder = self.context;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match folder.entry(name.as_bytes())?.and_then(|entry| entry.as_folder()) {
                Some(inner) => folder = inner,
                None => return Ok(None),
            }
        }
        Ok(Some(folder))
    }
}

/// Leaves out what lies in the path before it, as fsutil's `dedupePaths` does.
fn without_nested(sorted: BTreeSet<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for path in sorted {
        let nested = kept
            .last()
            .is_some_and(|last| path.strip_prefix(last.as_str()).is_some_and(|rest| rest.starts_with('/')));
        if !nested {
            kept.push(path);
        }
    }
    kept
}

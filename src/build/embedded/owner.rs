//! Names of users and groups, as the files of an image say.

use std::io::Read;

use super::tree::{Node, Owner, Tree, resolve};
use crate::oci::layer_entry::EntryKind;
use crate::syntax::dockerfile::go_numbers;

/// How much of `/etc/passwd` or `/etc/group` is read, in bytes. More is nobody's list of users.
const MOST: u64 = 16 << 20;

/// A user of an image, as `USER` asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Number and group.
    pub owner: Owner,
    /// Further groups that list the user, sorted.
    pub groups: Vec<u32>,
    /// The home folder; `None` where the image does not know the user.
    pub home: Option<String>,
}

/// Why there is no such user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the image has no {kind} `{name}`: {file} does not list it")]
pub struct UnknownName {
    kind: &'static str,
    name: String,
    file: &'static str,
}

/// The largest number of a user or a group: a larger one is taken for a name, and there is none.
const LARGEST: u32 = i32::MAX as u32;

/// `--chown=user[:group]`, and the user of a folder that `WORKDIR` makes (BuildKit's `readUser` of
/// `file/user_linux.go`). A number alone is also the group's; a name alone has the group of its line. A name that
/// is not listed is root: that is BuildKit's way.
///
/// # Errors
/// A name, where `tree` is `None`: there are no files in which it could be listed. Only root needs none.
pub fn owner(text: &str, tree: Option<&dyn Tree>) -> Result<Owner, UnknownName> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let group = group.filter(|group| !group.is_empty());
    let listed = |name: &str, (kind, file): (&'static str, &'static str), field: usize| {
        let Some(tree) = tree else {
            let is_root = ["", "root"].contains(&name);
            return if is_root { Ok(0) } else { Err(UnknownName { kind, name: name.to_owned(), file }) };
        };
        let lines = lines(tree, file);
        let line = lines.iter().find(|line| line.first().is_some_and(|own| own == name));
        Ok(line.and_then(|line| line.get(field)?.parse().ok()).unwrap_or(0))
    };
    let number = |text: &str| go_numbers::unsigned(text, 10).filter(|number| *number <= LARGEST);
    let uid = number(user).map_or_else(|| listed(user, USERS, 2), Ok)?;
    let gid = match (group, number(user)) {
        (Some(group), _) => number(group).map_or_else(|| listed(group, GROUPS, 2), Ok)?,
        (None, Some(number)) => number,
        (None, None) => listed(user, USERS, 3)?,
    };
    Ok(Owner { uid, gid })
}

/// The first name in `text`, user or group, that the image does not list.
pub fn unlisted<'t>(text: &'t str, tree: &dyn Tree) -> Option<&'t str> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    [(user, USERS), (group, GROUPS)]
        .into_iter()
        .find_map(|(name, file)| number_of(name, file, tree).is_err().then_some(name))
}

const USERS: (&str, &str) = ("user", "/etc/passwd");
const GROUPS: (&str, &str) = ("group", "/etc/group");

fn number_of(
    name: &str,
    (kind, file): (&'static str, &'static str),
    tree: &dyn Tree,
) -> Result<u32, UnknownName> {
    if let Some(number) = go_numbers::unsigned(name, 10) {
        return Ok(number);
    }
    if name.is_empty() {
        return Ok(0);
    }
    let lines = lines(tree, file);
    let found = lines.iter().find(|line| line.first().is_some_and(|own| own == name));
    let number = found.and_then(|line| line.get(2)).and_then(|number| number.parse().ok());
    number.ok_or_else(|| UnknownName { kind, name: name.to_owned(), file })
}

/// `USER user[:group]`, for a program that is to run (containerd's `WithUser`).
///
/// # Errors
/// When a name is not listed. Numbers need not be.
pub fn user(text: &str, tree: &dyn Tree) -> Result<User, UnknownName> {
    let (name, group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
    let name = if name.is_empty() { "0" } else { name };
    let number = go_numbers::unsigned(name, 10);
    let users = lines(tree, "/etc/passwd");
    let is_it = |line: &&Vec<String>| {
        line.first().is_some_and(|own| own == name)
            || number.is_some_and(|number| line.get(2).is_some_and(|own| own.parse() == Ok(number)))
    };
    let line = users.iter().find(is_it);
    let field = |index: usize| line.and_then(|line| line.get(index));
    let uid = field(2).and_then(|number| number.parse().ok()).or(number);
    let uid = uid.ok_or_else(|| UnknownName { kind: "user", name: name.to_owned(), file: "/etc/passwd" })?;
    let gid = match group.filter(|group| !group.is_empty()) {
        Some(group) => number_of(group, GROUPS, tree)?,
        None => field(3).and_then(|number| number.parse().ok()).unwrap_or(0),
    };
    let groups = match (group, field(0)) {
        (None, Some(name)) => groups_of(name, tree),
        _ => Vec::new(),
    };
    let home = field(5).filter(|home| !home.is_empty()).cloned();
    Ok(User { owner: Owner { uid, gid }, groups, home })
}

fn groups_of(name: &str, tree: &dyn Tree) -> Vec<u32> {
    let lists =
        |line: &&Vec<String>| line.get(3).is_some_and(|users| users.split(',').any(|user| user == name));
    let lines = lines(tree, "/etc/group");
    let numbers = lines.iter().filter(lists).filter_map(|line| line.get(2)?.parse().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The lines of a file, cut at colons; none where the tree has no such file.
fn lines(tree: &dyn Tree, file: &str) -> Vec<Vec<String>> {
    let node = resolve(tree, file.as_bytes(), true).ok().and_then(|path| tree.node(&path));
    let Some(node @ Node { kind: EntryKind::File { .. }, .. }) = node else { return Vec::new() };
    let mut text = Vec::new();
    if !node.content.open().is_ok_and(|content| content.take(MOST).read_to_end(&mut text).is_ok()) {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split(':').map(|field| field.trim().to_owned()).collect()).collect()
}

//! The trees of a checkout's index, made without asking git for one of them.
//!
//! The index lists every file of a checkout with the id of its blob, and mostly it is that of the commit that is
//! looked at, or nearly so. Of its entries the tree objects are made that git would write, and each is known by
//! the hash of its bytes, which is its id. Who wants the tree of an id finds that very tree here, or none: no
//! index is believed, and one that is old, broken or of something else is of less use and no harm.
//!
//! **Invariant:** a tree is given under the hash of its own bytes, and under no other id.

use std::fs;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::object_id::ObjectId;
use super::tree::{Mode, Tree};

/// The head of an index: a signature, a version, and how many entries there are.
const HEAD: usize = 12;

/// The facts of a file that stand before its id.
const FACTS: usize = 40;

/// Where its mode stands in these.
const MODE: usize = 24;

/// In the flags of an entry: more flags follow; both bits of the stage of a merge.
const EXTENDED: u16 = 0x4000;
const STAGE: u16 = 0x3000;

/// The trees of the index that belongs to the checkout around `folder`, with ids of `id_length` bytes. None
/// where there is no index that can be read.
pub(super) fn around(folder: &Path, id_length: usize) -> Vec<(ObjectId, Tree)> {
    let index = folder.ancestors().find_map(git_folder).and_then(|git| fs::read(git.join("index")).ok());
    index.map_or_else(Vec::new, |bytes| of(&bytes, id_length))
}

/// Where git keeps what belongs to the checkout in `folder`, should one begin there: a folder, or what a file
/// of the same name points to.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(git).ok()?;
    Some(folder.join(text.strip_prefix("gitdir: ")?.trim_end_matches('\n')))
}

/// The trees that the entries of an index make, as far as it can be read.
fn of(index: &[u8], id_length: usize) -> Vec<(ObjectId, Tree)> {
    let mut maker = Maker { id_length, ..Maker::default() };
    if let Some(mut entries) = Entries::of(index, id_length) {
        maker.open(b"");
        while let Some(entry) = entries.next() {
            // What a merge left open stands in no tree.
            if let Some((mode, id)) = entry {
                maker.add(&entries.path, mode, id);
            }
        }
    }
    maker.finish()
}

/// Reads the entries of an index, one after the other (git's `gitformat-index`).
struct Entries<'i> {
    index: &'i [u8],
    at: usize,
    left: u32,
    version: u32,
    id_length: usize,
    /// The path of the entry that was read last.
    path: Vec<u8>,
}

impl<'i> Entries<'i> {
    fn of(index: &'i [u8], id_length: usize) -> Option<Self> {
        let head = index.get(..HEAD)?.strip_prefix(b"DIRC")?;
        let (version, left) = (number(head)?, number(&head[4..])?);
        let is_known = (2..=4).contains(&version);
        is_known.then(|| Self { index, at: HEAD, left, version, id_length, path: Vec::new() })
    }

    /// The mode and the id of the next entry, neither for one in which nothing of a tree stands. `None` at the
    /// end, and where the index cannot be read any further.
    fn next(&mut self) -> Option<Option<(Mode, ObjectId)>> {
        self.left = self.left.checked_sub(1)?;
        let start = self.at;
        let mode = number(self.index.get(start + MODE..)?)?;
        let id = ObjectId::of_bytes(self.take_from(start + FACTS, self.id_length)?)?;
        let flags = self.take_from(start + FACTS + self.id_length, 2)?;
        let flags = u16::from_be_bytes([flags[0], flags[1]]);
        self.at = start + FACTS + self.id_length + if flags & EXTENDED == 0 { 2 } else { 4 };
        if self.version == 4 {
            let kept = self.path.len().checked_sub(self.take_length()?)?;
            self.path.truncate(kept);
        } else {
            self.path.clear();
        }
        let rest = self.index.get(self.at..)?;
        let name = &rest[..rest.iter().position(|byte| *byte == 0)?];
        self.path.extend_from_slice(name);
        self.at += name.len() + 1;
        if self.version != 4 {
            // One to eight zeros fill it up to a multiple of eight bytes.
            self.at = start + (self.at - start).next_multiple_of(8);
        }
        Some(Mode::of_bits(mode).filter(|_| flags & STAGE == 0).map(|mode| (mode, id)))
    }

    fn take_from(&self, at: usize, length: usize) -> Option<&'i [u8]> {
        self.index.get(at..at.checked_add(length)?)
    }

    /// A length as git packs it: seven bits a byte, and one is added for each byte that follows.
    fn take_length(&mut self) -> Option<usize> {
        let mut length = 0_usize;
        loop {
            let byte = *self.index.get(self.at)?;
            self.at += 1;
            length = length.checked_mul(128)?.checked_add(usize::from(byte & 127))?;
            if byte & 128 == 0 {
                return Some(length);
            }
            length = length.checked_add(1)?;
        }
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

/// Makes trees of paths that come in the order of an index, in which what is in a folder stands together.
#[derive(Default)]
struct Maker {
    id_length: usize,
    /// The folders that are open, the topmost first, and below them some that are to be used again.
    folders: Vec<Folder>,
    open: usize,
    /// The path of the last one of them that is open.
    path: Vec<u8>,
    made: Vec<(ObjectId, Tree)>,
}

/// A folder of which more may come.
#[derive(Default)]
struct Folder {
    /// The object that git would write.
    object: Vec<u8>,
    tree: Tree,
    /// How much of the path is that of the folder above.
    above: usize,
}

impl Maker {
    fn add(&mut self, path: &[u8], mode: Mode, id: ObjectId) {
        // A folder of which the checkout is to have nothing is one entry.
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let name = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (folder, name) = (&path[..name.saturating_sub(1)], &path[name..]);
        while self.open > 1 && !holds(&self.path, folder) {
            self.close();
        }
        self.open(folder);
        self.folders[self.open - 1].push(name, mode, id);
    }

    /// Opens what is not open yet of `folder`.
    fn open(&mut self, folder: &[u8]) {
        if self.open == 0 {
            self.push_folder(0);
        }
        while self.path.len() < folder.len() {
            let above = self.path.len();
            let begin = if above == 0 { 0 } else { above + 1 };
            let length = folder[begin..].iter().position(|byte| *byte == b'/');
            let end = length.map_or(folder.len(), |length| begin + length);
            self.path.extend_from_slice(&folder[above..end]);
            self.push_folder(above);
            if end == begin {
                // Nothing is called so, and no tree of git holds it: it goes nowhere from here.
                break;
            }
        }
    }

    fn push_folder(&mut self, above: usize) {
        if self.folders.len() == self.open {
            self.folders.push(Folder::default());
        }
        self.folders[self.open].above = above;
        self.open += 1;
    }

    /// Closes the last folder: its tree is made, and is an entry of the one above it.
    fn close(&mut self) {
        self.open -= 1;
        let folder = &mut self.folders[self.open];
        let id = hash(&folder.object, self.id_length);
        self.made.push((id, folder.tree.exact().sorted()));
        folder.tree.clear();
        folder.object.clear();
        let above = folder.above;
        if let Some(last) = self.open.checked_sub(1) {
            let begin = if above == 0 { 0 } else { above + 1 };
            let name = self.path.get(begin..).unwrap_or_default();
            self.folders[last].push(name, Mode::Folder, id);
            self.path.truncate(above);
        }
    }

    fn finish(mut self) -> Vec<(ObjectId, Tree)> {
        while self.open > 0 {
            self.close();
        }
        self.made
    }
}

impl Folder {
    fn push(&mut self, name: &[u8], mode: Mode, id: ObjectId) {
        self.object.extend_from_slice(mode.as_str().trim_start_matches('0').as_bytes());
        self.object.push(b' ');
        self.object.extend_from_slice(name);
        self.object.push(0);
        self.object.extend_from_slice(id.as_bytes());
        self.tree.push(name, mode, id);
    }
}

/// Whether `path` is `folder` or lies below it.
fn holds(folder: &[u8], path: &[u8]) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| folder.is_empty() || rest.is_empty() || rest[0] == b'/')
}

/// The id of a tree.
fn hash(object: &[u8], id_length: usize) -> ObjectId {
    fn digest<Hash: Digest>(object: &[u8]) -> Option<ObjectId> {
        let (mut digits, mut begin, mut left) = ([0; 20], 20, object.len());
        while begin == digits.len() || left > 0 {
            begin -= 1;
            digits[begin] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        let head = Hash::new().chain_update(b"tree ").chain_update(&digits[begin..]);
        ObjectId::of_bytes(&head.chain_update(b"\0").chain_update(object).finalize())
    }
    let id = if id_length == 20 { digest::<Sha1>(object) } else { digest::<Sha256>(object) };
    id.expect("the hashes of git have 20 and 32 bytes")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::process::Command;

    use super::*;

    fn git(folder: &Path, script: &str) -> String {
        let script = format!("export GIT_CONFIG_GLOBAL=/dev/null; {script}");
        let output = Command::new("sh").args(["-ec", &script]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    const FILES: &str = "mkdir -p a/b/c a-b a.d e/f && ln -s a g && touch a/b/c/x a/b/y a-b/x a.d/z e/f/n a0 && \
        echo 1 >a/x && chmod +x a/x && touch $(seq 100) a/$(printf %0300d 7 | cut -c1-200) && git add .";

    /// That every tree that git writes of the index after `script` is found in it, and nothing else is.
    fn check(hash: &str, script: &str, others: usize) {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &format!("git init -q --object-format={hash} . && {FILES} && {script}"));
        let listed = "tree=$(git write-tree) && echo $tree && git ls-tree -r -t $tree";
        let said = git(folder.path(), listed);
        let root = said.lines().next().unwrap();
        let below = said.lines().filter(|line| line.starts_with("040000"));
        let ids = below.filter_map(|line| line.split([' ', '\t']).nth(2)).chain([root]);
        let ids: Vec<ObjectId> = ids.map(|id| ObjectId::of_hex(id.as_bytes()).unwrap()).collect();
        let found = around(&folder.path().join("a/b"), root.len() / 2);
        assert_eq!(found.len(), ids.len() + others, "{script}");
        let found: HashMap<ObjectId, Tree> = found.into_iter().collect();
        for id in ids {
            let object = git(folder.path(), &format!("git cat-file tree {id} | od -An -v -tx1"));
            let object: Vec<u8> =
                object.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            assert_eq!(found.get(&id), Tree::of_object(&object, root.len() / 2).as_ref(), "{script}");
        }
    }

    #[test]
    fn the_trees_of_an_index_are_those_that_git_writes() {
        for hash in ["sha1", "sha256"] {
            check(hash, "true", 0);
            check(hash, "git update-index --index-version 4", 0);
            check(hash, "git update-index --skip-worktree 1 a/x && git update-index --index-version 3", 0);
            check(hash, "rm -r a/b && git add -A && touch later", 0);
            check(hash, "git rm -q --cached -r .", 0);
        }
    }

    #[test]
    fn a_broken_index_gives_trees_of_other_ids_or_none() {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &format!("git init -q . && {FILES}"));
        let index = fs::read(folder.path().join(".git/index")).unwrap();
        let whole = of(&index, 20);
        let root = whole.last().unwrap().0;
        for cut in (0..index.len()).step_by(7) {
            let _found = of(&index[..cut], 20);
            let mut changed = index.clone();
            changed[cut] ^= 1 << (cut % 8);
            for (id, tree) in of(&changed, 20) {
                let known = whole.iter().find(|(known, _)| *known == id);
                assert!(known.is_none_or(|(_, known)| *known == tree), "{cut}");
            }
        }
        assert!(of(&index, 32).iter().all(|(id, _)| *id != root));
        assert_eq!(of(b"", 20), []);
        let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let found = of(b"DIRC\0\0\0\x02\xff\xff\xff\xff", 20);
        assert_eq!(found.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(), [empty]);
    }

    #[test]
    fn paths_that_no_checkout_has_do_no_harm() {
        let id = ObjectId::of_bytes(&[7; 20]).unwrap();
        for paths in
            [["/", "//"], ["a//b", "a//b/c"], ["a/", "a/b/"], ["", "a"], ["a/b", "/a"], ["b/c", "a/b"]]
        {
            let mut maker = Maker { id_length: 20, ..Maker::default() };
            paths.iter().for_each(|path| maker.add(path.as_bytes(), Mode::File, id));
            assert!(!maker.finish().is_empty(), "{paths:?}");
        }
    }

    #[test]
    fn a_checkout_of_its_own_has_an_index_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let script = "git init -q one && cd one && git -c user.name=a -c user.email=b commit -q --allow-empty -m x \
            && git worktree add -q ../other && cd ../other && echo 1 >x && git add x && git write-tree";
        let tree = git(folder.path(), script);
        let found = |checkout: &str| {
            let found = around(&folder.path().join(checkout), 20);
            found.iter().any(|(id, _)| id.to_string() == tree.trim())
        };
        assert!(found("other") && !found("one"));
    }
}

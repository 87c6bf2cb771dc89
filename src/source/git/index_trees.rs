//! The trees of a checkout's index, made without asking git for one of them.
//!
//! The index lists every file of a checkout with the id of its blob, and mostly it is that of the commit that is
//! looked at, or nearly so. Of its entries the tree objects are made that git would write, and each is known by
//! the hash of its bytes, which is its id. Who wants the tree of an id finds that very tree here, or none: no
//! index is believed, and one that is old, broken or of something else is of less use and no harm.
//!
//! **Invariant:** a tree is given under the hash of its own bytes, and under no other id.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::object_id::{IdMap, LONGEST, ObjectId};
use super::tree::{Forest, Made, Mark, Mode, Tree};

/// The head of an index: a signature, a version, and how many entries there are.
const HEAD: usize = 12;

/// The facts of a file that stand before its id.
const FACTS: usize = 40;

/// Where its mode stands in these.
const MODE: usize = 24;

/// In the flags of an entry: more flags follow; both bits of the stage of a merge.
const EXTENDED: u16 = 0x4000;
const STAGE: u16 = 0x3000;

/// For so many trees room is made before they are read, whatever the index says.
const MANY: usize = 1 << 20;

/// A folder with more files makes its lists grow.
const LARGE_FOLDER: usize = 16 << 10;

/// The trees of an index.
#[derive(Debug, Default)]
pub(super) struct IndexTrees {
    forest: Forest,
    made: IdMap<Made>,
    /// The topmost tree.
    root: Option<ObjectId>,
    has_links: bool,
}

impl IndexTrees {
    /// The trees of the index that belongs to the checkout around `folder`, with ids of `id_length` bytes. None
    /// where there is no index that can be read. `seen` gets the name and the id of each file as it is read.
    pub(super) fn around(folder: &Path, id_length: usize, seen: impl FnMut(&[u8], ObjectId)) -> Self {
        Index::around(folder, id_length).map_or_else(Self::default, |index| index.trees(seen))
    }

    /// Whether it lists every file of the tree `id`, and no other.
    pub(super) fn lists(&self, id: ObjectId) -> bool {
        self.root == Some(id) && self.holds_packages(id).is_some()
    }

    /// Whether it has a link or a submodule.
    pub(super) fn has_links(&self) -> bool {
        self.has_links
    }

    /// A tree that this index made.
    pub(super) fn tree_of(&self, made: Made) -> Tree<'_> {
        self.forest.tree(made.stand)
    }

    /// The tree `id`, when the index has it.
    pub(super) fn tree(&self, id: ObjectId) -> Option<Tree<'_>> {
        Some(self.forest.tree(self.made.get(&id)?.stand))
    }

    /// Whether a package may lie in the tree `id` or below it, when that is known.
    pub(super) fn holds_packages(&self, id: ObjectId) -> Option<bool> {
        self.made.get(&id)?.holds_packages
    }

    /// How many trees it has.
    pub(super) fn len(&self) -> usize {
        self.made.len()
    }
}

/// The index of a checkout, or other bytes.
struct Index<Bytes> {
    bytes: Bytes,
    id_length: usize,
    version: u32,
    /// How many entries it says to have, which may be wrong.
    count: u32,
}

/// So much of a file is read at once.
const READ_AT_ONCE: usize = 128 << 10;

impl Index<BufReader<File>> {
    fn around(folder: &Path, id_length: usize) -> Option<Self> {
        let git = folder.ancestors().find_map(git_folder)?;
        let file = File::open(git.join("index")).ok()?;
        Self::of(BufReader::with_capacity(READ_AT_ONCE, file), id_length)
    }
}

impl<Bytes: BufRead> Index<Bytes> {
    /// What these bytes are. `None` where they are no index of a version that is known.
    fn of(mut bytes: Bytes, id_length: usize) -> Option<Self> {
        let mut head = [0; HEAD];
        bytes.read_exact(&mut head).ok()?;
        let head = head.strip_prefix(b"DIRC")?;
        let (version, count) = (number(head)?, number(&head[4..])?);
        (2..=4).contains(&version).then_some(Self { bytes, id_length, version, count })
    }

    /// The trees that its entries make, as far as it can be read.
    fn trees(self, mut seen: impl FnMut(&[u8], ObjectId)) -> IndexTrees {
        let mut maker = Maker { id_length: self.id_length, ..Maker::default() };
        // Most folders have some files.
        let files = (self.count as usize).min(MANY);
        maker.made.reserve(files / 2);
        maker.forest.reserve(2 * files);
        // Few folders have more files.
        let at_once = files.min(LARGE_FOLDER);
        maker.entries.reserve(at_once);
        maker.objects.reserve(at_once * (self.id_length + 16));
        maker.open(b"");
        let mut entries = Entries { left: self.count, index: self, path: Vec::new() };
        while let Some(entry) = entries.next() {
            // What a merge left open stands in no tree.
            if let Some((mode, id)) = entry {
                maker.add(&entries.path, mode, id);
                if matches!(mode, Mode::File | Mode::Executable) {
                    seen(name_of(&entries.path), id);
                }
            }
        }
        maker.finish()
    }
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

/// Reads the entries of an index, one after the other (git's `gitformat-index`).
struct Entries<Bytes> {
    index: Index<Bytes>,
    left: u32,
    /// The path of the entry that was read last.
    path: Vec<u8>,
}

impl<Bytes: BufRead> Entries<Bytes> {
    /// The mode and the id of the next entry, neither for one in which nothing of a tree stands. `None` at the
    /// end, and where the index cannot be read any further.
    fn next(&mut self) -> Option<Option<(Mode, ObjectId)>> {
        self.left = self.left.checked_sub(1)?;
        let mut facts = [0; FACTS + LONGEST + 2];
        let facts = &mut facts[..FACTS + self.index.id_length + 2];
        self.index.bytes.read_exact(facts).ok()?;
        let mode = number(&facts[MODE..])?;
        let (id, flags) = facts[FACTS..].split_at(self.index.id_length);
        let id = ObjectId::of_bytes(id)?;
        let flags = u16::from_be_bytes([flags[0], flags[1]]);
        let mut length = facts.len();
        if flags & EXTENDED != 0 {
            self.skip(2)?;
            length += 2;
        }
        let kept = match self.index.version {
            4 => self.path.len().checked_sub(self.take_length()?)?,
            _ => 0,
        };
        self.path.truncate(kept);
        length += self.index.bytes.read_until(0, &mut self.path).ok()?;
        if self.path.pop() != Some(0) {
            return None;
        }
        if self.index.version != 4 {
            // One to eight zeros fill it up to a multiple of eight bytes.
            self.skip(length.next_multiple_of(8) - length)?;
        }
        Some(Mode::of_bits(mode).filter(|_| flags & STAGE == 0).map(|mode| (mode, id)))
    }

    /// Passes over fewer than eight bytes.
    fn skip(&mut self, count: usize) -> Option<()> {
        self.index.bytes.read_exact(&mut [0; 8][..count]).ok()
    }

    /// A number of a variable length, as in packs: how much of the path before falls away.
    fn take_length(&mut self) -> Option<usize> {
        let mut length = 0_usize;
        loop {
            let mut byte = [0];
            self.index.bytes.read_exact(&mut byte).ok()?;
            length = length.checked_mul(128)?.checked_add(usize::from(byte[0] & 127))?;
            if byte[0] & 128 == 0 {
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
    /// The folders that are open, the topmost first. What they hold stands in one list and one text each, one
    /// folder behind the other: what is added is always of the last one.
    open: Vec<Folder>,
    /// The objects that git would write.
    objects: Vec<u8>,
    /// The same entries as a forest without trees.
    entries: Forest,
    /// The path of the last folder that is open.
    path: Vec<u8>,
    forest: Forest,
    made: IdMap<Made>,
    root: Option<ObjectId>,
    has_links: bool,
}

/// A folder of which more may come.
struct Folder {
    /// Where its object and its entries begin.
    object: usize,
    entries: Mark,
    /// How much of the path is that of the folder above.
    above: usize,
    /// Whether a package may lie in a folder that is in it, and whether all that lies in those is listed.
    holds_packages: bool,
    is_whole: bool,
}

impl Maker {
    fn add(&mut self, path: &[u8], mode: Mode, id: ObjectId) {
        // A folder of which the checkout is to have nothing is one entry.
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let name = name_of(path);
        let folder = &path[..(path.len() - name.len()).saturating_sub(1)];
        while self.open.len() > 1 && !holds(&self.path, folder) {
            self.close();
        }
        self.open(folder);
        self.push(name, mode, id, None);
        self.has_links |= matches!(mode, Mode::Link | Mode::Submodule);
        if let Some(folder) = self.open.last_mut() {
            folder.holds_packages |= mode == Mode::Submodule;
            folder.is_whole &= mode != Mode::Folder;
        }
    }

    /// Adds a name to the last folder that is open; of a folder what is known of its tree.
    fn push(&mut self, name: &[u8], mode: Mode, id: ObjectId, made: Option<Made>) {
        self.objects.extend_from_slice(mode.as_str().trim_start_matches('0').as_bytes());
        self.objects.push(b' ');
        self.objects.extend_from_slice(name);
        self.objects.push(0);
        self.objects.extend_from_slice(id.as_bytes());
        self.entries.push(name, mode, id, made);
    }

    /// Opens what is not open yet of `folder`.
    fn open(&mut self, folder: &[u8]) {
        if self.open.is_empty() {
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
        let (object, entries) = (self.objects.len(), self.entries.mark());
        self.open.push(Folder { object, entries, above, holds_packages: false, is_whole: true });
    }

    /// Closes the last folder, if one is open: its tree is made, and is an entry of the one above it.
    fn close(&mut self) {
        let Some(folder) = self.open.pop() else { return };
        let id = hash(&self.objects[folder.object..], self.id_length);
        let holds_packages = folder.holds_packages || self.entries.is_package_from(folder.entries);
        let stand = self.forest.take_from(&mut self.entries, folder.entries);
        self.objects.truncate(folder.object);
        let made = Made { stand, holds_packages: folder.is_whole.then_some(holds_packages) };
        self.made.insert(id, made);
        let begin = if folder.above == 0 { 0 } else { folder.above + 1 };
        if self.open.is_empty() {
            self.root = Some(id);
            return;
        }
        let path = std::mem::take(&mut self.path);
        self.push(path.get(begin..).unwrap_or_default(), Mode::Folder, id, Some(made));
        self.path = path;
        self.path.truncate(folder.above);
        if let Some(outer) = self.open.last_mut() {
            outer.holds_packages |= holds_packages;
            outer.is_whole &= folder.is_whole;
        }
    }

    fn finish(mut self) -> IndexTrees {
        while !self.open.is_empty() {
            self.close();
        }
        let Self { forest, made, root, has_links, .. } = self;
        IndexTrees { forest, made, root, has_links }
    }
}

/// What comes after the last slash.
fn name_of(path: &[u8]) -> &[u8] {
    &path[path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)..]
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
    use std::collections::HashSet;
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

    fn holds(tree: Tree<'_>) -> Vec<(&[u8], Mode, ObjectId)> {
        tree.entries().iter().map(|entry| (tree.name(entry), entry.mode, entry.id)).collect()
    }

    /// Whether a package may lie in the topmost folder of the index after `script`, and in its folder `a`.
    fn check_packages(script: &str, expected: [Option<bool>; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let written = "git write-tree && git write-tree --prefix=a";
        let ids = git(folder.path(), &format!("git init -q . && {FILES} && {script} && {written}"));
        let found = IndexTrees::around(folder.path(), 20, |_, _| ());
        let ids = ids.lines().map(|id| ObjectId::of_hex(id.as_bytes()).unwrap());
        assert_eq!(ids.map(|id| found.holds_packages(id)).collect::<Vec<_>>(), expected, "{script}");
    }

    #[test]
    fn packages_are_seen_in_the_folders_above_them() {
        check_packages("true", [Some(false), Some(false)]);
        check_packages("touch BUILD.toml && git add .", [Some(true), Some(false)]);
        check_packages("touch a/b/c/BUILD.toml && git add .", [Some(true), Some(true)]);
        check_packages("touch e/f/BUILD.toml && git add .", [Some(true), Some(false)]);
        let submodule = "git update-index --add --cacheinfo 160000,$(printf %040d 7),a/s";
        check_packages(submodule, [Some(true), Some(true)]);
        let sparse = "git -c user.name=a -c user.email=b commit -qm x && \
            git sparse-checkout set --cone --sparse-index a-b";
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &format!("git init -q . && {FILES} && {sparse}"));
        let found = IndexTrees::around(folder.path(), 20, |_, _| ());
        let id = git(folder.path(), "git rev-parse HEAD^{tree}");
        let id = ObjectId::of_hex(id.trim().as_bytes()).unwrap();
        assert!(found.tree(id).is_some() && found.holds_packages(id).is_none());
    }

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
        let found = IndexTrees::around(&folder.path().join("a/b"), root.len() / 2, |_, _| ());
        let distinct: HashSet<&ObjectId> = ids.iter().collect();
        assert_eq!(found.len(), distinct.len() + others, "{script}");
        for id in ids {
            let object = git(folder.path(), &format!("git cat-file tree {id} | od -An -v -tx1"));
            let object: Vec<u8> =
                object.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            let object = Forest::of_object(&object, root.len() / 2).unwrap();
            assert_eq!(holds(found.tree(id).unwrap()), holds(object.whole()), "{script}");
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
        let of = |bytes: &[u8], id_length| {
            Index::of(bytes, id_length).map_or_else(IndexTrees::default, |index| index.trees(|_, _| ()))
        };
        let whole = of(&index, 20);
        for cut in (0..index.len()).step_by(7) {
            let _found = of(&index[..cut], 20);
            let mut changed = index.clone();
            changed[cut] ^= 1 << (cut % 8);
            let found = of(&changed, 20);
            for id in found.made.keys().filter(|id| whole.tree(**id).is_some()) {
                assert_eq!(holds(found.tree(*id).unwrap()), holds(whole.tree(*id).unwrap()), "{cut}");
            }
        }
        assert!(of(&index, 32).made.keys().all(|id| whole.tree(*id).is_none()));
        assert_eq!(of(b"", 20).len(), 0);
        let found = of(b"DIRC\0\0\0\x02\xff\xff\xff\xff", 20);
        let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(found.made.keys().map(ToString::to_string).collect::<Vec<_>>(), [empty]);
    }

    #[test]
    fn paths_that_no_checkout_has_do_no_harm() {
        let id = ObjectId::of_bytes(&[7; 20]).unwrap();
        for paths in
            [["/", "//"], ["a//b", "a//b/c"], ["a/", "a/b/"], ["", "a"], ["a/b", "/a"], ["b/c", "a/b"]]
        {
            let mut maker = Maker { id_length: 20, ..Maker::default() };
            paths.iter().for_each(|path| maker.add(path.as_bytes(), Mode::File, id));
            assert!(maker.finish().len() > 0, "{paths:?}");
        }
    }

    #[test]
    fn a_checkout_of_its_own_has_an_index_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let script = "git init -q one && cd one && git -c user.name=a -c user.email=b commit -q --allow-empty -m x \
            && git worktree add -q ../other && cd ../other && echo 1 >x && git add x && git write-tree";
        let tree = git(folder.path(), script);
        let found = |checkout: &str| {
            let found = IndexTrees::around(&folder.path().join(checkout), 20, |_, _| ());
            found.made.keys().any(|id| id.to_string() == tree.trim())
        };
        assert!(found("other") && !found("one"));
    }
}

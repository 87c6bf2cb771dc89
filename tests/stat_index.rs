//! The stat index as runs use it: kept in the cache, shared by processes, compared with the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use imgraph::cache::folder::CacheFolder;
use imgraph::cache::index_file::IndexFile;
use imgraph::cache::record_file::Lookup;
use imgraph::source::snapshot::{FolderRef, Snapshot};
use imgraph::source::stat::EntryKind;

/// So long after an edit a file counts as settled, on every file system.
const SETTLED: Duration = Duration::from_millis(3100);

struct Trial {
    folder: tempfile::TempDir,
}

impl Trial {
    /// A workspace whose one target reads the file `value`.
    fn new() -> Self {
        let trial = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(trial.root()).unwrap();
        let files = [
            ("BUILD.toml", "[workspace]\n[image.app]\n"),
            ("Dockerfile", "FROM scratch\nCOPY value /\n"),
            ("value", "the value"),
        ];
        for (path, text) in files {
            fs::write(trial.root().join(path), text).unwrap();
        }
        trial
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn index(&self) -> PathBuf {
        let mut files = fs::read_dir(self.cache().join("v1/index")).unwrap();
        files.next().unwrap().unwrap().path()
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
        command.arg("-C").arg(self.root()).arg("--cache-dir").arg(self.cache());
        command.args(line.split(' ')).output().unwrap()
    }

    #[track_caller]
    fn check(&self, line: &str, code: i32, says: &str) {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!((output.status.code(), said.contains(says)), (Some(code), true), "{line}: {said}");
    }
}

/// Changes what the index says of the file with these bytes, as only a mistake in imgraph could.
fn forge(index: &Path, bytes: &[u8]) {
    let hash = *blake3::hash(bytes).as_bytes();
    let mut forged = fs::read(index).unwrap();
    let at = forged.windows(32).position(|window| window == hash).expect("the file is known");
    forged[at] ^= 1;
    let mut hasher = blake3::Hasher::new_derive_key("imgraph stat index 2");
    let checksum = *hasher.update(&forged[48..]).finalize().as_bytes();
    forged[16..48].copy_from_slice(&checksum);
    fs::write(index, forged).unwrap();
}

#[test]
fn what_is_kept_is_verified() {
    let trial = Trial::new();
    trial.check("cache verify", 0, "compared 0 folders, 0 files, 0 links: 0 wrong; 3 more are not known");
    trial.check("--no-index inputs :app", 0, "value");
    assert!(!trial.cache().exists());
    thread::sleep(SETTLED);
    trial.check("inputs :app", 0, "value");
    let written = fs::metadata(trial.index()).unwrap().modified().unwrap();
    trial.check("inputs :app", 0, "value");
    assert_eq!(fs::metadata(trial.index()).unwrap().modified().unwrap(), written, "nothing was learnt");
    trial.check("cache verify", 0, "compared 1 folders, 3 files, 0 links: 0 wrong; 0 more are not known");
    forge(&trial.index(), b"the value");
    trial.check("cache verify", 1, "value holds other bytes");
    trial.check("cache verify --format json", 1, "\"problem\": \"holds other bytes\"");
}

#[test]
fn an_index_that_cannot_be_used_is_a_warning_and_is_replaced() {
    let trial = Trial::new();
    trial.check("inputs :app", 0, "value");
    for damage in [&b""[..], b"imgraph-index 1\n", &[7; 500]] {
        fs::write(trial.index(), damage).unwrap();
        trial.check("inputs :app", 0, "is no index that this version can read");
        trial.check("--quiet inputs :app", 0, "value");
        assert!(trial.run("inputs :app").stderr.is_empty());
    }
    let mut bytes = fs::read(trial.index()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(trial.index(), bytes).unwrap();
    trial.check("inputs :app", 0, "is damaged: its checksum is wrong");
    fs::remove_dir_all(trial.cache()).unwrap();
    fs::write(trial.cache(), "a file where the folder should be").unwrap();
    trial.check("inputs :app", 0, "is a file, not a folder");
}

/// Every path with the hash of what it holds.
fn contents(folder: FolderRef<'_>) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    for entry in folder.entries().unwrap() {
        let is_file = entry.kind() == EntryKind::File;
        let hash = is_file.then(|| entry.content().unwrap().hash.to_string());
        found.push((entry.path().to_string(), hash));
        found.extend(entry.as_folder().map(contents).unwrap_or_default());
    }
    found
}

fn look(root: &Path, file: &IndexFile) -> Snapshot {
    let Lookup::Hit(bytes) = file.read() else { return Snapshot::of_disk(root).unwrap() };
    let (snapshot, damage) = Snapshot::with_index(root, bytes).unwrap();
    assert_eq!(damage, None, "a reader never sees half an index");
    snapshot
}

#[test]
fn two_writers_at_once_keep_what_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("workspace");
    for number in 0..50 {
        let inner = root.join(format!("d{}", number % 5));
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join(format!("f{number}")), format!("{number:04}")).unwrap();
    }
    thread::sleep(SETTLED);
    let cache = CacheFolder::new(&folder.path().join("cache"));
    let file = IndexFile::new(&cache, &root);
    thread::scope(|scope| {
        for writer in 0..2 {
            let (root, file) = (&root, &file);
            scope.spawn(move || {
                for round in 0..100 {
                    let edited = root.join(format!("d{writer}/f{writer}"));
                    fs::write(edited, format!("{round:04}")).unwrap();
                    let snapshot = look(root, file);
                    contents(snapshot.root());
                    if let Some(bytes) = snapshot.index() {
                        file.write(&bytes).unwrap();
                    }
                    // A new folder makes each round one that has something to write.
                    fs::create_dir_all(root.join(format!("new{writer}/{round}"))).unwrap();
                }
            });
        }
    });
    for _ in 0..2 {
        let snapshot = look(&root, &file);
        assert_eq!(contents(snapshot.root()), contents(Snapshot::of_disk(&root).unwrap().root()));
        thread::sleep(SETTLED);
        file.write(&snapshot.index().unwrap_or_else(|| fs::read(index_of(folder.path())).unwrap())).unwrap();
    }
}

fn index_of(folder: &Path) -> PathBuf {
    fs::read_dir(folder.join("cache/v1/index")).unwrap().next().unwrap().unwrap().path()
}

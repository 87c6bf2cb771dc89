//! A repository with a small workspace, in which `imgraph affected` is asked.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each user takes a part of it")]

use std::fs;
use std::path::PathBuf;

use super::history::git;
use super::program::{Outcome, run};

/// A repository with commits.
pub struct Repository {
    pub _folder: tempfile::TempDir,
    pub root: PathBuf,
}

/// A small workspace: a base that one image needs, an image and a stage beside it, and what nobody reads.
pub const SHOP: &[(&str, &str)] = &[
    (
        "BUILD.toml",
        "[workspace]\nname = \"shop\"\n[base.common]\ndockerfile = \"common.Dockerfile\"\npublishes = \"acme/common\"\n",
    ),
    ("common.Dockerfile", "FROM scratch\nCOPY lib /lib\n"),
    ("lib/one", "1\n"),
    ("api/BUILD.toml", "[image.api]\n"),
    ("api/Dockerfile", "FROM acme/common:1\nCOPY src /src\n"),
    ("api/src/main", "1\n"),
    ("web/BUILD.toml", "[image.web]\n[stage.assets]\ndockerfile = \"assets.Dockerfile\"\n"),
    ("web/Dockerfile", "FROM scratch\nCOPY page /\n"),
    ("web/assets.Dockerfile", "FROM scratch\nCOPY *.svg /\n"),
    ("web/page", "1\n"),
    ("web/logo.svg", "1\n"),
    ("docs/readme", "1\n"),
];

impl Repository {
    /// A repository whose first commit has these files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self::with_format(files, "sha1")
    }

    pub fn with_format(files: &[(&str, &str)], format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("shop");
        fs::create_dir(&root).unwrap();
        let repository = Self { _folder: folder, root };
        git(&repository.root, &["init", "-q", "-b", "main", &format!("--object-format={format}"), "."]);
        files.iter().for_each(|(path, text)| repository.write(path, text));
        repository.commit();
        repository
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn commit(&self) {
        git(&self.root, &["add", "-A"]);
        git(&self.root, &["commit", "-q", "--allow-empty", "-m", "x"]);
    }

    /// Another commit, which changes one file.
    pub fn change(&self, path: &str, text: &str) {
        self.write(path, text);
        self.commit();
    }

    /// Puts a link in the place of what is at `path`, if anything is.
    pub fn link(&self, path: &str, target: &str) {
        let path = self.root.join(path);
        // Nothing may be there.
        let _absent = fs::remove_file(&path);
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    pub fn affected(&self, arguments: &str) -> Outcome {
        run(&self.root, 120, &format!("affected {arguments}"))
    }

    /// The labels that `affected` tells.
    #[track_caller]
    pub fn check(&self, arguments: &str, expected: &[&str]) {
        let outcome = self.affected(arguments);
        let labels: Vec<&str> = outcome.stdout.lines().collect();
        assert_eq!(labels, expected, "{arguments}: {}", outcome.shown());
        assert_eq!(outcome.exit, 0, "{}", outcome.shown());
    }

    pub fn sibling(&self, name: &str) -> PathBuf {
        self.root.parent().unwrap().join(name)
    }
}

//! Cases in an engine's store, from both builders: loaded, started, and compared.
//!
//! The embedded builder makes many images in one run and writes one archive, which the engine loads; the engine's
//! own image of each case is built beside it. Few are there at a time, since each takes room.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::BY_HAND;
use crate::by_embedded;
use crate::by_engine;
use crate::case::Case;
use crate::engine::Engine;
use crate::started::{Probe, done};

/// How many images of the archive are loaded by `--load` before, too.
const LOADED_DIRECTLY: usize = 8;

/// An engine, and a cache in which the embedded builder has its bases.
pub(crate) struct Pair<'p> {
    pub(crate) engine: &'p Engine,
    pub(crate) cache: &'p Path,
    /// Before the name of everything that is put into the engine.
    pub(crate) name: String,
}

impl Pair<'_> {
    fn name_of(&self, case: &Case, builder: &str) -> String {
        format!("{}/{}:{builder}", self.name, case.label())
    }

    /// Builds the cases by the embedded builder and loads them into the engine. What it says where it refuses.
    pub(crate) fn load(&self, cases: &[Case]) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("BUILD.toml"), "[workspace]\nname = \"corpus\"\n").unwrap();
        for case in cases {
            let package = folder.path().join(case.label());
            case.write(&package.join("context"));
            let image = by_embedded::image(case, &[&self.name_of(case, "embedded")]);
            fs::write(package.join("BUILD.toml"), image).unwrap();
        }
        let archive = folder.path().join("images.tar");
        let output = format!("--output=docker-tar:{}", archive.display());
        self.build(folder.path(), cases, &["//...", &output])?;
        let directly = &cases[..cases.len().min(LOADED_DIRECTLY)];
        let labels: Vec<String> = directly.iter().map(|case| format!("//{}:case", case.label())).collect();
        let words: Vec<&str> = labels.iter().map(String::as_str).chain(["--load"]).collect();
        self.build(folder.path(), cases, &words)?;
        let names: Vec<String> = directly.iter().map(|case| self.name_of(case, "embedded")).collect();
        let before = self.inspect(&names);
        self.remove(&names);
        let taken = self.engine.run(["load", "--quiet", "--input", archive.to_str().unwrap()]);
        if !taken.status.success() {
            return Err(String::from_utf8_lossy(&taken.stderr).into_owned());
        }
        let loaded = self.inspect(&names);
        for ((name, before), loaded) in names.iter().zip(before).zip(loaded) {
            // The one is loaded as it is, and the other compressed, which an id may show.
            for field in ["RootFS", "Config"] {
                assert_eq!(before[field], loaded[field], "{name}, by --load and by its archive");
            }
        }
        Ok(())
    }

    fn build(&self, workspace: &Path, cases: &[Case], words: &[&str]) -> Result<(), String> {
        let mut command = by_embedded::command(workspace, self.cache, cases);
        let output = command.env("DOCKER_HOST", &self.engine.host).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(said.into_owned()) }
    }

    /// Builds a case by the engine. What it says where it refuses.
    pub(crate) fn keep(&self, case: &Case) -> Result<(), String> {
        by_engine::keep(self.engine, case, &self.name_of(case, "engine"))
    }

    /// What the engine's own image does otherwise than the one that was loaded: a line each. Where the engine is too
    /// old to build the case, the one that was loaded must run.
    pub(crate) fn differences(&self, probe: &Probe<'_>, case: &Case) -> Vec<String> {
        let names = ["engine", "embedded"].map(|builder| self.name_of(case, builder));
        if let Err(said) = self.keep(case) {
            let images = self.inspect(&names[1..]);
            probe.starts(&names[1], &images[0]["Config"]);
            return if case.subject == BY_HAND { Vec::new() } else { vec![said] };
        }
        let images = self.inspect(&names);
        let mut lines = Vec::new();
        let mut compare = |what: &str, expected: &Value, found: &Value| {
            if expected != found {
                lines.push(format!("{what}\n      expected {expected}\n      found    {found}"));
            }
        };
        for field in ["Architecture", "Os", "Variant", "Author", "Config"] {
            compare(field, &images[0][field], &images[1][field]);
        }
        let count = |image: &Value| Value::from(image["RootFS"]["Layers"].as_array().map_or(0, Vec::len));
        compare("layers", &count(&images[0]), &count(&images[1]));
        let [expected, found] = [0, 1].map(|at| probe.starts(&names[at], &images[at]["Config"]));
        lines.extend(said_otherwise(&expected, &found));
        lines
    }

    /// Forgets the images of these cases.
    pub(crate) fn forget(&self, cases: &[Case]) {
        let names = cases.iter().flat_map(|case| ["engine", "embedded"].map(|of| self.name_of(case, of)));
        self.remove(&names.collect::<Vec<_>>());
    }

    fn remove(&self, names: &[String]) {
        // One that was not made is not there.
        self.engine.docker().args(["image", "rm", "--force"]).args(names).output().unwrap();
    }

    fn inspect(&self, names: &[String]) -> Vec<Value> {
        let output = self.engine.docker().args(["image", "inspect"]).args(names).output().unwrap();
        done(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn said_otherwise(
    expected: &BTreeMap<&'static str, String>,
    found: &BTreeMap<&'static str, String>,
) -> Vec<String> {
    if !expected.keys().eq(found.keys()) {
        return vec![format!("started {expected:?}\n      and {found:?}")];
    }
    let mut lines = Vec::new();
    for (what, expected) in expected {
        let found = &found[what];
        let only = |one: &str, other: &str| -> Vec<String> {
            let other: Vec<&str> = other.lines().collect();
            one.lines().filter(|line| !other.contains(line)).map(str::to_owned).collect()
        };
        if expected != found {
            let (old, new) = (only(expected, found), only(found, expected));
            lines.push(format!("{what}\n      expected {old:#?}\n      found    {new:#?}"));
        }
    }
    lines
}

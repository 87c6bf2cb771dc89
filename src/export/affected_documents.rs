//! What a change touches, for other programs: a document, and a matrix of jobs for GitHub Actions.

use std::collections::BTreeSet;

use serde::Serialize;

use super::documents::{SCHEMA, text};
use crate::graph::affected::{Affected, Cause};
use crate::graph::manifest::Change;

/// How many jobs a matrix of GitHub Actions may have.
const MOST_JOBS: usize = 256;

/// How long an output of a job may be: GitHub counts a megabyte in UTF-16, and a part is left to others.
const MOST_LETTERS: usize = 400 * 1024;

/// The targets that a change touches.
#[derive(Debug, Serialize)]
pub struct AffectedDocument {
    schema: u32,
    /// The id of the older commit; `null` where it could not be looked at.
    base: Option<String>,
    /// The id of the newer commit, or `worktree`.
    head: String,
    /// Whether everything counts as affected because the base could not be looked at.
    everything: bool,
    targets: Vec<AffectedTarget>,
    /// Targets that differ in files that git ignores, and in nothing else.
    ignored: Vec<AffectedTarget>,
}

/// A target that a change touches.
#[derive(Debug, Serialize)]
struct AffectedTarget {
    label: String,
    kind: String,
    change: &'static str,
    reasons: Vec<CauseDocument>,
}

/// Why.
#[derive(Debug, Serialize)]
struct CauseDocument {
    fact: String,
    change: Change,
    old: Option<String>,
    new: Option<String>,
    /// `path:line` of the line through which the fact comes in.
    place: Option<String>,
    /// The file that differs, when it is one.
    file: Option<String>,
    /// The labels from what is needed to the target that differs by itself.
    through: Vec<String>,
}

impl AffectedDocument {
    /// The document of what differs between `base` and `head`.
    pub fn new(base: Option<String>, head: Option<String>, everything: bool, targets: &[Affected]) -> Self {
        let some = |apart: bool| targets.iter().filter(move |target| target.apart == apart).map(of_target);
        Self {
            schema: SCHEMA,
            base,
            head: head.unwrap_or_else(|| "worktree".to_owned()),
            everything,
            targets: some(false).collect(),
            ignored: some(true).collect(),
        }
    }

    /// The text, with a line end.
    pub fn text(&self) -> String {
        text(self)
    }
}

fn of_target(target: &Affected) -> AffectedTarget {
    AffectedTarget {
        label: target.label.to_string(),
        kind: target.kind.to_string(),
        change: target.change.as_str(),
        reasons: target.causes.iter().map(of_cause).collect(),
    }
}

fn of_cause(cause: &Cause) -> CauseDocument {
    CauseDocument {
        fact: cause.reason.fact.clone(),
        change: cause.reason.change,
        old: cause.reason.old.clone(),
        new: cause.reason.new.clone(),
        place: cause.place.as_ref().map(|place| place.path_line()),
        file: cause.file.as_ref().map(ToString::to_string),
        through: cause.through.iter().map(ToString::to_string).collect(),
    }
}

/// The lines for `$GITHUB_OUTPUT`: `matrix`, with a job for each target (at most 256: beyond that, each job has
/// several, whose labels are parted by spaces), and `count`, the number of targets.
///
/// # Errors
/// The number of letters, when they are more than GitHub takes.
pub fn github(targets: &[&Affected]) -> Result<String, usize> {
    #[derive(Serialize)]
    struct Job {
        label: String,
        name: String,
        kind: String,
    }
    #[derive(Serialize)]
    struct Matrix {
        include: Vec<Job>,
    }
    let in_a_job = targets.len().div_ceil(MOST_JOBS).max(1);
    let jobs = targets.len().div_ceil(in_a_job);
    let job = |(number, targets): (usize, &[&Affected])| {
        let labels: Vec<String> = targets.iter().map(|target| target.label.to_string()).collect();
        let kinds: BTreeSet<String> = targets.iter().map(|target| target.kind.to_string()).collect();
        let name = match targets {
            [target] => target.label.name.to_string(),
            _ => format!("part {} of {jobs}", number + 1),
        };
        let kinds: Vec<String> = kinds.into_iter().collect();
        Job { label: labels.join(" "), name, kind: kinds.join(" ") }
    };
    let include = targets.chunks(in_a_job).enumerate().map(job).collect();
    let matrix = serde_json::to_string(&Matrix { include }).expect("a matrix has text keys only");
    let text = format!("matrix={matrix}\ncount={}\n", targets.len());
    if text.len() > MOST_LETTERS { Err(text.len()) } else { Ok(text) }
}

/// The folders of the packages of `targets`, sorted, each once; the root's is a dot.
pub fn folders(targets: &[&Affected]) -> String {
    let folder = |target: &&Affected| match target.label.package.to_string() {
        root if root.is_empty() => ".\n".to_owned(),
        folder => format!("{folder}\n"),
    };
    targets.iter().map(folder).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::affected::TargetChange;
    use crate::graph::target::TargetKind;
    use crate::types::label::Label;
    use crate::types::workspace_path::WorkspacePath;

    fn targets(count: usize, folder: &str) -> Vec<Affected> {
        let folder = Arc::new(WorkspacePath::root().resolve(folder.as_bytes()).unwrap());
        let target = |number: usize| Affected {
            label: Label::new(Arc::clone(&folder), format!("t{number:05}").as_str()),
            kind: if number.is_multiple_of(2) { TargetKind::Image } else { TargetKind::Stage },
            change: TargetChange::Changed,
            causes: Vec::new(),
            apart: false,
        };
        (0..count).map(target).collect()
    }

    /// The jobs of a matrix.
    fn jobs(count: usize) -> Vec<serde_json::Value> {
        let targets = targets(count, "a/b");
        let text = github(&targets.iter().collect::<Vec<_>>()).unwrap();
        let (matrix, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, format!("count={count}\n"));
        let matrix: serde_json::Value =
            serde_json::from_str(matrix.strip_prefix("matrix=").unwrap()).unwrap();
        matrix["include"].as_array().unwrap().clone()
    }

    #[test]
    fn a_matrix_has_no_more_jobs_than_github_takes() {
        for (count, expected) in
            [(0, 0), (1, 1), (256, 256), (257, 129), (512, 256), (513, 171), (9_000, 250)]
        {
            let jobs = jobs(count);
            assert_eq!(jobs.len(), expected, "{count}");
            let labels: Vec<&str> =
                jobs.iter().flat_map(|job| job["label"].as_str().unwrap().split(' ')).collect();
            let all = targets(count, "a/b");
            assert_eq!(labels, all.iter().map(|target| target.label.to_string()).collect::<Vec<_>>());
        }
        assert_eq!(jobs(1)[0]["name"], "t00000");
        assert_eq!(jobs(257)[1]["name"], "part 2 of 129");
        assert_eq!(jobs(257)[1]["kind"], "image stage");
    }

    #[test]
    fn a_matrix_that_is_too_long_is_none() {
        let targets = targets(10_000, &"long/".repeat(20));
        let letters = github(&targets.iter().collect::<Vec<_>>()).unwrap_err();
        assert!(letters > MOST_LETTERS, "{letters}");
    }
}

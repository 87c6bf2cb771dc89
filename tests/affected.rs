//! `affected`, compared with building everything: random histories, keyed in full from fresh checkouts.
//!
//! Between each commit and one before it, the targets that are said to be affected must be those whose keys
//! differ, no more and no fewer. `IMGRAPH_HISTORIES` says how many histories of fifty commits are tried.

#[path = "support/history.rs"]
mod history;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use history::{Random, Tree};
use imgraph::engine::affected::{Answer, Revisions, Trouble, affected};
use imgraph::graph::affected::{Affected, Cause, TargetChange};
use imgraph::graph::key::Keyed;
use imgraph::graph::load::Options;
use imgraph::graph::node_views::NodeViews;
use imgraph::graph::side::{Asked, Side};
use imgraph::source::comparison::snapshot_of;
use imgraph::source::git::repository::Repository;
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;
use imgraph::types::platform::Platform;
use imgraph::types::workspace_path::WorkspacePath;

const COMMITS: usize = 50;

/// The keys of all targets by platform; or what is wrong.
type Keys = Result<BTreeMap<String, BTreeMap<String, String>>, String>;

/// Calls `act` with what is asked of both sides: everything.
fn with_asked<Answer>(act: impl FnOnce(&Asked<'_>) -> Answer) -> Answer {
    let (set, environment) = (BTreeMap::new(), Environment::default());
    let platform: Platform = "linux/amd64".parse().unwrap();
    let current = Arc::new(WorkspacePath::root());
    act(&Asked {
        options: Options { set: &set, environment: &environment, version: "0.1.0" },
        patterns: &["//...".to_owned()],
        current: &current,
        platforms: &[],
        build_platform: &platform,
    })
}

fn keys(snapshot: &Snapshot) -> Keys {
    let wrong = |problems: Vec<imgraph::types::diagnostic::Diagnostic>| format!("{:?}", problems[0].message);
    let side = with_asked(|asked| Side::of(snapshot, asked)).map_err(wrong)?;
    let views = NodeViews::new(&side.graph, snapshot).map_err(wrong)?;
    let keys = Keyed { graph: &side.graph, views: &views }.source_keys();
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for id in &side.graph.roots {
        let node = &side.graph.nodes[*id];
        let platforms = found.entry(node.name()).or_default();
        platforms.insert(node.platform.to_string(), keys[*id].to_string());
    }
    Ok(found)
}

fn ask(root: &Path, base: &str, head: Option<&str>) -> Result<Answer, Trouble> {
    let revisions = Revisions { base, head, merge_base: false };
    with_asked(|asked| affected(&Repository::around(root), revisions, asked))
}

/// The words for what differs: `changed //a:b`.
fn expected(before: &Keys, after: &Keys) -> Option<Vec<String>> {
    let (before, after) = (before.as_ref().ok()?, after.as_ref().ok()?);
    let mut words = Vec::new();
    for label in before.keys().chain(after.keys().filter(|label| !before.contains_key(*label))) {
        words.extend(match (before.get(label), after.get(label)) {
            (None, _) => Some(format!("added {label}")),
            (_, None) => Some(format!("removed {label}")),
            (one, other) if one != other => Some(format!("changed {label}")),
            _ => None,
        });
    }
    words.sort();
    Some(words)
}

fn said(answer: &Answer) -> Vec<String> {
    let mut words: Vec<String> =
        answer.targets.iter().map(|target| format!("{} {}", target.change.as_str(), target.label)).collect();
    words.sort();
    words
}

fn causes(answer: &Answer) -> String {
    let cause = |cause: &Cause| format!("{:?} {:?}", cause.reason, cause.through);
    let of =
        |target: &Affected| (target.label.to_string(), target.causes.iter().map(cause).collect::<Vec<_>>());
    format!("{:#?}", answer.targets.iter().map(of).collect::<Vec<_>>())
}

/// What was compared.
#[derive(Debug, Default)]
struct Count {
    compared: usize,
    differing: usize,
    broken: usize,
    /// Of what was compared, how often only those targets got a graph that the change may touch.
    in_part: usize,
}

fn check(
    seed: u64,
    trees: &[Tree],
    ids: &[String],
    known: &[Keys],
    root: &Path,
    pair: (usize, usize),
    count: &mut Count,
) {
    let (base, head) = pair;
    let answer = ask(root, &ids[base], Some(&ids[head]));
    let context = || format!("seed {seed}, {base} to {head}: {:?}", differing(&trees[base], &trees[head]));
    match (expected(&known[base], &known[head]), answer) {
        (Some(expected), Ok(answer)) => {
            assert!(answer.everything.is_none(), "{:?}\n{}", answer.everything, context());
            assert_eq!(said(&answer), expected, "{}\n{}", context(), causes(&answer));
            for target in answer.targets.iter().filter(|target| target.change == TargetChange::Changed) {
                assert!(!target.causes.is_empty(), "{} has no cause; {}", target.label, context());
                assert!(!target.apart);
            }
            count.compared += 1;
            count.differing += expected.len();
            count.in_part += usize::from(answer.looked_at.sides[0].is_part);
        }
        // What cannot be read need not be read to know that it is the same.
        (None, answer) => {
            count.broken += 1;
            if known[head].is_ok() {
                let answer = answer.unwrap_or_else(|trouble| panic!("{trouble:?}\n{}", context()));
                let all = known[head].as_ref().map_or(0, BTreeMap::len);
                assert!(answer.everything.is_some() && answer.targets.len() == all, "{}", context());
            }
        }
        (Some(_), Err(trouble)) => panic!("{trouble:?}\n{}", context()),
    }
}

fn differing<'t>(before: &'t Tree, after: &'t Tree) -> Vec<&'t String> {
    before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect()
}

/// A history of [`COMMITS`] commits, each compared with the one before it and with another one.
fn check_history(seed: u64, count: &mut Count) {
    let mut random = Random(seed);
    let mut trees = vec![history::first(&mut random)];
    while trees.len() < COMMITS {
        let mut tree = trees.last().unwrap().clone();
        history::step(&mut tree, &trees, &mut random);
        trees.push(tree);
    }
    let (folder, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = folder.path().canonicalize().unwrap();
    let format = if random.one_in(4) { "sha256" } else { "sha1" };
    let ids = history::commit_all(&root, &trees, format);
    let mut known: Vec<Keys> = Vec::new();
    let empty = Tree::new();
    let mut checked_out = &empty;
    for (number, tree) in trees.iter().enumerate() {
        let before = number.checked_sub(1).map_or(&empty, |before| &trees[before]);
        history::check_out(plain.path(), before, tree);
        known.push(keys(&Snapshot::of_disk(plain.path()).unwrap()));
        check_same_keys(seed, &root, &ids[number], &known[number]);
        if number > 0 {
            check(seed, &trees, &ids, &known, &root, (number - 1, number), count);
            let other = random.below(number);
            check(seed, &trees, &ids, &known, &root, (other, number), count);
            if random.one_in(5) {
                history::check_out(&root, checked_out, tree);
                checked_out = tree;
                check_checkout(seed, &root, &ids, &known, (other, number), &mut random);
            }
        }
    }
}

/// A commit's own keys are those of a checkout of it.
fn check_same_keys(seed: u64, root: &Path, id: &str, known: &Keys) {
    let repository = Repository::around(root);
    let snapshot = snapshot_of(&repository, &repository.commit(id).unwrap());
    let found = keys(&snapshot);
    if let (Ok(found), Ok(known)) = (&found, known) {
        assert_eq!(found, known, "seed {seed}, the keys of {id}");
    }
    assert_eq!(found.is_ok(), known.is_ok(), "seed {seed}: {found:?} {known:?}");
}

/// The checkout, whatever git's index says of it, is compared as the commit that it is of.
fn check_checkout(
    seed: u64,
    root: &Path,
    ids: &[String],
    known: &[Keys],
    (base, head): (usize, usize),
    random: &mut Random,
) {
    let staged = if random.one_in(2) { head } else { base };
    history::git(root, &["read-tree", &ids[staged]]);
    if random.one_in(3) {
        // Where git is told not to look, somebody else has to.
        history::git(
            root,
            &[
                "config",
                "alias.look-away",
                "!git ls-files -z | git update-index -z --assume-unchanged --stdin",
            ],
        );
        history::git(root, &["look-away"]);
    }
    if let Some(expected) = expected(&known[base], &known[head]) {
        let answer = ask(root, &ids[base], None).unwrap();
        assert_eq!(said(&answer), expected, "seed {seed}, {base} to the checkout of {head}, {staged} staged");
    }
}

#[test]
fn what_is_affected_is_what_has_another_key() {
    let histories = std::env::var("IMGRAPH_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(6);
    let mut count = Count::default();
    for seed in 1..=histories {
        check_history(seed, &mut count);
    }
    eprintln!("{count:?}");
    assert!(count.differing > count.compared, "most commits change something: {count:?}");
    assert!(count.in_part * 3 > count.compared, "many changes touch but a part: {count:?}");
    assert!(count.broken * 2 < count.compared, "most trees can be loaded: {count:?}");
}

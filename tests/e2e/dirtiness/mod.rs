//! What makes a target dirty, and what does not: one edit a line.
//!
//! A workspace is built once. Each case starts from the very same files, edits, and asks for the plan:
//! the targets that are not cached must be those of the case, and `explain` must name fact and place.

mod cases;
mod monorepo;

use cases::{Case, DIRTY, NOT_DIRTY};

use crate::engine::Engine;
use crate::trial::{Trial, said};

#[test]
fn edits_that_no_output_can_show_make_nothing_dirty() {
    check(&Engine::classic(), NOT_DIRTY);
}

#[test]
fn edits_that_outputs_show_make_exactly_their_targets_dirty() {
    check(&Engine::containerd(), DIRTY);
}

fn check(engine: &Engine, cases: &[Case]) {
    let trial = monorepo::built(engine);
    let mut wrong: Vec<String> = Vec::new();
    for case in cases {
        monorepo::restore(&trial);
        assert_eq!(said(&trial.plan("//...")), "", "before `{}`", case.name);
        (case.edit)(&trial);
        wrong.extend(differences(&trial, case));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is not as the case says.
fn differences(trial: &Trial, case: &Case) -> Vec<String> {
    let mut wrong = Vec::new();
    let plan = said(&trial.plan(&format!("//... {}", case.options)));
    if plan != case.dirty {
        wrong.push(format!("{}: `{}` instead of `{}`", case.name, plan, case.dirty));
    }
    for (label, facts) in case.explained {
        let explained = trial.run(&format!("explain {label} --all {}", case.options)).succeeded().stdout;
        for fact in facts.iter().filter(|fact| !explained.contains(**fact)) {
            wrong.push(format!("{}: `explain {label}` does not say `{fact}`:\n{explained}", case.name));
        }
    }
    wrong
}

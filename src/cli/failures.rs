//! What failed, told so that nothing has to be looked up: the target, the line of the Dockerfile, the
//! last lines of the log, where the whole log lies, and the command that runs it again.

use clap::ValueEnum;

use super::session::Session;
use super::summary;
use crate::engine::report::{Ended, Ending, Failure, Report};
use crate::export::documents;
use crate::graph::node::{Graph, Node};
use crate::types::label::Label;

/// The text for all failures of a run, in order of labels; empty when there is none.
pub(crate) fn text(session: &Session, graph: &Graph, report: &Report) -> String {
    let mut texts: Vec<String> = undeclared(session, graph, report);
    for (id, node, label) in documents::in_order(graph) {
        let ended = &report.nodes[id];
        if let Ending::Failed(failure) = &ended.ending {
            texts.push(one(session, label, node, ended, failure));
        }
    }
    texts.iter().map(|text| format!("\n{text}")).collect()
}

/// Failures of images that no target declares.
fn undeclared(session: &Session, graph: &Graph, report: &Report) -> Vec<String> {
    let nodes = graph.nodes.iter().filter(|(_, node)| node.label().is_none());
    let failed = nodes.filter(|(id, _)| summary::has_failed(&report.nodes[*id]));
    failed
        .filter_map(|(id, node)| match &report.nodes[id].ending {
            Ending::Failed(failure) => {
                Some(heading(session, &node.name(), failure) + &help(session, failure))
            }
            _ => None,
        })
        .collect()
}

fn one(session: &Session, label: &Label, node: &Node, ended: &Ended, failure: &Failure) -> String {
    let mut text = heading(session, &label.to_string(), failure);
    if let Some(build) = node.build() {
        text.push_str(&dockerfile_line(session, build, failure));
    }
    if !failure.log_tail.is_empty() {
        text.push_str(&tail(session, failure));
    }
    text.push_str(&help(session, failure));
    if let Some(log) = &ended.log {
        text.push_str(&format!("{} {}\n", dim(session, "the whole log:"), log.display()));
    }
    text.push_str(&format!("{} {}\n", dim(session, "run it again: "), again(session, label)));
    text
}

fn heading(session: &Session, name: &str, failure: &Failure) -> String {
    let error = if session.terminal.colour_err { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    format!("{error}: {name} failed: {}\n", failure.message)
}

fn dockerfile_line(session: &Session, build: &crate::graph::node::Build, failure: &Failure) -> String {
    let source = &build.dockerfile.source;
    let Some(line) = failure.line else { return String::new() };
    let text = source.text.lines().nth(line - 1).unwrap_or_default();
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let place = dim(session, &format!("{margin}--> {}:{line}", source.path));
    let bar = dim(session, "|");
    format!("{place}\n{margin} {bar}\n{number} {bar} {text}\n{margin} {bar}\n")
}

fn tail(session: &Session, failure: &Failure) -> String {
    let lines = failure.log_tail.iter().map(|line| format!("  {line}\n"));
    format!("{}\n{}", dim(session, "the last lines of its log:"), lines.collect::<String>())
}

fn help(session: &Session, failure: &Failure) -> String {
    failure.help.as_ref().map(|help| format!("{} {help}\n", dim(session, "help:"))).unwrap_or_default()
}

/// The command that builds the target alone, from where the user stands.
fn again(session: &Session, label: &Label) -> String {
    let directory = session.everywhere.directory.as_ref();
    let directory = directory.map(|directory| format!(" -C {}", quoted(&directory.display().to_string())));
    let set = session
        .everywhere
        .set
        .iter()
        .map(|(name, value)| format!(" --set {}", quoted(&format!("{name}={value}"))));
    let builder = session.everywhere.builder.and_then(|builder| builder.to_possible_value());
    let builder = builder.map(|builder| format!(" --builder {}", builder.get_name()));
    let (directory, builder) = (directory.unwrap_or_default(), builder.unwrap_or_default());
    format!("imgraph{directory} build{builder}{} {label}", set.collect::<String>())
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./:=@%+,".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn dim(session: &Session, text: &str) -> String {
    if session.terminal.colour_err { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
}

//! The answer of a query as text: a line for each member, or a document.
//!
//! Pictures of an answer are drawn by `graph_picture`, which knows no queries.

use std::collections::BTreeSet;

use serde::Serialize;

use super::documents::Document;
use crate::graph::query::arrange::{self, Rank};
use crate::graph::query::vertices::{Item, Vertices};

/// The members of an answer, and the order in which to show them.
pub struct Answer<'a> {
    /// The graph that was asked.
    pub vertices: &'a Vertices<'a>,
    /// The members.
    pub members: &'a BTreeSet<Item>,
    /// Whether each member is shown before what it needs, and not in order of names.
    pub users_first: bool,
}

/// What is said of each member, in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its name.
    Label,
    /// Its kind and its name.
    LabelKind,
    /// Where it is declared, its kind and its name.
    Location,
    /// The length of the shortest way to it, and its name.
    MinRank,
    /// The length of the longest way to it, and its name.
    MaxRank,
}

/// A member of an answer.
#[derive(Serialize)]
struct Member {
    label: String,
    kind: &'static str,
    /// `path:line:column`; `None` where no file names it.
    location: Option<String>,
    /// What else of the answer it needs directly.
    needs: Vec<String>,
}

impl Answer<'_> {
    /// A line for each member. Ranks are sorted by themselves.
    pub fn lines(&self, line: Line) -> String {
        let (vertices, name) = (self.vertices, |item: &Item| self.vertices.name(item));
        let lines: Vec<String> = match line {
            Line::Label => self.shown().iter().map(name).collect(),
            Line::LabelKind => {
                let text = |item: &Item| format!("{} {}", vertices.kind(item), name(item));
                self.shown().iter().map(text).collect()
            }
            Line::Location => {
                let place = |item: &Item| vertices.place(item).map_or(String::new(), |place| place + ": ");
                let text = |item: &Item| format!("{}{} {}", place(item), vertices.kind(item), name(item));
                self.shown().iter().map(text).collect()
            }
            Line::MinRank => self.ranks(Rank::Least),
            Line::MaxRank => self.ranks(Rank::Most),
        };
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// The packages of the members, a line for each. `//` is the workspace's root.
    pub fn packages(&self) -> String {
        let packages: BTreeSet<_> =
            self.members.iter().filter_map(|item| self.vertices.package(item)).collect();
        packages.iter().map(|package| format!("//{package}\n")).collect()
    }

    /// The document: always in order of names.
    pub fn document(&self) -> String {
        let vertices = self.vertices;
        let needs = |item: &Item| {
            let inside = vertices.needs_of(item).filter(|needed| self.members.contains(needed));
            inside.map(|needed| vertices.name(&needed)).collect()
        };
        let member = |item: &Item| Member {
            label: vertices.name(item),
            kind: vertices.kind(item),
            location: vertices.place(item),
            needs: needs(item),
        };
        Document::new(self.members.iter().map(member).collect()).text()
    }

    fn shown(&self) -> Vec<Item> {
        if self.users_first {
            return arrange::users_first(self.members, self.vertices);
        }
        self.members.iter().cloned().collect()
    }

    fn ranks(&self, rank: Rank) -> Vec<String> {
        let ranked = arrange::ranked(self.members, self.vertices, rank);
        ranked.iter().map(|(rank, item)| format!("{rank} {}", self.vertices.name(item))).collect()
    }
}

//! The order of an answer, and how far its members are from those that nothing in it needs.

use std::collections::{BTreeMap, BTreeSet};

use super::vertices::{Item, Vertices, vertices_of};
use super::walk;
use crate::types::ids::{DenseMap, VertexId};

/// Which way is counted to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The shortest.
    Least,
    /// The longest.
    Most,
}

/// The members, each before what it needs, directly or by way of what is not in the answer.
pub fn users_first(answer: &BTreeSet<Item>, vertices: &Vertices<'_>) -> Vec<Item> {
    let order = walk::users_first(vertices.needs()).into_iter().map(Item::Vertex);
    let files = answer.iter().filter(|item| matches!(item, Item::File(_))).cloned();
    order.filter(|item| answer.contains(item)).chain(files).collect()
}

/// The members with their ranks, by rank and then by name: the edges between members on a way to each from
/// a member that no other needs directly.
pub fn ranked(answer: &BTreeSet<Item>, vertices: &Vertices<'_>, rank: Rank) -> Vec<(usize, Item)> {
    let members: Vec<VertexId> = vertices_of(answer).collect();
    let mut is_member = DenseMap::filled(vertices.needs().len(), false);
    members.iter().for_each(|vertex| is_member[*vertex] = true);
    let mut ranks: BTreeMap<Item, usize> = BTreeMap::new();
    for item in users_first(answer, vertices) {
        let users = match &item {
            Item::Vertex(vertex) => vertices.needed_by()[*vertex].as_slice(),
            Item::File(_) => &[],
        };
        let users = users.iter().filter(|user| is_member[**user]);
        let through = users.filter_map(|user| Some(ranks.get(&Item::Vertex(*user))? + 1));
        let own = match rank {
            Rank::Least => through.min(),
            Rank::Most => through.max(),
        };
        ranks.insert(item, own.unwrap_or(0));
    }
    let mut ranked: Vec<(usize, Item)> = ranks.into_iter().map(|(item, rank)| (rank, item)).collect();
    ranked.sort();
    ranked
}

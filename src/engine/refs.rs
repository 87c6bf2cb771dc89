//! What images will be called once they are built, from files alone.
//!
//! A name is predicted only where it tells what is in the image: where the source key is part of the tag. It
//! is filled in by the same function that a build uses.
//!
//! **Invariant:** a prediction is one of the names that a build of the same files gives the image.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::lookup::content_tag;
use crate::graph::node::{Build, Graph, Node};
use crate::graph::target::{Target, TargetKind};
use crate::types::digest::SourceKey;
use crate::types::ids::{DenseMap, NodeId};
use crate::types::label::Label;
use crate::types::platform::Platform;

/// An image, and what it will be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicted {
    /// The image.
    pub target: Arc<Target>,
    /// Its name.
    pub name: PredictedName,
}

/// What an image will be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PredictedName {
    /// So: `repository:tag`.
    Known(String),
    /// No tag has the source key in it.
    NoContentTag,
    /// Otherwise for each platform.
    PerPlatform(Vec<Platform>),
}

/// What the images that were asked for will be called, each once, in order of labels.
pub fn predict(graph: &Graph, source_keys: &DenseMap<NodeId, SourceKey>) -> Vec<Predicted> {
    let mut nodes: BTreeMap<&Label, Vec<(&Node, &Build, NodeId)>> = BTreeMap::new();
    for id in &graph.roots {
        let node = &graph.nodes[*id];
        if let Some(build) = node.build().filter(|_| node.kind() == TargetKind::Image) {
            nodes.entry(&build.target.label).or_default().push((node, build, *id));
        }
    }
    let predicted = nodes.values().filter_map(|of_target| {
        let (_, build, _) = of_target.first()?;
        Some(Predicted { target: Arc::clone(&build.target), name: name(of_target, source_keys) })
    });
    predicted.collect()
}

/// The name of a target that has these nodes. Their tags are the same but for the source key.
fn name(nodes: &[(&Node, &Build, NodeId)], source_keys: &DenseMap<NodeId, SourceKey>) -> PredictedName {
    let names = nodes.iter().map(|(_, build, id)| content_tag(build, &source_keys[*id]));
    let names: BTreeSet<String> = names.flatten().collect();
    match (names.first(), names.len()) {
        (None, _) => PredictedName::NoContentTag,
        (Some(name), 1) => PredictedName::Known(name.clone()),
        _ => PredictedName::PerPlatform(nodes.iter().map(|(node, ..)| node.platform.clone()).collect()),
    }
}

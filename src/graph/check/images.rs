//! What comes from elsewhere: images by name only, and what `ADD` fetches.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::lint::{LATEST_TAG, MISSPELT_NAME, UNPINNED_BASE, UNPINNED_REMOTE};
use crate::graph::node::{Build, Dependency, External, Graph, Node, Role, Work};
use crate::graph::published::Published;
use crate::graph::slice::Reference;
use crate::graph::target::{Definition, Target};
use crate::syntax::image_reference::ImageReference;
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::ids::NodeId;
use crate::types::span::{Location, Spanned};

/// The images that no target declares and whose repositories are nearly ones that a target publishes.
pub(super) type Nearly = BTreeMap<NodeId, String>;

/// Compares each image of `graph` once, however many targets name it.
pub(super) fn nearly_published(graph: &Graph, published: &Published) -> Nearly {
    let near = |(id, node): (NodeId, &Node)| {
        let Work::External(External { reference, target: None, .. }) = &node.work else { return None };
        let parsed: ImageReference = reference.parse().ok()?;
        let repository = parsed.repository();
        let is_as_long = |known: &&str| known.len().abs_diff(repository.len()) <= 2;
        Some((id, near(&repository, published.repositories().filter(is_as_long))?.to_owned()))
    };
    graph.nodes.iter().filter_map(near).collect()
}

/// What is to be said of the images that `node` takes from elsewhere and no target declares, and of what it
/// fetches.
pub(super) fn of_build(graph: &Graph, node: &Node, build: &Build, nearly: &Nearly) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for dependency in &node.dependencies {
        if let Work::External(External { reference, target: None, .. }) = &graph.nodes[dependency.node].work {
            let place = place(build, dependency);
            let misspelt = misspelt(build, reference, dependency, nearly);
            let misspelt =
                misspelt.map(|found| found.at_location(&place, "taken for an image from elsewhere"));
            found.extend(misspelt.or_else(|| pin(reference, &place)));
        }
    }
    found.extend(build.slice.remotes.iter().map(|remote| {
        UNPINNED_REMOTE
            .says(format!("nothing says what is behind `{}`", remote.value))
            .at(&build.dockerfile.source, remote.span, "fetched at each build")
            .help("add `--checksum=sha256:…`")
    }));
    found
}

/// What is to be said of the image that `base` declares.
pub(super) fn of_base(base: &Target) -> Option<Diagnostic> {
    let Definition::External(image) = &base.definition else { return None };
    pin(&image.value, &image.location)
}

fn pin(reference: &str, place: &Location) -> Option<Diagnostic> {
    let parsed: ImageReference =
        reference.parse().ok().filter(|image: &ImageReference| image.digest.is_none())?;
    let name = parsed.familiar();
    Some(match parsed.tag.as_deref() {
        None => LATEST_TAG
            .says(format!("`{name}` has no tag, which means `latest`"))
            .at_location(place, "whatever that is")
            .help(format!("name a version and its digest: `{name}:…@sha256:…`")),
        Some("latest") => LATEST_TAG
            .says(format!("`{name}` may be any version"))
            .at_location(place, "whatever that is")
            .help(format!("name a version and its digest: `{}:…@sha256:…`", parsed.familiar_repository())),
        Some(_) => UNPINNED_BASE
            .says(format!("`{name}` may be another image tomorrow"))
            .at_location(place, "no digest pins it")
            .help(format!("write `{name}@sha256:…`")),
    })
}

/// The reference of `build` through which `dependency` comes in.
fn reference_of<'b>(build: &'b Build, dependency: &Dependency) -> Option<&'b Reference> {
    let Role::Reference { name, platform } = &dependency.role else { return None };
    build.slice.references.iter().find(|found| found.name == *name && found.platform == *platform)
}

/// Where the image is named: in the `BUILD.toml` when it is a named context.
fn place(build: &Build, dependency: &Dependency) -> Location {
    let context = reference_of(build, dependency).and_then(|reference| reference.context.as_ref());
    let context = context.and_then(|name| build.definition().contexts.get(name));
    context.map_or(&dependency.location, |context| &context.location).clone()
}

fn misspelt(build: &Build, image: &str, dependency: &Dependency, nearly: &Nearly) -> Option<Diagnostic> {
    if reference_of(build, dependency)?.context.is_some() {
        return None;
    }
    let say = |near: &str| {
        let found = MISSPELT_NAME.says(format!("`{image}` is nearly `{near}`"));
        found.help(format!("did you mean `{near}`?"))
    };
    if !image.contains(['/', ':', '@']) {
        // A stage may well be called nearly as the image that it is based on.
        let is_above = |name: &&Spanned<String>| name.span.start() < dependency.location.span.start();
        let stages = build.dockerfile.stages.iter().filter_map(|stage| stage.name.as_ref()).filter(is_above);
        let known: BTreeSet<&str> = stages
            .map(|name| name.value.as_str())
            .chain(build.definition().contexts.keys().map(String::as_str))
            .collect();
        return near(image, known).map(say);
    }
    nearly.get(&dependency.node).map(|repository| say(repository))
}

/// The one of `known` that differs from `name` by a letter, or by two of a long name. Short names are all
/// near to each other.
fn near<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let near = nearest(name, known).filter(|_| name.len() > 3)?;
    let farthest = if name.len() < 8 { 1 } else { 2 };
    (1..=farthest).contains(&strsim::damerau_levenshtein(name, near)).then_some(near)
}

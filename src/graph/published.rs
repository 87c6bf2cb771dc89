//! Which target stands behind an image reference in a Dockerfile.
//!
//! A Dockerfile that says `FROM ghcr.io/acme/base:1` means the target that publishes that repository,
//! whatever the tag; one that pins a digest means exactly that image, and nothing of ours.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::target::{BuildDefinition, Definition, Target};
use crate::source::parallel::AT_ONCE;
use crate::syntax::image_reference::ImageReference;
use crate::types::ids::{DenseMap, TargetId};
use crate::types::span::Location;

/// The targets by the repositories and references under which Dockerfiles speak of them.
#[derive(Debug, Default)]
pub struct Published {
    /// Normalised repository → those that publish it (`publishes`), or else tag it.
    repositories: HashMap<String, Claims>,
    /// Normalised reference → the external bases that declare it.
    bases: HashMap<String, Vec<(TargetId, String)>>,
}

#[derive(Debug, Default)]
struct Claims {
    publishers: Vec<TargetId>,
    taggers: Vec<TargetId>,
}

/// What a reference stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The output of a target of the workspace.
    Target(TargetId),
    /// An external base that a target declares.
    Base(TargetId),
    /// Several targets claim the repository.
    Ambiguous(Vec<TargetId>),
    /// No target has to do with it.
    Unknown,
}

impl Published {
    /// The index of `targets`.
    pub fn new(targets: &DenseMap<TargetId, Arc<Target>>) -> Self {
        let mut published = Self::default();
        let all = targets.values().par_iter().with_max_len(AT_ONCE);
        let repositories: Vec<_> = all.map(|target| repositories(target)).collect();
        for ((id, target), [publishes, tags]) in targets.iter().zip(repositories) {
            if let Definition::External(image) = &target.definition {
                published.declare(id, &image.value);
            }
            publishes.into_iter().for_each(|name| published.claim(name, |claims| &mut claims.publishers, id));
            tags.into_iter().for_each(|name| published.claim(name, |claims| &mut claims.taggers, id));
        }
        published
    }

    fn declare(&mut self, id: TargetId, text: &str) {
        if let Ok(reference) = text.parse::<ImageReference>() {
            // `FROM debian:12` means the base that pins `debian:12@sha256:…`.
            let unpinned = ImageReference { digest: None, ..reference.clone() };
            for name in [full_name(&reference), full_name(&unpinned)] {
                let declared = self.bases.entry(name).or_default();
                // Several packages may declare one base; they are ambiguous when they pin it differently.
                if declared.iter().all(|(_, other)| *other != full_name(&reference)) {
                    declared.push((id, full_name(&reference)));
                }
            }
        }
    }

    fn claim(&mut self, repository: String, list: fn(&mut Claims) -> &mut Vec<TargetId>, id: TargetId) {
        let claims = list(self.repositories.entry(repository).or_default());
        if !claims.contains(&id) {
            claims.push(id);
        }
    }

    /// The repositories that targets publish or tag, in their full form.
    pub fn repositories(&self) -> impl Iterator<Item = &str> {
        self.repositories.keys().map(String::as_str)
    }

    /// What `reference` stands for.
    pub fn meaning(&self, reference: &ImageReference) -> Meaning {
        let claims = self.repositories.get(&reference.repository()).filter(|_| reference.digest.is_none());
        if let Some(claims) = claims {
            let claimants = if claims.publishers.is_empty() { &claims.taggers } else { &claims.publishers };
            return match claimants.as_slice() {
                [one] => Meaning::Target(*one),
                several => Meaning::Ambiguous(several.to_vec()),
            };
        }
        match self.bases.get(&full_name(reference)).map(Vec::as_slice) {
            None | Some([]) => Meaning::Unknown,
            Some([(one, _)]) => Meaning::Base(*one),
            Some(several) => Meaning::Ambiguous(several.iter().map(|(id, _)| *id).collect()),
        }
    }
}

/// The repositories that `target` publishes, and those that it tags, in their full form.
fn repositories(target: &Target) -> [Vec<String>; 2] {
    let Definition::Built(build) = &target.definition else { return Default::default() };
    let repository = |text: &str| Some(text.parse::<ImageReference>().ok()?.repository());
    let publishes = build.publishes.iter().filter_map(|publishes| repository(&publishes.value));
    let tags = build.tags.iter().filter_map(|tag| repository(&tag.value.fill("source-key")));
    [publishes.collect(), tags.collect()]
}

/// Where `build` says that it publishes, or tags, the repository that a Dockerfile calls `reference`.
pub(super) fn claimed_at<'b>(build: &'b BuildDefinition, reference: &str) -> Option<&'b Location> {
    let repository_of = |text: &str| text.parse().map(|named: ImageReference| named.repository()).ok();
    let wanted = repository_of(reference)?;
    let publishes = build.publishes.iter().map(|named| (named.value.clone(), &named.location));
    let tags = build.tags.iter().map(|tag| (tag.value.fill("source-key"), &tag.location));
    let mut claims = publishes.chain(tags);
    claims.find(|(text, _)| repository_of(text).as_ref() == Some(&wanted)).map(|(_, place)| place)
}

/// `debian` and `debian:latest` are one name.
fn full_name(reference: &ImageReference) -> String {
    reference.clone().with_default_tag().to_string()
}

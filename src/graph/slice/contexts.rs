//! Named contexts, and what they stand for (BuildKit's `dockerui`).

use std::collections::{BTreeMap, BTreeSet};

use crate::syntax::image_reference::ImageReference;

/// The name of the image that holds nothing.
pub(super) const SCRATCH: &str = "scratch";

/// The named contexts that are given, by the name under which BuildKit looks for them.
#[derive(Debug)]
pub(super) struct Contexts(BTreeMap<String, String>);

impl Contexts {
    /// Takes the keys as they are given.
    pub(super) fn new(keys: &BTreeSet<String>) -> Self {
        let name = |key: &String| {
            key.parse::<ImageReference>()
                .map_or_else(|_not_an_image| key.clone(), |image| image.context_name())
        };
        Self(keys.iter().map(|key| (name(key), key.clone())).collect())
    }

    /// The key that stands for the stage `name`.
    pub(super) fn of_stage(&self, name: &str) -> Option<&String> {
        let image = self.reference(name).filter(|_| ![SCRATCH, "context"].contains(&name))?;
        self.0.get(&image.context_name())
    }

    /// The key that stands for `image`.
    pub(super) fn of_image(&self, image: &str) -> Option<&String> {
        let image = self.reference(image)?;
        self.0.get(&image.with_default_tag().context_name())
    }

    /// What `name` is as an image; `None` also where no context could stand for it.
    fn reference(&self, name: &str) -> Option<ImageReference> {
        if self.0.is_empty() { None } else { name.parse().ok() }
    }
}

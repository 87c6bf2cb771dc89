//! The images that builds are based on: finding them in the engine, and fetching them.
//!
//! A name without a digest means what BuildKit takes for it, and the two stores differ. A classic store
//! has one image under a name, and BuildKit passes it over when it is for another platform
//! (`builder-next/adapters/containerimage` of moby): then the registry's image counts, which is asked
//! for by digest. A containerd store has an index of platforms under a name, or a single image, and
//! BuildKit takes what is there whatever its platform.
//!
//! **Invariant:** no name that the user has in the engine is moved. A pull by name would do that where
//! the name stands for an image of another platform, so that one pulls by digest there.

use std::collections::{BTreeMap, BTreeSet};

use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::connection::Connection;
use super::images::{digest_of, engine_failed, inspect, tag};
use crate::build::builder::{Bases, BuildError};
use crate::syntax::image_reference::ImageReference;
use crate::types::digest::OutputDigest;
use crate::types::platform::Platform;

/// The repository of the tags by which images are found that are asked for by digest.
const PINNED: &str = "imgraph.local/pinned";
/// How many images are looked at at once.
const AT_ONCE: usize = 8;

/// Finds the images that builds are based on.
#[derive(Clone, Copy)]
pub(super) struct Finder<'f> {
    pub(super) connection: &'f Connection,
    /// What the engine itself runs on.
    pub(super) platform: &'f Platform,
    /// Whether a name stands for one image, which is for one platform.
    pub(super) is_classic: bool,
}

impl Finder<'_> {
    /// Which image each of `wanted` is, of those that the engine has.
    pub(super) async fn bases(self, wanted: &BTreeSet<(&str, &Platform)>) -> Result<Bases, BuildError> {
        let look = |(reference, platform): (&str, &Platform)| {
            let wanted = (reference.to_owned(), platform.clone());
            async move {
                let Ok(name) = wanted.0.parse::<ImageReference>() else { return Ok(None) };
                Ok(self.find(&name, &wanted.1).await?.map(|digest| (wanted, digest)))
            }
        };
        let found = stream::iter(wanted.iter().copied()).map(look).buffer_unordered(AT_ONCE);
        let found: Vec<_> = found.try_collect::<Vec<_>>().await?;
        Ok(found.into_iter().flatten().collect::<BTreeMap<_, _>>())
    }

    /// The digest of the image `reference` for `platform`, which is fetched when it is not there.
    pub(super) async fn resolve(
        self,
        reference: &str,
        platform: &Platform,
    ) -> Result<OutputDigest, BuildError> {
        let name: ImageReference = reference.parse().map_err(|error| BuildError::Failed {
            message: format!("{error}"),
            line: None,
            log_tail: Vec::new(),
        })?;
        if let Some(image) = self.find(&name, platform).await? {
            return Ok(image);
        }
        let none = || cannot_fetch(reference, &format!("there is none for {platform}"));
        let is_free = name.digest.is_some() || inspect(self.connection, &name.listed()).await?.is_none();
        if is_free && (name.digest.is_some() || platform == self.platform) {
            self.fetch(&name, platform).await?;
            return self.find(&name, platform).await?.ok_or_else(none);
        }
        let digest = self.registry_digest(&name).await?;
        let pinned = ImageReference { digest: Some(digest.to_string()), ..name };
        if self.find(&pinned, platform).await?.is_none() {
            self.fetch(&pinned, platform).await?;
            self.find(&pinned, platform).await?.ok_or_else(none)?;
        }
        Ok(digest)
    }

    /// The `ONBUILD` instructions of the image `reference` for `platform`, which is fetched when it is
    /// not there.
    pub(super) async fn triggers(
        self,
        reference: &str,
        platform: &Platform,
    ) -> Result<Vec<String>, BuildError> {
        self.resolve(reference, platform).await?;
        let name = reference.parse::<ImageReference>().ok();
        let inspected = match name {
            Some(name) => self.look(&name, platform).await?,
            None => None,
        };
        Ok(inspected.and_then(|image| image.config?.on_build).unwrap_or_default())
    }

    /// The name by which BuildKit finds an image in the engine's own store, without asking a registry.
    ///
    /// A digest alone is not enough: a classic store knows the digests of registries, which an image that
    /// was built or imported does not have, and a containerd store looks under the repository that an
    /// image came from. An image that is there therefore gets a tag made of its digest, which is the same
    /// on both stores and never moves. One that is not there keeps its name, to be fetched.
    pub(super) async fn name_for_build(
        self,
        name: &ImageReference,
        platform: &Platform,
    ) -> Result<String, BuildError> {
        let full = || name.clone().with_default_tag().to_string();
        if name.digest.is_none() {
            return Ok(full());
        }
        let Some(image) = self.find(name, platform).await? else { return Ok(full()) };
        let pinned = format!("{PINNED}:{}", image.hex());
        tag(self.connection, &image, &pinned).await?;
        Ok(pinned)
    }

    async fn find(
        self,
        name: &ImageReference,
        platform: &Platform,
    ) -> Result<Option<OutputDigest>, BuildError> {
        let image = self.look(name, platform).await?;
        image.map(|image| digest_of(image.id.as_deref().unwrap_or_default())).transpose()
    }

    /// The image that the engine has under a name, or under its digest alone.
    async fn look(
        self,
        name: &ImageReference,
        platform: &Platform,
    ) -> Result<Option<ImageInspect>, BuildError> {
        for known_as in std::iter::once(name.listed()).chain(name.digest.clone()) {
            let image = inspect(self.connection, &known_as).await?;
            if let Some(image) = image.filter(|image| !self.is_classic || is_for(image, platform)) {
                return Ok(Some(image));
            }
        }
        Ok(None)
    }

    async fn fetch(self, name: &ImageReference, platform: &Platform) -> Result<(), BuildError> {
        let options = CreateImageOptionsBuilder::new()
            .from_image(&name.listed())
            .platform(&platform.to_string())
            .build();
        let progress = self.connection.api.create_image(Some(options), None, None);
        let done = progress.try_for_each(|_progress| std::future::ready(Ok(()))).await;
        done.map_err(|error| failed_fetch(name, &error))
    }

    /// The digest that the registry gives for a name: of a manifest, or of an index over several.
    async fn registry_digest(self, name: &ImageReference) -> Result<OutputDigest, BuildError> {
        let found = self.connection.api.inspect_registry_image(&name.listed(), None).await;
        let found = found.map_err(|error| failed_fetch(name, &error))?;
        digest_of(found.descriptor.digest.as_deref().unwrap_or_default())
    }
}

/// Whether an image of a classic store is for `platform`. One that does not say what it is for is passed
/// over by BuildKit too.
fn is_for(image: &ImageInspect, platform: &Platform) -> bool {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let variant = Some(part(&image.variant)).filter(|variant| !variant.is_empty());
    let variant = variant.map_or_else(String::new, |variant| format!("/{variant}"));
    let said = format!("{}/{}{variant}", part(&image.os), part(&image.architecture));
    said.parse::<Platform>().is_ok_and(|found| found == *platform)
}

fn failed_fetch(name: &ImageReference, error: &Error) -> BuildError {
    match error {
        Error::DockerResponseServerError { message, .. } | Error::DockerStreamError { error: message } => {
            cannot_fetch(&name.familiar(), message)
        }
        error => engine_failed(&format!("cannot fetch {}", name.familiar()), error),
    }
}

fn cannot_fetch(reference: &str, reason: &str) -> BuildError {
    BuildError::Surroundings {
        message: format!("cannot fetch {reference}: {}", reason.trim()),
        help: Some("check the name and the network, or pull or build the image beforehand".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(os: &str, architecture: &str, variant: &str, platform: &str, expected: bool) {
        let text = |text: &str| Some(text.to_owned());
        let image = ImageInspect {
            os: text(os),
            architecture: text(architecture),
            variant: text(variant),
            ..ImageInspect::default()
        };
        assert_eq!(is_for(&image, &platform.parse().unwrap()), expected, "{os}/{architecture}/{variant}");
    }

    #[test]
    fn an_image_of_another_platform_is_another_image() {
        check("linux", "amd64", "", "linux/amd64", true);
        check("linux", "arm64", "v8", "linux/arm64", true);
        check("linux", "arm64", "", "linux/amd64", false);
        check("linux", "arm", "v6", "linux/arm/v7", false);
        // An `arm` without a variant is `v7`, so that BuildKit does not take it for `v6`.
        check("linux", "arm", "", "linux/arm/v6", false);
        check("linux", "arm", "", "linux/arm/v7", true);
        check("windows", "amd64", "", "linux/amd64", false);
        check("", "", "", "linux/amd64", false);
    }
}

//! The images that an engine has: listing, finding, fetching and naming them.
//!
//! An image is named by what the engine lists as its `Id`: of its configuration on a classic store, of
//! its manifest (or of the index over several) on a containerd store.

use std::collections::{BTreeSet, HashMap};

use bollard::errors::Error;
use bollard::models::{ImageInspect, ImageSummary};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptions, ListImagesOptionsBuilder, TagImageOptionsBuilder,
};
use futures_util::TryStreamExt;

use super::connection::Connection;
use super::failure;
use super::image_name::ImageName;
use crate::build::builder::{BuildError, Inventory};
use crate::types::digest::OutputDigest;
use crate::types::platform::Platform;

/// The repository of the tags by which images are found that are asked for by digest.
const PINNED: &str = "imgraph.local/pinned";

/// In bytes. The `http` crate takes addresses up to 64 KiB.
const LONGEST_FILTER: usize = 60_000;

/// Everything that the engine has, in one request.
pub(super) async fn inventory(connection: &Connection) -> Result<Inventory, BuildError> {
    list(connection, None).await
}

/// What the engine has under these references. A containerd store measures every image that it lists,
/// at some milliseconds each, so that a long list is slow; it leaves out what is not asked for before
/// that.
pub(super) async fn inventory_of(
    connection: &Connection,
    references: &BTreeSet<&str>,
) -> Result<Inventory, BuildError> {
    let mut inventory = Inventory::default();
    for patterns in requests(references) {
        let filters = HashMap::from([("reference", patterns)]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let found = list(connection, Some(options)).await?;
        inventory.digests.extend(found.digests);
        inventory.references.extend(found.references);
    }
    Ok(inventory)
}

/// Patterns for the engine's filter, as many to a request as fit into its address. A pattern is a whole
/// name with its tag, or a repository: a tagged image is listed with its digest only under that.
fn requests(references: &BTreeSet<&str>) -> Vec<Vec<String>> {
    let pattern = |name: ImageName| if name.digest().is_some() { name.repository() } else { name.listed() };
    let patterns: BTreeSet<String> =
        references.iter().filter_map(|reference| ImageName::parse(reference)).map(pattern).collect();
    let mut requests: Vec<Vec<String>> = Vec::new();
    let mut length = LONGEST_FILTER;
    for pattern in patterns {
        // Every letter may become three in an address, and so do the two quotes and the comma.
        length += 3 * (pattern.len() + 3);
        if length > LONGEST_FILTER {
            requests.push(Vec::new());
            length = 3 * (pattern.len() + 3);
        }
        requests.last_mut().expect("the first pattern begins a request").push(pattern);
    }
    requests
}

async fn list(connection: &Connection, options: Option<ListImagesOptions>) -> Result<Inventory, BuildError> {
    let images = connection.api.list_images(options).await;
    let images = images.map_err(|error| engine_failed("cannot list the images", &error))?;
    let mut inventory = Inventory::default();
    for image in &images {
        add(&mut inventory, image)?;
    }
    Ok(inventory)
}

fn add(inventory: &mut Inventory, image: &ImageSummary) -> Result<(), BuildError> {
    let digest = digest_of(&image.id)?;
    for reference in image.repo_tags.iter().chain(&image.repo_digests) {
        // `<none>:<none>` is no reference, and is how an image without a name is listed.
        if let Some(name) = ImageName::parse(reference) {
            inventory.references.insert(name.listed(), digest.clone());
        }
    }
    inventory.digests.insert(digest);
    Ok(())
}

/// Whether the image `digest` is there.
pub(super) async fn has(connection: &Connection, digest: &OutputDigest) -> Result<bool, BuildError> {
    Ok(inspect(connection, digest.as_str()).await?.is_some())
}

/// The digest of the image `reference` for `platform`, which is fetched when it is not there.
pub(super) async fn resolve(
    connection: &Connection,
    reference: &str,
    platform: &Platform,
) -> Result<OutputDigest, BuildError> {
    let name = ImageName::parse(reference).ok_or_else(|| BuildError::Failed {
        message: format!("`{reference}` is not an image reference"),
        line: None,
        log_tail: Vec::new(),
    })?;
    if let Some(image) = find(connection, &name, platform).await? {
        return Ok(image);
    }
    fetch(connection, reference, &name, platform).await?;
    let fetched = find(connection, &name, platform).await?;
    fetched.ok_or_else(|| cannot_fetch(reference, &format!("there is none for {platform}")))
}

/// The `ONBUILD` instructions of the image `reference` for `platform`, which is fetched when it is not
/// there.
pub(super) async fn triggers(
    connection: &Connection,
    reference: &str,
    platform: &Platform,
) -> Result<Vec<String>, BuildError> {
    let image = resolve(connection, reference, platform).await?;
    let inspected = inspect(connection, image.as_str()).await?;
    Ok(inspected.and_then(|image| image.config?.on_build).unwrap_or_default())
}

/// The image that the engine has under a name, or under its digest alone.
async fn find(
    connection: &Connection,
    name: &ImageName,
    platform: &Platform,
) -> Result<Option<OutputDigest>, BuildError> {
    for known_as in std::iter::once(name.listed()).chain(name.digest().map(str::to_owned)) {
        if let Some(image) = inspect(connection, &known_as).await?.filter(|image| is_for(image, platform)) {
            return digest_of(image.id.as_deref().unwrap_or_default()).map(Some);
        }
    }
    Ok(None)
}

async fn inspect(connection: &Connection, known_as: &str) -> Result<Option<ImageInspect>, BuildError> {
    match connection.api.inspect_image(known_as).await {
        Ok(image) => Ok(Some(image)),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(engine_failed(&format!("cannot look at {known_as}"), &error)),
    }
}

/// An image that does not say what it is for (an import, an index) is taken for any platform.
fn is_for(image: &ImageInspect, platform: &Platform) -> bool {
    let said = |part: &Option<String>| part.clone().filter(|part| !part.is_empty());
    let (Some(os), Some(architecture)) = (said(&image.os), said(&image.architecture)) else { return true };
    let variant = said(&image.variant).map_or_else(String::new, |variant| format!("/{variant}"));
    let found = format!("{os}/{architecture}{variant}").parse::<Platform>();
    found.is_ok_and(|found| {
        (&found.os, &found.architecture) == (&platform.os, &platform.architecture)
            && (found.variant.is_none() || platform.variant.is_none() || found.variant == platform.variant)
    })
}

async fn fetch(
    connection: &Connection,
    reference: &str,
    name: &ImageName,
    platform: &Platform,
) -> Result<(), BuildError> {
    let options =
        CreateImageOptionsBuilder::new().from_image(&name.listed()).platform(&platform.to_string()).build();
    let progress = connection.api.create_image(Some(options), None, None);
    progress.try_for_each(|_progress| std::future::ready(Ok(()))).await.map_err(|error| match error {
        Error::DockerResponseServerError { message, .. } | Error::DockerStreamError { error: message } => {
            cannot_fetch(reference, &message)
        }
        error => engine_failed(&format!("cannot fetch {reference}"), &error),
    })
}

fn cannot_fetch(reference: &str, reason: &str) -> BuildError {
    BuildError::Surroundings {
        message: format!("cannot fetch {reference}: {}", reason.trim()),
        help: Some("check the name and the network, or pull or build the image beforehand".to_owned()),
    }
}

/// Gives the image `digest` the name `name` too.
pub(super) async fn tag(
    connection: &Connection,
    digest: &OutputDigest,
    name: &str,
) -> Result<(), BuildError> {
    let parsed = ImageName::parse(name).filter(|name| name.digest().is_none());
    let parsed = parsed.ok_or_else(|| BuildError::Surroundings {
        message: format!("`{name}` cannot be the name of an image"),
        help: None,
    })?;
    let options = TagImageOptionsBuilder::new().repo(&parsed.repository()).tag(parsed.tag()).build();
    match connection.api.tag_image(digest.as_str(), Some(options)).await {
        Ok(()) => Ok(()),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Err(BuildError::Surroundings {
            message: format!("the image {digest} is gone from Docker Engine"),
            help: Some("build it again".to_owned()),
        }),
        Err(error) => Err(engine_failed(&format!("cannot name an image {name}"), &error)),
    }
}

/// The name by which BuildKit finds an image in the engine's own store, without asking a registry.
///
/// A digest alone is not enough: a classic store knows the digests of registries, which an image that
/// was built or imported does not have, and a containerd store looks under the repository that an
/// image came from. An image that is there therefore gets a tag made of its digest, which is the same
/// on both stores and never moves. One that is not there keeps its name, to be fetched.
pub(super) async fn name_for_build(
    connection: &Connection,
    name: &ImageName,
    platform: &Platform,
) -> Result<String, BuildError> {
    let Some((_, digits)) = name.digest().and_then(|digest| digest.split_once(':')) else {
        return Ok(name.full());
    };
    let Some(image) = find(connection, name, platform).await? else { return Ok(name.full()) };
    let pinned = format!("{PINNED}:{digits}");
    tag(connection, &image, &pinned).await?;
    Ok(pinned)
}

fn digest_of(id: &str) -> Result<OutputDigest, BuildError> {
    id.parse().map_err(|error| BuildError::Surroundings {
        message: format!("Docker Engine lists an image without a digest: {error}"),
        help: None,
    })
}

fn engine_failed(what: &str, error: &Error) -> BuildError {
    match error {
        Error::DockerResponseServerError { message, .. } => {
            BuildError::Surroundings { message: format!("{what}: {message}"), help: None }
        }
        error => failure::lost_connection(&format!("{what}: {error}")),
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
        check("windows", "amd64", "", "linux/amd64", false);
        check("", "", "", "linux/amd64", true);
    }

    #[test]
    fn many_references_make_few_requests() {
        let names: Vec<String> =
            (0..1000).map(|number| format!("imgraph.local/service-{number}:key")).collect();
        let references = names.iter().map(String::as_str).collect();
        let requests = requests(&references);
        assert_eq!(requests.iter().map(Vec::len).sum::<usize>(), 1000);
        assert!((2..10).contains(&requests.len()), "{}", requests.len());
        assert!(super::requests(&BTreeSet::new()).is_empty());
    }

    #[test]
    fn what_is_listed_becomes_references() {
        let id = format!("sha256:{}", "a".repeat(64));
        let image = ImageSummary {
            id: id.clone(),
            repo_tags: vec!["debian:12".to_owned(), "<none>:<none>".to_owned()],
            repo_digests: vec![format!("debian@{id}"), "<none>@<none>".to_owned()],
            ..ImageSummary::default()
        };
        let mut inventory = Inventory::default();
        add(&mut inventory, &image).unwrap();
        let references: Vec<&String> = inventory.references.keys().collect();
        assert_eq!(references, ["debian:12", &format!("debian@{id}")]);
        assert!(inventory.digests.contains(&id.parse().unwrap()));
    }
}

//! The images that an engine has: listing, looking at, and naming them.
//!
//! An image is named by what the engine lists as its `Id`: of its configuration on a classic store, of
//! its manifest (or of the index over several) on a containerd store.

use std::collections::{BTreeSet, HashMap};

use bollard::errors::Error;
use bollard::models::{ImageInspect, ImageSummary};
use bollard::query_parameters::{ListImagesOptions, ListImagesOptionsBuilder, TagImageOptionsBuilder};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::connection::Connection;
use super::failure;
use crate::build::builder::{BuildError, Inventory};
use crate::syntax::image_reference::ImageReference;
use crate::types::digest::OutputDigest;

/// So many images are looked at one by one sooner than all are listed: the one takes about a millisecond,
/// the other a tenth of a second for a thousand images.
pub(super) const FEW: usize = 48;

/// How many images are looked at at once.
const AT_ONCE: usize = 8;

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

/// As [`inventory_of`], by looking at each image.
pub(super) async fn inventory_of_few(
    connection: &Connection,
    references: &BTreeSet<&str>,
) -> Result<Inventory, BuildError> {
    let look = |reference: String| async move {
        let found = inspect(connection, &reference).await?;
        let digest = found.map(|image| digest_of(image.id.as_deref().unwrap_or_default())).transpose()?;
        Ok((reference, digest))
    };
    let names = references.iter().filter_map(|reference| reference.parse::<ImageReference>().ok());
    let names: Vec<String> = names.map(|name| name.listed()).collect();
    let found: Vec<(String, Option<OutputDigest>)> =
        stream::iter(names).map(look).buffer_unordered(AT_ONCE).try_collect().await?;
    let mut inventory = Inventory::default();
    for (reference, digest) in found {
        inventory.digests.extend(digest.clone());
        inventory.references.extend(digest.map(|digest| (reference, digest)));
    }
    Ok(inventory)
}

/// Patterns for the engine's filter, as many to a request as fit into its address. A pattern is a whole
/// name with its tag, or a repository: a tagged image is listed with its digest only under that.
fn requests(references: &BTreeSet<&str>) -> Vec<Vec<String>> {
    let pattern = |name: ImageReference| match name.digest {
        Some(_) => name.familiar_repository(),
        None => name.listed(),
    };
    let names = references.iter().filter_map(|reference| reference.parse().ok());
    let patterns: BTreeSet<String> = names.map(pattern).collect();
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
        if let Ok(name) = reference.parse::<ImageReference>() {
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

/// What the engine says of the image that it knows as `known_as`; `None` when there is none.
pub(super) async fn inspect(
    connection: &Connection,
    known_as: &str,
) -> Result<Option<ImageInspect>, BuildError> {
    match connection.api.inspect_image(known_as).await {
        Ok(image) => Ok(Some(image)),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(engine_failed(&format!("cannot look at {known_as}"), &error)),
    }
}

/// The name that an image is to have, in full.
///
/// # Errors
/// Why it cannot be one: it is malformed, or pins a digest.
pub(super) fn new_name(name: &str) -> Result<ImageReference, String> {
    match name.parse::<ImageReference>() {
        Ok(parsed) if parsed.digest.is_none() => Ok(parsed.with_default_tag()),
        Ok(_) => Err(format!("`{name}` cannot be the name of an image: it has a digest")),
        Err(error) => Err(format!("`{name}` cannot be the name of an image: {error}")),
    }
}

/// Gives the image `digest` the name `name` too.
pub(super) async fn tag(
    connection: &Connection,
    digest: &OutputDigest,
    name: &str,
) -> Result<(), BuildError> {
    let parsed = new_name(name).map_err(|message| BuildError::Surroundings { message, help: None })?;
    let repository = parsed.familiar_repository();
    let options = TagImageOptionsBuilder::new().repo(&repository).tag(parsed.tag_or_latest()).build();
    match connection.api.tag_image(digest.as_str(), Some(options)).await {
        Ok(()) => Ok(()),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Err(BuildError::Surroundings {
            message: format!("the image {digest} is gone from Docker Engine"),
            help: Some("build it again".to_owned()),
        }),
        Err(error) => Err(engine_failed(&format!("cannot name an image {name}"), &error)),
    }
}

/// The digest that the engine lists an image by.
pub(super) fn digest_of(id: &str) -> Result<OutputDigest, BuildError> {
    id.parse().map_err(|error| BuildError::Surroundings {
        message: format!("Docker Engine lists an image without a digest: {error}"),
        help: None,
    })
}

/// The error for an answer of the engine that says that something failed.
pub(super) fn engine_failed(what: &str, error: &Error) -> BuildError {
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

//! What a build is told of its contexts: names for BuildKit, and the folders behind them.
//!
//! A build has folders under names that BuildKit asks for (`context`, `dockerfile`, one for each named
//! folder) and attributes that say what a name in the Dockerfile stands for.

use std::collections::{BTreeMap, HashMap};

use super::file_sync::Served;
use crate::build::builder::{BuildError, BuildRequest, ContextSource, FileTimes};
use crate::syntax::image_reference::ImageReference;
use crate::types::platform::Platform;

/// An image that a name in the Dockerfile stands for.
#[derive(Debug)]
pub(super) struct ContextImage {
    pub(super) reference: ImageReference,
    /// The platform for which the name stands for it; `None` is the one that is built for.
    pub(super) platform: Option<Platform>,
}

/// The folders and attributes of one build.
#[derive(Debug, Default)]
pub(super) struct Contexts<'r> {
    /// What BuildKit may ask for, by the name that it asks for.
    pub(super) folders: BTreeMap<String, Served<'r>>,
    /// Images, by the attribute of the frontend that is to name them.
    pub(super) images: BTreeMap<String, ContextImage>,
    /// The other attributes of the frontend.
    pub(super) attributes: HashMap<String, String>,
}

impl<'r> Contexts<'r> {
    /// # Errors
    /// When the name or the image of a context is none.
    pub(super) fn of(request: &BuildRequest<'r>) -> Result<Self, BuildError> {
        let mut contexts = Self::default();
        let times = FileTimes::of(request.dockerfile, request.triggers);
        let main = request.context.map_or(Served::Empty, |folder| Served::Folder(folder, times));
        contexts.folders.insert("context".to_owned(), main);
        let dockerfile =
            Served::File { name: dockerfile_name(request.dockerfile_name), bytes: request.dockerfile };
        contexts.folders.insert("dockerfile".to_owned(), dockerfile);
        for (name, source) in &request.contexts {
            contexts.add(name, *source, times)?;
        }
        Ok(contexts)
    }

    fn add(&mut self, name: &str, source: ContextSource<'r>, times: FileTimes) -> Result<(), BuildError> {
        // BuildKit looks for `name::platform` before `name` (`frontend/dockerui/namedcontext.go`).
        let (image_name, platform) = name.split_once("::").map_or((name, None), |(n, p)| (n, Some(p)));
        let key = match image_name.parse::<ImageReference>() {
            Ok(image) => image.context_name(),
            Err(error) => {
                return Err(wrong(format!(
                    "`{name}` cannot be the name of a context: BuildKit takes names as images have them, and {error}"
                )));
            }
        };
        let key = platform.map_or(key.clone(), |platform| format!("{key}::{platform}"));
        let attribute = format!("context:{key}");
        if self.images.contains_key(&attribute) || self.attributes.contains_key(&attribute) {
            return Err(wrong(format!("two contexts are named `{key}`")));
        }
        match source {
            ContextSource::Image(reference) => {
                let platform = platform.and_then(|platform| platform.parse().ok());
                let reference = image(name, reference)?;
                self.images.insert(attribute, ContextImage { reference, platform });
            }
            ContextSource::Folder(folder) => {
                let local = format!("named-{key}");
                self.attributes.insert(attribute, format!("local:{local}"));
                self.folders.insert(local, Served::Folder(folder, times));
            }
        }
        Ok(())
    }
}

/// The name under which BuildKit reads the Dockerfile: its own, so that messages show it.
pub(super) fn dockerfile_name(path: &str) -> &str {
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("Dockerfile")
}

fn image(context: &str, reference: &str) -> Result<ImageReference, BuildError> {
    reference
        .parse()
        .map_err(|error| wrong(format!("the context `{context}` cannot be the image `{reference}`: {error}")))
}

fn wrong(message: String) -> BuildError {
    BuildError::Failed { message, line: None, log_tail: Vec::new() }
}

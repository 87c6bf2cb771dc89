//! `imgraph cache load`: an image of a file or a folder comes into the store of the embedded builder.
//!
//! It is to that store what `docker load` is to an engine: a base for where there is no registry.

use std::io;

use crate::cli::arguments::LoadImage;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::remote::layout::Layout;
use crate::oci::remote::store_sink::StoreSink;
use crate::oci::store::Store;
use crate::syntax::image_reference::ImageReference;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;

/// Runs the command.
pub(super) fn run(session: &Session, arguments: &LoadImage) -> Result<Exit, Exit> {
    let wrong = |message: String| session.fail(&[Diagnostic::error(message)], Exit::Usage);
    let name: ImageReference = arguments.name.parse().map_err(|error| wrong(format!("`--as`: {error}")))?;
    let platforms: Vec<String> = arguments.platform.iter().cloned().collect();
    let platform = session.platforms(&platforms)?.pop().unwrap_or_else(Session::local_platform);
    let place = session.cache_folder()?;
    let path = session.directory()?.join(&arguments.path);
    let store = Store::open(&place.join("oci"));
    let store =
        store.map_err(|error| session.fail(&[Diagnostic::error(error.to_string())], Exit::Surroundings))?;
    let load = || -> Result<BlobDigest, (String, Option<String>)> {
        let remote = |error: crate::oci::remote::error::RemoteError| (error.to_string(), error.help());
        let stored =
            |error: crate::oci::store::StoreError| (error.to_string(), error.help().map(str::to_owned));
        let scratch = tempfile::tempdir_in(&place).map_err(|error: io::Error| (error.to_string(), None))?;
        let layout = Layout::open(&path, scratch.path()).map_err(remote)?;
        let lease = store.lease().map_err(stored)?;
        let image = layout.import(
            arguments.image.as_deref(),
            &platform,
            &StoreSink(&store),
            &Cancellation::default(),
        );
        let image = image.map_err(remote)?;
        let size = store.size(&image.manifest).map_err(stored)?.unwrap_or_default();
        let media_type = oci_spec::image::MediaType::ImageManifest;
        store.name(&name.listed(), &image.manifest, media_type, size).map_err(stored)?;
        drop(lease);
        Ok(image.manifest)
    };
    let digest = load().map_err(|(message, help)| {
        let problem = Diagnostic::error(message);
        session.fail(&[help.into_iter().fold(problem, Diagnostic::help)], Exit::Surroundings)
    })?;
    terminal::result(&format!("{}  {digest}\n", name.familiar()))?;
    Ok(Exit::Done)
}

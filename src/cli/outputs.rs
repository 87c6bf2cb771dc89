//! What `--output` and `--load` ask for: the images of a build, elsewhere than in the store.
//!
//! Only what was asked for by name goes out, and only when all of it was built.

use std::io::Write;

use super::arguments::{Build, Format};
use super::exit::Exit;
use super::prepared::Prepared;
use super::session::Session;
use crate::export::documents::{BuildResult, BuildTarget};
use crate::oci::blob_digest::BlobDigest;
use crate::oci::export::archive;
use crate::oci::export::exported::{Exported, Outgoing};
use crate::oci::export::output;
use crate::oci::export::output_spec::OutputPlace;
use crate::oci::layers::compression::Compression;
use crate::oci::store::{Store, StoreError};
use crate::syntax::image_reference::ImageReference;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;

/// Whether a build has to do more than to build.
pub(crate) fn are_wanted(arguments: &Build) -> bool {
    arguments.load || !arguments.output.is_empty()
}

/// Whether the standard output is for an image.
pub(crate) fn take_standard_output(arguments: &Build) -> bool {
    arguments.output.iter().any(|spec| spec.place == OutputPlace::Standard)
}

/// Refuses several results for the one standard output.
///
/// # Errors
/// The exit code; what is wrong was shown.
pub(crate) fn check_standard_output(session: &Session, arguments: &Build) -> Result<(), Exit> {
    let images = arguments.output.iter().filter(|spec| spec.place == OutputPlace::Standard).count();
    let (what, help) = match (images, arguments.format) {
        (0, _) | (1, Format::Text) => return Ok(()),
        (_, Format::Json) => (
            "`--format json` and an `--output` to `-` are both for the standard output",
            "write the image into a file, such as `--output oci-tar:image.tar`, or leave `--format json` out",
        ),
        (_, Format::Text) => (
            "more than one `--output` to `-` is for the standard output",
            "write all of them but one into files, such as `--output oci-tar:image.tar`",
        ),
    };
    Err(session.fail(&[Diagnostic::error(what).help(help)], Exit::Usage))
}

/// Refuses outputs of a builder that has none.
///
/// # Errors
/// The exit code; what is wrong was shown.
pub(crate) fn check(session: &Session, arguments: &Build, prepared: &Prepared) -> Result<(), Exit> {
    let is_embedded = prepared.engine.as_ref().is_some_and(|engine| engine.store().is_some());
    if !are_wanted(arguments) || is_embedded {
        return Ok(());
    }
    let problem = Diagnostic::error("`--output` and `--load` are for images of the embedded builder")
        .help("add `--builder embedded`; a Docker Engine has what it built already: `docker save` writes it");
    Err(session.fail(&[problem], Exit::Usage))
}

/// Writes what is asked for.
///
/// # Errors
/// The exit code; what is wrong was shown.
pub(crate) fn write(
    session: &Session,
    arguments: &Build,
    prepared: &Prepared,
    result: &BuildResult,
    cancellation: &Cancellation,
) -> Result<(), Exit> {
    let Some((store, compressed)) = prepared.engine.as_ref().and_then(|engine| engine.store()) else {
        return Ok(());
    };
    let ready = |compression| -> Result<Vec<Exported>, Exit> {
        let ready: Result<Vec<Exported>, StoreError> = outgoing(result)
            .iter()
            .map(|(target, digest, names)| {
                let outgoing = Outgoing { digest: *digest, platform: &target.platform, names };
                Exported::of(store, compressed, &outgoing, compression)
            })
            .collect();
        ready.map_err(|error| failed(session, &error))
    };
    let directory = session.directory()?;
    for spec in &arguments.output {
        let images = ready(spec.compression)?;
        let mut standard = std::io::BufWriter::new(std::io::stdout().lock());
        output::write(store, &images, spec, &directory, &mut standard)
            .map_err(|error| failed(session, &error))?;
    }
    if arguments.load {
        let images = ready(Some(Compression::None))?;
        load(session, store, &images, cancellation)?;
    }
    Ok(())
}

fn load(
    session: &Session,
    store: &Store,
    images: &[Exported],
    cancellation: &Cancellation,
) -> Result<(), Exit> {
    let engine = session.engine().docker().map_err(|problem| session.no_builder(problem))?;
    let Some(docker) = engine.docker() else { return Ok(()) };
    let write = |writer: &mut dyn Write| archive::write(store, images, true, writer);
    docker.load(write, cancellation).map_err(|error| session.surroundings(&error))
}

type Going<'r> = (&'r BuildTarget, BlobDigest, Vec<ImageReference>);

/// The images that were asked for, with their names.
fn outgoing(result: &BuildResult) -> Vec<Going<'_>> {
    let roots = result.targets.iter().zip(&result.is_root).filter(|(_, is_root)| **is_root);
    let mut going = Vec::new();
    for (target, _) in roots {
        let names = target.tags.iter().filter_map(|name| name.parse().ok()).collect();
        going.extend(target.digest.as_ref().map(|digest| (target, BlobDigest::from(digest), names)));
    }
    going
}

fn failed(session: &Session, error: &StoreError) -> Exit {
    let problem = Diagnostic::error(error.to_string());
    let problem = error.help().into_iter().fold(problem, Diagnostic::help);
    session.fail(&[problem], Exit::Surroundings)
}

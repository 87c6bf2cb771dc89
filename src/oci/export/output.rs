//! Writing one output, of whatever kind it is.

use std::io::{self, Write};
use std::path::Path;

use super::destination::write_file;
use super::exported::Exported;
use super::output_spec::{OutputKind, OutputPlace, OutputSpec};
use super::{archive, folder};
use crate::oci::store::{Store, StoreError};

/// Writes `images` as `spec` says. A relative path begins at `directory`; `standard` is the standard output.
/// The compression of the layers was chosen when the images were made ready ([`Exported::of`]).
///
/// # Errors
/// When something is missing or damaged, or the place does not take it.
pub fn write(
    store: &Store,
    images: &[Exported],
    spec: &OutputSpec,
    directory: &Path,
    standard: &mut dyn Write,
) -> Result<(), StoreError> {
    let docker = spec.kind == OutputKind::DockerTar;
    let tar = |writer: &mut dyn Write| archive::write(store, images, docker, writer);
    match (&spec.place, spec.kind) {
        (OutputPlace::Path(path), OutputKind::OciFolder) => {
            folder::write(store, images, &directory.join(path))
        }
        (OutputPlace::Path(path), _) => {
            let path = directory.join(path);
            write_file(&path, tar).map_err(|cause| failed(&path, cause))
        }
        (OutputPlace::Standard, _) => tar(standard).map_err(|cause| failed(Path::new("-"), cause)),
    }
}

/// What is wrong with a blob is said as such.
fn failed(path: &Path, cause: io::Error) -> StoreError {
    cause.downcast::<StoreError>().unwrap_or_else(|cause| StoreError::disk("write", path, cause))
}

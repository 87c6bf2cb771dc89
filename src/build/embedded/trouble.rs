//! What is not the target's fault, in words for people.

use super::rootfs::error::RootfsError;
use super::sandbox::SandboxError;
use crate::build::builder::BuildError;
use crate::oci::disk_full;
use crate::oci::layers::error::LayerError;
use crate::oci::layers::writer::WriteError;
use crate::oci::store::StoreError;

/// What is done while a layer is written, for people.
pub const WRITING: &str = "write a layer";

/// An error of the store.
pub fn of_store(error: StoreError) -> BuildError {
    BuildError::Surroundings { message: error.to_string(), help: error.help().map(str::to_owned) }
}

/// An error of a layer: of the disk, or of what somebody put into it.
pub fn of_layer(error: LayerError) -> BuildError {
    let help = error.help().map(str::to_owned);
    if matches!(error, LayerError::Files { .. }) {
        return BuildError::Surroundings { message: error.to_string(), help };
    }
    let help = help.map(|help| format!("; {help}")).unwrap_or_default();
    BuildError::Failed { message: format!("{error}{help}"), line: None, log_tail: Vec::new() }
}

/// An error of unpacking layers, or of reading what a command wrote.
pub fn of_rootfs(error: RootfsError) -> BuildError {
    if let RootfsError::Write(error @ WriteError::Device(_)) = error {
        return of_written(error);
    }
    BuildError::Surroundings { message: error.whole(), help: error.help().map(str::to_owned) }
}

/// An error of a layer that is written. What a content that changed says of itself stays what it is.
pub fn of_written(error: WriteError) -> BuildError {
    let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
    match error {
        WriteError::Io(cause) => match cause.downcast::<BuildError>() {
            Ok(error) => error,
            Err(cause) => of_disk(WRITING, &cause),
        },
        other => BuildError::Failed { message: format!("{other}{help}"), line: None, log_tail: Vec::new() },
    }
}

/// An error of a sandbox.
pub fn of_sandbox(error: SandboxError) -> BuildError {
    match error {
        SandboxError::Cancelled => BuildError::Cancelled,
        SandboxError::Refused(refusal) => {
            BuildError::Surroundings { message: refusal.message, help: refusal.help }
        }
        SandboxError::Vanished => BuildError::Surroundings { message: error.to_string(), help: None },
    }
}

/// An error of the disk, while doing what `doing` says.
pub fn of_disk(doing: impl std::fmt::Display, cause: &std::io::Error) -> BuildError {
    let help = disk_full::help(cause).map(str::to_owned);
    BuildError::Surroundings { message: format!("cannot {doing}: {cause}"), help }
}

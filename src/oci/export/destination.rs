//! An output file: written beside its place and renamed, so that it is whole or not there.
//!
//! What is no file, such as a pipe, cannot be replaced and is written as it is.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// In bytes.
const BUFFER: usize = 256 * 1024;

/// Calls `write` with a writer of the file `path`.
///
/// # Errors
/// What `write` fails with, and when the disk does not take it.
pub fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Where a link leads is written, not the link.
    let resolved = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_path_buf(),
        result => result?,
    };
    match fs::metadata(&resolved) {
        Ok(found) if found.is_dir() => Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder")),
        Ok(found) if !found.is_file() => {
            let file = File::options().write(true).open(&resolved)?;
            buffered(file, write).map(drop)
        }
        _ => replace(&resolved, write),
    }
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let file = tempfile::Builder::new()
        .prefix(".imgraph-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    let file = buffered(file, write)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

fn buffered<Inner: Write>(
    inner: Inner,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<Inner> {
    let mut writer = BufWriter::with_capacity(BUFFER, inner);
    write(&mut writer)?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)
}

//! Finding the workspace that a folder lies in: the one thing that is looked for above the root.

use std::path::{Path, PathBuf};

use crate::syntax::build_toml::file::{self, FILE_NAME, has_workspace, not_utf8};
use crate::syntax::build_toml::workspace::WishedBuilder;
use crate::types::diagnostic::Diagnostic;

/// The nearest folder, `start` or one above it, whose `BUILD.toml` has a `[workspace]` table.
///
/// # Errors
/// A diagnostic without a place, whose help says what to write and where.
pub fn find(start: &Path) -> Result<PathBuf, Diagnostic> {
    let start = start.canonicalize().map_err(|cause| {
        Diagnostic::error(format!("the folder `{}` cannot be found: {cause}", start.display()))
    })?;
    let mut topmost_package = None;
    let mut unreadable = None;
    for folder in start.ancestors() {
        let file = folder.join(FILE_NAME);
        match std::fs::read(&file) {
            Ok(text) if has_workspace(&String::from_utf8_lossy(&text)) => return Ok(folder.to_path_buf()),
            Ok(text) => {
                // Who saves the root's file in another encoding hides the table from us.
                unreadable = not_utf8(&file.display().to_string(), &text).or(unreadable);
                topmost_package = Some(file);
            }
            Err(cause) if is_absence(&cause) => {}
            Err(cause) => {
                return Err(Diagnostic::error(format!("`{}` cannot be read: {cause}", file.display())));
            }
        }
    }
    Err(match unreadable {
        Some((diagnostic, _offset)) => diagnostic,
        None => not_found(&start, topmost_package.as_deref()),
    })
}

/// The builder that the workspace around the folder `start` asks for; `None` also where there is none, or its file
/// cannot be read: whoever loads it says so.
pub fn wished_builder(start: &Path) -> Option<WishedBuilder> {
    let root = find(start).ok()?;
    let text = std::fs::read(root.join(FILE_NAME)).ok()?;
    file::wished_builder(&String::from_utf8_lossy(&text))
}

fn is_absence(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

fn not_found(start: &Path, topmost_package: Option<&Path>) -> Diagnostic {
    let Some(package) = topmost_package else {
        let message = format!("no `{FILE_NAME}` in `{}` or above", start.display());
        return Diagnostic::error(message).help(format!(
            "a workspace begins with a file `{FILE_NAME}` in its topmost folder that says `[workspace]`"
        ));
    };
    let message =
        format!("`{}` has no `[workspace]` table, and no `{FILE_NAME}` above it has", package.display());
    Diagnostic::error(message).help(format!(
        "write `[workspace]` at the top of the `{FILE_NAME}` in the workspace's topmost folder"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], start: &str, expected: &str) {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        check_bytes(&files, start, expected);
    }

    fn check_bytes(files: &[(&str, &[u8])], start: &str, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join(start)).unwrap();
        for (path, text) in files {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        }
        let found = find(&root.join(start));
        let shown = match &found {
            Ok(found) => found.display().to_string(),
            Err(diagnostic) => diagnostic.message.clone(),
        };
        assert_eq!(shown.replace(&root.display().to_string(), "ROOT"), expected);
    }

    #[test]
    fn the_nearest_workspace_is_found() {
        check(&[("BUILD.toml", "[workspace]")], "a/b", "ROOT");
        check(&[("BUILD.toml", "[workspace]"), ("a/BUILD.toml", "")], "a/b", "ROOT");
        check(&[("BUILD.toml", "[workspace]"), ("a/BUILD.toml", "[workspace]")], "a/b", "ROOT/a");
        check(&[("BUILD.toml", "[workspace]\nname = \n")], "", "ROOT");
    }

    #[test]
    fn without_one_the_help_says_what_to_write() {
        check(&[], "a", "no `BUILD.toml` in `ROOT/a` or above");
        check(
            &[("BUILD.toml", ""), ("a/BUILD.toml", "")],
            "a",
            "`ROOT/BUILD.toml` has no `[workspace]` table, and no `BUILD.toml` above it has",
        );
    }

    #[test]
    fn a_file_in_another_encoding_is_told_apart_from_one_without_the_table() {
        let utf16: &[u8] = b"\xff\xfe[\0w\0o\0r\0k\0s\0p\0a\0c\0e\0]\0";
        let said = "`ROOT/BUILD.toml` is not UTF-8: the byte 0xff at offset 0, in line 1";
        check_bytes(&[("BUILD.toml", utf16)], "a", said);
        check_bytes(&[("BUILD.toml", utf16), ("a/BUILD.toml", b"")], "a", said);
        let latin1: &[u8] = b"# \n# caf\xe9\n[image.a]";
        let said = "`ROOT/BUILD.toml` is not UTF-8: the byte 0xe9 at offset 8, in line 2";
        check_bytes(&[("BUILD.toml", latin1)], "", said);
        // A package's own file is for the loader to tell.
        check_bytes(&[("BUILD.toml", b"[workspace]"), ("a/BUILD.toml", latin1)], "a", "ROOT");
    }
}

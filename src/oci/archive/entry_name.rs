//! Names in archives, made clean.
//!
//! As BuildKit takes them: `/` at the beginning is left out, `.` and doubled `/` go, `..` takes the name
//! before it away. A name that would lead out is refused and not bent: whoever wrote it meant another place.

/// The longest path, in bytes: `PATH_MAX` of Linux.
pub const LONGEST_PATH: usize = 4096;
/// The longest name of one folder or file, in bytes: `NAME_MAX` of Linux.
pub const LONGEST_NAME: usize = 255;

/// Why a name is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It leads out of the folder that the archive is unpacked into.
    #[error("`{0}` leads out of the archive's own folder")]
    Outside(String),
    /// No file of Linux can have it.
    #[error("a name of {0} bytes is longer than any that a file may have")]
    TooLong(usize),
    /// It holds a NUL.
    #[error("a name holds a NUL")]
    Nul,
}

/// The parts of `name` without those that say nothing; none for the root itself.
///
/// # Errors
/// It leads out of the root, or no file can have it.
pub fn clean(name: &[u8]) -> Result<Vec<&[u8]>, NameError> {
    if name.len() > LONGEST_PATH {
        return Err(NameError::TooLong(name.len()));
    }
    let mut parts = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop().ok_or_else(|| NameError::Outside(String::from_utf8_lossy(name).into_owned()))?;
            }
            part if part.len() > LONGEST_NAME => return Err(NameError::TooLong(part.len())),
            part if part.contains(&0) => return Err(NameError::Nul),
            part => parts.push(part),
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        let found = clean(name.as_bytes())
            .map_or_else(|error| error.to_string(), |parts| String::from_utf8(parts.join(&b'/')).unwrap());
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn names_are_clean_and_inside() {
        check("a/b", "a/b");
        check("./a//b/", "a/b");
        check("/etc/passwd", "etc/passwd");
        check("a/../b", "b");
        check("./", "");
        check("..a/...", "..a/...");
        check("..", "`..` leads out of the archive's own folder");
        check("a/../../b", "`a/../../b` leads out of the archive's own folder");
        check("/../b", "`/../b` leads out of the archive's own folder");
        check("a\0b", "a name holds a NUL");
        check(&"a".repeat(256), "a name of 256 bytes is longer than any that a file may have");
        check(&"a/".repeat(2049), "a name of 4098 bytes is longer than any that a file may have");
    }
}

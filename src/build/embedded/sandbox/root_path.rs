//! Paths inside a root folder: where they really lead, with every link resolved inside it.
//!
//! An image may hold any links: `/etc/resolv.conf` of many distributions leads to a file that is not there,
//! and a hostile image's leads out. A path that was resolved here has no links left but ones that do not
//! exist, so the kernel follows none. It is true as long as nobody else writes into the root.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// Where a path of a root leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The place on this machine: the root's folder and a path without links.
    pub(super) place: PathBuf,
    /// The uppermost part of `place` that is not there; `None` when all of it is.
    pub(super) missing: Option<PathBuf>,
}

/// Finds where `path` leads in the root that lies at `root`.
///
/// # Errors
/// When there are too many links, or a part of the path is no folder, or cannot be looked at.
pub(super) fn resolve(root: &Path, path: &str) -> io::Result<Resolved> {
    let mut waiting: VecDeque<OsString> = parts(path.as_bytes());
    let mut walked: Vec<OsString> = Vec::new();
    let mut missing_from: Option<usize> = None;
    let mut links = 0;
    while let Some(part) = waiting.pop_front() {
        if part.as_bytes() == b".." {
            walked.pop();
            missing_from = missing_from.filter(|from| *from < walked.len());
            continue;
        }
        walked.push(part);
        if missing_from.is_some() {
            continue;
        }
        let here = place(root, &walked);
        match fs::symlink_metadata(&here) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing_from = Some(walked.len() - 1),
            Err(error) => return Err(error),
            Ok(found) if !found.is_symlink() => {}
            Ok(_link) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(io::Error::from(nix::errno::Errno::ELOOP));
                }
                let leads = fs::read_link(&here)?;
                walked.pop();
                if leads.is_absolute() {
                    walked.clear();
                }
                for part in parts(leads.as_os_str().as_bytes()).into_iter().rev() {
                    waiting.push_front(part);
                }
            }
        }
    }
    let missing = missing_from.map(|from| place(root, &walked[..=from]));
    Ok(Resolved { place: place(root, &walked), missing })
}

fn parts(path: &[u8]) -> VecDeque<OsString> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.map(|part| OsString::from_vec(part.to_vec())).collect()
}

fn place(root: &Path, parts: &[OsString]) -> PathBuf {
    root.iter().chain(parts.iter().map(OsString::as_os_str)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_stay_in_the_root() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("etc/deep")).unwrap();
        fs::write(root.join("etc/hosts"), "").unwrap();
        for (link, leads) in [
            ("out", "../../../../etc/hosts"),
            ("absolute", "/etc"),
            ("dangling", "../run/resolve/stub"),
            ("self", "self"),
            ("chain", "absolute/deep/.."),
        ] {
            symlink(leads, root.join(link)).unwrap();
        }
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("/etc/hosts", "etc/hosts", None),
            ("etc//./hosts", "etc/hosts", None),
            ("/../../etc", "etc", None),
            ("/", "", None),
            ("/out", "etc/hosts", None),
            ("/absolute/hosts", "etc/hosts", None),
            ("/chain/hosts", "etc/hosts", None),
            ("/dangling", "run/resolve/stub", Some("run")),
            ("/etc/a/b", "etc/a/b", Some("etc/a")),
            ("/etc/a/../hosts", "etc/hosts", None),
            ("/etc/a/b/../c", "etc/a/c", Some("etc/a")),
        ];
        for (path, place, missing) in cases {
            let resolved = resolve(root, path).unwrap();
            let expected =
                Resolved { place: root.join(place), missing: missing.map(|missing| root.join(missing)) };
            assert_eq!(
                resolved.place.components().as_path(),
                expected.place.components().as_path(),
                "{path}"
            );
            assert_eq!(resolved.missing, expected.missing, "{path}");
        }
        assert!(resolve(root, "/self").is_err());
        assert!(resolve(root, "/etc/hosts/below").is_err());
    }
}

//! Archives that GNU tar writes, in its formats and compressions, as `ADD` reads them.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use imgraph::oci::archive::reader::{Archive, ArchiveError, ArchiveLimits, is_archive};
use imgraph::oci::layer_entry::EntryKind;

/// Makes an archive of the folder with these options.
fn tar(folder: &Path, archive: &Path, options: &[&str]) {
    let status = Command::new("tar")
        .args(["--sort=name", "--owner=user:70001", "--group=group:5", "-cf"])
        .arg(archive)
        .args(options)
        .arg("-C")
        .arg(folder)
        .arg(".")
        .status()
        .unwrap();
    assert!(status.success(), "{options:?}");
}

fn listing(archive: &Path) -> Result<Vec<String>, ArchiveError> {
    let mut archive = Archive::new(File::open(archive).unwrap(), ArchiveLimits::default())?;
    let mut found = Vec::new();
    while let Some(entry) = archive.next_entry()? {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let what = match entry.kind {
            EntryKind::File { size } => {
                let mut content = Vec::new();
                archive.read_to_end(&mut content).unwrap();
                assert_eq!(content.len() as u64, size);
                format!("file {size}")
            }
            EntryKind::Folder => "folder".to_owned(),
            EntryKind::Link { target } => format!("-> {}", String::from_utf8_lossy(&target)),
            EntryKind::HardLink { target } => format!("=> {}", String::from_utf8_lossy(&target)),
            other => format!("{other:?}"),
        };
        found.push(format!("{path} {what} {:o} {}:{}", entry.mode, entry.uid, entry.gid));
    }
    Ok(found)
}

#[test]
fn what_gnu_tar_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    let long = format!("{}/{}", "d".repeat(150), "line\nfeed");
    fs::create_dir_all(tree.join(&long).parent().unwrap()).unwrap();
    fs::write(tree.join(&long), "x".repeat(1000)).unwrap();
    fs::write(tree.join("a"), "text").unwrap();
    fs::set_permissions(tree.join("a"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::set_permissions(tree.join("d".repeat(150)), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::set_permissions(tree.join(&long), fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(tree.join("a"), tree.join("b")).unwrap();
    symlink("t".repeat(150), tree.join("c")).unwrap();
    let expected = [
        "a file 4 4750 70001:5".to_owned(),
        "b => a 4750 70001:5".to_owned(),
        format!("c -> {} 777 70001:5", "t".repeat(150)),
        format!("{} folder 1777 70001:5", "d".repeat(150)),
        format!("{long} file 1000 600 70001:5"),
    ];
    let archive = folder.path().join("archive");
    for format in ["--format=gnu", "--format=pax"] {
        for compression in [None, Some("--gzip"), Some("--bzip2"), Some("--xz"), Some("--zstd")] {
            let options: Vec<&str> = [Some(format), compression].into_iter().flatten().collect();
            tar(&tree, &archive, &options);
            assert!(is_archive(File::open(&archive).unwrap()).unwrap(), "{options:?}");
            assert_eq!(listing(&archive).unwrap(), expected, "{options:?}");
        }
    }
}

#[test]
fn old_formats_and_holes() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("a"), "text").unwrap();
    let archive = folder.path().join("archive");
    for format in ["--format=v7", "--format=oldgnu", "--format=ustar"] {
        tar(&tree, &archive, &[format]);
        assert_eq!(listing(&archive).unwrap(), ["a file 4 644 70001:5"], "{format}");
    }
    let file = File::create(tree.join("a")).unwrap();
    file.set_len(1 << 20).unwrap();
    for format in ["--format=gnu", "--format=pax"] {
        tar(&tree, &archive, &[format, "--sparse"]);
        let error = listing(&archive).unwrap_err().to_string();
        assert!(error.contains("is a sparse file"), "{format}: {error}");
    }
}

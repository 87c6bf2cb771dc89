//! Archives of every kind, and those that mean harm.

use std::io::Write;

use super::*;

/// One entry: kind, name, target of a link or content.
type Line<'l> = (u8, &'l str, &'l str);

fn tar_of(lines: &[Line<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, name, text) in lines {
        let mut header = tar::Header::new_gnu();
        // `set_path` refuses what is tried here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(0o104_755);
        header.set_uid(1000);
        header.set_gid(2000);
        header.set_size(0);
        if matches!(kind, b'1' | b'2') {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        } else {
            header.set_size(text.len() as u64);
        }
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        if !matches!(kind, b'1' | b'2') {
            bytes.extend_from_slice(text.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn read(bytes: &[u8], limits: ArchiveLimits) -> Result<Vec<String>, ArchiveError> {
    let mut archive = Archive::new(bytes, limits)?;
    let mut found = Vec::new();
    while let Some(entry) = archive.next_entry()? {
        let path = lossy(&entry.path);
        found.push(match entry.kind {
            EntryKind::File { .. } => {
                let mut content = String::new();
                archive.read_to_string(&mut content).map_err(TarError::from).map_err(explained)?;
                format!("{path}={content}")
            }
            EntryKind::Folder => format!("{path}/"),
            EntryKind::Link { target } => format!("{path}->{}", lossy(&target)),
            EntryKind::HardLink { target } => format!("{path}=>{}", lossy(&target)),
            kind => format!("{path} {kind:?}"),
        });
    }
    Ok(found)
}

fn check(lines: &[Line<'_>], expected: &str) {
    let found = read(&tar_of(lines), ArchiveLimits::default());
    assert_eq!(found.map_or_else(|error| error.to_string(), |found| found.join(" ")), expected);
}

#[test]
fn entries_are_handed_out() {
    check(
        &[
            (b'5', "./", ""),
            (b'5', "./d/", ""),
            (b'0', "./d/f", "text"),
            (b'2', "l", "../x"),
            (b'1', "h", "/d/f"),
        ],
        "d/ d/f=text l->../x h=>d/f",
    );
    check(&[(b'0', "a", "1"), (b'0', "a", "2"), (b'0', ".wh.b", "")], "a=1 a=2 .wh.b=");
    check(&[(b'3', "c", ""), (b'6', "p", "")], "c Device { is_character: true, major: 0, minor: 0 } p Pipe");
}

#[test]
fn links_of_the_archive_are_followed_inside_it() {
    check(&[(b'2', "lib", "usr/lib"), (b'0', "lib/x", "1")], "lib->usr/lib usr/lib/x=1");
    check(&[(b'2', "a", "/etc"), (b'1', "h", "a/passwd")], "a->/etc h=>etc/passwd");
    check(&[(b'2', "a", "/etc"), (b'5', "a", ""), (b'0', "a/x", "")], "a->/etc a/ a/x=");
}

#[test]
fn nothing_leads_outside() {
    let wrong = "an entry of the archive has a wrong name: ";
    check(&[(b'0', "../x", "")], &format!("{wrong}`../x` leads out of the archive's own folder"));
    check(&[(b'1', "h", "../x")], &format!("{wrong}`../x` leads out of the archive's own folder"));
    check(
        &[(b'2', "a", "../.."), (b'0', "a/x", "")],
        &format!("{wrong}`a/x` leads out of the archive's own folder"),
    );
    check(&[(b'1', "h", "/")], "the hard link `h` of the archive has no file as its target");
    check(&[(b'V', "v", "")], "`v` of the archive is of a kind that no image has (`V`)");
}

#[test]
fn owners_modes_and_capabilities_are_kept() {
    let mut builder = tar::Builder::new(Vec::new());
    let xattrs: [(&str, &[u8]); 3] = [
        ("SCHILY.xattr.user.note", b"x"),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ("SCHILY.xattr.security.capability", b"\x01\n\0\x02"),
    ];
    builder.append_pax_extensions(xattrs).unwrap();
    let mut bytes = builder.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(tar_of(&[(b'0', "a", "")]));
    let entry =
        Archive::new(bytes.as_slice(), ArchiveLimits::default()).unwrap().next_entry().unwrap().unwrap();
    assert_eq!((entry.mode, entry.uid, entry.gid), (0o4755, 1000, 2000));
    let expected: (Box<[u8]>, Box<[u8]>) = ((*b"security.capability").into(), (*b"\x01\n\0\x02").into());
    assert_eq!(entry.xattrs, [expected]);
}

#[test]
fn an_archive_is_known_by_what_it_holds() {
    let tar = tar_of(&[(b'0', "a", "text")]);
    let zip = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let check = |bytes: &[u8], expected: bool| assert_eq!(is_archive(bytes).unwrap(), expected);
    check(&tar, true);
    check(&tar[..512], true);
    check(&zip(&tar), true);
    check(&zip(b"text"), false);
    check(&zip(&tar)[..20], false);
    check(&[0; 1024], false);
    check(b"", false);
    check(b"BZh", false);
    check(b"text", false);
}

#[test]
fn a_source_that_fails_is_no_answer() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    let tar = tar_of(&[(b'0', "a", "text")]);
    assert_eq!(is_archive((&tar[..100]).chain(Broken)).unwrap_err().to_string(), "gone");
}

#[test]
fn what_grows_without_bound_is_refused() {
    let limits = ArchiveLimits { entries: 2, links: 8, growth: Growth { small: 1 << 16, ratio: 100 } };
    let refuse = |bytes: &[u8], expected: &str| {
        assert_eq!(read(bytes, limits).unwrap_err().to_string(), expected);
    };
    let three = tar_of(&[(b'5', "a", ""), (b'5', "b", ""), (b'5', "c", "")]);
    refuse(&three, "the archive has more than 2 entries, and is not unpacked");
    let links = tar_of(&[(b'2', "a", "long-target")]);
    refuse(&links, "the archive has more than 8 bytes of symbolic links, and is not unpacked");
    let zeros = tar_of(&[(b'0', "a", &"\0".repeat(1 << 20))]);
    let bomb = zstd::encode_all(zeros.as_slice(), 3).unwrap();
    let message = "the archive is not unpacked: it becomes more than 100 times as large as it is";
    refuse(&bomb, message);
    // Passed over, and not read: the limit holds as well.
    let mut archive = Archive::new(bomb.as_slice(), limits).unwrap();
    archive.next_entry().unwrap();
    assert_eq!(archive.next_entry().unwrap_err().to_string(), message);
    assert_eq!(read(&zeros, limits).unwrap().len(), 1);
}

#[test]
fn an_archive_that_is_cut_is_an_error() {
    let tar = tar_of(&[(b'0', "a", "text"), (b'0', "b", "text")]);
    let whole = zstd::encode_all(tar.as_slice(), 3).unwrap();
    for length in [20, whole.len() - 4] {
        let error = read(&whole[..length], ArchiveLimits::default()).unwrap_err().to_string();
        assert_eq!(error, "the archive ends in the middle of an entry", "{length}");
    }
}

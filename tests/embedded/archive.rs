//! Archives for `ADD`, made from text, so that a case shows what is in its archive.
//!
//! One entry a line, words between spaces, `\xNN` for a byte:
//!
//! ```text
//! folder NAME MODE OWNER
//! file NAME MODE OWNER TEXT
//! link NAME TARGET
//! hard NAME OTHER
//! pipe NAME MODE OWNER
//! xattr NAME VALUE                (of the entry that follows)
//! ```
//!
//! A name is written as it is said: `../x` and `/x` too, which is why headers are filled by hand.

use std::io::Write;

use crate::case::bytes_of;

/// The bytes of an archive, compressed as said: gzip, bzip2, xz, zstd, or not.
pub(crate) fn make(lines: &str, compression: Option<&[u8]>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut xattrs: Vec<(String, Vec<u8>)> = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<Vec<u8>> = line.split(' ').map(bytes_of).collect();
        if words[0] == b"xattr" {
            let key = format!("SCHILY.xattr.{}", String::from_utf8_lossy(&words[1]));
            xattrs.push((key, words[2].clone()));
            continue;
        }
        if !xattrs.is_empty() {
            builder
                .append_pax_extensions(xattrs.iter().map(|(key, value)| (key.as_str(), &**value)))
                .unwrap();
            xattrs.clear();
        }
        append(&mut builder, &words);
    }
    compress(builder.into_inner().unwrap(), compression)
}

fn append(builder: &mut tar::Builder<Vec<u8>>, words: &[Vec<u8>]) {
    let text = |at: usize| std::str::from_utf8(&words[at]).unwrap();
    let mut header = tar::Header::new_gnu();
    let name = &words[1];
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_mtime(1_000_000_000);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    let mut content: &[u8] = &[];
    match text(0) {
        kind @ ("folder" | "file" | "pipe") => {
            header.set_mode(u32::from_str_radix(text(2), 8).unwrap());
            let (user, group) = text(3).split_once(':').unwrap();
            header.set_uid(user.parse().unwrap());
            header.set_gid(group.parse().unwrap());
            header.set_entry_type(match kind {
                "folder" => tar::EntryType::Directory,
                "pipe" => tar::EntryType::Fifo,
                _ => tar::EntryType::Regular,
            });
            content = words.get(4).map_or(&[], Vec::as_slice);
            header.set_size(content.len() as u64);
        }
        kind @ ("link" | "hard") => {
            let hard = kind == "hard";
            header.set_entry_type(if hard { tar::EntryType::Link } else { tar::EntryType::Symlink });
            header.set_mode(0o777);
            header.as_old_mut().linkname[..words[2].len()].copy_from_slice(&words[2]);
        }
        other => panic!("no such entry: {other}"),
    }
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn compress(bytes: Vec<u8>, compression: Option<&[u8]>) -> Vec<u8> {
    match compression {
        None => bytes,
        Some(b"gzip") => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        Some(b"bzip2") => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        Some(b"xz") => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        Some(b"zstd") => zstd::encode_all(bytes.as_slice(), 3).unwrap(),
        Some(other) => panic!("no such compression: {}", String::from_utf8_lossy(other)),
    }
}

//! Layers that are made to do harm, or that no program wrote in earnest.

use super::{layer, tar};
use crate::oci::blob_digest::BlobDigest;
use crate::oci::layers::error::ENTRIES_PER_LAYER;

/// The error of a layer whose bytes are these.
fn refused(bytes: &[u8]) -> String {
    layer(bytes).map(|_layer| ()).unwrap_err().to_string()
}

fn check(entries: &[&str], name: &str, problem: &str) {
    let bytes = tar(entries);
    let digest = BlobDigest::of(&bytes);
    assert_eq!(refused(&bytes), format!("layer {digest}: the entry `{name}` {problem}"), "{entries:?}");
}

#[test]
fn nothing_leads_out_of_the_root() {
    check(&["file ../a 1"], "../a", "leads out of the root");
    check(&["file a/../../b 1"], "a/../../b", "leads out of the root");
    check(&["folder .."], "..", "leads out of the root");
    check(&["file a 1", "hard b ../../etc/passwd"], "b", "leads out of the root");
    check(&["hard b /etc/passwd"], "b", "is a hard link to nothing in its layer");
    check(&["link l /etc", "hard b l/passwd"], "b", "is a hard link to nothing in its layer");
    check(&["file .wh... 1"], ".wh...", "begins like the mark of a removed path and is none");
    check(&["file .wh. 1"], ".wh.", "begins like the mark of a removed path and is none");
    check(&["file .wh.a/b 1"], ".wh.a/b", "begins like the mark of a removed path and is none");
    check(&["link a .wh.b", "file a/c 1"], "a/c", "begins like the mark of a removed path and is none");
}

#[test]
fn entries_are_what_entries_may_be() {
    check(&["disk a"], "a", "is a device node that no image needs");
    check(&["folder d", "hard b d"], "b", "is a hard link to a folder");
    check(&["hard b /"], "b", "is a hard link to a folder");
    check(&["file a 1", "file a/b 1"], "a/b", "is below something that is no folder");
    check(
        &["link a b", "link b a", "file a/c 1"],
        "a/c",
        "is below a symbolic link that leads round in a circle",
    );
    check(&["link a a/a/a", "file a/c 1"], "a/c", "is below a symbolic link that leads round in a circle");
    check(&["file . 1"], ".", "takes the place of the root folder");
    check(&["link / 1"], "/", "takes the place of the root folder");
    check(&["sparse a"], "a", "is a sparse file, which a layer cannot hold");
    check(&["link a"], "a", "has no usable name");
    check(&["file  1"], "", "has no usable name");
}

#[test]
fn headers_claim_nothing_that_is_not_there() {
    let mut bytes = tar(&["file a 1"]);
    bytes.truncate(512);
    assert!(refused(&bytes).ends_with("the entry `a` is longer than the tar"), "{}", refused(&bytes));
    let whole = tar(&["file a 1"]);
    assert!(refused(&whole[..300]).contains("is no tar: it ends within a header at byte 0"));
    let mut bytes = whole;
    bytes[0] = b'b';
    assert!(refused(&bytes).contains("is no tar: the checksum of a header is wrong at byte 0"));
    for kind in [b'L', b'K', b'x', b'g'] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_path("n").unwrap();
        header.set_size(10 << 30);
        header.set_cksum();
        let bytes = [header.as_bytes().as_slice(), &[b'x'; 512]].concat();
        assert!(refused(&bytes).ends_with("the entry `n` has a header of more than 1048576 bytes"));
    }
}

/// Every byte of a tar's headers changed, and every length cut: errors at most.
#[test]
fn damage_never_panics() {
    let whole = tar(&["folder a", "file a/b 123", "hard c a/b", "link d a", "file .wh.e ", "null f"]);
    for at in 0..whole.len() {
        for bit in [1, 0x10, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            let start = at / 512 * 512;
            let sum: u32 = (start..start + 512)
                .map(|byte| if (148..156).contains(&(byte - start)) { 32 } else { u32::from(bytes[byte]) })
                .sum();
            bytes[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            let _ = layer(&bytes);
        }
        let _ = layer(&whole[..at]);
    }
}

/// Few bytes can stand for many folders: each of these entries makes two thousand.
#[test]
fn a_million_entries_are_too_many() {
    let deep = |number: usize| named(&format!("{number}/{}", "d/".repeat(2000)));
    let bytes: Vec<u8> = (0..=ENTRIES_PER_LAYER / 2000).flat_map(deep).collect();
    let error = layer(&bytes).unwrap_err();
    assert!(error.to_string().ends_with("has more than 800000 entries"), "{error}");
    assert!(error.help().is_some());
}

#[test]
fn repeated_marks_are_one() {
    let mark = tar(&["file a/.wh..wh..opq "]);
    let bytes = mark[..512].repeat(20_000);
    assert_eq!(layer(&bytes).unwrap().index().len(), 2);
}

#[test]
fn names_and_depths_have_ends() {
    let long = |length: usize| named(&"n".repeat(length));
    assert!(layer(&long(255)).is_ok());
    assert!(refused(&long(256)).ends_with("has a name of more than 255 bytes"));
    assert!(refused(&long(5000)).ends_with("has a path or a target of more than 4096 bytes"));
    // Links make paths deeper than any name says.
    let target = ["d"; 45].join("/");
    let links: Vec<String> = (0..49).map(|step| format!("link {}l {target}", "l/".repeat(step))).collect();
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    let error = layer(&tar(&links)).map(|_layer| ()).unwrap_err();
    assert!(error.to_string().ends_with("has a path or a target of more than 4096 bytes"), "{error}");
}

/// The bytes of an empty file with the long name `name`.
fn named(name: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_path("././@LongLink").unwrap();
    header.set_size(name.len() as u64);
    header.set_cksum();
    let mut bytes = [header.as_bytes().as_slice(), name.as_bytes()].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes.extend_from_slice(&tar(&["file x "])[..512]);
    bytes
}

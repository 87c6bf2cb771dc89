//! Tars of every age, and what is none.

use super::*;

fn header(kind: u8, name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_mut_bytes()[156] = kind;
    header.set_mode(0o644);
    header.set_uid(1);
    header.set_gid(2);
    header.set_size(size);
    header.set_cksum();
    header
}

fn entry(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(kind, name, content.len() as u64).as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A record with its length before it.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (1..).find(|digits| (rest + digits).to_string().len() == *digits).unwrap() + rest;
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// The names and contents, or why not.
fn read(bytes: &[u8]) -> Result<Vec<(TarHeader, Vec<u8>)>, TarError> {
    let mut stream = TarStream::new(bytes);
    let mut found = Vec::new();
    while let Some(header) = stream.next_header()? {
        let mut content = Vec::new();
        stream.read_to_end(&mut content)?;
        found.push((header, content));
    }
    Ok(found)
}

fn refuse(bytes: &[u8], expected: &str) {
    assert_eq!(read(bytes).unwrap_err().to_string(), expected);
}

#[test]
fn line_feeds_in_records_hide_nothing() {
    let records = [
        record("SCHILY.xattr.user.lines", b"a\nb\0c\n"),
        record("path", b"two\nlines"),
        record("size", b"5"),
        record("uid", b"70000"),
    ]
    .concat();
    let bytes = [entry(b'x', "x", &records), entry(b'0', "short", b"12345"), entry(b'0', "b", b"")].concat();
    let found = read(&bytes).unwrap();
    assert_eq!(found[0].0.name, b"two\nlines");
    assert_eq!((found[0].0.uid, found[0].0.gid), (70000, 2));
    assert_eq!(*found[0].0.xattrs[0].1, *b"a\nb\0c\n");
    assert_eq!(found[0].1, b"12345");
    assert_eq!(found[1].0.name, b"b");
}

#[test]
fn a_size_of_a_record_is_the_size() {
    let mut bytes = entry(b'x', "x", &record("size", b"600"));
    bytes.extend_from_slice(header(b'0', "a", 0).as_bytes());
    bytes.resize(bytes.len() + 1024, b'z');
    bytes.extend(entry(b'0', "b", b""));
    let found = read(&bytes).unwrap();
    assert_eq!((found[0].1.len(), found[1].0.name.as_slice()), (600, b"b".as_slice()));
}

#[test]
fn numbers_are_read_as_programs_of_all_ages_write_them() {
    let check = |field: &[u8], expected: Option<u64>| assert_eq!(number(field).ok(), expected);
    check(b"0000644\0", Some(0o644));
    check(b"   644 \0", Some(0o644));
    check(b"\0\0\0\0\0\0\0\0", Some(0));
    check(b"77777777", Some(0o77_777_777));
    check(b"\x80\0\0\0\0\0\x01\x02", Some(258));
    check(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None);
    check(b"12x4567\0", None);
    check(b"-000001\0", None);
}

#[test]
fn long_names_and_old_letters_are_read() {
    let bytes = [
        entry(b'g', "g", &record("path", b"not this")),
        entry(b'L', "././@LongLink", b"long name\0"),
        entry(b'K', "././@LongLink", b"long link\0"),
        entry(b'2', "short", b""),
        entry(0, "folder/", b""),
        entry(0, "file", b"text"),
        vec![0; 1024],
        b"what follows the end is nobody's".to_vec(),
    ];
    let found = read(&bytes.concat()).unwrap();
    let kinds: Vec<u8> = found.iter().map(|(header, _)| header.kind).collect();
    assert_eq!(kinds, *b"250");
    assert_eq!(
        (found[0].0.name.as_slice(), found[0].0.link.as_slice()),
        (&b"long name"[..], &b"long link"[..])
    );
}

#[test]
fn content_that_is_cut_is_no_content() {
    let bytes = entry(b'0', "a", b"text");
    let mut stream = TarStream::new(&bytes[..514]);
    stream.next_header().unwrap();
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_is_doubtful_is_refused() {
    refuse(&[b'x'; 512], "the archive is damaged: the sum of a header is wrong");
    refuse(&[b'x'; 100], "the archive ends in the middle of an entry");
    refuse(&entry(b'0', "a", b"text")[..600], "the archive ends in the middle of an entry");
    refuse(&entry(b'x', "x", &record("path", b"a")), "the archive ends in the middle of an entry");
    refuse(&entry(b'x', "x", b"999 path=a\n"), "the archive is damaged: a pax record has the wrong form");
    refuse(&entry(b'x', "x", b"9 path=ab"), "the archive is damaged: a pax record has the wrong form");
    refuse(&entry(b'x', "x", b"0 "), "the archive is damaged: a pax record has the wrong form");
    refuse(&entry(b'5', "a", b"text"), "the archive is damaged: a folder, a link or a device has content");
    let sparse = [entry(b'x', "x", &record("GNU.sparse.major", b"1")), entry(b'0', "a", b"")].concat();
    let help = "`a` is a sparse file, which no image can hold: make the archive without --sparse";
    refuse(&sparse, help);
    refuse(&entry(b'S', "a", b""), help);
    let twice = [entry(b'L', "l", b"a"), entry(b'L', "l", b"b"), entry(b'0', "a", b"")].concat();
    refuse(&twice, "the archive is damaged: an entry has two extensions of one kind");
    let endless = header(b'x', "x", 1 << 40);
    let message = "the archive is damaged: the names and attributes of an entry take more than 1 MiB";
    refuse(endless.as_bytes(), message);
    let after = [vec![0; 512], entry(b'0', "a", b"")].concat();
    refuse(&after, "the archive is damaged: an entry follows the end");
    let huge = [entry(b'x', "x", &record("size", u64::MAX.to_string().as_bytes())), entry(b'0', "a", b"")];
    refuse(&huge.concat(), "the archive is damaged: an entry is larger than any file");
}

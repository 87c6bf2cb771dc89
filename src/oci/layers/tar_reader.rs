//! The reader of tars: one entry after another, with the place of its bytes.
//!
//! It reads what Docker reads (Go's `archive/tar`): headers of the seventh edition, ustar, GNU and POSIX, long
//! names of both kinds, numbers in octal and in base 256, attributes. It reads all once, from the beginning to the
//! end, and hashes contents on the way, so that a tar can be read while it comes. What a header claims is checked
//! against the length of the tar, where that is known, before anything is set aside for it.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use tar::Header;

use super::check::Check;
use super::error::{ATTRIBUTE_LENGTH, EntryProblem, HEADER_LENGTH, LayerError, printable};
use super::writer::{ATTRIBUTE_PREFIX, OVERLAY_PREFIXES, is_attribute_name};
use crate::oci::blob_digest::DiffId;
use crate::oci::layer_entry::Attribute;

const BLOCK: u64 = 512;

/// Bytes that are read at once.
const BUFFER: usize = 256 << 10;

/// An entry as its headers say, unchecked but for its numbers.
#[derive(Debug, Default)]
pub(super) struct TarEntry {
    /// As it stands in the tar.
    pub(super) path: Vec<u8>,
    /// Target of a link.
    pub(super) link: Vec<u8>,
    /// The letter of its kind.
    pub(super) kind: u8,
    /// Of its content, in bytes; 0 for kinds that have none.
    pub(super) size: u64,
    /// Where its content begins in the tar.
    pub(super) offset: u64,
    /// Of its content.
    pub(super) check: u64,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// When it was changed, in seconds since 1970.
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
    pub(super) major: u32,
    pub(super) minor: u32,
    /// Sorted by name.
    pub(super) xattrs: Vec<Attribute>,
}

/// Reads the entries of a tar.
pub(super) struct TarReader<R> {
    reader: BufReader<R>,
    layer: DiffId,
    position: u64,
    length: u64,
}

/// A record of an extended header.
type KeyAndValue = (Vec<u8>, Vec<u8>);

/// What headers before that of an entry say of it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Vec<KeyAndValue>,
}

impl<R: Read> TarReader<R> {
    /// A reader of the tar of `layer`, which is at its beginning and has `length` bytes. Of one that still comes,
    /// nobody knows how many it has.
    pub(super) fn new(tar: R, layer: DiffId, length: Option<u64>) -> Self {
        let length = length.unwrap_or(u64::MAX);
        Self { reader: BufReader::with_capacity(BUFFER, tar), layer, position: 0, length }
    }

    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<TarEntry>, LayerError> {
        let mut extended = Extended::default();
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let name = header.path_bytes().into_owned();
            let kind = header.as_old().linkflag[0];
            match kind {
                b'x' => extended.records = self.records(&header, &name)?,
                b'g' => drop(self.records(&header, &name)?),
                b'L' => extended.path = Some(self.long_text(&header, &name)?),
                b'K' => extended.link = Some(self.long_text(&header, &name)?),
                _ => return self.entry(&header, extended).map(Some),
            }
        }
    }

    /// The error that the entry `name` has `problem`.
    pub(super) fn error(&self, name: &[u8], problem: EntryProblem) -> LayerError {
        LayerError::Entry { layer: self.layer, name: printable(name), problem }
    }

    fn header(&mut self) -> Result<Option<Header>, LayerError> {
        // One that still comes may end here.
        if self.position >= self.length || (self.length == u64::MAX && self.at_end()?) {
            return Ok(None);
        }
        let (layer, position) = (self.layer, self.position);
        let damaged = |reason| LayerError::NoTar { layer, reason, position };
        if self.length - self.position < BLOCK {
            return Err(damaged("it ends within a header"));
        }
        let mut block = [0; BLOCK as usize];
        self.reader.read_exact(&mut block).map_err(|cause| self.unreadable(cause))?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        if !checksum_is_right(&header) {
            return Err(damaged("the checksum of a header is wrong"));
        }
        self.position += BLOCK;
        Ok(Some(header))
    }

    fn entry(&mut self, header: &Header, extended: Extended) -> Result<TarEntry, LayerError> {
        let mut entry = TarEntry {
            path: extended.path.unwrap_or_else(|| header.path_bytes().into_owned()),
            link: extended.link.unwrap_or_else(|| until_zero(&header.as_old().linkname).to_vec()),
            ..TarEntry::default()
        };
        let mut size = 0;
        let understood = fill(&mut entry, header, &mut size)
            .and_then(|()| fill_from_records(&mut entry, extended.records, &mut size));
        understood.map_err(|problem| self.error(&entry.path, problem))?;
        // Go's reader, and with it Docker, takes the size of what cannot have content for zero.
        entry.size = if matches!(entry.kind, b'1'..=b'6') { 0 } else { size };
        entry.offset = self.position;
        entry.check = self.content(entry.size, &entry.path)?;
        // So did the seventh edition write folders.
        if entry.kind == 0 && entry.path.ends_with(b"/") {
            entry.kind = b'5';
        }
        Ok(entry)
    }

    fn long_text(&mut self, header: &Header, name: &[u8]) -> Result<Vec<u8>, LayerError> {
        let text = self.small_content(header, name)?;
        Ok(until_zero(&text).to_vec())
    }

    fn records(&mut self, header: &Header, name: &[u8]) -> Result<Vec<KeyAndValue>, LayerError> {
        let bytes = self.small_content(header, name)?;
        records(&bytes).ok_or_else(|| self.error(name, EntryProblem::BadHeader))
    }

    /// The content of a header that says something of the next.
    fn small_content(&mut self, header: &Header, name: &[u8]) -> Result<Vec<u8>, LayerError> {
        let size = number(&header.as_old().size).and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(|| self.error(name, EntryProblem::BadHeader))?;
        if size > HEADER_LENGTH {
            return Err(self.error(name, EntryProblem::LongHeader));
        }
        if size > self.length - self.position {
            return Err(self.error(name, EntryProblem::Truncated));
        }
        let mut content = vec![0; size as usize];
        self.reader.read_exact(&mut content).map_err(|cause| self.unreadable(cause))?;
        self.position += size;
        self.skip_padding(size)?;
        Ok(content)
    }

    /// Passes over a content; its check.
    fn content(&mut self, size: u64, name: &[u8]) -> Result<u64, LayerError> {
        if size > self.length - self.position {
            return Err(self.error(name, EntryProblem::Truncated));
        }
        let mut check = Check::default();
        self.pass(size, |bytes| check.take(bytes))?;
        self.skip_padding(size)?;
        Ok(check.value())
    }

    /// The last entry's padding may be cut off.
    fn skip_padding(&mut self, size: u64) -> Result<(), LayerError> {
        let padding = (BLOCK - size % BLOCK) % BLOCK;
        if padding == 0 || (self.length == u64::MAX && self.at_end()?) {
            return Ok(());
        }
        self.pass(padding.min(self.length - self.position), |_padding| {})
    }

    /// Reads so many bytes.
    fn pass(&mut self, bytes: u64, mut take: impl FnMut(&[u8])) -> Result<(), LayerError> {
        let mut left = bytes;
        while left > 0 {
            let there = match self.reader.fill_buf() {
                Ok([]) => return Err(self.unreadable(ErrorKind::UnexpectedEof.into())),
                Ok(there) => there,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
                Err(cause) => return Err(self.unreadable(cause)),
            };
            let count = there.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            take(&there[..count]);
            self.reader.consume(count);
            left -= count as u64;
        }
        self.position += bytes;
        Ok(())
    }

    fn at_end(&mut self) -> Result<bool, LayerError> {
        loop {
            match self.reader.fill_buf() {
                Ok(there) => return Ok(there.is_empty()),
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(self.unreadable(cause)),
            }
        }
    }

    fn unreadable(&self, cause: io::Error) -> LayerError {
        LayerError::Files { action: "read", layer: self.layer, cause }
    }
}

/// Takes what `header` says into `entry`.
fn fill(entry: &mut TarEntry, header: &Header, size: &mut u64) -> Result<(), EntryProblem> {
    let old = header.as_old();
    entry.kind = old.linkflag[0];
    *size = unsigned(&old.size)?;
    entry.mode = (number(&old.mode).ok_or(EntryProblem::BadHeader)? & 0o7777) as u32;
    entry.uid = owner(&old.uid)?;
    entry.gid = owner(&old.gid)?;
    entry.seconds = number(&old.mtime).and_then(|time| i64::try_from(time).ok()).unwrap_or(0);
    if matches!(entry.kind, b'3' | b'4') {
        let fields = header.as_bytes();
        // The places of both numbers are the same in ustar and in GNU's headers.
        entry.major = narrow(unsigned(&fields[329..337])?)?;
        entry.minor = narrow(unsigned(&fields[337..345])?)?;
    }
    Ok(())
}

/// Takes what the records of an extended header say into `entry`; it goes before the header itself.
fn fill_from_records(
    entry: &mut TarEntry,
    records: Vec<KeyAndValue>,
    size: &mut u64,
) -> Result<(), EntryProblem> {
    for (key, value) in records {
        match &*key {
            // An empty value takes back a record of the same header.
            b"path" | b"linkpath" | b"size" | b"uid" | b"gid" | b"mtime" if value.is_empty() => {}
            b"path" => entry.path = value,
            b"linkpath" => entry.link = value,
            b"size" => *size = decimal(&value)?,
            b"uid" => entry.uid = narrow(decimal(&value)?)?,
            b"gid" => entry.gid = narrow(decimal(&value)?)?,
            b"SCHILY.devmajor" => entry.major = narrow(decimal(&value)?)?,
            b"SCHILY.devminor" => entry.minor = narrow(decimal(&value)?)?,
            b"mtime" => (entry.seconds, entry.nanoseconds) = time(&value).ok_or(EntryProblem::BadHeader)?,
            _ if key.starts_with(b"GNU.sparse.") => return Err(EntryProblem::Sparse),
            _ => {
                if let Some(name) = key.strip_prefix(ATTRIBUTE_PREFIX) {
                    add_attribute(&mut entry.xattrs, name, value)?;
                }
            }
        }
    }
    Ok(())
}

fn add_attribute(xattrs: &mut Vec<Attribute>, name: &[u8], value: Vec<u8>) -> Result<(), EntryProblem> {
    if !is_attribute_name(name) || name.len() > 255 || value.len() > ATTRIBUTE_LENGTH {
        return Err(EntryProblem::BadAttribute);
    }
    // An overlay's own notes are about its folders, not about files: from a tar, they are an attack.
    if OVERLAY_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Ok(());
    }
    match xattrs.binary_search_by(|(other, _value)| (**other).cmp(name)) {
        Ok(at) => xattrs[at].1 = value.into(),
        Err(at) => xattrs.insert(at, (name.into(), value.into())),
    }
    Ok(())
}

fn checksum_is_right(header: &Header) -> bool {
    let bytes = header.as_bytes();
    // The sum counts its own field as blanks.
    let (before, after) = (&bytes[..148], &bytes[156..]);
    let blanks = 8 * i64::from(b' ');
    let Some(said) = number(&bytes[148..156]) else { return false };
    let sum = |value: fn(&u8) -> i64| blanks + before.iter().chain(after).map(value).sum::<i64>();
    // Old programs summed signed bytes.
    said == i128::from(sum(|byte| i64::from(*byte))) || said == i128::from(sum(|byte| i64::from(*byte as i8)))
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The number in a field of a header: octal digits between blanks, or base 256 when the first bit is set.
/// Nothing is 0.
fn number(field: &[u8]) -> Option<i128> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let start = if first & 0x40 != 0 { -1 } else { 0 };
        let first = (start << 6) | i128::from(first & 0x3f);
        return rest.iter().try_fold(first, |value, byte| Some(value.checked_mul(256)? + i128::from(*byte)));
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let digits = field.iter().skip_while(|byte| blank(byte)).take_while(|byte| !blank(byte));
    digits.copied().try_fold(0_i128, |value, digit| match digit {
        b'0'..=b'7' => Some(value * 8 + i128::from(digit - b'0')),
        _ => None,
    })
}

fn unsigned(field: &[u8]) -> Result<u64, EntryProblem> {
    number(field).and_then(|value| u64::try_from(value).ok()).ok_or(EntryProblem::BadHeader)
}

fn owner(field: &[u8]) -> Result<u32, EntryProblem> {
    narrow(unsigned(field)?)
}

fn narrow(value: u64) -> Result<u32, EntryProblem> {
    u32::try_from(value).map_err(|_too_large| EntryProblem::BadHeader)
}

fn decimal(text: &[u8]) -> Result<u64, EntryProblem> {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| text.parse().ok()).ok_or(EntryProblem::BadHeader)
}

/// `seconds.fraction`.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = seconds.parse().ok()?;
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    // The fraction of a time before 1970 counts backwards.
    if seconds.starts_with('-') && nanoseconds > 0 {
        return Some((whole.checked_sub(1)?, 1_000_000_000 - nanoseconds));
    }
    Some((whole, nanoseconds))
}

/// The records `LENGTH key=value\n` of an extended header, whose values may hold any byte.
fn records(mut bytes: &[u8]) -> Option<Vec<KeyAndValue>> {
    let mut records = Vec::new();
    while !until_zero(bytes).is_empty() {
        let blank = bytes.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&bytes[..blank]).ok()?.parse().ok()?;
        let record = bytes.get(blank + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
        bytes = &bytes[length..];
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_all_writers() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"\x80\0\0\0\0\x20\0\0", Some(0x20_0000)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"0000648\0", None),
            (b"", None),
        ] {
            assert_eq!(number(field), expected, "{field:?}");
        }
    }

    #[test]
    fn times_may_have_fractions() {
        for (text, expected) in [
            ("12", Some((12, 0))),
            ("12.5", Some((12, 500_000_000))),
            ("-1.25", Some((-2, 750_000_000))),
            ("12.1234567891", Some((12, 123_456_789))),
            ("x", None),
            ("1.x", None),
        ] {
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn records_hold_any_byte() {
        let record = |key: &str, value: &[u8]| (key.as_bytes().to_vec(), value.to_vec());
        for (bytes, expected) in [
            (&b"8 a=b\nc\n"[..], Some(vec![record("a", b"b\nc")])),
            (b"6 a=b\n6 c=d\n\0\0", Some(vec![record("a", b"b"), record("c", b"d")])),
            (b"", Some(vec![])),
            (b"7 a=b\n", None),
            (b"99999999999999999999 a=b\n", None),
            (b"2 a=b\n", None),
            (b"5 ab\n", None),
            (b"a=b\n", None),
        ] {
            assert_eq!(records(bytes), expected, "{bytes:?}");
        }
    }
}

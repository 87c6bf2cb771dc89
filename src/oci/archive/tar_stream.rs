//! A tar, entry by entry, as a stream.
//!
//! The headers are read with the `tar` crate; what lies around them is here. That crate cuts the records of a
//! pax header at line feeds, which names and attributes may hold: a record after such a one, the size of a
//! file among them, is then not seen. Two programs that read one archive differently are how files are
//! smuggled, so lengths are taken as they are written, and what is doubtful is an error.
//!
//! The rules are those of Go's `archive/tar`, which reads images everywhere. Sparse files are refused, in the
//! old form as BuildKit does, in the pax form because what is stored is not what the file holds.

use std::io::{self, Read};

use crate::oci::layer_entry::Attribute;

const BLOCK: u64 = 512;
/// The longest extension of a header, in bytes, as in Go.
const LONGEST_EXTENSION: u64 = 1024 * 1024;
const XATTR: &[u8] = b"SCHILY.xattr.";

/// What a header says of an entry. Nothing of it is checked but its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TarHeader {
    /// The name as it is written.
    pub name: Vec<u8>,
    /// The kind: the letter of the header.
    pub kind: u8,
    /// How many bytes follow: 0 for what has no content.
    pub size: u64,
    /// The mode, with whatever bits it has.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The target of a link of either kind.
    pub link: Vec<u8>,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes by full name, in the order of the archive.
    pub xattrs: Vec<Attribute>,
}

/// Why a stream is no tar, or not one that is read here.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The bytes could not be had, or could not be decompressed.
    #[error("the archive cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The stream ends inside an entry.
    #[error("the archive ends in the middle of an entry")]
    CutShort,
    /// A header is not one.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// A file with holes.
    #[error("`{0}` is a sparse file, which no image can hold: make the archive without --sparse")]
    Sparse(String),
}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> Self {
        // Decoders say this of a stream that was cut.
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::CutShort } else { Self::Read(error) }
    }
}

/// A tar that is being read. Reading from it gives the content of the entry that was handed out last.
pub struct TarStream<R> {
    source: R,
    /// Bytes of the content that were not read yet.
    remaining: u64,
    /// Bytes that fill up the last block.
    padding: u64,
    position: u64,
    is_over: bool,
}

/// A key and a value of a pax header.
type Record = (Vec<u8>, Vec<u8>);

/// What extension headers say of the entry that follows them.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Vec<Record>>,
}

impl<R: Read> TarStream<R> {
    /// The tar that `source` gives.
    pub fn new(source: R) -> Self {
        Self { source, remaining: 0, padding: 0, position: 0, is_over: false }
    }

    /// How many bytes of the tar were read: after [`Self::next_header`], where the content begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next entry, `None` at the end. What was not read of the content before it is passed over.
    ///
    /// # Errors
    /// The bytes cannot be read, or they are no tar.
    pub fn next_header(&mut self) -> Result<Option<TarHeader>, TarError> {
        let mut extensions = Extensions::default();
        loop {
            self.pass_over_content()?;
            let Some(header) = self.next_block()? else {
                let is_empty =
                    extensions.name.is_none() && extensions.link.is_none() && extensions.pax.is_none();
                return if is_empty { Ok(None) } else { Err(TarError::CutShort) };
            };
            match header.as_bytes()[156] {
                b'g' => self.begin_content(header_size(&header)?)?,
                b'x' => {
                    let text = self.extension(&header)?;
                    put_once(&mut extensions.pax, pax_records(&text)?)?;
                }
                b'L' => put_once(&mut extensions.name, until_nul(self.extension(&header)?))?,
                b'K' => put_once(&mut extensions.link, until_nul(self.extension(&header)?))?,
                _ => {
                    let found = merged(&header, extensions)?;
                    self.begin_content(found.size)?;
                    return Ok(Some(found));
                }
            }
        }
    }

    fn begin_content(&mut self, size: u64) -> Result<(), TarError> {
        let over = size % BLOCK;
        self.padding = if over == 0 { 0 } else { BLOCK - over };
        size.checked_add(self.padding)
            .and_then(|size| self.position.checked_add(size))
            .ok_or(TarError::Damaged("an entry is larger than any file"))?;
        self.remaining = size;
        Ok(())
    }

    fn pass_over_content(&mut self) -> Result<(), TarError> {
        let wanted = self.remaining + self.padding;
        (self.remaining, self.padding) = (0, 0);
        let passed = io::copy(&mut self.source.by_ref().take(wanted), &mut io::sink())?;
        self.position += passed;
        if passed == wanted { Ok(()) } else { Err(TarError::CutShort) }
    }

    /// The content of an extension header.
    fn extension(&mut self, header: &tar::Header) -> Result<Vec<u8>, TarError> {
        let size = header_size(header)?;
        if size > LONGEST_EXTENSION {
            return Err(TarError::Damaged("the names and attributes of an entry take more than 1 MiB"));
        }
        self.begin_content(size)?;
        let mut text = Vec::new();
        self.read_to_end(&mut text)?;
        Ok(text)
    }

    /// The next header; `None` at the end: two blocks of zeros, or nothing.
    fn next_block(&mut self) -> Result<Option<tar::Header>, TarError> {
        if self.is_over {
            return Ok(None);
        }
        let mut header = tar::Header::new_old();
        let is_block = |header: &tar::Header| header.as_bytes().iter().any(|byte| *byte != 0);
        if self.read_block(&mut header)? && is_block(&header) {
            check_sum(&header)?;
            return Ok(Some(header));
        }
        self.is_over = true;
        if self.read_block(&mut header)? && is_block(&header) {
            return Err(TarError::Damaged("an entry follows the end"));
        }
        Ok(None)
    }

    /// Whether there was a block.
    fn read_block(&mut self, header: &mut tar::Header) -> Result<bool, TarError> {
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while filled < block.len() {
            match self.source.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(TarError::CutShort),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.position += BLOCK;
        Ok(true)
    }
}

impl<R: Read> Read for TarStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.source.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, TarError::CutShort.to_string()));
        }
        self.remaining -= count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

fn put_once<T>(place: &mut Option<T>, value: T) -> Result<(), TarError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(TarError::Damaged("an entry has two extensions of one kind")),
    }
}

fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
    text
}

/// The sum of a header counts its bytes; programs of old counted them as signed.
fn check_sum(header: &tar::Header) -> Result<(), TarError> {
    let bytes = header.as_bytes();
    let others = || bytes[..148].iter().chain(&bytes[156..]);
    let unsigned: i64 = others().map(|byte| i64::from(*byte)).sum::<i64>() + 8 * 32;
    let signed: i64 = others().map(|byte| i64::from(*byte as i8)).sum::<i64>() + 8 * 32;
    let written = number(&bytes[148..156]).ok().and_then(|sum| i64::try_from(sum).ok());
    if written == Some(unsigned) || written == Some(signed) {
        Ok(())
    } else {
        Err(TarError::Damaged("the sum of a header is wrong"))
    }
}

fn header_size(header: &tar::Header) -> Result<u64, TarError> {
    number(&header.as_bytes()[124..136])
}

/// A number in a header: octal digits among spaces and NULs, nothing for 0, or in base 256 where the first bit
/// is set.
fn number(field: &[u8]) -> Result<u64, TarError> {
    let wrong = || TarError::Damaged("a header holds what is no number");
    if let Some(first) = field.first().filter(|first| **first & 0x80 != 0) {
        let high = u64::from(first & 0x7f);
        let value = field[1..]
            .iter()
            .try_fold(high, |value, byte| value.checked_mul(256).map(|value| value | u64::from(*byte)));
        return value.ok_or_else(wrong);
    }
    let is_filling = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_filling(byte)).unwrap_or(field.len());
    let digits = field[start..].split(is_filling).next().unwrap_or_default();
    let is_octal = digits.iter().all(|byte| (b'0'..=b'7').contains(byte));
    if !is_octal {
        return Err(wrong());
    }
    Ok(digits.iter().fold(0, |value, digit| value << 3 | u64::from(digit - b'0')))
}

/// The records of a pax header: `length key=value\n`, where the length is that of the whole record.
fn pax_records(mut text: &[u8]) -> Result<Vec<Record>, TarError> {
    let wrong = || TarError::Damaged("a pax record has the wrong form");
    let mut records = Vec::new();
    while !text.is_empty() {
        let space = text.iter().take(20).position(|byte| *byte == b' ').ok_or_else(wrong)?;
        let digits = std::str::from_utf8(&text[..space]).or(Err(wrong()))?;
        let length: usize = digits.parse().or(Err(wrong()))?;
        let record = text.get(space + 1..length).ok_or_else(wrong)?;
        let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        if key.is_empty() || key.contains(&0) {
            return Err(wrong());
        }
        records.push((key.to_vec(), value.to_vec()));
        text = &text[length..];
    }
    Ok(records)
}

/// What the header and its extensions say together.
fn merged(header: &tar::Header, extensions: Extensions) -> Result<TarHeader, TarError> {
    let narrow = |value: u64| u32::try_from(value).or(Err(TarError::Damaged("a number is too large")));
    let bytes = header.as_bytes();
    let kind = bytes[156];
    let device = match kind {
        b'3' | b'4' => (narrow(number(&bytes[329..337])?)?, narrow(number(&bytes[337..345])?)?),
        _ => (0, 0),
    };
    let mut found = TarHeader {
        name: header.path_bytes().into_owned(),
        kind,
        size: header_size(header)?,
        mode: narrow(number(&bytes[100..108])?)?,
        uid: 0,
        gid: 0,
        link: header.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default(),
        device,
        xattrs: Vec::new(),
    };
    let (mut uid, mut gid) = (number(&bytes[108..116])?, number(&bytes[116..124])?);
    for (key, value) in extensions.pax.into_iter().flatten() {
        let is_text = |value: &[u8]| !value.contains(&0);
        let decimal = || {
            let text = std::str::from_utf8(&value).ok();
            text.and_then(|text| text.parse::<u64>().ok())
                .ok_or(TarError::Damaged("a pax record is no number"))
        };
        match key.as_slice() {
            // A record without a value takes back what a global one said: the header's is right.
            _ if value.is_empty() && !key.starts_with(XATTR) => {}
            b"path" | b"linkpath" if !is_text(&value) => {
                return Err(TarError::Damaged("a name holds a NUL"));
            }
            b"path" => found.name = value,
            b"linkpath" => found.link = value,
            b"size" => found.size = decimal()?,
            b"uid" => uid = decimal()?,
            b"gid" => gid = decimal()?,
            key if key.starts_with(b"GNU.sparse.") => return Err(sparse(&found)),
            key => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    found.xattrs.push((name.into(), value.into()));
                }
            }
        }
    }
    (found.uid, found.gid) = (narrow(uid)?, narrow(gid)?);
    found.name = extensions.name.unwrap_or(found.name);
    found.link = extensions.link.unwrap_or(found.link);
    checked_kind(found)
}

/// The letters of old, and sizes where nothing can follow.
fn checked_kind(mut found: TarHeader) -> Result<TarHeader, TarError> {
    if found.kind == b'S' {
        return Err(sparse(&found));
    }
    if found.kind == 0 {
        found.kind = if found.name.ends_with(b"/") { b'5' } else { b'0' };
    }
    // Go passes over no bytes here, and other programs do: the next entry would be another one.
    if matches!(found.kind, b'1'..=b'6') && found.size > 0 {
        return Err(TarError::Damaged("a folder, a link or a device has content"));
    }
    Ok(found)
}

fn sparse(found: &TarHeader) -> TarError {
    TarError::Sparse(String::from_utf8_lossy(&found.name).into_owned())
}

#[cfg(test)]
mod tests;

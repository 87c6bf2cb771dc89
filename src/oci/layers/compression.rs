//! Compression of layers and archives: the same bytes for the same content, and no bombs.
//!
//! A compressed layer is an output with a digest of its own, so the compressors are fixed: one level each, no
//! time and no name in a header, and nothing that hangs on the number of threads. Reading goes by the first
//! bytes, as Docker does, since media types and file names lie.
//!
//! A small blob can stand for terabytes of zeros. Contents up to a gigabyte are read whatever they are; from
//! there on they have to be plausible.

use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use libdeflater::CompressionLvl;

use super::gzip;

/// libdeflate's fastest. Of a Debian, 2 makes 5 % less than this and takes 40 % longer, and 6 makes 9 % less in
/// twice the time; zlib takes twice the time, too, for what has this size.
const GZIP_LEVEL: i32 = 1;

/// What zstd's own program takes.
const ZSTD_LEVEL: i32 = 3;

/// The largest window that a zstd stream may ask for, as a power of two: 128 MiB, as its program allows.
const ZSTD_WINDOW: u32 = 27;

/// The most memory for xz: that of its highest level.
const XZ_MEMORY: u64 = 80 << 20;

/// So many bytes are unpacked whatever they were packed into.
pub const UNPACKED_FREELY: u64 = 1 << 30;

/// Above [`UNPACKED_FREELY`]: how many bytes a byte may stand for. Programs and libraries give 2 to 5, texts
/// 20, disk images 100; zeros give 1,000 with gzip and more with the others.
pub const UNPACKED_RATIO: u64 = 200;

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Compression {
    /// The media type of such a layer in a manifest of OCI.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Its name in options and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses all of `content` into `writer`. The same content gives the same bytes.
    pub fn compress(self, content: &mut dyn Read, writer: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::None => io::copy(content, writer).map(drop),
            Self::Gzip => {
                let level = CompressionLvl::new(GZIP_LEVEL).expect("the level is one of libdeflate's");
                gzip::compress(content, writer, level)
            }
            Self::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(writer, ZSTD_LEVEL)?;
                io::copy(content, &mut encoder)?;
                encoder.finish().map(drop)
            }
        }
    }
}

/// How bytes are packed, by how they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not, or in no way that is known here.
    None,
    /// gzip, one member or several.
    Gzip,
    /// zstd.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

impl Packing {
    /// How many bytes [`Packing::of`] looks at.
    pub const LOOKED_AT: usize = 6;

    /// How bytes are packed that begin with `start`.
    pub fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }
}

/// The content of `packed`, however it is packed. Reading fails when it is damaged, and when it grows beyond
/// [`UNPACKED_FREELY`] and [`UNPACKED_RATIO`].
pub fn unpacked<'r>(mut packed: impl Read + Send + 'r) -> io::Result<(Packing, Box<dyn Read + Send + 'r>)> {
    let mut start = Vec::with_capacity(Packing::LOOKED_AT);
    (&mut packed).take(Packing::LOOKED_AT as u64).read_to_end(&mut start)?;
    let packing = Packing::of(&start);
    let taken = Arc::new(AtomicU64::new(0));
    let counted = Counted { inner: Cursor::new(start).chain(packed), taken: Arc::clone(&taken) };
    let reader = BufReader::with_capacity(128 << 10, counted);
    let inner = decoder(packing, reader)?;
    if packing == Packing::None {
        return Ok((packing, inner));
    }
    Ok((packing, Box::new(Limited { inner, taken, given: 0 })))
}

fn decoder<'r>(packing: Packing, reader: impl BufRead + Send + 'r) -> io::Result<Box<dyn Read + Send + 'r>> {
    Ok(match packing {
        Packing::None => Box::new(reader),
        Packing::Gzip => Box::new(MultiGzDecoder::new(reader)),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(decoder)
        }
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(reader)),
        Packing::Xz => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(reader, stream))
        }
    })
}

/// A reader that says how much was taken from it.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A reader of unpacked bytes that ends with an error when they are too many.
struct Limited<'r> {
    inner: Box<dyn Read + Send + 'r>,
    taken: Arc<AtomicU64>,
    given: u64,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.given += read as u64;
        if self.given > UNPACKED_FREELY.max(self.taken.load(Ordering::Relaxed).saturating_mul(UNPACKED_RATIO))
        {
            let message = format!(
                "it unpacks to more than {UNPACKED_RATIO} times its size, which is what an archive does that is made to fill a disk"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    fn packed(compression: Compression, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        compression.compress(&mut &*content, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn content_comes_back() {
        let content: Vec<u8> = (0..300_000_u32).map(|number| (number / 7) as u8).collect();
        for (compression, expected) in [
            (Compression::None, Packing::None),
            (Compression::Gzip, Packing::Gzip),
            (Compression::Zstd, Packing::Zstd),
        ] {
            let bytes = packed(compression, &content);
            let (packing, mut reader) = unpacked(&*bytes).unwrap();
            let mut back = Vec::new();
            reader.read_to_end(&mut back).unwrap();
            assert_eq!((packing, back == content), (expected, true));
        }
    }

    /// A layer's digest must not move when a crate is updated: that would be other bytes for the same image.
    #[test]
    fn the_compressors_are_fixed() {
        let content: Vec<u8> = (0..200_000_u64).map(|at| (at.wrapping_mul(at) >> 7) as u8 & 0x3f).collect();
        let digest = |compression| BlobDigest::of(&packed(compression, &content)).hex()[..12].to_owned();
        assert_eq!(
            (digest(Compression::Gzip), digest(Compression::Zstd)),
            ("67fb7b321748".to_owned(), "4ead95ba1b15".to_owned())
        );
    }

    #[test]
    fn what_is_damaged_is_an_error() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let bytes = packed(compression, &[7; 100_000]);
            let (_packing, mut reader) = unpacked(&bytes[..bytes.len() - 1]).unwrap();
            assert!(reader.read_to_end(&mut Vec::new()).is_err(), "{compression:?}");
        }
    }

    #[test]
    fn a_bomb_is_an_error() {
        let check = |taken, given, expected| {
            let taken = Arc::new(AtomicU64::new(taken));
            let mut reader = Limited { inner: Box::new(io::repeat(0)), taken, given };
            assert_eq!(reader.read(&mut [0; 100]).is_ok(), expected);
        };
        check(0, UNPACKED_FREELY - 100, true);
        check(0, UNPACKED_FREELY - 99, false);
        check(10 << 20, UNPACKED_RATIO * (10 << 20) - 100, true);
        check(10 << 20, UNPACKED_RATIO * (10 << 20) - 99, false);
    }
}

//! Which compression a stream has, and the stream without it.
//!
//! The first bytes decide, as in BuildKit: names of files say nothing. Each decoder takes streams that were
//! put one after the other for one stream, and none keeps more than a fixed window in memory: a stream that
//! asks for a larger one is an error when it is read.

use std::io::{self, BufRead, BufReader, Read};

use liblzma::stream::{CONCATENATED, Stream};

/// How much of a stream is read ahead, in bytes.
const READ_AHEAD: usize = 64 * 1024;
/// What the dictionary of an xz stream may take, in bytes: `xz -9` asks for 65 MiB.
const XZ_MEMORY: u64 = 96 * 1024 * 1024;
/// The largest window of a zstd stream, as a power of two: 128 MiB, which is what `zstd --long` asks for.
const ZSTD_WINDOW: u32 = 27;

/// What a stream is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Nothing that is known here.
    None,
    /// `gzip`.
    Gzip,
    /// `bzip2`.
    Bzip2,
    /// `xz`.
    Xz,
    /// `zstd`.
    Zstd,
}

impl Compression {
    /// The compression of the stream that begins with `start`.
    pub fn of(start: &[u8]) -> Self {
        // A zstd stream may begin with a frame that is skipped: any of sixteen numbers.
        let is_skippable = start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18];
        match start {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ if is_skippable => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// `source` without its compression, and which it was.
///
/// # Errors
/// The source cannot be read, or a decoder cannot be made.
pub fn decompress<'s>(source: impl Read + 's) -> io::Result<(Compression, Box<dyn Read + 's>)> {
    let mut source = BufReader::with_capacity(READ_AHEAD, source);
    let compression = Compression::of(first_bytes(&mut source)?);
    let plain: Box<dyn Read> = match compression {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(io::Error::other)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(source, stream))
        }
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(decoder)
        }
    };
    Ok((compression, plain))
}

/// What the reader has first: enough of it to know a compression, where there is that much.
fn first_bytes<R: Read>(source: &mut BufReader<R>) -> io::Result<&[u8]> {
    // Files and decoders give more than six bytes at once, but for their very end; a pipe may not, and a
    // stream whose first read is that short is taken for what it shows.
    loop {
        match source.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(source.buffer()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compressed(compression: Compression, plain: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => plain.to_vec(),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(plain, 1).unwrap(),
        }
    }

    fn check(compression: Compression) {
        let twice = [compressed(compression, b"some "), compressed(compression, b"text")].concat();
        let (found, mut plain) = decompress(twice.as_slice()).unwrap();
        let mut text = String::new();
        plain.read_to_string(&mut text).unwrap();
        assert_eq!((found, text.as_str()), (compression, "some text"));
    }

    #[test]
    fn every_compression_is_known_and_undone() {
        use Compression::{Bzip2, Gzip, None, Xz, Zstd};
        [None, Gzip, Bzip2, Xz, Zstd].into_iter().for_each(check);
        assert_eq!(Compression::of(&[0x5f, 0x2a, 0x4d, 0x18]), Zstd);
        assert_eq!(Compression::of(&[0x1f, 0x8b]), None);
        assert_eq!(Compression::of(b""), None);
    }

    #[test]
    fn a_stream_that_asks_for_a_large_window_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(30).unwrap();
        // A window is as large as it says only where the size is not known beforehand.
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&[0; 1 << 20]).unwrap();
        let stream = encoder.finish().unwrap();
        let (_, mut plain) = decompress(stream.as_slice()).unwrap();
        assert!(plain.read_to_end(&mut Vec::new()).is_err());
    }
}

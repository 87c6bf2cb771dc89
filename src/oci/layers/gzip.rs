//! Writes gzip on all processors, and the same bytes on any number of them.
//!
//! The content is cut into chunks of one length. Each is compressed by itself and ends on a whole byte, so that the
//! chunks behind each other are one stream, in one member: what reads gzip reads this. The length of a chunk and
//! the level decide the bytes; threads do not.
//!
//! It never holds more than a few chunks, and compresses what fits into one without a thread.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// In bytes. A match never reaches over the start of a chunk: shorter ones would make the output larger.
const CHUNK: usize = 1 << 20;

/// Chunks at work: more make no output faster that is written in order.
const MOST_THREADS: usize = 16;

/// The magic number, the method, no flag, no time, no word on the level, and no system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compresses all of `content` into `writer`.
pub(super) fn compress(content: &mut dyn Read, writer: &mut dyn Write, level: u32) -> io::Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let mut crc = Crc::new();
    writer.write_all(&HEADER)?;
    thread::scope(|scope| {
        let mut at_work: VecDeque<ScopedJoinHandle<'_, io::Result<Vec<u8>>>> = VecDeque::new();
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            (&mut *content).take(CHUNK as u64).read_to_end(&mut chunk)?;
            crc.update(&chunk);
            let is_last = chunk.len() < CHUNK;
            if is_last && at_work.is_empty() {
                return writer.write_all(&deflated(&chunk, level, is_last)?);
            }
            at_work.push_back(scope.spawn(move || deflated(&chunk, level, is_last)));
            while at_work.len() > if is_last { 0 } else { threads } {
                let Some(first) = at_work.pop_front() else { break };
                writer.write_all(&first.join().unwrap_or_else(|panic| resume_unwind(panic))?)?;
            }
            if is_last {
                return Ok(());
            }
        }
    })?;
    // The length is told modulo 2^32.
    writer.write_all(&[crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat())
}

/// A chunk, compressed; the last one ends the stream.
fn deflated(chunk: &[u8], level: u32, is_last: bool) -> io::Result<Vec<u8>> {
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut compressor = Compress::new(Compression::new(level), false);
    let mut deflated = Vec::with_capacity(chunk.len() / 2 + 1024);
    loop {
        let taken = compressor.total_in() as usize;
        let status = compressor.compress_vec(&chunk[taken..], &mut deflated, flush)?;
        let is_taken = compressor.total_in() as usize == chunk.len();
        // There may be more to come while all room was used.
        let is_done =
            if is_last { status == Status::StreamEnd } else { deflated.len() < deflated.capacity() };
        if is_taken && is_done {
            return Ok(deflated);
        }
        deflated.reserve(chunk.len() / 2 + 1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    #[test]
    fn whatever_the_length_content_comes_back_from_one_member() {
        let content: Vec<u8> = (0..3 * CHUNK as u64 + 5).map(|at| (at.wrapping_mul(at) >> 9) as u8).collect();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, content.len()] {
            let mut packed = Vec::new();
            compress(&mut &content[..length], &mut packed, 6).unwrap();
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(&*packed).read_to_end(&mut back).unwrap();
            assert!(back == content[..length], "{length}");
        }
    }

    /// A layer's digest must not move: that would be other bytes for the same image.
    #[test]
    fn the_bytes_are_fixed() {
        let content: Vec<u8> = (0..2 * CHUNK as u64 + 5).map(|at| (at.wrapping_mul(at) >> 9) as u8).collect();
        let mut packed = Vec::new();
        compress(&mut &*content, &mut packed, 3).unwrap();
        assert_eq!(BlobDigest::of(&packed).hex()[..12], *"ad5741664f86");
    }

    #[test]
    fn what_does_not_get_smaller_comes_back_too() {
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let content: Vec<u8> = (0..2 * CHUNK + 1).map(|_| random()).collect();
        let mut packed = Vec::new();
        compress(&mut &*content, &mut packed, 6).unwrap();
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut back).unwrap();
        assert!(back == content && packed.len() > content.len());
    }

    #[test]
    fn a_content_that_cannot_be_read_is_an_error() {
        struct Broken(usize);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or_else(|| io::Error::other("broken"))?;
                Ok(buffer.len())
            }
        }
        assert!(compress(&mut Broken(500), &mut io::sink(), 6).is_err());
    }
}

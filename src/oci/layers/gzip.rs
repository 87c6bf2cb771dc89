//! Writes gzip on all processors, and the same bytes on any number of them.
//!
//! The content is cut into chunks of one length, and each becomes a member of its own: the format is a series of
//! members, which what reads layers takes for one stream, as layers that are fetched piece by piece (eStargz) need
//! it. The length of a chunk and the level decide the bytes; threads do not.
//!
//! The compressor is libdeflate, which takes whole chunks: it makes what zlib makes of its level 3, in half the time.
//!
//! It never holds more than a few chunks, and compresses what fits into one without a thread.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use libdeflater::{CompressionLvl, Compressor};

/// In bytes. A match never reaches over the start of a chunk: shorter ones would make the output larger.
const CHUNK: usize = 1 << 20;

/// Chunks at work: more make no output faster that is written in order.
const MOST_THREADS: usize = 16;

/// Compresses all of `content` into `writer`.
pub(super) fn compress(
    content: &mut dyn Read,
    writer: &mut dyn Write,
    level: CompressionLvl,
) -> io::Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let mut is_first = true;
    thread::scope(|scope| {
        let mut at_work: VecDeque<ScopedJoinHandle<'_, io::Result<Vec<u8>>>> = VecDeque::new();
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            (&mut *content).take(CHUNK as u64).read_to_end(&mut chunk)?;
            let is_last = chunk.len() < CHUNK;
            if is_last && is_first {
                return writer.write_all(&member(&chunk, level)?);
            }
            is_first = false;
            if !chunk.is_empty() {
                at_work.push_back(scope.spawn(move || member(&chunk, level)));
            }
            while at_work.len() > if is_last { 0 } else { threads } {
                let Some(first) = at_work.pop_front() else { break };
                writer.write_all(&first.join().unwrap_or_else(|panic| resume_unwind(panic))?)?;
            }
            if is_last {
                return Ok(());
            }
        }
    })
}

/// A member with this content. Its header has no time, no name and no system.
fn member(chunk: &[u8], level: CompressionLvl) -> io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(level);
    let mut member = vec![0; compressor.gzip_compress_bound(chunk.len())];
    let length = compressor.gzip_compress(chunk, &mut member).map_err(io::Error::other)?;
    member.truncate(length);
    Ok(member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    fn level(level: i32) -> CompressionLvl {
        CompressionLvl::new(level).unwrap()
    }

    #[test]
    fn whatever_the_length_content_comes_back() {
        let content: Vec<u8> = (0..3 * CHUNK as u64 + 5).map(|at| (at.wrapping_mul(at) >> 9) as u8).collect();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, content.len()] {
            let mut packed = Vec::new();
            compress(&mut &content[..length], &mut packed, level(6)).unwrap();
            let mut back = Vec::new();
            flate2::read::MultiGzDecoder::new(&*packed).read_to_end(&mut back).unwrap();
            assert!(back == content[..length], "{length}");
        }
    }

    /// A layer's digest must not move: that would be other bytes for the same image.
    #[test]
    fn the_bytes_are_fixed() {
        let content: Vec<u8> = (0..2 * CHUNK as u64 + 5).map(|at| (at.wrapping_mul(at) >> 9) as u8).collect();
        let mut packed = Vec::new();
        compress(&mut &*content, &mut packed, level(1)).unwrap();
        assert_eq!(BlobDigest::of(&packed).hex()[..12], *"3bbeff06b7fd");
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
        compress(&mut &*content, &mut packed, level(6)).unwrap();
        let mut back = Vec::new();
        flate2::read::MultiGzDecoder::new(&*packed).read_to_end(&mut back).unwrap();
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
        assert!(compress(&mut Broken(500), &mut io::sink(), level(6)).is_err());
    }
}

//! A limit on how large a compressed stream may become.
//!
//! Ten mebibytes of gzip can be ten gibibytes of zeros. What people compress grows by far less, so a stream
//! that grows out of proportion is an error before it has filled a disk.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use super::compression::{Compression, decompress};

/// How large a stream may become.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// Up to how many bytes in any case.
    pub small: u64,
    /// How many times as large as its compressed form beyond that.
    pub ratio: u64,
}

impl Default for Growth {
    fn default() -> Self {
        Self { small: 1 << 30, ratio: 200 }
    }
}

/// A small stream that would become a very large one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it becomes more than {0} times as large as it is")]
pub struct GrowthError(u64);

/// `source` without its compression, and which it was. Reading fails with a [`GrowthError`] inside where the
/// stream grows out of proportion.
///
/// # Errors
/// The source cannot be read, or a decoder cannot be made.
pub fn decompress_within<'s>(
    source: impl Read + 's,
    growth: Growth,
) -> io::Result<(Compression, Box<dyn Read + 's>)> {
    let taken: Rc<Cell<u64>> = Rc::default();
    let (compression, plain) = decompress(Counted { source, taken: Rc::clone(&taken) })?;
    Ok((compression, Box::new(Bounded { plain, given: 0, taken, growth })))
}

struct Counted<R> {
    source: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}

struct Bounded<'s> {
    plain: Box<dyn Read + 's>,
    given: u64,
    taken: Rc<Cell<u64>>,
    growth: Growth,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.plain.read(buffer)?;
        self.given += count as u64;
        let Growth { small, ratio } = self.growth;
        if self.given > small && self.given / ratio.max(1) > self.taken.get() {
            return Err(io::Error::other(GrowthError(ratio)));
        }
        Ok(count)
    }
}

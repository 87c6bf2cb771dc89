//! Copies from a reader that works for its bytes to a writer that does so, too: both at the same time.
//!
//! Unpacking and hashing take about as long as each other. A thread reads, the caller's writes; between them are
//! a few pieces at most.

use std::io::{self, Read, Write};
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Bytes that change threads at once.
const PIECE: usize = 256 << 10;

/// Pieces that wait for the writer.
const WAITING: usize = 8;

/// Copies all of `reader` into `writer`; how many bytes that are.
///
/// # Errors
/// The first of either side. What was read before an error may not have been written.
pub fn copy(reader: &mut (dyn Read + Send), writer: &mut dyn Write) -> io::Result<u64> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let reading = scope.spawn(move || -> io::Result<()> {
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                (&mut *reader).take(PIECE as u64).read_to_end(&mut piece)?;
                // Nobody takes it any more when writing failed.
                if piece.is_empty() || sender.send(piece).is_err() {
                    return Ok(());
                }
            }
        });
        let mut copied = 0;
        let written = receiver.iter().try_for_each(|piece| {
            copied += piece.len() as u64;
            writer.write_all(&piece)
        });
        drop(receiver);
        let read = reading.join().unwrap_or_else(|panic| resume_unwind(panic));
        written.and(read).map(|()| copied)
    })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    struct Fails;

    impl Read for Fails {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::TimedOut.into())
        }
    }

    impl Write for Fails {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_arrives_in_order_and_each_side_may_fail() {
        let content: Vec<u8> = (0..5 * PIECE + 3).map(|at| (at / 7) as u8).collect();
        let mut written = Vec::new();
        assert_eq!(copy(&mut &*content, &mut written).unwrap(), content.len() as u64);
        assert!(written == content);
        let mut broken = (&*content).chain(Fails);
        assert_eq!(copy(&mut broken, &mut io::sink()).unwrap_err().kind(), ErrorKind::TimedOut);
        let mut endless = io::repeat(0);
        assert_eq!(copy(&mut endless, &mut Fails).unwrap_err().kind(), ErrorKind::StorageFull);
    }
}

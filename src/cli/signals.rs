//! SIGINT and SIGTERM: the first asks the run to stop, a second one ends the program at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::exit::Exit;
use crate::types::cancellation::Cancellation;

/// Which signal came first, if one came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopped(Arc<AtomicI32>);

impl Stopped {
    /// How the program ends after the signal; `None` when none came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        exit_of(self.0.load(Ordering::SeqCst))
    }
}

fn exit_of(signal: i32) -> Option<Exit> {
    match signal {
        SIGINT => Some(Exit::Interrupted),
        SIGTERM => Some(Exit::Terminated),
        _ => None,
    }
}

/// Listens on a thread of its own for the rest of the process's life.
///
/// # Errors
/// When the operating system does not let it.
pub(crate) fn listen(cancellation: &Cancellation) -> io::Result<Stopped> {
    let stopped = Stopped::default();
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (first, cancellation) = (stopped.clone(), cancellation.clone());
    std::thread::Builder::new().name("imgraph-signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if cancellation.is_cancelled() {
                let exit = exit_of(signal).unwrap_or(Exit::Interrupted);
                std::process::exit(i32::from(exit.code()));
            }
            first.0.store(signal, Ordering::SeqCst);
            cancellation.cancel();
        }
    })?;
    Ok(stopped)
}

//! One repository at all its places: the mirrors in their order, and the registry that was named.
//!
//! A mirror that fails in whatever way is passed over; one that does not answer at all is not asked again.

use std::sync::{Mutex, PoisonError};

use super::error::RemoteError;
use super::session::Session;

/// How often a mirror is tried before the next one is.
const MIRROR_ATTEMPTS: u32 = 2;

/// A repository's places.
pub(super) struct Places<'r> {
    pub(super) sessions: Vec<Session<'r>>,
    /// Mirrors that did not answer.
    pub(super) silent: &'r Mutex<Vec<String>>,
    /// How often the registry itself is tried.
    pub(super) attempts: u32,
}

impl Places<'_> {
    /// Asks the mirrors and then the registry, until one of them does what is asked. What the registry says
    /// counts, for it is the one that was named.
    pub(super) async fn at_each_place<T>(
        &self,
        mut ask: impl AsyncFnMut(&Session<'_>, u32) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let silent = || self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        for session in self.sessions.iter().filter(|session| session.endpoint.is_mirror) {
            let host = session.endpoint.host();
            if silent().contains(&host) {
                continue;
            }
            match ask(session, MIRROR_ATTEMPTS).await {
                Ok(done) => return Ok(done),
                Err(error @ RemoteError::Local { .. }) => return Err(error),
                Err(RemoteError::Network { .. }) => silent().push(host),
                Err(_) => {}
            }
        }
        let own = self.sessions.iter().find(|session| !session.endpoint.is_mirror);
        ask(own.expect("the registry itself is one of the places"), self.attempts).await
    }
}

//! The body of an answer, as long as it comes.
//!
//! A server that says nothing is given up after a while; so is one that sends a byte now and then, which would
//! keep a build for years. What counts is the time that was waited for bytes, not that in which they were used.

use std::time::{Duration, Instant};

use reqwest::{Response, Url};

use super::endpoint::shown_host;
use super::error::RemoteError;
use super::network::{Failure, broken};

/// How many bytes must come in a second, over as long as a server may be silent.
const LEAST: u32 = 1024;

/// A body.
pub(super) struct Incoming<'b> {
    response: Response,
    url: &'b Url,
    what: &'b str,
    /// Over how long it is counted.
    silence: Duration,
    waited: Duration,
    /// In bytes, while it was waited.
    came: f64,
}

impl<'b> Incoming<'b> {
    /// That of the answer to `url`, for which a server may be silent so long.
    pub(super) fn new(response: Response, url: &'b Url, what: &'b str, silence: Duration) -> Self {
        Self { response, url, what, silence, waited: Duration::ZERO, came: 0.0 }
    }

    /// The next bytes, `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        let begin = Instant::now();
        let chunk = self.response.chunk().await.map_err(|error| broken(self.url, self.what, &error))?;
        let Some(chunk) = chunk else { return Ok(None) };
        self.waited += begin.elapsed();
        self.came += chunk.len() as f64;
        if self.waited >= self.silence {
            if self.came < f64::from(LEAST) * self.waited.as_secs_f64() {
                return Err(self.too_slow());
            }
            (self.waited, self.came) = (Duration::ZERO, 0.0);
        }
        Ok(Some(chunk))
    }

    fn too_slow(&self) -> Failure {
        let told = RemoteError::Network {
            host: shown_host(self.url),
            what: self.what.to_owned(),
            reason: format!("it comes too slowly, with less than {LEAST} bytes a second"),
        };
        Failure::Passing(told, None)
    }
}

/// The whole body, where it is not larger than `limit` bytes.
pub(super) async fn whole_body(mut incoming: Incoming<'_>, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = incoming.next().await? {
        let chunk = chunk.as_ref();
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(RemoteError::TooLarge { what: incoming.what.to_owned(), limit }.into());
        }
        body.extend_from_slice(chunk);
    }
    Ok(body)
}

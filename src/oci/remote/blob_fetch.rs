//! One blob on its way from a registry into a sink.
//!
//! It is written as it comes. Where the connection breaks, the next try asks for what is missing and goes on;
//! a server that does not understand that sends all of it, and it begins again.

use std::io::Write;

use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode, Url};

use crate::oci::blob_digest::BlobDigest;

use super::blob_sink::{BlobSink, BlobWriter};
use super::error::RemoteError;
use super::incoming::Incoming;
use super::network::Failure;
use super::places::Places;
use super::session::Session;

/// A blob that is wanted.
pub(super) struct BlobFetch<'f> {
    pub(super) places: &'f Places<'f>,
    /// What the image is called in errors.
    pub(super) image: &'f str,
    pub(super) sink: &'f dyn BlobSink,
    pub(super) digest: &'f BlobDigest,
    /// What the manifest says.
    pub(super) size: u64,
    /// Is told how many bytes came, or were given up.
    pub(super) tell: &'f dyn Fn(i64),
}

/// What is written already.
struct Begun<'f> {
    writer: Box<dyn BlobWriter + 'f>,
    written: u64,
}

impl BlobFetch<'_> {
    pub(super) async fn run(self) -> Result<(), RemoteError> {
        let what = format!("the layer {} of {}", self.digest, self.image);
        self.places
            .at_each_place(async |session, attempts| {
                let url = session.endpoint.url("blobs", &self.digest.to_string());
                // A place never goes on where another one stopped: one of them may lie.
                let mut begun = None;
                let fetched = session
                    .network
                    .persist(attempts, async || self.attempt(session, &url, &what, &mut begun).await);
                let done = fetched.await;
                if let Some(left) = begun.take() {
                    match done {
                        Ok(()) => return self.finish(&what, left),
                        Err(_) => self.forget(left),
                    }
                }
                done
            })
            .await
    }

    async fn attempt<'b>(
        &'b self,
        session: &Session<'_>,
        url: &Url,
        what: &str,
        begun: &mut Option<Begun<'b>>,
    ) -> Result<(), Failure> {
        let from = begun.as_ref().map_or(0, |begun| begun.written);
        if from == self.size && begun.is_some() {
            return Ok(());
        }
        let mut response = session.get(url, what, from).await?;
        if from > 0 && !goes_on(&response, from) {
            begun.take().into_iter().for_each(|left| self.forget(left));
            if response.status() != StatusCode::OK {
                response = session.get(url, what, 0).await?;
            }
        }
        let place = match begun {
            Some(place) => place,
            None => begun.insert(Begun { writer: self.writer(what)?, written: 0 }),
        };
        let mut incoming = Incoming::new(response, url, what, session.network.patience.silence);
        while let Some(chunk) = incoming.next().await? {
            let chunk = chunk.as_ref();
            let found = place.written + chunk.len() as u64;
            if found > self.size {
                return Err(self.wrong_size(what, found).into());
            }
            place.writer.write_all(chunk).map_err(|error| self.local(what, error))?;
            place.written = found;
            (self.tell)(i64::try_from(chunk.len()).unwrap_or(i64::MAX));
        }
        if place.written == self.size { Ok(()) } else { Err(self.wrong_size(what, place.written).into()) }
    }

    fn writer(&self, what: &str) -> Result<Box<dyn BlobWriter + '_>, RemoteError> {
        self.sink.writer().map_err(|error| self.local(what, error))
    }

    fn finish(&self, what: &str, begun: Begun<'_>) -> Result<(), RemoteError> {
        let written = begun.written;
        begun.writer.finish_as(self.digest).map_err(|error| {
            (self.tell)(-i64::try_from(written).unwrap_or(i64::MAX));
            RemoteError::copying(what, self.digest, error)
        })
    }

    fn forget(&self, begun: Begun<'_>) {
        (self.tell)(-i64::try_from(begun.written).unwrap_or(i64::MAX));
    }

    fn wrong_size(&self, what: &str, found: u64) -> RemoteError {
        RemoteError::Size { what: what.to_owned(), expected: self.size, found }
    }

    fn local(&self, what: &str, error: std::io::Error) -> RemoteError {
        RemoteError::Local { what: what.to_owned(), error }
    }
}

/// Whether the answer begins where it was asked to.
fn goes_on(response: &Response, from: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

//! A file from a URL, for `ADD https://…`.
//!
//! The file is named as BuildKit's Dockerfiles name it: by the last name of the URL's path, whatever the
//! server calls it. Its times are left out. What came is hashed as it comes, and where a digest is asked for,
//! another one is an error.

use std::fs::File;
use std::io::{Seek, Write};

use reqwest::Url;
use sha2::{Digest, Sha256};

use crate::oci::blob_digest::BlobDigest;
use crate::types::cancellation::Cancellation;

use super::endpoint::shown_host;
use super::error::RemoteError;
use super::incoming::Incoming;
use super::network::{Failure, Network};
use super::registry::Remote;

/// The name of a file whose URL has none.
const UNNAMED: &str = "__unnamed__";

/// A file that is wanted.
#[derive(Clone, Debug)]
pub struct Download<'d> {
    /// Where it lies: `http://` or `https://`.
    pub url: &'d str,
    /// What it must be.
    pub checksum: Option<BlobDigest>,
    /// How many bytes it may have.
    pub limit: u64,
}

/// A file that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// The digest of its bytes.
    pub digest: BlobDigest,
    /// How many there are.
    pub size: u64,
}

impl Remote {
    /// Fetches a file into `into`, which is emptied first. Progress is told in bytes: how many came, and of how
    /// many, where the server says so. A connection that breaks is tried again from the beginning.
    ///
    /// # Errors
    /// The URL is none, the server refuses or fails, the file is too large or not the one that is asked for, or
    /// it cannot be written.
    pub fn download(
        &self,
        download: &Download<'_>,
        into: &mut File,
        progress: &dyn Fn(u64, Option<u64>),
        cancellation: &Cancellation,
    ) -> Result<Downloaded, RemoteError> {
        let url = parsed(download.url)?;
        let what = format!("`{}`", shown(&url));
        let network = self.network();
        let found = network.wait(cancellation, async {
            network
                .persist(network.patience.attempts, async || {
                    attempt(network, &url, &what, download.limit, &mut *into, progress).await
                })
                .await
        })?;
        match download.checksum {
            Some(checksum) if checksum != found.digest => {
                Err(RemoteError::Digest { what, expected: checksum.to_string() })
            }
            _ => Ok(found),
        }
    }
}

async fn attempt(
    network: &Network,
    url: &Url,
    what: &str,
    limit: u64,
    into: &mut File,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<Downloaded, Failure> {
    let local = |error| Failure::Final(RemoteError::Local { what: what.to_owned(), error });
    into.set_len(0).and_then(|()| into.rewind()).map_err(local)?;
    let response = network.send(network.client.get(url.clone()), url, what, &[]).await?;
    let (total, mut size, mut hash) = (response.content_length(), 0, Sha256::new());
    let mut incoming = Incoming::new(response, url, what, network.patience.silence);
    while let Some(chunk) = incoming.next().await? {
        let chunk = chunk.as_ref();
        size += chunk.len() as u64;
        if size > limit {
            return Err(RemoteError::TooLarge { what: what.to_owned(), limit }.into());
        }
        hash.update(chunk);
        into.write_all(chunk).map_err(local)?;
        progress(size, total);
    }
    Ok(Downloaded { digest: BlobDigest::from_bytes(hash.finalize().into()), size })
}

/// The name that the file of a URL gets in a folder.
///
/// # Errors
/// The URL is none, or the name is one that no file can have.
pub fn file_name(url: &str) -> Result<String, RemoteError> {
    let url = parsed(url)?;
    let path = String::from_utf8_lossy(&decoded(url.path())).into_owned();
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if name.contains('\0') || matches!(name, "." | "..") {
        return Err(RemoteError::unfit(&format!("`{}`", shown(&url)), "its last name is none of a file"));
    }
    Ok(if name.is_empty() { UNNAMED.to_owned() } else { name.to_owned() })
}

fn parsed(url: &str) -> Result<Url, RemoteError> {
    // A URL that is wrong is not shown: it may hold a password.
    let wrong = || RemoteError::unfit("a URL", "it is not one of http:// or https://");
    Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(wrong)
}

/// Without user, password, query and fragment.
fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), shown_host(url), url.path())
}

/// `%41` is `A`; what is no escape is left as it is.
fn decoded(path: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = path.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                found.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                found.push(*byte);
                at += 1;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &str) {
        assert_eq!(file_name(url).unwrap_or_else(|error| error.to_string()), expected, "{url}");
    }

    #[test]
    fn a_file_is_named_by_its_url() {
        check("https://a.example/b/c.tar.gz?d=e#f", "c.tar.gz");
        check("https://a.example/b/", "b");
        check("https://a.example/a%20b%2Fc", "c");
        check("https://a.example/100%", "100%");
        check("https://a.example", "__unnamed__");
        check(
            "https://user:hunter2@a.example/%00",
            "`https://a.example/%00` cannot be used: its last name is none of a file",
        );
        check("ftp://user:hunter2@a.example/b", "a URL cannot be used: it is not one of http:// or https://");
        check("https://", "a URL cannot be used: it is not one of http:// or https://");
    }
}

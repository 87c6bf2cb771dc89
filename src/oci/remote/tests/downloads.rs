//! Files of URLs, and what servers do to them.

use std::fs;
use std::time::Duration;

use super::image::hasty;
use super::server::{Reply, Request, Server};
use crate::oci::blob_digest::BlobDigest;
use crate::oci::remote::download::Download;
use crate::oci::remote::registry::Remote;
use crate::types::cancellation::Cancellation;

const PATH: &str = "/files/a.txt?token=hunter2";

/// What is in the file at the end, or why not.
fn check(
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    checksum: Option<&[u8]>,
    expected: &str,
    requests: usize,
) {
    let server = Server::start(answer);
    let host = format!("127.0.0.1:{}", server.port);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut file = fs::File::create(&path).unwrap();
    let url = format!("http://{host}{PATH}");
    let download = Download { url: &url, checksum: checksum.map(BlobDigest::of), limit: 1000 };
    let remote = Remote::new(hasty()).unwrap();
    let found = match remote.download(&download, &mut file, &|_, _| (), &Cancellation::default()) {
        Ok(found) => {
            let bytes = fs::read(&path).unwrap();
            assert_eq!((found.digest, found.size), (BlobDigest::of(&bytes), bytes.len() as u64));
            String::from_utf8(bytes).unwrap()
        }
        Err(error) => format!("{error}"),
    };
    assert_eq!(found.replace(&host, "HOST"), expected);
    assert_eq!(server.requests().len(), requests);
}

#[test]
fn files_come_whole_or_not_at_all() {
    let name = "`http://HOST/files/a.txt`";
    check(|_| Reply::new(200, "text"), None, "text", 1);
    check(|_| Reply::new(200, "text"), Some(b"text"), "text", 1);
    let digest = BlobDigest::of(b"other");
    let message = format!("{name} has other bytes than its digest {digest} says");
    check(|_| Reply::new(200, "text"), Some(b"other"), &message, 1);
    check(|_| Reply::new(404, "gone"), None, &format!("HOST answered 404 to {name}: gone"), 1);
    check(|_| Reply::new(200, "a".repeat(1001)), None, &format!("{name} has more than 1000 bytes"), 1);
    let broken = |request: &Request| match request.before {
        0 => Reply { length: Some(900), ..Reply::new(200, "longer than the text") },
        _ => Reply::new(200, "text"),
    };
    check(broken, None, "text", 2);
    let slow = |_: &Request| Reply { delay: Duration::from_secs(3), ..Reply::new(200, "") };
    check(slow, None, &format!("HOST could not be asked for {name}: operation timed out"), 3);
}

#[test]
fn a_file_that_was_moved_is_found() {
    let moved = |request: &Request| match request.path.as_str() {
        PATH => Reply::new(302, "").with("Location", "/elsewhere"),
        _ => Reply::new(200, "text"),
    };
    check(moved, None, "text", 2);
    let outside = |_: &Request| Reply::new(302, "").with("Location", "file:///etc/passwd");
    let server = Server::start(outside);
    let remote = Remote::new(hasty()).unwrap();
    let url = format!("http://127.0.0.1:{}{PATH}", server.port);
    let download = Download { url: &url, checksum: None, limit: 1000 };
    let mut file = tempfile::tempfile().unwrap();
    let error = remote.download(&download, &mut file, &|_, _| (), &Cancellation::default()).unwrap_err();
    let host = format!("127.0.0.1:{}", server.port);
    assert_eq!(error.to_string().replace(&host, "HOST"), "HOST answered 302 to `http://HOST/files/a.txt`");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn the_next_place_is_not_told_the_one_before() {
    let next = Server::start(|_| Reply::new(200, "text"));
    let place = format!("http://127.0.0.1:{}/", next.port);
    let moved = move |_: &Request| Reply::new(302, "").with("Location", place.clone());
    check(moved, None, "text", 1);
    let told = format!("{:?}", next.requests());
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_proxy_is_asked_but_for_some() {
    let proxy = Server::start(|request| Reply::new(200, format!("through the proxy: {}", request.path)));
    let direct = Server::start(|_| Reply::new(200, "direct"));
    let get = |none: &str, url: &str| {
        let mut settings = hasty();
        settings.proxies.http = Some(format!("127.0.0.1:{}", proxy.port));
        settings.proxies.none = Some(none.to_owned());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let download = Download { url, checksum: None, limit: 1000 };
        Remote::new(settings)
            .unwrap()
            .download(&download, file.as_file_mut(), &|_, _| (), &Cancellation::default())
            .unwrap();
        fs::read_to_string(file.path()).unwrap()
    };
    assert_eq!(get("", "http://a.example/b"), "through the proxy: http://a.example/b");
    assert_eq!(get("127.0.0.1", &format!("http://127.0.0.1:{}/b", direct.port)), "direct");
}

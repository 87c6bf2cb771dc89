//! Registries that fail, lie, break off and are slow.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use super::image::{Served, empty_sink, hasty, pull};
use super::server::{Reply, Request, Server};
use crate::oci::blob_digest::BlobDigest;
use crate::oci::remote::registry::Remote;
use crate::types::cancellation::Cancellation;

/// Pulls from a registry with a fault, which answers in the registry's place where it wants to. What comes of
/// it, and how often the registry was asked.
fn outcome(fault: impl Fn(&Served, &Request) -> Option<Reply> + Send + Sync + 'static) -> (String, usize) {
    let served = Served::new();
    let server =
        Server::start(move |request| fault(&served, request).unwrap_or_else(|| served.answer(request)));
    let host = format!("127.0.0.1:{}", server.port);
    let (folder, sink) = empty_sink();
    let found = match pull(hasty(), &format!("{host}/app"), &sink) {
        Ok(_) => "pulled".to_owned(),
        Err(error) => {
            let kept = folder.path().read_dir().unwrap().count();
            assert_eq!(kept, 0, "nothing is kept of an image that failed here: {error}");
            error.to_string().replace(&host, "HOST")
        }
    };
    (found, server.requests().len())
}

fn check(
    fault: impl Fn(&Served, &Request) -> Option<Reply> + Send + Sync + 'static,
    expected: &str,
    requests: usize,
) {
    let (found, asked) = outcome(fault);
    assert!(found.starts_with(expected), "{found}");
    assert_eq!(asked, requests, "{expected}");
}

fn is_layer(served: &Served, request: &Request) -> bool {
    request.path == served.layer_path()
}

#[test]
fn a_registry_that_is_well_is_asked_three_times() {
    check(|_, _| None, "pulled", 3);
}

#[test]
fn what_passes_is_tried_again() {
    check(|_, request| (request.before < 2).then(|| Reply::new(503, "")), "pulled", 9);
    check(
        |_, request| (request.before < 1).then(|| Reply::new(429, "").with("Retry-After", "1")),
        "pulled",
        6,
    );
    let message = "HOST answered 500 to the manifest of HOST/app: out of order";
    check(|_, _| Some(Reply::new(500, "out of\norder")), message, 3);
    let long = |_: &Served, _: &Request| Some(Reply::new(429, "").with("Retry-After", "9999"));
    check(long, "HOST answered 429 to the manifest of HOST/app", 1);
}

#[test]
fn what_does_not_pass_is_asked_once() {
    for (status, body, said) in [
        (
            404,
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
            ": manifest unknown",
        ),
        (403, r#"{"errors":[{"code":"DENIED"}]}"#, ": DENIED"),
        (401, "<html>", ""),
    ] {
        let message = format!("HOST answered {status} to the manifest of HOST/app{said}");
        check(move |_, _| Some(Reply::new(status, body)), &message, 1);
    }
}

#[test]
fn a_layer_that_breaks_off_is_continued() {
    let half = |served: &Served| Reply {
        length: Some(served.layer.len()),
        ..Reply::new(200, &served.layer[..served.layer.len() / 2])
    };
    check(
        move |served, request| (is_layer(served, request) && request.before == 0).then(|| half(served)),
        "pulled",
        4,
    );
    // A server that does not know ranges begins again, and one that knows the wrong ones is asked for all.
    let ignorant = move |served: &Served, request: &Request| match request.before {
        _ if !is_layer(served, request) => None,
        0 => Some(half(served)),
        _ => Some(Reply::new(200, served.layer.as_slice())),
    };
    check(ignorant, "pulled", 4);
    let lying = move |served: &Served, request: &Request| match request.before {
        _ if !is_layer(served, request) => None,
        0 => Some(half(served)),
        1 => Some(Reply::new(206, "x").with("Content-Range", "bytes 5-5/6")),
        _ => None,
    };
    check(lying, "pulled", 5);
    let forever = move |served: &Served, request: &Request| {
        is_layer(served, request).then(|| Reply { length: Some(served.layer.len()), ..Reply::new(200, "a") })
    };
    check(forever, "HOST could not be asked for the layer sha256:", 5);
}

#[test]
fn other_bytes_are_no_layer() {
    let flipped = |served: &Served, request: &Request| {
        is_layer(served, request).then(|| {
            let mut bytes = served.layer.clone();
            bytes[0] ^= 1;
            Reply::new(200, bytes)
        })
    };
    let layer = format!("the layer {} of HOST/app", BlobDigest::of(&Served::new().layer));
    check(flipped, &format!("{layer} has other bytes than its digest"), 3);
    let longer = |served: &Served, request: &Request| {
        is_layer(served, request).then(|| Reply::new(200, [served.layer.as_slice(), b"x"].concat()))
    };
    check(longer, &format!("{layer} has 800001 bytes, and not the 800000"), 3);
    let shorter = |served: &Served, request: &Request| {
        is_layer(served, request).then(|| Reply::new(200, &served.layer[1..]))
    };
    check(shorter, &format!("{layer} has 799999 bytes, and not the 800000"), 3);
}

#[test]
fn documents_have_a_limit_and_a_form() {
    let message = "the manifest of HOST/app has more than 4194304 bytes";
    check(|_, _| Some(Reply::new(200, vec![b' '; 5 << 20])), message, 1);
    check(|_, _| Some(Reply::new(200, "{}")), "HOST/app cannot be used: its manifest is neither", 1);
    let old = r#"{"schemaVersion":1,"fsLayers":[]}"#;
    check(move |_, _| Some(Reply::new(200, old)), "HOST/app cannot be used: it is an image of schema 1", 1);
}

#[test]
fn redirects_end() {
    let here =
        |_: &Served, request: &Request| Some(Reply::new(307, "").with("Location", request.path.clone()));
    check(
        here,
        "HOST could not be asked for the manifest of HOST/app: it was sent on more than ten times",
        11,
    );
}

#[test]
fn silence_ends_and_so_does_a_wait() {
    let slow = |_: &Served, _: &Request| Some(Reply { delay: Duration::from_secs(5), ..Reply::new(200, "") });
    check(slow, "HOST could not be asked for the manifest of HOST/app: operation timed out", 3);
    let server = Server::start(|_| Reply { delay: Duration::from_secs(5), ..Reply::new(200, "") });
    let image = format!("127.0.0.1:{}/app", server.port).parse().unwrap();
    let cancellation = Cancellation::default();
    let mut settings = hasty();
    settings.patience.silence = Duration::from_secs(60);
    let remote = Remote::new(settings).unwrap();
    let begin = Instant::now();
    let other = cancellation.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        other.cancel();
    });
    let error = remote.resolve(&image, &"linux/amd64".parse().unwrap(), &cancellation).unwrap_err();
    assert_eq!(error.to_string(), "cancelled");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[test]
fn a_trickle_ends() {
    let trickle = |bytes: &[u8]| Reply { pause: Duration::from_millis(20), ..Reply::new(200, bytes) };
    let slowly = "it comes too slowly, with less than 1024 bytes a second";
    let message = format!("HOST could not be asked for the manifest of HOST/app: {slowly}");
    check(move |served, _| Some(trickle(&served.manifest)), &message, 3);
    let layer = move |served: &Served, request: &Request| {
        is_layer(served, request)
            .then(|| Reply { length: Some(served.layer.len()), ..trickle(&served.layer) })
    };
    let message = format!(
        "HOST could not be asked for the layer {} of HOST/app: {slowly}",
        Served::new().layer_digest()
    );
    check(layer, &message, 5);
}

#[test]
fn there_is_room_for_what_is_fetched() {
    let large = |served: &Served, request: &Request| {
        request.path.contains("manifests").then(|| {
            let manifest = String::from_utf8(served.manifest.clone()).unwrap();
            Reply::new(200, manifest.replace(":800000", ":18446744073709551615"))
        })
    };
    let message =
        "the layers of HOST/app have 18446744073709551615 bytes, and the disk of the store has room for";
    check(large, message, 2);
}

#[test]
fn what_is_pinned_and_there_needs_no_registry() {
    let served = Served::new();
    let digest = served.digest();
    let server = Server::start(move |request| served.answer(request));
    let (_folder, sink) = empty_sink();
    let image = format!("127.0.0.1:{}/app@{digest}", server.port);
    pull(hasty(), &image, &sink).unwrap();
    let asked = server.requests().len();
    assert_eq!(pull(hasty(), &image, &sink).unwrap().manifest, digest);
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn a_digest_is_what_comes_under_it() {
    let other = BlobDigest::of(b"other");
    let served = Served::new();
    let server = Server::start(move |_| Reply::new(200, served.manifest.as_slice()));
    let (_folder, sink) = empty_sink();
    let error = pull(hasty(), &format!("127.0.0.1:{}/app@{other}", server.port), &sink).unwrap_err();
    assert!(error.to_string().contains("has other bytes than its digest"), "{error}");
}

#[test]
fn mirrors_come_first_and_may_fail() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let check = |mirror: Box<dyn Fn(&Request) -> Reply + Send + Sync>, own_requests: usize| {
        let served = Served::new();
        let digest = served.digest();
        let mirror = Server::start(mirror);
        let own = Server::start(move |request| served.answer(request));
        let host = format!("127.0.0.1:{}", own.port);
        let mirrors = vec![format!("127.0.0.1:{closed}"), format!("http://127.0.0.1:{}/", mirror.port)];
        let settings = crate::oci::remote::settings::RemoteSettings {
            mirrors: [(host.clone(), mirrors)].into(),
            ..hasty()
        };
        let (_folder, sink) = empty_sink();
        pull(settings, &format!("{host}/app@{digest}"), &sink).unwrap();
        assert_eq!(own.requests().len(), own_requests);
    };
    let served = Served::new();
    check(Box::new(move |request| served.answer(request)), 0);
    check(Box::new(|_| Reply::new(404, "")), 3);
    check(Box::new(|_| Reply::new(200, "something else")), 3);
    check(Box::new(|_| Reply::new(500, "")), 3);
}

//! Who is told a password, and who is not.

use std::sync::{Arc, Mutex};

use super::image::{Served, empty_sink, hasty, pull};
use super::server::{Reply, Request, Server};
use crate::oci::remote::settings::RemoteSettings;

/// `user:hunter2` in base 64.
const PASSWORD: &str = "dXNlcjpodW50ZXIy";

fn settings(host: &str, auth: &str) -> RemoteSettings {
    let mut settings = hasty();
    settings.credentials.config_text = Some(format!(r#"{{"auths": {{"{host}": {auth}}}}}"#));
    settings
}

/// A registry that gives the image to those who have the token.
fn registry(realm: String) -> Server {
    let served = Served::new();
    Server::start(move |request| {
        if request.header("authorization") == "Bearer secret-token" {
            return served.answer(request);
        }
        let challenge =
            format!(r#"Bearer realm="{realm}",service="the service",scope="repository:app:pull""#);
        Reply::new(401, "").with("WWW-Authenticate", challenge)
    })
}

/// A place that gives tokens to those whom `knows` lets in.
fn realm(knows: fn(&Request) -> bool) -> Server {
    Server::start(move |request| {
        if knows(request) {
            Reply::new(200, r#"{"token":"secret-token"}"#)
        } else {
            Reply::new(401, "go away")
        }
    })
}

#[test]
fn a_password_is_exchanged_for_a_token() {
    let realm = realm(|request| request.header("authorization") == format!("Basic {PASSWORD}"));
    let own = registry(format!("http://127.0.0.1:{}/token", realm.port));
    let host = format!("127.0.0.1:{}", own.port);
    let (_folder, sink) = empty_sink();
    pull(settings(&host, &format!(r#"{{"auth":"{PASSWORD}"}}"#)), &format!("{host}/app"), &sink).unwrap();
    let asked: Vec<String> = realm.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, ["/token?service=the+service&scope=repository%3Aapp%3Apull&account=user"]);
    assert_eq!(own.requests().len(), 4, "the token is kept");
}

#[test]
fn an_identity_token_travels_in_a_form() {
    let realm = realm(|request| request.method == "POST" && request.body.contains("refresh_token=hunter2"));
    let own = registry(format!("http://127.0.0.1:{}/token", realm.port));
    let host = format!("127.0.0.1:{}", own.port);
    let (_folder, sink) = empty_sink();
    pull(settings(&host, r#"{"identitytoken":"hunter2"}"#), &format!("{host}/app"), &sink).unwrap();
    assert_eq!(realm.requests()[0].path, "/token", "a secret is in no URL");
}

#[test]
fn a_realm_of_strangers_is_told_nothing() {
    let realm = realm(|_| false);
    // Another name of this machine is another host.
    let own = registry(format!("http://localhost:{}/token", realm.port));
    let host = format!("127.0.0.1:{}", own.port);
    for auth in [format!(r#"{{"auth":"{PASSWORD}"}}"#), r#"{"identitytoken":"hunter2"}"#.to_owned()] {
        let (_folder, sink) = empty_sink();
        let error = pull(settings(&host, &auth), &format!("{host}/app"), &sink).unwrap_err();
        let text = format!("{error} {error:?} {:?}", error.help());
        assert!(text.contains("the password is not sent there"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains(PASSWORD), "{text}");
    }
    for request in realm.requests() {
        assert_eq!((request.header("authorization"), request.body.as_str()), ("", ""), "{request:?}");
    }
    assert!(!realm.requests().is_empty());
}

#[test]
fn a_realm_that_sends_on_is_not_followed_to_strangers() {
    let stranger = Server::start(|_| Reply::new(200, r#"{"token":"secret-token"}"#));
    let place = format!("http://localhost:{}/", stranger.port);
    let realm = Server::start(move |_| Reply::new(307, "").with("Location", place.clone()));
    let own = registry(format!("http://127.0.0.1:{}/token", realm.port));
    let host = format!("127.0.0.1:{}", own.port);
    for auth in [format!(r#"{{"auth":"{PASSWORD}"}}"#), r#"{"identitytoken":"hunter2"}"#.to_owned()] {
        let (_folder, sink) = empty_sink();
        let error = pull(settings(&host, &auth), &format!("{host}/app"), &sink).unwrap_err();
        assert!(error.to_string().ends_with("to another host, which is not told who asks"), "{error}");
    }
    assert!(stranger.requests().is_empty(), "{:?}", stranger.requests());
}

#[test]
fn a_wrong_password_is_said_without_it() {
    let realm = realm(|_| false);
    let own = registry(format!("http://127.0.0.1:{}/token", realm.port));
    let host = format!("127.0.0.1:{}", own.port);
    let (_folder, sink) = empty_sink();
    let auth = format!(r#"{{"auth":"{PASSWORD}"}}"#);
    let error = pull(settings(&host, &auth), &format!("{host}/app"), &sink).unwrap_err();
    let expected = format!("127.0.0.1:{} answered 401 to a token for app: go away", realm.port);
    assert_eq!(error.to_string(), expected);
    assert!(error.help().unwrap().starts_with("log in with `docker login 127.0.0.1"), "{:?}", error.help());
}

#[test]
fn a_place_that_is_sent_on_to_is_told_nothing() {
    let served = Served::new();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let (content, log) = (served.clone(), Arc::clone(&seen));
    let store = Server::start(move |request| {
        log.lock().unwrap().push(request.header("authorization").to_owned());
        content.answer(request)
    });
    let port = store.port;
    let own = Server::start(move |request| {
        if request.header("authorization") != format!("Basic {PASSWORD}") {
            Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\"")
        } else if request.path == served.layer_path() {
            Reply::new(307, "").with("Location", format!("http://localhost:{port}{}", request.path))
        } else {
            served.answer(request)
        }
    });
    let host = format!("127.0.0.1:{}", own.port);
    let (_folder, sink) = empty_sink();
    pull(settings(&host, &format!(r#"{{"auth":"{PASSWORD}"}}"#)), &format!("{host}/app"), &sink).unwrap();
    assert_eq!(*seen.lock().unwrap(), [""]);
}

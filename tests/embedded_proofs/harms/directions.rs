//! Places to which a registry sends on, and those that it names for tokens.

use super::{Harm, forever};
use crate::attacker::{Reply, Server};

/// Where nobody should go.
pub(crate) fn directions() -> Vec<Harm> {
    vec![
        Harm::any("a circle", "it was sent on more than ten times", |_, request, _| {
            Reply::sent_on(307, &request.path)
        }),
        Harm::any("a long way", "it was sent on more than ten times", |_, request, _| {
            Reply::sent_on(307, &format!("{}x", request.path))
        }),
        Harm::layer("a file", "answered 307 to the layer", |_, _, _| {
            Reply::sent_on(307, "file:///etc/passwd")
        }),
        Harm::layer("text in a URL", "answered 307 to the layer", |_, _, _| {
            Reply::sent_on(307, "data:text/plain,x")
        }),
        Harm::layer("another protocol", "could not be asked for the layer", |_, _, _| {
            Reply::sent_on(307, "ftp://127.0.0.1/x")
        }),
        Harm::layer("nowhere", "answered 307 to the layer", |_, _, _| Reply::sent_on(307, "http://[::")),
        Harm::layer("a stranger", "has other bytes than its digest", |layer, request, stranger| {
            Reply::sent_on(307, &format!("http://{stranger}{}?size={}", request.path, layer.len()))
        }),
        Harm::layer("a stranger who asks who is there", "answered 401 to the layer", |_, _, stranger| {
            Reply::sent_on(307, &format!("http://{stranger}/who"))
        }),
        Harm::layer("a stranger with a name", "answered 401 to the layer", |_, _, stranger| {
            Reply::sent_on(307, &format!("http://reader@{stranger}/who"))
        }),
        Harm::any("a realm of strangers", "the password is not sent there", |_, _, stranger| {
            challenge(&format!("http://{stranger}/who"))
        })
        .unasked(),
        Harm::any("a realm that is a file", "names no place that gives tokens", |_, _, _| {
            challenge("file:///etc/passwd")
        })
        .unasked(),
        Harm::any(
            "a realm that sends on",
            "to another host, which is not told who asks",
            |_, request, stranger| match request.path.starts_with("/token") {
                true => Reply::sent_on(307, &format!("http://{stranger}/who")),
                false => challenge(&format!("http://{}/token", request.header("host"))),
            },
        )
        .unasked(),
        Harm::any("a token without end", "has more than 262144 bytes", |_, request, _| {
            match request.path.starts_with("/token") {
                true => Reply::begun(200, &[], |writer| {
                    writer.write_all(b"{\"token\":\"")?;
                    forever(writer, b'a')
                }),
                false => challenge(&format!("http://{}/token", request.header("host"))),
            }
        })
        .unasked(),
        Harm::any("a token of two lines", "answered without a token", |_, request, _| {
            match request.path.starts_with("/token") {
                true => Reply::new(200, &[], r#"{"token":"a\r\nHost: evil"}"#),
                false => challenge(&format!("http://{}/token", request.header("host"))),
            }
        })
        .unasked(),
        Harm::any("a token that does not help", "HOST answered 401 to the manifest", |_, request, _| {
            match request.path.starts_with("/token") {
                true => Reply::new(200, &[], r#"{"token":"a"}"#),
                false => challenge(&format!("http://{}/token", request.header("host"))),
            }
        })
        .unasked(),
    ]
}

fn challenge(realm: &str) -> Reply {
    Reply::new(401, &[("WWW-Authenticate", &format!(r#"Bearer realm="{realm}",service="s""#))], "")
}

/// The other host: it asks everybody who they are, and gives wrong bytes of whatever size.
pub(crate) fn stranger() -> Server {
    Server::start(|request| match request.path.split_once("?size=") {
        Some((_, size)) => Reply::new(200, &[], vec![b'x'; size.parse().unwrap()]),
        None => Reply::new(401, &[("WWW-Authenticate", "Basic realm=\"tell me\"")], ""),
    })
}

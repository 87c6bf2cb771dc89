//! Requests over HTTP, for those who wait: the client, the threads behind it, and how failures are told.
//!
//! `oci-client` is not used to pull: it reads answers without a limit, loses the status and the time that a
//! registry asks to wait for, and sends passwords to every realm. What it would do in between is one GET.

use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Once;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, NoProxy, Proxy, RequestBuilder, Response, StatusCode, Url};
use tokio::runtime::Runtime;

use crate::types::cancellation::Cancellation;

use super::endpoint::shown_host;
use super::error::{RemoteError, printable};
use super::settings::{Patience, Proxies};

const MOST_REDIRECTS: usize = 10;
/// How much of a refusal is read, in bytes.
const LONGEST_REFUSAL: usize = 16 * 1024;
/// How often it is looked whether somebody asked to stop.
const CANCELLATION_POLL: Duration = Duration::from_millis(50);
const USER_AGENT: &str = concat!("imgraph/", env!("CARGO_PKG_VERSION"));

static CRYPTOGRAPHY: Once = Once::new();

/// A client of HTTP and the thread that it works on.
pub(super) struct Network {
    pub(super) client: Client,
    /// A client that is sent on within a host alone, for requests that tell who asks.
    pub(super) shy_client: Client,
    pub(super) patience: Patience,
    runtime: Runtime,
}

/// What happened to one try.
pub(super) enum Failure {
    /// Trying again may help: after how long, where the server says so.
    Passing(RemoteError, Option<Duration>),
    /// It will not.
    Final(RemoteError),
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self::Final(error)
    }
}

impl Network {
    /// A client that goes through the proxies.
    ///
    /// # Errors
    /// A proxy is not right, or the system gives no certificates or threads.
    pub(super) fn new(proxies: &Proxies, patience: Patience) -> Result<Self, RemoteError> {
        CRYPTOGRAPHY.call_once(|| {
            // Whoever installed another one before is right as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("imgraph-network")
            .enable_all()
            .build()
            .map_err(|error| local("the network's thread cannot be started", error))?;
        Ok(Self {
            client: client(proxies, &patience, redirect)?,
            shy_client: client(proxies, &patience, redirect_within_a_host)?,
            patience,
            runtime,
        })
    }

    /// Waits for `work`, and no longer than until somebody asks to stop. Never called from a task.
    pub(super) fn wait<T>(
        &self,
        cancellation: &Cancellation,
        work: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        self.runtime.block_on(async {
            let stopped = async {
                while !cancellation.is_cancelled() {
                    tokio::time::sleep(CANCELLATION_POLL).await;
                }
            };
            tokio::select! {
                biased;
                () = stopped => Err(RemoteError::Cancelled),
                done = work => done,
            }
        })
    }

    /// Tries as often as patience allows, and waits in between.
    pub(super) async fn persist<T>(
        &self,
        attempts: u32,
        mut attempt: impl AsyncFnMut() -> Result<T, Failure>,
    ) -> Result<T, RemoteError> {
        let mut wait = self.patience.first_wait;
        let mut left = attempts;
        loop {
            let (error, asked) = match attempt().await {
                Ok(done) => return Ok(done),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error, asked)) => (error, asked),
            };
            left = left.saturating_sub(1);
            if left == 0 || asked.is_some_and(|asked| asked > self.patience.longest_wait) {
                return Err(error);
            }
            tokio::time::sleep(asked.unwrap_or_default().max(wait)).await;
            wait *= 2;
        }
    }

    /// Sends a request; what comes back is a success, or one of the statuses that are wanted.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        url: &Url,
        what: &str,
        wanted: &[StatusCode],
    ) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| broken(url, what, &error))?;
        let status = response.status();
        if status.is_success() || wanted.contains(&status) {
            return Ok(response);
        }
        Err(refusal(url, what, response).await)
    }
}

/// The failure that a server's answer is.
pub(super) async fn refusal(url: &Url, what: &str, response: Response) -> Failure {
    let status = response.status();
    let asked = retry_after(response.headers());
    let body = first_bytes(response).await;
    let error = RemoteError::Answer {
        host: shown_host(url),
        what: what.to_owned(),
        status: status.as_u16(),
        message: message(&body),
    };
    let may_pass = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if may_pass { Failure::Passing(error, asked) } else { Failure::Final(error) }
}

/// The failure that a connection which broke is.
pub(super) fn broken(url: &Url, what: &str, error: &reqwest::Error) -> Failure {
    let reason = causes(error);
    let told = RemoteError::Network { host: shown_host(url), what: what.to_owned(), reason };
    if error.is_builder() || error.is_redirect() {
        Failure::Final(told)
    } else {
        Failure::Passing(told, None)
    }
}

/// What happened, from the innermost cause: the outer ones say no more than that something did, and show URLs,
/// which may hold secrets.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(_) => "the connection failed".to_owned(),
        None => printable(&innermost.to_string()),
    }
}

/// A client of HTTP that goes through the proxies.
fn client(
    proxies: &Proxies,
    patience: &Patience,
    redirect: fn(Attempt<'_>) -> Action,
) -> Result<Client, RemoteError> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(patience.connect)
        .read_timeout(patience.silence)
        .redirect(Policy::custom(redirect))
        // The place before it may have a secret in its query.
        .referer(false)
        .no_proxy();
    let direct = proxies.none.as_deref().and_then(NoProxy::from_string);
    for (proxy, is_safe) in [(&proxies.http, false), (&proxies.https, true)] {
        let Some(proxy) = proxy.as_deref().filter(|proxy| !proxy.is_empty()) else { continue };
        let address = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
        let made = if is_safe { Proxy::https(address) } else { Proxy::http(address) };
        // The error would show the address, and it may hold a password.
        let made = made.or(Err(RemoteError::unfit("the proxy", "its address is not right")))?;
        builder = builder.proxy(made.no_proxy(direct.clone()));
    }
    builder
        .build()
        .map_err(|error| local("a client of HTTPS cannot be made", io::Error::other(causes(&error))))
}

fn local(what: &str, error: io::Error) -> RemoteError {
    RemoteError::Local { what: what.to_owned(), error }
}

fn redirect(attempt: Attempt<'_>) -> Action {
    let was_safe = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > MOST_REDIRECTS {
        attempt.error("it was sent on more than ten times")
    } else if !matches!(attempt.url().scheme(), "http" | "https") {
        attempt.error("it was sent on to a place that is neither of HTTP nor of HTTPS")
    } else if was_safe && attempt.url().scheme() != "https" {
        attempt.error("it was sent on from a place with TLS to one without")
    } else {
        attempt.follow()
    }
}

/// A request with a body is sent again with that body, whoever it is sent on to.
fn redirect_within_a_host(attempt: Attempt<'_>) -> Action {
    let host = attempt.previous().last().and_then(|url| url.host_str());
    if host == attempt.url().host_str() {
        redirect(attempt)
    } else {
        attempt.error("it was sent on to another host, which is not told who asks")
    }
}

/// Seconds, which is what registries say; a date is not waited for.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

async fn first_bytes(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < LONGEST_REFUSAL {
        // A refusal that breaks off is shown as far as it came.
        let Ok(Some(chunk)) = response.chunk().await else { break };
        body.extend_from_slice(&chunk);
    }
    body.truncate(LONGEST_REFUSAL);
    body
}

/// What the server says, with what goes before it; a page for browsers says nothing.
fn message(body: &[u8]) -> String {
    let said = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => {
            let first = value.pointer("/errors/0");
            let text = |name: &str| first.and_then(|first| first.get(name)).and_then(|text| text.as_str());
            let other = || ["details", "message", "error"].iter().find_map(|name| value.get(name)?.as_str());
            text("message").or_else(|| text("code")).or_else(other).unwrap_or_default().to_owned()
        }
        Err(_) if body.trim_ascii_start().starts_with(b"<") => String::new(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let said = printable(&said);
    if said.is_empty() { said } else { format!(": {said}") }
}

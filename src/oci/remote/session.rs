//! Requests to one repository at one place, with whatever the registry wants to be told.
//!
//! A request is made as it is; where the registry answers 401, its challenge is met and the request made once
//! more. What it took is kept for the requests after it.

use std::sync::{Mutex, PoisonError};

use reqwest::header::{ACCEPT, HeaderValue, RANGE, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use super::challenge::{Challenge, may_be_told};
use super::credential::Credential;
use super::credentials::find;
use super::endpoint::{Endpoint, shown_host};
use super::error::RemoteError;
use super::incoming::{Incoming, whole_body};
use super::manifest::ACCEPTED;
use super::network::{Failure, Network, refusal};
use super::settings::CredentialSettings;

const LARGEST_TOKEN: u64 = 256 * 1024;
const CLIENT_ID: &str = "imgraph";

/// A repository at one place.
pub(super) struct Session<'n> {
    pub(super) network: &'n Network,
    pub(super) endpoint: Endpoint,
    credentials: &'n CredentialSettings,
    authorization: Mutex<Option<HeaderValue>>,
}

/// What a realm answers. Registries use either name.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl<'n> Session<'n> {
    pub(super) fn new(network: &'n Network, credentials: &'n CredentialSettings, endpoint: Endpoint) -> Self {
        Self { network, endpoint, credentials, authorization: Mutex::default() }
    }

    /// One GET, and a second one where the registry wants to know who asks. `from` leaves bytes out at the
    /// beginning: the answer tells whether it was understood.
    pub(super) async fn get(&self, url: &Url, what: &str, from: u64) -> Result<Response, Failure> {
        // A rest that is not there is another matter than bytes which nobody asked for a part of.
        let no_rest = if from > 0 { &[StatusCode::RANGE_NOT_SATISFIABLE][..] } else { &[] };
        let wanted = [&[StatusCode::UNAUTHORIZED], no_rest].concat();
        let response = self.network.send(self.request(url, from), url, what, &wanted).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        // A place that the registry sent us on to is not told who asks.
        if shown_host(response.url()) != self.endpoint.host() {
            return Err(refusal(url, what, response).await);
        }
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenge = Challenge::parse(headers.iter().filter_map(|value| value.to_str().ok()));
        let Some(authorization) = self.meet(challenge).await? else {
            return Err(refusal(url, what, response).await);
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        self.network.send(self.request(url, from), url, what, no_rest).await
    }

    fn request(&self, url: &Url, from: u64) -> RequestBuilder {
        let mut request = self.network.client.get(url.clone()).header(ACCEPT, ACCEPTED.join(", "));
        if let Some(value) = &*self.authorization.lock().unwrap_or_else(PoisonError::into_inner) {
            request = request.header(reqwest::header::AUTHORIZATION, value);
        }
        if from > 0 { request.header(RANGE, format!("bytes={from}-")) } else { request }
    }

    /// What to send, `None` where nothing meets the challenge.
    async fn meet(&self, challenge: Option<Challenge>) -> Result<Option<HeaderValue>, Failure> {
        let credential = find(self.credentials, &self.endpoint.credential_name)?;
        match (challenge, credential) {
            (Some(Challenge::Basic), Some(Credential::Password { user, password })) => {
                let request = self.network.client.get(self.endpoint.base.clone());
                // The client writes the header; it is taken from a request that is never sent.
                let request = request.basic_auth(user, Some(password)).build().ok();
                Ok(request.and_then(|request| request.headers().get(reqwest::header::AUTHORIZATION).cloned()))
            }
            (Some(Challenge::Bearer { realm, service, scope }), credential) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.endpoint.repository));
                self.token(&realm, service.as_deref(), &scope, credential).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        credential: Option<Credential>,
    ) -> Result<HeaderValue, Failure> {
        let what = format!("a token for {}", self.endpoint.repository);
        let wrong =
            |reason: &str| RemoteError::Credentials { host: self.endpoint.host(), reason: reason.to_owned() };
        let realm = Url::parse(realm)
            .ok()
            .filter(|realm| matches!(realm.scheme(), "http" | "https"))
            .ok_or_else(|| wrong("the registry names no place that gives tokens"))?;
        let is_told = may_be_told(&self.endpoint.base, &realm);
        let is_withheld = credential.is_some() && !is_told;
        let request = token_request(self.network, &realm, service, scope, credential.filter(|_| is_told));
        let response = self.network.send(request, &realm, &what, &[]).await.map_err(|failure| match failure {
            Failure::Final(_) if is_withheld => Failure::Final(wrong(&format!(
                "the registry sends for tokens to {}, which is not of its own site: the password is not sent there",
                shown_host(&realm)
            ))),
            failure => failure,
        })?;
        let body =
            whole_body(Incoming::new(response, &realm, &what, self.network.patience.silence), LARGEST_TOKEN)
                .await?;
        // The error of the parser may quote the token.
        let token =
            serde_json::from_slice::<Token>(&body).ok().and_then(|token| token.token.or(token.access_token));
        let header = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let mut header = header.ok_or_else(|| wrong("the registry's realm answered without a token"))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn token_request(
    network: &Network,
    realm: &Url,
    service: Option<&str>,
    scope: &str,
    credential: Option<Credential>,
) -> RequestBuilder {
    let mut query = realm.clone();
    let mut asked = query.query_pairs_mut();
    service.map(|service| asked.append_pair("service", service));
    asked.append_pair("scope", scope);
    match credential {
        Some(Credential::IdentityToken(token)) => {
            asked.clear();
            service.map(|service| asked.append_pair("service", service));
            asked.extend_pairs([("scope", scope), ("client_id", CLIENT_ID)]);
            asked.extend_pairs([("grant_type", "refresh_token"), ("refresh_token", &token)]);
            drop(asked);
            // The pairs are those of a form: they travel in the body.
            let form = query.query().unwrap_or_default().to_owned();
            let kind = "application/x-www-form-urlencoded";
            network.shy_client.post(realm.clone()).header(reqwest::header::CONTENT_TYPE, kind).body(form)
        }
        Some(Credential::Password { user, password }) => {
            asked.append_pair("account", &user);
            drop(asked);
            network.shy_client.get(query).basic_auth(user, Some(password))
        }
        None => {
            drop(asked);
            network.client.get(query)
        }
    }
}

//! A place where a repository is asked for: a mirror, or the registry itself.

use std::net::IpAddr;

use reqwest::Url;

use crate::syntax::image_reference::ImageReference;

use super::error::RemoteError;
use super::settings::RemoteSettings;

const HUB: &str = "docker.io";
/// Where Docker Hub's registry is.
const HUB_HOST: &str = "registry-1.docker.io";

/// A repository at one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `https://host:port/`.
    pub(super) base: Url,
    /// The repository there.
    pub(super) repository: String,
    /// Under which name its credentials are kept.
    pub(super) credential_name: String,
    /// Whether it stands for another registry.
    pub(super) is_mirror: bool,
}

impl Endpoint {
    /// The places of a reference, in the order in which they are asked.
    pub(super) fn all(settings: &RemoteSettings, image: &ImageReference) -> Result<Vec<Self>, RemoteError> {
        let mirrors = settings.mirrors.get(&image.domain).into_iter().flatten();
        let mut found =
            mirrors.map(|mirror| Self::mirror(settings, mirror, image)).collect::<Result<Vec<_>, _>>()?;
        let host = if image.domain == HUB { HUB_HOST } else { &image.domain };
        found.push(Self {
            base: base(settings, host).ok_or_else(|| wrong(&image.domain))?,
            repository: image.path.clone(),
            credential_name: image.domain.clone(),
            is_mirror: false,
        });
        Ok(found)
    }

    fn mirror(settings: &RemoteSettings, mirror: &str, image: &ImageReference) -> Result<Self, RemoteError> {
        let (scheme, rest) =
            mirror.split_once("://").map_or((None, mirror), |(scheme, rest)| (Some(scheme), rest));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let base = match scheme {
            None => base(settings, host),
            Some("http" | "https") => Url::parse(&format!("{}://{host}", scheme.unwrap_or_default())).ok(),
            Some(_) => None,
        };
        let base = base.filter(|base| base.username().is_empty()).ok_or_else(|| wrong(host))?;
        let path = path.trim_matches('/');
        let repository = if path.is_empty() { image.path.clone() } else { format!("{path}/{}", image.path) };
        Ok(Self { base, repository, credential_name: host.to_owned(), is_mirror: true })
    }

    /// The host with its port, for people.
    pub(super) fn host(&self) -> String {
        shown_host(&self.base)
    }

    /// The URL of a manifest or a blob of it.
    pub(super) fn url(&self, kind: &str, name: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("v2/{}/{kind}/{name}", self.repository));
        url
    }
}

/// The host of a URL with its port, where that is not the usual one.
pub(super) fn shown_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn wrong(host: &str) -> RemoteError {
    RemoteError::unfit(&format!("the registry `{host}`"), "that is no host")
}

fn base(settings: &RemoteSettings, host: &str) -> Option<Url> {
    let https = Url::parse(&format!("https://{host}")).ok()?;
    let name = https.host_str()?;
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_own = name == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let is_plain = is_own || settings.insecure.contains(host) || settings.insecure.contains(name);
    if is_plain { Url::parse(&format!("http://{host}")).ok() } else { Some(https) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: &str, expected: &[&str]) {
        let settings = RemoteSettings {
            mirrors: [
                (
                    "docker.io".to_owned(),
                    vec!["mirror.example/hub/".to_owned(), "http://plain:80".to_owned()],
                ),
                ("bad.example".to_owned(), vec!["ftp://x".to_owned()]),
            ]
            .into(),
            insecure: ["plain.example:5000".to_owned(), "old.example".to_owned()].into(),
            ..RemoteSettings::default()
        };
        let found = match Endpoint::all(&settings, &image.parse().unwrap()) {
            Ok(found) => found.iter().map(|found| found.url("manifests", "1").to_string()).collect(),
            Err(error) => vec![error.to_string()],
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn places_are_asked_in_their_order() {
        check(
            "debian",
            &[
                "https://mirror.example/v2/hub/library/debian/manifests/1",
                "http://plain/v2/library/debian/manifests/1",
                "https://registry-1.docker.io/v2/library/debian/manifests/1",
            ],
        );
        check("ghcr.io/a/b", &["https://ghcr.io/v2/a/b/manifests/1"]);
        check("localhost:5000/a", &["http://localhost:5000/v2/a/manifests/1"]);
        check("[::1]:5000/a", &["http://[::1]:5000/v2/a/manifests/1"]);
        check("127.0.0.2:5000/a", &["http://127.0.0.2:5000/v2/a/manifests/1"]);
        check("plain.example:5000/a", &["http://plain.example:5000/v2/a/manifests/1"]);
        check("old.example:1/a", &["http://old.example:1/v2/a/manifests/1"]);
        check("bad.example/a", &["the registry `x` cannot be used: that is no host"]);
    }
}

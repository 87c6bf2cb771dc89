//! What a registry wants to be told: the header `WWW-Authenticate`, and who may be told a password.
//!
//! A registry names the host that gives tokens (the *realm*). A password is sent to a realm only where that is
//! plainly of the same house as the registry; otherwise whoever can answer in a registry's place would be
//! given the password at a host of their own.

use reqwest::Url;

/// What a registry wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A name and a password with every request.
    Basic,
    /// A token from another place.
    Bearer {
        /// Who gives tokens.
        realm: String,
        /// For whom they are.
        service: Option<String>,
        /// For what they are.
        scope: Option<String>,
    },
}

impl Challenge {
    /// What the values of the header say; a token is preferred. `None` where they name nothing that is known.
    pub fn parse<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Self> {
        let found: Vec<Self> = headers.filter_map(Self::parse_one).collect();
        let bearer = found.iter().find(|one| matches!(one, Self::Bearer { .. })).cloned();
        bearer.or_else(|| found.into_iter().next())
    }

    fn parse_one(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let value = |wanted: &str| {
            let found = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        Some(Self::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") })
    }
}

/// `name="value"` and `name=value`, with commas between them.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_owned();
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut letters = quoted.char_indices();
            text = "";
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
                    '"' => {
                        text = &quoted[at + 1..];
                        break;
                    }
                    letter => value.push(letter),
                }
            }
        } else {
            let (plain, after) = rest.split_once(',').unwrap_or((rest, ""));
            value.push_str(plain.trim());
            text = after;
        }
        found.push((name, value));
    }
    found
}

/// Whether the password for the registry may be sent to the realm.
///
/// Over TLS: to the registry's own host, to a host below it, to the host or the domain that it lies in, and to
/// that one's other hosts (`registry-1.docker.io` and `auth.docker.io`). Without TLS only to the registry's
/// own host, where the registry has none itself.
pub fn may_be_told(registry: &Url, realm: &Url) -> bool {
    let (Some(own), Some(other)) = (registry.host_str(), realm.host_str()) else { return false };
    match (registry.scheme(), realm.scheme()) {
        ("http", "http") => own == other,
        (_, "https") => own == other || registry.domain().is_some() && is_same_site(own, other),
        _ => false,
    }
}

fn is_same_site(own: &str, other: &str) -> bool {
    let is_below =
        |host: &str, domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    if is_below(other, own) {
        return true;
    }
    let Some((_, parent)) = own.split_once('.') else { return false };
    !is_public(parent) && (other == parent || is_below(other, parent))
}

/// Whether a domain may belong to nobody, so that its hosts are strangers: `io`, `co.uk`, `com.au`.
fn is_public(domain: &str) -> bool {
    match domain.split('.').collect::<Vec<_>>().as_slice() {
        [second, top] => second.len() <= 3 && top.len() == 2,
        parts => parts.len() < 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], expected: Option<(&str, Option<&str>, Option<&str>)>) {
        let expected = expected.map(|(realm, service, scope)| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        });
        assert_eq!(Challenge::parse(headers.iter().copied()), expected, "{headers:?}");
    }

    #[test]
    fn challenges_are_read() {
        check(
            &[r#"Bearer realm="https://a/token",service="s, \"t\"",scope="repository:a:pull,push""#],
            Some(("https://a/token", Some(r#"s, "t""#), Some("repository:a:pull,push"))),
        );
        check(&["bearer realm=https://a, service=b"], Some(("https://a", Some("b"), None)));
        check(&["Basic realm=x", "Bearer realm=\"https://a\""], Some(("https://a", None, None)));
        check(&["Bearer service=\"a\""], None);
        check(&["Negotiate"], None);
        check(&["Bearer realm=\"open"], Some(("open", None, None)));
        assert_eq!(Challenge::parse(["Basic realm=\"x\""].into_iter()), Some(Challenge::Basic));
    }

    fn told(registry: &str, realm: &str, expected: bool) {
        let url = |text: &str| Url::parse(text).unwrap();
        assert_eq!(may_be_told(&url(registry), &url(realm)), expected, "{registry} {realm}");
    }

    #[test]
    fn a_password_stays_in_the_house() {
        told("https://registry-1.docker.io", "https://auth.docker.io/token", true);
        told("https://ghcr.io", "https://ghcr.io/token", true);
        told("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", true);
        told("https://example.org", "https://auth.example.org", true);
        told("http://localhost:5000", "http://localhost:5001/token", true);
        told("https://registry-1.docker.io", "http://auth.docker.io/token", false);
        told("https://registry-1.docker.io", "https://docker.io.evil.example", false);
        told("https://registry-1.docker.io", "https://evildocker.io", false);
        told("https://ghcr.io", "https://evil.io", false);
        told("https://example.co.uk", "https://evil.co.uk", false);
        told("http://localhost:5000", "http://evil.example/token", false);
        told("https://10.0.0.1", "https://11.0.0.1", false);
    }
}

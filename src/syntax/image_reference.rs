//! Names of images: `registry/repository:tag@digest`.
//!
//! The rules are those of the distribution project's `reference` package, which every tool of the
//! Docker family uses: a name without a registry is of Docker Hub, one without a folder is of its
//! `library`. The familiar form leaves both out again.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

const HUB: &str = "docker.io";
const OLD_HUB: &str = "index.docker.io";
const LIBRARY: &str = "library/";
const LONGEST_PATH: usize = 255;
const LONGEST_TAG: usize = 128;

/// A reference in its full form. Equal references name the same image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    /// The registry, with its port: `docker.io`, `localhost:5000`. Empty where the first name of the
    /// path looks like a registry and cannot be one, as in `my_registry.x/app`.
    pub domain: String,
    /// The repository within the registry: `library/debian`.
    pub path: String,
    /// The tag, when one is given.
    pub tag: Option<String>,
    /// The digest, when one is given: `sha256:…`.
    pub digest: Option<String>,
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageReferenceError {
    /// Nothing at all.
    #[error("an image name cannot be empty")]
    Empty,
    /// 64 hexadecimal digits, which Docker takes for an id.
    #[error("`{0}` is an image id, not a name")]
    Id(String),
    /// The repository has upper-case letters.
    #[error("`{0}` is not an image name: a repository is in lower case")]
    UpperCase(String),
    /// The registry or the repository has letters that it may not have.
    #[error(
        "`{0}` is not an image name: a repository has lower-case letters, digits, and `.`, `_` and `-` between them"
    )]
    Name(String),
    /// The repository is too long.
    #[error("`{0}` is not an image name: a repository has at most {LONGEST_PATH} characters")]
    TooLong(String),
    /// What follows the colon is no tag.
    #[error(
        "`{0}` is not a tag: a tag has letters, digits, `_`, `.` and `-`, and at most {LONGEST_TAG} of them"
    )]
    Tag(String),
    /// What follows the `@` is no digest.
    #[error("`{0}` is not a digest, such as `sha256:` and 64 hexadecimal digits")]
    Digest(String),
}

impl ImageReference {
    /// The registry and the repository, without tag and digest.
    pub fn repository(&self) -> String {
        if self.domain.is_empty() { self.path.clone() } else { format!("{}/{}", self.domain, self.path) }
    }

    /// The reference as people write it: without Docker Hub's name and its `library`.
    pub fn familiar(&self) -> String {
        let mut familiar = self.familiar_repository();
        for (sign, part) in [(':', &self.tag), ('@', &self.digest)] {
            if let Some(part) = part {
                familiar.push(sign);
                familiar.push_str(part);
            }
        }
        familiar
    }

    /// The repository as people write it, without tag and digest.
    pub fn familiar_repository(&self) -> String {
        if self.domain != HUB {
            return self.repository();
        }
        let official = self.path.strip_prefix(LIBRARY).filter(|name| !name.contains('/'));
        official.unwrap_or(&self.path).to_owned()
    }

    /// The same reference, with the tag `latest` when it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    /// The name under which a named context replaces this image: familiar, without `:latest`
    /// (BuildKit's `dockerui`).
    pub fn context_name(&self) -> String {
        let mut familiar = self.familiar();
        if familiar.ends_with(":latest") {
            familiar.truncate(familiar.len() - ":latest".len());
        }
        familiar
    }

    /// The form that an engine lists: the digest alone where there is one, else a tag, `latest` where
    /// none is given.
    pub fn listed(&self) -> String {
        let repository = self.familiar_repository();
        match &self.digest {
            Some(digest) => format!("{repository}@{digest}"),
            None => format!("{repository}:{}", self.tag_or_latest()),
        }
    }

    /// The tag; `latest` where none is given.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }

    fn suffix(&self) -> String {
        let tag = self.tag.iter().map(|tag| format!(":{tag}"));
        tag.chain(self.digest.iter().map(|digest| format!("@{digest}"))).collect()
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.repository(), self.suffix())
    }
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    fn from_str(text: &str) -> Result<Self, ImageReferenceError> {
        if text.is_empty() {
            return Err(ImageReferenceError::Empty);
        }
        if text.len() == 64 && text.bytes().all(is_hex) {
            return Err(ImageReferenceError::Id(text.to_owned()));
        }
        let (domain, rest) = split_domain(text);
        let before_colon = rest.split(':').next().unwrap_or_default();
        if !is_lower_case(before_colon) {
            return Err(ImageReferenceError::UpperCase(text.to_owned()));
        }
        let (name, digest) =
            rest.split_once('@').map_or((&*rest, None), |(name, digest)| (name, Some(digest)));
        let (path, tag) = name.split_once(':').map_or((name, None), |(path, tag)| (path, Some(tag)));
        let (domain, path) = checked_name(text, domain, path)?;
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ImageReferenceError::Tag(tag.to_owned()));
        }
        if let Some(digest) = digest.filter(|digest| !is_digest(digest)) {
            return Err(ImageReferenceError::Digest(digest.to_owned()));
        }
        Ok(Self { domain, path, tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }
}

/// The registry, and the rest with `library/` where it is understood.
fn split_domain(text: &str) -> (&str, Cow<'_, str>) {
    let Some((first, rest)) = text.split_once('/') else {
        return (HUB, Cow::Owned([LIBRARY, text].concat()));
    };
    let (domain, rest) = match first {
        OLD_HUB => (HUB, rest),
        _ if first == "localhost" || first.contains(['.', ':']) || !is_lower_case(first) => (first, rest),
        _ => (HUB, text),
    };
    let is_short = domain == HUB && !rest.contains('/');
    (domain, if is_short { Cow::Owned([LIBRARY, rest].concat()) } else { Cow::Borrowed(rest) })
}

/// Whether no letter has another form in lower case.
fn is_lower_case(text: &str) -> bool {
    if text.is_ascii() {
        !text.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        text.to_lowercase() == text
    }
}

fn checked_name(text: &str, domain: &str, path: &str) -> Result<(String, String), ImageReferenceError> {
    let wrong = || ImageReferenceError::Name(text.to_owned());
    if !path.split('/').all(is_path_component) {
        return Err(wrong());
    }
    let (domain, path) = if is_domain(domain) {
        (domain.to_owned(), path.to_owned())
    } else if is_path_component(domain) {
        (String::new(), format!("{domain}/{path}"))
    } else {
        return Err(wrong());
    };
    if path.len() > LONGEST_PATH {
        return Err(ImageReferenceError::TooLong(text.to_owned()));
    }
    Ok((domain, path))
}

/// `[a-z0-9]+` with `.`, `_`, `__` or dashes between such words.
fn is_path_component(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_well = |byte: Option<&u8>| byte.is_some_and(|byte| is_word(*byte));
    let bytes = name.as_bytes();
    ends_well(bytes.first())
        && ends_well(bytes.last())
        && bytes
            .split(|byte| is_word(*byte))
            .all(|between| matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|b| *b == b'-'))
}

/// A host name or an IPv6 address in brackets, with or without a port.
fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !domain.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = |address: &str| {
        !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => is_address(address),
        None => host.split('.').all(is_host_name),
    };
    is_host && port.is_none_or(is_port)
}

fn is_host_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

/// Whether `text` is a digest of one of the algorithms that registries use.
pub fn is_digest(text: &str) -> bool {
    let Some((algorithm, encoded)) = text.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    encoded.len() == length && encoded.bytes().all(is_hex)
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, full: &str, familiar: &str) {
        let found: ImageReference = text.parse().unwrap();
        assert_eq!((found.to_string().as_str(), found.familiar().as_str()), (full, familiar), "{text}");
    }

    fn refuse(text: &str, expected: &str) {
        assert_eq!(text.parse::<ImageReference>().unwrap_err().to_string(), expected);
    }

    #[test]
    fn names_are_completed_and_shortened() {
        check("debian", "docker.io/library/debian", "debian");
        check("debian:12", "docker.io/library/debian:12", "debian:12");
        check("docker.io/debian", "docker.io/library/debian", "debian");
        check("index.docker.io/library/debian", "docker.io/library/debian", "debian");
        check("acme/app", "docker.io/acme/app", "acme/app");
        check("library/a/b", "docker.io/library/a/b", "library/a/b");
        check("localhost/app", "localhost/app", "localhost/app");
        check("localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1");
        check("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app");
        check("Acme/app", "Acme/app", "Acme/app");
        check("a_b.c/d", "a_b.c/d", "a_b.c/d");
        check("ghcr.io/a/b__c-d.e", "ghcr.io/a/b__c-d.e", "ghcr.io/a/b__c-d.e");
        let digest = format!("sha256:{}", "a".repeat(64));
        check(&format!("a:1@{digest}"), &format!("docker.io/library/a:1@{digest}"), &format!("a:1@{digest}"));
    }

    #[test]
    fn an_engine_lists_a_digest_without_the_tag() {
        let listed = |text: &str| text.parse::<ImageReference>().unwrap().listed();
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(listed("debian"), "debian:latest");
        assert_eq!(listed("docker.io/library/debian:12"), "debian:12");
        assert_eq!(listed(&format!("debian:12@{digest}")), format!("debian@{digest}"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        refuse("", "an image name cannot be empty");
        refuse("Debian", "`Debian` is not an image name: a repository is in lower case");
        refuse(&"a".repeat(64), &format!("`{}` is an image id, not a name", "a".repeat(64)));
        refuse("a:", "`` is not a tag: a tag has letters, digits, `_`, `.` and `-`, and at most 128 of them");
        refuse(
            "a:b c",
            "`b c` is not a tag: a tag has letters, digits, `_`, `.` and `-`, and at most 128 of them",
        );
        refuse("a@sha256:12", "`sha256:12` is not a digest, such as `sha256:` and 64 hexadecimal digits");
        for wrong in ["a//b", "-a", "a-", "a___b", "a._b", "a b", "x.:/a", "a/"] {
            let error = wrong.parse::<ImageReference>().unwrap_err();
            assert!(matches!(error, ImageReferenceError::Name(_)), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_named_context_is_looked_up_by_its_short_name() {
        let name = |text: &str| text.parse::<ImageReference>().unwrap().with_default_tag().context_name();
        assert_eq!(name("docker.io/library/debian:latest"), "debian");
        assert_eq!(name("debian"), "debian");
        assert_eq!(name("debian:12"), "debian:12");
    }
}

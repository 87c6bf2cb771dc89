//! Names of images as `distribution/reference` writes them: in full, and as people write them.
//!
//! BuildKit looks a named context up under the familiar form of the name that the Dockerfile says
//! (`frontend/dockerui/namedcontext.go`): a key in any other form is silently never found, so that a
//! build would pull what it was to be given. Names are therefore read and written here by the same
//! grammar.

/// The parts of a reference: `docker.io` `library/debian` `bookworm` `sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageName {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl ImageName {
    /// Reads a reference as people write it; `None` where BuildKit would refuse it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(valid(digest, is_digest)?)),
            None => (text, None),
        };
        let is_tagged = |(_, tag): &(&str, &str)| !tag.contains('/');
        let (name, tag) = match rest.rsplit_once(':').filter(is_tagged) {
            Some((name, tag)) => (name, Some(valid(tag, is_tag)?)),
            None => (rest, None),
        };
        let (domain, path) = split_domain(name);
        let is_identifier = name.len() == 64 && name.bytes().all(is_hexadecimal);
        (is_path(&path) && is_domain(&domain) && !is_identifier).then_some(Self { domain, path, tag, digest })
    }

    /// The repository, without `docker.io/library/`.
    pub(super) fn repository(&self) -> String {
        match (self.domain.as_str(), self.path.strip_prefix("library/")) {
            ("docker.io", Some(official)) if !official.contains('/') => official.to_owned(),
            ("docker.io", _) => self.path.clone(),
            (domain, _) => format!("{domain}/{}", self.path),
        }
    }

    /// The form that people write, with the tag and digest that are given.
    pub(super) fn familiar(&self) -> String {
        self.repository() + &self.suffix()
    }

    /// The form that an engine lists: the digest alone where there is one, else a tag, `latest`
    /// where none is given.
    pub(super) fn listed(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.repository()),
            (None, tag) => format!("{}:{}", self.repository(), tag.as_deref().unwrap_or("latest")),
        }
    }

    /// The form in full, with a tag or a digest, as exporters want it.
    pub(super) fn full(&self) -> String {
        let suffix = self.suffix();
        let suffix = if suffix.is_empty() { ":latest".to_owned() } else { suffix };
        format!("{}/{}{suffix}", self.domain, self.path)
    }

    /// The key under which BuildKit looks for a named context.
    pub(super) fn context_key(&self) -> String {
        let familiar = self.familiar();
        familiar.strip_suffix(":latest").map_or_else(|| familiar.clone(), str::to_owned)
    }

    /// The tag, `latest` where neither a tag nor a digest is given.
    pub(super) fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }

    /// The digest, where one is given.
    pub(super) fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    fn suffix(&self) -> String {
        let part = |mark: &str, part: &Option<String>| {
            part.as_ref().map_or_else(String::new, |part| format!("{mark}{part}"))
        };
        part(":", &self.tag) + &part("@", &self.digest)
    }
}

fn valid(text: &str, is_valid: fn(&str) -> bool) -> Option<String> {
    is_valid(text).then(|| text.to_owned())
}

/// Splits off the registry, which is a first name with a dot, a port or upper-case letters, or
/// `localhost` (`reference.splitDockerDomain`).
fn split_domain(name: &str) -> (String, String) {
    let looks_like_host =
        |first: &str| first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first;
    let (domain, path) = match name.split_once('/') {
        Some((first, path)) if looks_like_host(first) => (first, path),
        _ => ("docker.io", name),
    };
    let domain = if domain == "index.docker.io" { "docker.io" } else { domain };
    let official = domain == "docker.io" && !path.contains('/');
    (domain.to_owned(), if official { format!("library/{path}") } else { path.to_owned() })
}

fn is_hexadecimal(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = domain.rsplit_once(':').unwrap_or((domain, "0"));
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_address = host.starts_with('[') && host.ends_with(']');
    (is_address || host.split('.').all(label)) && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_path(path: &str) -> bool {
    path.len() <= 255 && path.split('/').all(is_path_component)
}

/// Lower-case letters and digits, between which stand one dot, one or two underscores, or hyphens.
fn is_path_component(component: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_separator = |separator: &str| {
        matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
    };
    let ends = component.bytes().next().is_some_and(is_word) && component.bytes().last().is_some_and(is_word);
    ends && component.split(|letter: char| u8::try_from(letter).is_ok_and(is_word)).all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, digits)| {
        algorithm == "sha256" && digits.len() == 64 && digits.bytes().all(is_hexadecimal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn check(text: &str, key: &str, listed: &str, full: &str) {
        let [text, key, listed, full] =
            [text, key, listed, full].map(|form| form.replace("@D", &format!("@sha256:{DIGITS}")));
        let name = ImageName::parse(&text).unwrap_or_else(|| panic!("{text} is refused"));
        assert_eq!((name.context_key(), name.listed(), name.full()), (key, listed, full), "{text}");
    }

    #[test]
    fn names_have_one_familiar_form() {
        check("debian", "debian", "debian:latest", "docker.io/library/debian:latest");
        check("debian:latest", "debian", "debian:latest", "docker.io/library/debian:latest");
        check("docker.io/library/debian:12", "debian:12", "debian:12", "docker.io/library/debian:12");
        check("docker.io/debian", "debian", "debian:latest", "docker.io/library/debian:latest");
        check("index.docker.io/a/b", "a/b", "a/b:latest", "docker.io/a/b:latest");
        check("library/x/y", "library/x/y", "library/x/y:latest", "docker.io/library/x/y:latest");
        check("localhost/x", "localhost/x", "localhost/x:latest", "localhost/x:latest");
        check("host:5000/x:1", "host:5000/x:1", "host:5000/x:1", "host:5000/x:1");
        check("debian@D", "debian@D", "debian@D", "docker.io/library/debian@D");
        check("debian:12@D", "debian:12@D", "debian@D", "docker.io/library/debian:12@D");
        check("a--b/c__d.e", "a--b/c__d.e", "a--b/c__d.e:latest", "docker.io/a--b/c__d.e:latest");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let refused = [
            "",
            "Assets",
            "a b",
            "a/",
            "/a",
            "a:",
            "a:b:c",
            "a..b",
            "a___b",
            "-a",
            "a@sha256:12",
            "é",
            DIGITS,
            "a:é",
        ];
        for text in refused {
            assert_eq!(ImageName::parse(text), None, "{text}");
        }
    }
}

//! Which sources of `COPY` and `ADD` are fetched: URLs and git repositories (BuildKit's
//! `dfgitutil`).

/// What a source names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A path of the context.
    Local,
    /// A file behind a URL.
    Http,
    /// A git repository.
    Git,
}

/// What `source` names.
pub fn place(source: &str) -> Place {
    let web = ["http://", "https://"];
    match protocol(source) {
        Some("http" | "https") if path_of(source).ends_with(".git") => Place::Git,
        Some("ssh" | "git") => Place::Git,
        Some(_) | None if web.iter().any(|prefix| source.starts_with(prefix)) => Place::Http,
        Some(_) => Place::Local,
        None if is_ssh_address(source) => Place::Git,
        None => Place::Local,
    }
}

/// The protocol of `protocol://…`; only those in lower case that git knows, or `other`.
fn protocol(source: &str) -> Option<&'static str> {
    let (protocol, _) = source.split_once("://")?;
    if protocol.is_empty() || !protocol.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let lower = protocol.to_ascii_lowercase();
    Some(["http", "https", "ssh", "git"].into_iter().find(|known| *known == lower).unwrap_or("other"))
}

/// The path of a URL.
fn path_of(source: &str) -> &str {
    let (_, rest) = source.split_once("://").unwrap_or(("", source));
    let rest = rest.split('#').next().unwrap_or_default();
    let rest = rest.split('?').next().unwrap_or_default();
    rest.find('/').map_or("", |at| &rest[at..])
}

/// `user@host:path`.
fn is_ssh_address(source: &str) -> bool {
    let Some((user, rest)) = source.split_once('@') else { return false };
    let Some((host, _)) = rest.split_once(':') else { return false };
    let is_name = |text: &str, others: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    is_name(user, b"-_") && is_name(host, b"-.") && !source.contains('\n')
}

/// Why the query of a git address is refused.
pub(super) fn wrong_query(source: &str) -> Option<String> {
    let before = source.split('#').next().unwrap_or_default();
    let (_, query) = before.split_once('?')?;
    let known = [
        "ref",
        "tag",
        "branch",
        "subdir",
        "checksum",
        "commit",
        "keep-git-dir",
        "submodules",
        "mtime",
        "fetch-by-commit",
    ];
    let may_be_empty = ["keep-git-dir", "submodules", "fetch-by-commit"];
    let mut seen: Vec<&str> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !known.contains(&key) {
            return Some(format!("`{key}` is not known"));
        }
        if seen.contains(&key) {
            return Some(format!("`{key}` is given twice"));
        }
        if value.is_empty() && !may_be_empty.contains(&key) {
            return Some(format!("`{key}` has no value"));
        }
        seen.push(key);
    }
    (seen.contains(&"tag") && seen.contains(&"branch")).then(|| "it names a tag and a branch".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_sources() {
        for (source, expected) in [
            ("a/b", Place::Local),
            ("./https://x", Place::Local),
            ("github.com/a/b", Place::Local),
            ("https://x/y.tar", Place::Http),
            ("http://x", Place::Http),
            ("https://x/y.git", Place::Git),
            ("https://x/y.git#main:sub", Place::Git),
            ("https://x/y.git?branch=b", Place::Git),
            ("git@github.com:a/b", Place::Git),
            ("git://x/y", Place::Git),
            ("ssh://git@x/y", Place::Git),
            ("ftp://x/y", Place::Local),
            ("a@b", Place::Local),
            ("a b@c:d", Place::Local),
        ] {
            assert_eq!(place(source), expected, "{source}");
        }
    }

    #[test]
    fn queries_of_git_addresses() {
        assert_eq!(wrong_query("https://x/y.git?branch=b#c"), None);
        assert_eq!(wrong_query("https://x/y.git?submodules"), None);
        assert!(wrong_query("https://x/y.git?foo=1").is_some());
        assert!(wrong_query("https://x/y.git?ref=").is_some());
        assert!(wrong_query("https://x/y.git?tag=a&branch=b").is_some());
    }
}

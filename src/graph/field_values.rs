//! Single values of fields, once variables are put in: platforms, networks, tags, repositories.

use crate::graph::lint::{self, Lint};
use crate::graph::target::{Network, Tag, TagPart};
use crate::syntax::interpolation::Piece;
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::platform::Platform;
use crate::types::span::{Located, Location};

/// The longest tag that a registry takes (distribution-spec, "Pulling manifests").
const LONGEST_TAG: usize = 128;

pub(super) fn not_empty(text: Located<String>, expected: &str) -> Result<Located<String>, Diagnostic> {
    if !text.value.is_empty() {
        return Ok(text);
    }
    Err(Diagnostic::error("an empty string").at_location(&text.location, format!("expected {expected}")))
}

pub(super) fn platform(text: &Located<String>) -> Result<Located<Platform>, Diagnostic> {
    let platform = text.value.parse::<Platform>().map_err(|error| {
        Diagnostic::error(error.to_string()).at_location(&text.location, "expected os/architecture")
    })?;
    Ok(text.with(platform))
}

pub(super) fn network(text: &Located<String>) -> Result<Located<Network>, Diagnostic> {
    let all = [Network::Default, Network::None, Network::Host];
    if let Some(network) = all.into_iter().find(|network| network.as_str() == text.value) {
        return Ok(text.with(network));
    }
    let diagnostic = Diagnostic::error(format!("`{}` is not a network", text.value))
        .at_location(&text.location, "expected `default`, `none` or `host`");
    Err(match nearest(&text.value, all.map(Network::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    })
}

/// The path of the socket of an SSH agent.
pub(super) fn socket(text: Located<String>) -> Result<Located<String>, Diagnostic> {
    if (text.value.starts_with('/') || text.value.starts_with("~/")) && !text.value.contains('\0') {
        return Ok(text);
    }
    let diagnostic = Diagnostic::error("the socket of an SSH agent is named by its absolute path")
        .at_location(&text.location, "expected a path that begins with `/` or `~/`");
    Err(diagnostic.help("`env = \"SSH_AUTH_SOCK\"` takes the one that the variable names"))
}

/// A lint that is not to be told.
pub(super) fn allowed_lint(code: &Located<String>) -> Result<Located<&'static Lint>, Diagnostic> {
    let lint = lint::find(&code.value).map_err(|error| {
        let said = "expected the code of a lint";
        Diagnostic::error(error.to_string()).at_location(&code.location, said).help(error.help())
    })?;
    if lint.can_be_allowed() {
        return Ok(code.with(lint));
    }
    let message = format!("`{lint}` cannot be allowed");
    Err(Diagnostic::error(message).at_location(&code.location, "a build refuses what it finds"))
}

/// An image that others build: a repository, and perhaps a tag and a digest.
pub(super) fn image_reference(text: Located<String>) -> Result<Located<String>, Diagnostic> {
    let (name, digest) =
        text.value.split_once('@').map_or((&*text.value, None), |(name, digest)| (name, Some(digest)));
    let (repository, tag) = split_tag(name);
    let fine = is_repository(repository)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(|digest| digest.split_once(':').is_some_and(|(_, digits)| !digits.is_empty()));
    if fine {
        return Ok(text);
    }
    let message = format!("`{}` is not an image reference", text.value);
    let diagnostic = Diagnostic::error(message).at_location(&text.location, "expected `repository:tag`");
    Err(with_case_help(diagnostic, repository))
}

/// A repository without tag and digest.
pub(super) fn repository(text: Located<String>) -> Result<Located<String>, Diagnostic> {
    if is_repository(&text.value) {
        return Ok(text);
    }
    let message = format!("`{}` is not a repository", text.value);
    let diagnostic =
        Diagnostic::error(message).at_location(&text.location, "expected a name such as `ghcr.io/acme/base`");
    let (repository, tag) = split_tag(&text.value);
    if tag.is_some() && is_repository(repository) {
        let help = format!("write `{repository}`: every tag of the repository means this target");
        return Err(diagnostic.help(help));
    }
    Err(with_case_help(diagnostic, repository))
}

/// The name of an environment variable.
pub(super) fn variable_name(text: Located<String>) -> Result<Located<String>, Diagnostic> {
    if is_variable_name(&text.value) {
        return Ok(text);
    }
    let message = format!("`{}` cannot be the name of an environment variable", text.value);
    let said = "expected letters, digits and `_`, no digit first, such as `IMAGE_URI`";
    let diagnostic = Diagnostic::error(message).at_location(&text.location, said);
    let fine = text.value.to_uppercase().replace('-', "_");
    Err(if is_variable_name(&fine) { diagnostic.help(format!("write `{fine}`")) } else { diagnostic })
}

fn is_variable_name(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    letters && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// A name to give the image: a repository and a tag.
pub(super) fn tag(pieces: Vec<Piece>, location: &Location) -> Result<Located<Tag>, Diagnostic> {
    let part = |piece| match piece {
        Piece::Text(text) => TagPart::Text(text),
        Piece::Later(_) => TagPart::SourceKey,
    };
    let tag = Tag::new(pieces.into_iter().map(part).collect());
    // Letters of a key, in the length of a short one: only the form is checked.
    let example = tag.fill("0123456789ab");
    let (repository, name) = split_tag(&example);
    if is_repository(repository) && name.is_some_and(is_tag) {
        return Ok(Located { value: tag, location: location.clone() });
    }
    let shown = tag.fill("${source-key}");
    let diagnostic = Diagnostic::error(format!("`{shown}` is not a name for an image"))
        .at_location(location, "expected `repository:tag`");
    if name.is_none() && is_repository(repository) {
        return Err(diagnostic.help(format!("say the tag: `{shown}:latest`")));
    }
    Err(with_case_help(diagnostic, repository))
}

fn with_case_help(diagnostic: Diagnostic, repository: &str) -> Diagnostic {
    let lower = repository.to_lowercase();
    if lower != repository && is_repository(&lower) {
        return diagnostic.help(format!("a repository is written in lower case: `{lower}`"));
    }
    diagnostic
}

/// Parts a tag from a repository: a colon after the last slash.
fn split_tag(name: &str) -> (&str, Option<&str>) {
    let after_slash = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[after_slash..].find(':') {
        Some(colon) => (&name[..after_slash + colon], Some(&name[after_slash + colon + 1..])),
        None => (name, None),
    }
}

/// Whether `text` is a repository (distribution/reference: a host, perhaps with a port, then names
/// in lower case).
fn is_repository(text: &str) -> bool {
    let mut names: Vec<&str> = text.split('/').collect();
    let is_host = |name: &str| name.contains(['.', ':']) || name == "localhost";
    if names.len() > 1 && is_host(names[0]) {
        let (host, port) = names[0].split_once(':').unwrap_or((names[0], "0"));
        let host_letters = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if host.is_empty() || !host.bytes().all(host_letters) || !digits {
            return false;
        }
        names.remove(0);
    }
    names.iter().all(|name| is_path_name(name))
}

fn is_path_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| word(*byte));
    let bytes = name.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| word(*byte) || b"._-".contains(byte))
        && !name.contains("..")
        && !name.contains("___")
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= LONGEST_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::types::span::{SourceText, Span};
    use crate::types::workspace_path::WorkspacePath;

    fn located(text: &str) -> Located<String> {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text: text.to_owned() });
        Located { value: text.to_owned(), location: Location { source, span: Span::new(0, text.len()) } }
    }

    #[test]
    fn image_references() {
        let check =
            |text: &str, fine: bool| assert_eq!(image_reference(located(text)).is_ok(), fine, "{text}");
        check("debian", true);
        check("debian:bookworm-slim", true);
        check("localhost:5000/a/b_c:1.2", true);
        check("ghcr.io/acme/api@sha256:abc", true);
        check("ghcr.io/acme/api:1@sha256:abc", true);
        check("scratch", true);
        check("", false);
        check("Debian", false);
        check("debian:", false);
        check("debian :1", false);
        check("a//b", false);
        check("debian:-x", false);
        check("debian@", false);
        check("debian@sha256", false);
    }

    #[test]
    fn repositories_have_no_tag() {
        let check = |text: &str, fine: bool| assert_eq!(repository(located(text)).is_ok(), fine, "{text}");
        check("ghcr.io/acme/base", true);
        check("localhost:5000/base", true);
        check("base:1", false);
        check("base@sha256:abc", false);
        check("acme/", false);
    }

    #[test]
    fn tags_have_a_repository_and_a_tag() {
        let text = |text: &str| vec![Piece::Text(text.to_owned())];
        let location = located("x").location;
        assert!(tag(text("acme/api:1"), &location).is_ok());
        assert!(tag(text("acme/api"), &location).is_err());
        assert!(tag(text("acme/api:a b"), &location).is_err());
        assert!(tag(text(&format!("acme/api:{}", "a".repeat(129))), &location).is_err());
        let open = vec![Piece::Text("acme/api:".to_owned()), Piece::Later("source-key".to_owned())];
        assert!(tag(open, &location).unwrap().value.has_source_key());
    }
}

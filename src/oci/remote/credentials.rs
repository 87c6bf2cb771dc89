//! Who asks a registry: what Docker's configuration says.
//!
//! `docker_credential` reads the `auths`; which of them is meant, and the helpers, are found here, for that
//! crate takes an empty `credsStore` for a helper without a name, waits for helpers without end, and shows
//! what they say. As for Docker, a helper for the one registry comes first, then what the file itself holds,
//! then the helper for all registries.

use std::fs;
use std::io;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use serde_json::{Map, Value};

use super::credential::Credential;
use super::credential_helper::ask;
use super::error::RemoteError;
use super::settings::CredentialSettings;

/// How Docker's configuration names Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";
const HUB: &str = "docker.io";
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;
const HELPER_LIMIT: Duration = Duration::from_secs(30);

/// The credential for a registry (`docker.io`, `localhost:5000`), `None` where there is none.
///
/// # Errors
/// A configuration is not right, or a helper fails.
pub fn find(settings: &CredentialSettings, registry: &str) -> Result<Option<Credential>, RemoteError> {
    let failed = |reason| RemoteError::Credentials { host: registry.to_owned(), reason };
    if let Some(text) = settings.config_text.as_deref().filter(|text| !text.trim().is_empty())
        && let Some(found) = of_config(text.as_bytes(), registry)
            .map_err(|reason| failed(format!("DOCKER_AUTH_CONFIG: {reason}")))?
    {
        return Ok(Some(found));
    }
    let Some(file) = &settings.config_file else { return Ok(None) };
    let in_file = |reason| failed(format!("{}: {reason}", file.display()));
    let text = match fs::metadata(file) {
        Ok(metadata) if metadata.len() > LARGEST_CONFIG => return Err(in_file("it is too large".to_owned())),
        Ok(_) => fs::read(file).map_err(|error| in_file(error.to_string()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(in_file(error.to_string())),
    };
    of_config(&text, registry).map_err(in_file)
}

fn of_config(text: &[u8], registry: &str) -> Result<Option<Credential>, String> {
    // The error of the parser may quote the text, so it is not shown.
    let Ok(Value::Object(config)) = serde_json::from_slice(text) else {
        return Err("it is not a JSON object".to_owned());
    };
    let key = if registry == HUB { HUB_KEY } else { registry };
    let helpers = config.get("credHelpers").and_then(Value::as_object);
    let helper = helpers.and_then(|helpers| helpers.get(key).or_else(|| helpers.get(registry)));
    if let Some(helper) = helper.and_then(Value::as_str).filter(|helper| !helper.is_empty()) {
        return ask(helper, key, HELPER_LIMIT);
    }
    if let Some(found) = of_auths(&config, key)? {
        return Ok(Some(found));
    }
    match config.get("credsStore").and_then(Value::as_str) {
        None | Some("") => Ok(None),
        Some(helper) => ask(helper, key, HELPER_LIMIT),
    }
}

/// The credential that the file itself holds.
fn of_auths(config: &Map<String, Value>, key: &str) -> Result<Option<Credential>, String> {
    let Some(auths) = config.get("auths").and_then(Value::as_object) else { return Ok(None) };
    let same = |found: &&String| host_of(found) == host_of(key);
    let found = auths.get_key_value(key).map(|(found, _)| found);
    let Some(found) = found.or_else(|| auths.keys().find(same)) else { return Ok(None) };
    // What was logged out of, or lies with a helper, is an empty text or nothing at all.
    let is_filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let kept = auths[found].as_object().into_iter().flatten().filter(|(_, value)| is_filled(value));
    let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let alone = serde_json::json!({ "auths": { key: kept } });
    match get_credential_from_reader(alone.to_string().as_bytes(), key) {
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::IdentityToken(token))),
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Some(Credential::Password { user, password }))
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        Err(_) => Err(format!("what stands under auths for `{}` is no credential", host_of(key))),
    }
}

/// The host in a key, which may be a URL.
fn host_of(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &str, registry: &str, expected: &str) {
        let settings = CredentialSettings { config_text: Some(config.to_owned()), config_file: None };
        let found = match find(&settings, registry) {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(Credential::Password { user, password })) => format!("{user}:{password}"),
            Ok(Some(Credential::IdentityToken(token))) => format!("token {token}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{config}");
    }

    #[test]
    fn what_docker_writes_is_read() {
        // `user:pass:word` in base 64.
        let auth = r#"{"auth": "dXNlcjpwYXNzOndvcmQ="}"#;
        check(&format!(r#"{{"auths": {{"a.example": {auth}}}}}"#), "a.example", "user:pass:word");
        check(&format!(r#"{{"auths": {{"https://a.example/v1/": {auth}}}}}"#), "a.example", "user:pass:word");
        check(&format!(r#"{{"auths": {{"{HUB_KEY}": {auth}}}}}"#), "docker.io", "user:pass:word");
        check(&format!(r#"{{"auths": {{"a.example": {auth}}}}}"#), "b.example", "nothing");
        check(&format!(r#"{{"auths": {{"a.example": {auth}}}}}"#), "a.example:5000", "nothing");
        check(r#"{"auths": {"a.example": {"username": "u", "password": "p"}}}"#, "a.example", "u:p");
        check(
            r#"{"auths": {"a.example": {"auth": "", "identitytoken": "t"}}, "credsStore": ""}"#,
            "a.example",
            "token t",
        );
        check(r#"{"auths": {"a.example": {}}, "credsStore": ""}"#, "a.example", "nothing");
        check("", "a.example", "nothing");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        let start = "the credentials for a.example could not be had: DOCKER_AUTH_CONFIG: ";
        let wrong = [
            (
                r#"{"auths": {"a.example": {"auth": "hunter2!"}}}"#,
                "what stands under auths for `a.example` is no credential",
            ),
            (r#"["hunter2"]"#, "it is not a JSON object"),
            (r#"{"auths": hunter2"#, "it is not a JSON object"),
            (r#"{"credsStore": "../hunter2"}"#, "the name of the credential helper is not right"),
        ];
        for (config, reason) in wrong {
            check(config, "a.example", &format!("{start}{reason}"));
        }
        let secret = Credential::Password { user: "u".to_owned(), password: "hunter2".to_owned() };
        assert_eq!(format!("{secret:?}"), "Password");
    }

    #[test]
    fn a_file_that_is_not_there_has_no_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        let settings = CredentialSettings { config_file: Some(file.clone()), config_text: None };
        assert_eq!(find(&settings, "a.example").unwrap(), None);
        fs::write(file, r#"{"auths": {"a.example": {"identitytoken": "t"}}}"#).unwrap();
        let token = Credential::IdentityToken("t".to_owned());
        assert_eq!(find(&settings, "a.example").unwrap(), Some(token));
    }
}

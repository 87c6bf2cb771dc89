//! Which engines are new enough.
//!
//! Engine 23.0 is the first whose BuildKit knows named contexts; 20.10 ignores them silently, which
//! would build from the wrong image. Everything finer is asked of the engine, never guessed.

use bollard::models::SystemVersion;

/// The first major version that is accepted.
const OLDEST_MAJOR: u64 = 23;
/// The last major version whose source was read for what is leaned on beside the API.
const LAST_READ_MAJOR: u64 = 29;
/// The Engine API of version 23.0, for engines whose version is not a number.
const OLDEST_API: (u64, u64) = (1, 42);

/// Refuses an engine that is too old, or none, in one sentence.
pub(super) fn check(version: &SystemVersion) -> Result<(), String> {
    let text = version.version.as_deref().unwrap_or("of unknown version");
    if let Some(other) = foreign_engine(version) {
        return Err(format!(
            "{other} {text} is not Docker Engine: imgraph needs Docker Engine 23.0 or newer"
        ));
    }
    if is_new_enough(text, version.api_version.as_deref().unwrap_or_default()) {
        Ok(())
    } else {
        Err(format!("Docker Engine {text} is too old: imgraph needs 23.0 or newer"))
    }
}

/// The name of an engine that answers like Docker's but has no BuildKit in it.
fn foreign_engine(version: &SystemVersion) -> Option<&str> {
    let components = version.components.as_deref().unwrap_or_default();
    components.iter().map(|component| component.name.as_str()).find(|name| name.contains("Podman"))
}

/// Whether the engine does what the source of its version says, which was read.
pub(super) fn is_read(version: &SystemVersion) -> bool {
    let major = version.version.as_deref().and_then(major);
    major.is_some_and(|major| (OLDEST_MAJOR..=LAST_READ_MAJOR).contains(&major))
}

fn major(version: &str) -> Option<u64> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

/// Versions of development builds (`dev`, `0.0.0-20240101`) say nothing: their API version does.
fn is_new_enough(version: &str, api_version: &str) -> bool {
    match major(version) {
        Some(major) if major > 0 => major >= OLDEST_MAJOR,
        _ => api_version.split_once('.').is_some_and(|(major, minor)| {
            major.parse().ok().zip(minor.parse().ok()).is_some_and(|api: (u64, u64)| api >= OLDEST_API)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::SystemVersionComponents;

    fn check_version(version: &str, api: &str, expected: Result<(), &str>) {
        let version = SystemVersion {
            version: Some(version.to_owned()),
            api_version: Some(api.to_owned()),
            ..SystemVersion::default()
        };
        assert_eq!(check(&version), expected.map_err(str::to_owned));
    }

    #[test]
    fn engines_before_23_are_refused_by_name_and_version() {
        check_version("23.0.0", "1.42", Ok(()));
        check_version("26.1.5+dfsg1", "1.45", Ok(()));
        check_version("v29.0.0-rc.1", "1.52", Ok(()));
        check_version("dev", "1.46", Ok(()));
        check_version("0.0.0-20240101", "1.42", Ok(()));
        check_version(
            "20.10.24",
            "1.41",
            Err("Docker Engine 20.10.24 is too old: imgraph needs 23.0 or newer"),
        );
        check_version("dev", "1.41", Err("Docker Engine dev is too old: imgraph needs 23.0 or newer"));
        check_version("", "", Err("Docker Engine  is too old: imgraph needs 23.0 or newer"));
    }

    #[test]
    fn an_engine_of_a_version_that_nobody_read_is_not_known() {
        let check = |version: &str, expected: bool| {
            let version = SystemVersion { version: Some(version.to_owned()), ..SystemVersion::default() };
            assert_eq!(is_read(&version), expected, "{version:?}");
        };
        check("23.0.0", true);
        check("26.1.5+dfsg1", true);
        check("29.7.2", true);
        check("30.0.0", false);
        check("22.06.0-beta.0", false);
        check("dev", false);
        check("0.0.0-20240101", false);
    }

    #[test]
    fn podman_is_not_docker_engine() {
        let component = SystemVersionComponents { name: "Podman Engine".to_owned(), ..Default::default() };
        let version = SystemVersion {
            version: Some("4.9.3".to_owned()),
            components: Some(vec![component]),
            ..SystemVersion::default()
        };
        let expected =
            "Podman Engine 4.9.3 is not Docker Engine: imgraph needs Docker Engine 23.0 or newer".to_owned();
        assert_eq!(check(&version), Err(expected));
    }
}

//! A platform as OCI names it: operating system, architecture, variant.
//!
//! Names are normalised as containerd's `platforms` package does, so that `x86_64` and `amd64` are one.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An operating system and an architecture, with a variant where the architecture has some.
///
/// There are few of them and many who hold one: a copy is the same letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform(Arc<Names>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Names {
    os: String,
    architecture: String,
    variant: Option<String>,
    /// All of them as they are written.
    text: String,
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform: expected os/architecture, such as linux/amd64")]
pub struct PlatformError(String);

impl Platform {
    /// Linux on the architecture that this program was compiled for: what a local builder builds
    /// for when nobody says otherwise (containers are Linux on macOS too).
    pub fn local() -> Self {
        let (architecture, variant) = normalise(std::env::consts::ARCH, None);
        Self::of("linux".to_owned(), architecture, variant)
    }

    /// The same architecture under the operating system `os`, which is normalised already.
    #[must_use]
    pub fn with_os(&self, os: String) -> Self {
        Self::of(os, self.0.architecture.clone(), self.0.variant.clone())
    }

    /// The platform as it is written: `linux/arm/v7`.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// `linux`, `windows` …
    pub fn os(&self) -> &str {
        &self.0.os
    }

    /// `amd64`, `arm64`, `arm` …
    pub fn architecture(&self) -> &str {
        &self.0.architecture
    }

    /// `v7` of `linux/arm/v7`.
    pub fn variant(&self) -> Option<&str> {
        self.0.variant.as_deref()
    }

    fn of(os: String, architecture: String, variant: Option<String>) -> Self {
        let more = variant.as_ref().map_or_else(String::new, |variant| format!("/{variant}"));
        let text = format!("{os}/{architecture}{more}");
        Self(Arc::new(Names { os, architecture, variant, text }))
    }
}

/// Folds the names that people use for one architecture (containerd `platforms/database.go`).
fn normalise(architecture: &str, variant: Option<&str>) -> (String, Option<String>) {
    let architecture = architecture.to_lowercase();
    let variant = variant.map(str::to_lowercase).filter(|variant| !variant.is_empty());
    let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
        ("i386", _) => ("386", None),
        ("x86_64" | "x86-64" | "amd64", Some("v1") | None) => ("amd64", None),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", Some("8" | "v8") | None) => ("arm64", None),
        ("armhf", _) => ("arm", Some("v7")),
        ("armel", _) => ("arm", Some("v6")),
        ("arm", None | Some("7")) => ("arm", Some("v7")),
        ("arm", Some("5")) => ("arm", Some("v5")),
        ("arm", Some("6")) => ("arm", Some("v6")),
        ("arm", Some("8")) => ("arm", Some("v8")),
        (architecture, variant) => (architecture, variant),
    };
    (architecture.to_owned(), variant.map(str::to_owned))
}

impl FromStr for Platform {
    type Err = PlatformError;
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(word) {
            return Err(PlatformError(text.to_owned()));
        }
        let (architecture, variant) = normalise(parts[1], parts.get(2).copied());
        let os = match parts[0].to_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            os => os.to_owned(),
        };
        Ok(Self::of(os, architecture, variant))
    }
}

impl Hash for Platform {
    /// The text says all.
    fn hash<State: Hasher>(&self, state: &mut State) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(
            text.parse::<Platform>().map_or_else(|error| error.to_string(), |p| p.to_string()),
            expected
        );
    }

    #[test]
    fn platforms_are_normalised() {
        check("linux/amd64", "linux/amd64");
        check("Linux/x86_64", "linux/amd64");
        check("linux/aarch64", "linux/arm64");
        check("linux/arm64/v8", "linux/arm64");
        check("linux/arm", "linux/arm/v7");
        check("linux/amd64/v2", "linux/amd64/v2");
        check("linux", "`linux` is not a platform: expected os/architecture, such as linux/amd64");
        check("a/b/c/d", "`a/b/c/d` is not a platform: expected os/architecture, such as linux/amd64");
    }
}

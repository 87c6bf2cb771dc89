//! The name of a target: `//package:name`.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::workspace_path::WorkspacePath;

/// A target's full name. Two labels are one exactly when they name one target.
///
/// Order is by package, then by name: the order of every list that imgraph prints.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The folder of the `BUILD.toml`.
    pub package: Arc<WorkspacePath>,
    /// The name within the package.
    pub name: Arc<str>,
}

/// Why a text is not a label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The part before the colon is no folder of a workspace.
    #[error("`{0}` is not a label: the part before the colon must be a folder, such as //services/api")]
    Package(String),
    /// The part after the colon is no target name.
    #[error(
        "`{0}` is not a label: a name is made of letters, digits and any of `-_.+`, and begins with a letter, a digit or `_`"
    )]
    Name(String),
}

/// Whether `text` can be the name of a target: what may stand in an image tag and in a file name,
/// and is not mistaken for the pattern `...`.
pub fn is_target_name(text: &str) -> bool {
    let first = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let other = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    text.as_bytes().first().is_some_and(first) && text.bytes().all(other) && !text.contains("..")
}

impl Label {
    /// The label of the target `name` of `package`.
    pub fn new(package: impl Into<Arc<WorkspacePath>>, name: impl Into<Arc<str>>) -> Self {
        Self { package: package.into(), name: name.into() }
    }

    /// Reads a label as it is written in `package`: `//a/b:c`, `//a/b` (that is `//a/b:b`), `:c` or `c`.
    ///
    /// # Errors
    /// When the package is no path of the workspace or the name has letters that no name has.
    pub fn parse(text: &str, package: &Arc<WorkspacePath>) -> Result<Self, LabelError> {
        let (folder, name) = match text.strip_prefix("//") {
            None => (Arc::clone(package), text.strip_prefix(':').unwrap_or(text)),
            Some(rest) => {
                let (folder, name) = rest.split_once(':').unwrap_or((rest, last_name(rest)));
                (Arc::new(package_of(folder, text)?), name)
            }
        };
        if is_target_name(name) {
            Ok(Self::new(folder, name))
        } else {
            Err(LabelError::Name(text.to_owned()))
        }
    }

    /// A short word for file names and image names: letters, digits and dashes, not unique by itself.
    pub fn slug(&self) -> String {
        let text = format!("{}-{}", self.package, self.name);
        let folded: String = text
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
            .collect();
        folded.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
    }
}

fn last_name(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

/// The package that `folder` names in the label `whole`. A package's path is written as folders are
/// listed: no `.`, no `..`, no empty name.
fn package_of(folder: &str, whole: &str) -> Result<WorkspacePath, LabelError> {
    let refused = || LabelError::Package(whole.to_owned());
    let path = WorkspacePath::root().resolve(folder.as_bytes()).map_err(|_cause| refused())?;
    if path.as_bytes() == folder.as_bytes() { Ok(path) } else { Err(refused()) }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "//{}:{}", self.package, self.name)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let package = Arc::new(WorkspacePath::root().resolve(b"here").unwrap());
        assert_eq!(
            Label::parse(text, &package).ok().map(|label| label.to_string()).as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn labels_are_read_as_they_are_written() {
        check("//a/b:c", Some("//a/b:c"));
        check("//a/b", Some("//a/b:b"));
        check("//:c", Some("//:c"));
        check(":c", Some("//here:c"));
        check("c", Some("//here:c"));
        check("//", None);
        check("//a/../b:c", None);
        check("//a//b:c", None);
        check("//a:", None);
        check("//a:b:c", None);
        check("/a:b", None);
        check("//a:-b", None);
        check("//a:b c", None);
    }
}

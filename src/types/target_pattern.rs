//! What is typed to name targets: `//a:b`, `//a/...`, `:all`, `-//a:c`.

use std::fmt;
use std::sync::Arc;

use super::label::{Label, LabelError};
use super::workspace_path::WorkspacePath;

/// Which targets a pattern speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// One target.
    One(Label),
    /// Every target of one package: `//a:all`.
    Package(Arc<WorkspacePath>),
    /// Every target of a package and of those below it: `//a/...`.
    Below(Arc<WorkspacePath>),
}

/// A selection, added to or taken from what stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPattern {
    /// Whether the targets are taken away: `-//a:c`.
    pub negative: bool,
    /// Which targets.
    pub selection: Selection,
}

impl TargetPattern {
    /// Reads a pattern as it is typed in `package`.
    ///
    /// # Errors
    /// As [`Label::parse`].
    pub fn parse(text: &str, package: &Arc<WorkspacePath>) -> Result<Self, LabelError> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        Ok(Self { negative, selection: Selection::parse(rest, package)? })
    }
}

impl Selection {
    fn parse(text: &str, package: &Arc<WorkspacePath>) -> Result<Self, LabelError> {
        let folder = |folder: &str| {
            let start = if folder.starts_with("//") { WorkspacePath::root() } else { (**package).clone() };
            let path =
                start.resolve(folder.as_bytes()).map_err(|_cause| LabelError::Package(text.to_owned()))?;
            Ok(Arc::new(path))
        };
        let without_all = text.strip_suffix(":all").unwrap_or(text);
        if let Some(above) =
            without_all.strip_suffix("...").filter(|above| above.is_empty() || above.ends_with('/'))
        {
            return Ok(Self::Below(folder(above)?));
        }
        if text == "all" || text.ends_with(":all") {
            let above = text.strip_suffix("all").unwrap_or(text);
            return Ok(Self::Package(folder(above.strip_suffix(':').unwrap_or(above))?));
        }
        Label::parse(text, package).map(Self::One)
    }

    /// Whether the selection holds `label`.
    pub fn contains(&self, label: &Label) -> bool {
        match self {
            Self::One(one) => one == label,
            Self::Package(package) => *package == label.package,
            Self::Below(folder) => label.package.strip_prefix(folder).is_some(),
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(label) => label.fmt(formatter),
            Self::Package(package) => write!(formatter, "//{package}:all"),
            Self::Below(folder) if folder.is_root() => formatter.write_str("//..."),
            Self::Below(folder) => write!(formatter, "//{folder}/..."),
        }
    }
}

impl fmt::Display for TargetPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            formatter.write_str("-")?;
        }
        self.selection.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let package = Arc::new(WorkspacePath::root().resolve(b"here").unwrap());
        let found =
            TargetPattern::parse(text, &package).map_or_else(|_| "refused".to_owned(), |p| p.to_string());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn patterns_are_read_from_a_package() {
        check("//a:b", "//a:b");
        check("//a", "//a:a");
        check("//a:all", "//a:all");
        check("//a/...", "//a/...");
        check("//a/...:all", "//a/...");
        check("//...", "//...");
        check("...", "//here/...");
        check("sub/...", "//here/sub/...");
        check(":b", "//here:b");
        check("b", "//here:b");
        check(":all", "//here:all");
        check("all", "//here:all");
        check("-//a:c", "-//a:c");
        check("//a...", "refused");
        check("//../...", "refused");
    }
}

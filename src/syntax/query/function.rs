//! The functions of the query language: their names, and how each is called.

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// What targets need.
    Deps,
    /// What needs targets, within what some others need.
    Rdeps,
    /// What needs targets, anywhere.
    Allrdeps,
    /// A way from some targets to others.
    Somepath,
    /// Everything on a way from some targets to others.
    Allpaths,
    /// Those of a kind.
    Kind,
    /// Those of a name.
    Filter,
    /// Those with a value in a field.
    Attr,
    /// What a field names.
    Labels,
    /// What stands in the same package.
    Siblings,
    /// What needs targets directly, in the same package.
    SamePkgDirectRdeps,
    /// One, or a few.
    Some,
    /// The `BUILD.toml` files that say what targets are.
    Buildfiles,
    /// The targets that read a file.
    Owner,
    /// The files that targets read.
    Inputs,
    /// The images from elsewhere that targets stand on.
    Bases,
    /// The targets that differ from a commit.
    Affected,
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 17] = [
        Self::Deps,
        Self::Rdeps,
        Self::Allrdeps,
        Self::Somepath,
        Self::Allpaths,
        Self::Kind,
        Self::Filter,
        Self::Attr,
        Self::Labels,
        Self::Siblings,
        Self::SamePkgDirectRdeps,
        Self::Some,
        Self::Buildfiles,
        Self::Owner,
        Self::Inputs,
        Self::Bases,
        Self::Affected,
    ];

    /// How it is called, and what stands for its arguments.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Deps => "deps(EXPR [, DEPTH])",
            Self::Rdeps => "rdeps(UNIVERSE, EXPR [, DEPTH])",
            Self::Allrdeps => "allrdeps(EXPR [, DEPTH])",
            Self::Somepath => "somepath(FROM, TO)",
            Self::Allpaths => "allpaths(FROM, TO)",
            Self::Kind => "kind(REGEX, EXPR)",
            Self::Filter => "filter(REGEX, EXPR)",
            Self::Attr => "attr(FIELD, REGEX, EXPR)",
            Self::Labels => "labels(FIELD, EXPR)",
            Self::Siblings => "siblings(EXPR)",
            Self::SamePkgDirectRdeps => "same_pkg_direct_rdeps(EXPR)",
            Self::Some => "some(EXPR [, COUNT])",
            Self::Buildfiles => "buildfiles(EXPR)",
            Self::Owner => "owner(FILE)",
            Self::Inputs => "inputs(EXPR)",
            Self::Bases => "bases(EXPR)",
            Self::Affected => "affected(COMMIT)",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let usage = self.usage();
        usage.split_once('(').map_or(usage, |(name, _)| name)
    }

    /// The least and the most arguments that it takes.
    pub fn arguments(self) -> (usize, usize) {
        let usage = self.usage();
        let most = 1 + usage.matches(',').count();
        (most - usage.matches('[').count(), most)
    }
}

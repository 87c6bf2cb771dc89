//! What is asked of a Dockerfile, and what a slice holds.

use std::collections::BTreeSet;

use crate::types::platform::Platform;
use crate::types::sorted_map::SortedMap;
use crate::types::span::{Span, Spanned};

/// What is asked of a Dockerfile.
#[derive(Clone, Copy, Debug)]
pub struct SliceRequest<'r> {
    /// The wanted stage's name; `None` is the last stage.
    pub stage: Option<&'r str>,
    /// The build arguments that are given.
    pub args: &'r SortedMap<String, String>,
    /// What is built for.
    pub platform: &'r Platform,
    /// What is built on.
    pub build_platform: &'r Platform,
    /// The names of the named contexts that are given. They win over stages of the same name.
    pub contexts: &'r BTreeSet<String>,
}

/// What a stage can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The frontend image that the file asks for.
    pub frontend: Option<String>,
    /// The instructions of the reached stages, in file order, triggers of `ONBUILD` where they run.
    pub instructions: Vec<SlicedInstruction>,
    /// What is read of the main context, where the text alone decides.
    pub sources: Sources,
    /// Paths, not patterns, of the main context without which the build fails, sorted. None where a
    /// foreign frontend decides.
    pub required: Vec<SourcePath>,
    /// Whether the frontend is of another make than Docker's, and may read the file in its own way.
    pub is_foreign: bool,
    /// Why [`Self::sources`] may be narrower than the truth: the whole context counts then.
    pub widened: Option<Widening>,
    /// What is read from images and named contexts, in file order.
    pub references: Vec<Reference>,
    /// The arguments that the reached stages can see, by name.
    pub arguments: SortedMap<String, ArgumentUse>,
    /// Arguments that are given and that nothing in the file declares or knows.
    pub unused_args: Vec<String>,
    /// The ids of the secrets that are mounted.
    pub secrets: SortedMap<String, Mounted>,
    /// The ids of the SSH agents that are mounted.
    pub ssh: SortedMap<String, Mounted>,
    /// URLs and git repositories that `ADD` fetches and no checksum pins, expanded: what they hold may
    /// be another thing tomorrow.
    pub remotes: Vec<Spanned<String>>,
    /// The `ONBUILD` instructions that the wanted stage leaves to whatever is based on it.
    pub triggers: Vec<Spanned<String>>,
}

/// A secret or an SSH agent that is mounted, maybe several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// How much the mounts ask for it: the most that one of them asks.
    pub demand: Demand,
    /// The place of the first mount that asks for it so much.
    pub span: Span,
}

/// How much a mount asks for what it mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demand {
    /// An unknown variable decides what is mounted, and how.
    Unknown,
    /// The builder leaves the mount out when there is nothing to mount.
    Optional,
    /// The build fails without it.
    Required,
}

/// An instruction of a reached stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicedInstruction {
    /// Which of the reached stages, counted from 0 in file order.
    pub stage: usize,
    /// The instruction in the one way of writing it that all equal ones share, variables not
    /// expanded; but for `FROM`, whose base is expanded. Where a stage of the file is meant, it is
    /// written `#` and its number among the reached ones. Equal texts mean equal instructions.
    pub text: String,
    /// Where it is written.
    pub span: Span,
}

/// What is read of a tree of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    /// Nothing.
    Nothing,
    /// Everything.
    Whole {
        /// The sources that ask for everything, in file order.
        spans: Vec<Span>,
    },
    /// What these patterns match: at least one, sorted by pattern, each pattern once, at the first
    /// place where it stands.
    Paths(Vec<SourcePath>),
}

/// One path or pattern that is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourcePath {
    /// Relative to the root of the tree, cleaned as Go's `path.Join` does; may hold `*`, `?`, `[…]`.
    pub pattern: Vec<u8>,
    /// Where it is written.
    pub span: Span,
}

/// Why the text does not decide what is read of the main context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widening {
    /// One sentence, lower case, without a full stop.
    pub reason: String,
    /// What it is about.
    pub span: Span,
}

/// Through which instruction a reference is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    /// `FROM`.
    From,
    /// `COPY --from`.
    CopyFrom,
    /// `RUN --mount=from=`.
    MountFrom,
}

/// An image or a named context that a reached stage is based on or reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name, expanded; where a named context replaces a stage, the stage's name.
    pub name: String,
    /// The key of [`SliceRequest::contexts`] that the builder takes for it.
    pub context: Option<String>,
    /// The platform that `--platform` of the `FROM` asks for.
    pub platform: Option<Platform>,
    /// Through which instruction.
    pub kind: ReferenceKind,
    /// Where the name is written.
    pub span: Span,
    /// What is read of it. Already whole where the text does not decide.
    pub sources: Sources,
    /// Paths, not patterns, that must be in it, sorted.
    pub required: Vec<SourcePath>,
}

/// An argument that the reached stages can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentUse {
    /// Its value: the given one, else the global one, else a stage's default, expanded; `None` when
    /// it is declared and has none. (A default is also part of its instruction's text.)
    pub value: Option<String>,
    /// Where it is declared; `None` for what BuildKit knows without a declaration.
    pub span: Option<Span>,
}

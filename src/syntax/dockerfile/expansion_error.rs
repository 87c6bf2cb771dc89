//! Why a text with variables cannot be expanded, and how to put it right.

use super::pattern::PatternError;

/// How many substitutions may stand within each other. BuildKit's own limit is its memory.
pub(super) const DEEPEST: usize = 250;

/// So many bytes the variables of one Dockerfile hold at the most, over all its stages, together with all that
/// is made of them: a program gets 6 MiB of variables from Linux, and no file needs much more.
pub(super) const MOST_OF_ALL: usize = 16 << 20;

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpansionError {
    /// A quote or a brace that nothing closes.
    #[error("`{0}` is not closed")]
    NotClosed(char),
    /// Braces within braces, deeper than anybody writes.
    #[error("more than {DEEPEST} substitutions within each other")]
    TooDeep,
    /// It grows beyond all use.
    #[error("it becomes {length} bytes long, and variables add {} KiB to a text at the most", most_added >> 10)]
    TooLong {
        /// How long it became, in bytes, before it was given up.
        length: usize,
        /// How much variables may add, in bytes.
        most_added: usize,
    },
    /// All values together grow beyond all use.
    #[error("the variables of this file come to more than {} MiB", MOST_OF_ALL >> 20)]
    TooMuch,
    /// `${}` and the like.
    #[error("bad substitution: a name is expected after `${{`")]
    BadSubstitution,
    /// A modifier that BuildKit does not know.
    #[error("unsupported modifier `{0}` in a substitution")]
    Modifier(String),
    /// `${name:?message}`.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// What the text says of it.
        message: String,
    },
    /// A pattern that cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl ExpansionError {
    /// How to put it right.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotClosed(_) => "close it, or write the escape character before it",
            Self::TooDeep => "give the inner ones names of their own, with `ARG`",
            Self::TooLong { .. } => "shorten it: no program gets a variable of more than 128 KiB",
            Self::TooMuch => "set fewer or shorter variables, and long texts in files that are copied",
            Self::BadSubstitution => "write `${NAME}`, or the escape character before the `$`",
            Self::Modifier(_) => {
                "the modifiers are `:-`, `-`, `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/` and `//`"
            }
            Self::Required { .. } => "set it: with `ARG` or `ENV`, or as a build argument",
            Self::Pattern(_) => "only `*`, `?` and the backslash itself can follow a backslash here",
        }
    }
}

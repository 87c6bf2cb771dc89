//! What a Dockerfile says, before any variable is expanded.
//!
//! Values are as BuildKit's parser leaves them (`frontend/dockerfile/instructions`): quotes are kept
//! where expansion removes them later. Every value that can be blamed carries its place.

use std::sync::Arc;

use super::keyword::Keyword;
use crate::types::span::{SourceText, Span, Spanned};

/// A parsed Dockerfile: at least one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The text.
    pub source: Arc<SourceText>,
    /// The escape character: `\`, or `` ` `` where `# escape=` says so.
    pub escape: char,
    /// What `# check=` says of BuildKit's checks.
    pub checks: Checks,
    /// The frontend image that the file asks for, without its command line.
    pub frontend: Option<Spanned<String>>,
    /// The `ARG`s before the first `FROM`: they are visible in `FROM` lines.
    pub arguments: Vec<Argument>,
    /// The stages, in file order.
    pub stages: Vec<Stage>,
}

/// What a directive `# check=` says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Checks {
    /// The checks to leave out, by BuildKit's names.
    pub skips: Vec<String>,
    /// Whether to leave all out.
    pub skips_all: bool,
    /// Whether what they find is an error.
    pub are_errors: bool,
}

/// What one `FROM` begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The `FROM` line.
    pub from: Instruction,
    /// The name after `AS`, in lower case.
    pub name: Option<Spanned<String>>,
    /// The base as it is written.
    pub base: Spanned<String>,
    /// The value of `--platform` as it is written.
    pub platform: Option<Spanned<String>>,
    /// What follows, up to the next `FROM`.
    pub instructions: Vec<Instruction>,
}

/// One instruction: a line with its continuations and heredocs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Which one.
    pub keyword: Keyword,
    /// From the keyword to the last byte of the instruction, heredocs included.
    pub span: Span,
    /// The flags before the arguments, `--name=value`, without quotes and escapes.
    pub flags: Vec<Spanned<String>>,
    /// The arguments in the one way of writing them that all equal ones share: words that BuildKit
    /// splits at white space are joined by single spaces, JSON is rewritten, other text is trimmed.
    pub arguments: String,
    /// The bodies of the heredocs that the arguments name, in order.
    pub heredocs: Vec<Heredoc>,
    /// What the instruction asks for.
    pub command: Command,
}

/// A command of an instruction, in one of its two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// For the shell.
    Shell(String),
    /// A program and its arguments.
    Exec(Vec<String>),
}

impl CommandLine {
    /// Reads what [`Instruction::arguments`] holds, or what follows the first word of a `HEALTHCHECK`.
    pub fn of(arguments: &str) -> Self {
        let list = arguments.strip_prefix(' ').and_then(|list| serde_json::from_str(list).ok());
        list.map_or_else(|| Self::Shell(arguments.to_owned()), Self::Exec)
    }
}

impl Instruction {
    /// The values of the flag `--name`, in order; a bare flag has the value `true`.
    pub fn flag<'i>(&'i self, name: &'i str) -> impl Iterator<Item = &'i str> {
        self.flags.iter().filter_map(move |flag| {
            let (own, value) = flag.value.split_once('=').unwrap_or((&flag.value, "true"));
            (own.strip_prefix("--") == Some(name)).then_some(value)
        })
    }

    /// Whether the switch `--name` is on.
    pub fn has_switch(&self, name: &str) -> bool {
        self.flag(name).next().is_some_and(|value| !value.eq_ignore_ascii_case("false"))
    }
}

/// What an instruction asks for, as far as inputs, edges and refusals depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `FROM`: see [`Stage`].
    From,
    /// `ARG`.
    Arg(Vec<Argument>),
    /// `ENV` and `LABEL`: names and values, both still to be expanded.
    Pairs(Vec<Pair>),
    /// `COPY` and `ADD`.
    Copy(Box<Copy>),
    /// `RUN`.
    Run(Run),
    /// `ONBUILD`: the instruction that a stage based on this one begins with.
    Onbuild(String),
    /// `USER`, `WORKDIR`, `STOPSIGNAL`, `VOLUME` and `EXPOSE`: words that are expanded.
    Words(Vec<Spanned<String>>),
    /// What neither reads files nor expands variables.
    Other,
}

/// One name of an `ARG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The name.
    pub name: Spanned<String>,
    /// The default, still to be expanded.
    pub default: Option<String>,
}

/// One name and value of an `ENV` or a `LABEL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The name, still to be expanded.
    pub name: String,
    /// The value, still to be expanded.
    pub value: String,
    /// Where both are written.
    pub span: Span,
}

/// A `COPY` or an `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The value of `--from`, when there is one that is not empty.
    pub from: Option<Spanned<String>>,
    /// The sources that are paths or URLs, still to be expanded.
    pub sources: Vec<Spanned<String>>,
    /// The sources that are written in the Dockerfile itself.
    pub inline: Vec<InlineFile>,
    /// Where to, still to be expanded.
    pub destination: Spanned<String>,
    /// The value of `--chown`, still to be expanded.
    pub owner: Option<Spanned<String>>,
    /// The value of `--chmod`, still to be expanded.
    pub mode: Option<Spanned<String>>,
    /// The value of `--checksum`, still to be expanded.
    pub checksum: Option<Spanned<String>>,
    /// The value of `--keep-git-dir`, when it is given.
    pub keep_git_dir: Option<bool>,
    /// Whether `--parents` or `--exclude` is given: patterns then choose what is read of the sources.
    pub chooses: bool,
}

/// A source of a `COPY` or an `ADD` that is a heredoc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineFile {
    /// The word that names the heredoc: the name of the file.
    pub name: String,
    /// What the file holds, still to be expanded where `expand` says so.
    pub content: String,
    /// Whether variables in the content are expanded.
    pub expand: bool,
    /// Where the heredoc is named.
    pub span: Span,
}

/// A `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The values of `--mount`, still to be read and expanded: see [`super::mount`].
    pub mounts: Vec<RawMount>,
    /// The form `RUN []`, which nothing can run.
    pub is_empty_list: bool,
}

/// One `--mount` of a `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMount {
    /// The comma-separated text.
    pub text: Spanned<String>,
    /// The value of its `from`, empty when there is none. It is never expanded.
    pub from: String,
}

/// A heredoc: `<<NAME` and the lines up to `NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub name: String,
    /// Whether variables in it are expanded: the word is not quoted.
    pub expand: bool,
    /// Whether leading tabs are dropped: `<<-`.
    pub chomp: bool,
    /// The lines, with their line ends.
    pub content: String,
}

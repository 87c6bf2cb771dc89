//! What was typed.
//!
//! This is the command line's grammar and nothing else: what the words mean (which workspace, which
//! cache folder, whether to draw colours) is worked out in `cli/request.rs`.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::builder_choice::BuilderChoice;
pub(crate) use super::cache_arguments::{Cache, CollectGarbage, Format, LoadImage};
use super::query_arguments;
use crate::oci::export::output_spec::{OutputSpec, OutputSpecError};

/// A declarative build graph for container images.
///
/// Targets are declared in BUILD.toml files beside the services: images, builder stages, shared base
/// images. imgraph builds what has changed, in parallel, and knows why.
#[derive(Debug, Parser)]
#[command(name = "imgraph", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Targets: //folder:name, //folder (that is //folder:folder), //folder:all, //folder/..., \
                        :name, name; -//folder:name after `--` takes one away."
)]
pub(crate) struct Arguments {
    /// What applies to every command.
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The grammar, with the environment variables out of it that are empty: those count as if they were not set,
/// for a CI that declares a variable often has no value for it. `is_empty` tells of a name.
pub(crate) fn grammar(is_empty: impl Fn(&OsStr) -> bool) -> clap::Command {
    Arguments::command().mut_args(|argument| match argument.get_env() {
        Some(name) if is_empty(name) => argument.env(None::<&'static str>),
        _ => argument,
    })
}

fn output_spec(text: &str) -> Result<OutputSpec, String> {
    text.parse().map_err(|error: OutputSpecError| error.to_string())
}

/// What applies to every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options for every command")]
pub(crate) struct Everywhere {
    /// Work as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(crate) directory: Option<PathBuf>,
    /// Set a variable of [vars]; beats the environment and the default
    #[arg(long = "set", value_name = "NAME=VALUE", global = true, value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
    /// Colour the output
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: When,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Keep caches in DIR
    #[arg(long, value_name = "DIR", global = true, env = "IMGRAPH_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Read all files, without the index of what earlier runs knew of them, and write none
    #[arg(long, global = true)]
    pub(crate) no_index: bool,
    /// Who builds; beats the workspace's own wish, without which it is `auto`
    #[arg(long, value_name = "BUILDER", global = true, env = "IMGRAPH_BUILDER")]
    pub(crate) builder: Option<BuilderChoice>,
    /// Ask MIRROR for images of REGISTRY first (the embedded builder)
    #[arg(long = "mirror", value_name = "REGISTRY=MIRROR", global = true, value_parser = assignment)]
    pub(crate) mirror: Vec<(String, String)>,
    /// The Docker Engine to use, unix:///path or tcp://host:port
    #[arg(long, value_name = "URL", global = true, env = "DOCKER_HOST", hide_env_values = true)]
    pub(crate) docker_host: Option<String>,
}

/// When to do what depends on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// When standard error is a terminal and NO_COLOR is not set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Build targets and what they need
    Build(Build),
    /// Build again whenever something changes that a target can read
    Watch(Watch),
    /// Show what a build would do, and why
    Plan(Plan),
    /// Say which targets a change touches, from git's commits alone
    Affected(Affected),
    /// List the files, arguments and bases that decide a target
    Inputs(Inputs),
    /// Say why a target is dirty, who reads a file, or how one target needs another
    Explain(Explain),
    /// Draw the graph
    Graph(Graph),
    /// Ask the graph: what needs what, what reads which files, which ways there are
    Query(query_arguments::Query),
    /// Tell what images will be called, from files alone
    Refs(Refs),
    /// Look for what is likely wrong, without building anything
    Check(Check),
    /// Look at the caches
    #[command(subcommand)]
    Cache(Cache),
    /// Say what builds here and what does not, each with its cure
    Doctor(Doctor),
    /// Write a completion script for a shell
    Completions(Completions),
}

/// Which targets a command is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct Targets {
    /// Targets: //folder:name, //folder/..., :name …; `-//folder:name` after `--` takes one away
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) patterns: Vec<String>,
    /// Build for these platforms instead of the declared ones
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// `tty` on a terminal, else `plain`
    Auto,
    /// A line per running target, redrawn
    Tty,
    /// A line per event
    Plain,
    /// Failures only
    Quiet,
    /// Events as NDJSON, on standard error
    Json,
}

/// How many targets are built at once.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Jobs {
    /// How many targets to build at once
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

impl Jobs {
    /// As many as the machine has cores where nobody says: a builder is mostly waited for.
    pub(crate) fn count(self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(4, usize::from).max(4);
        self.jobs.map_or_else(cores, usize::from)
    }
}

/// Arguments of `build`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "imgraph build [OPTIONS] <TARGET>...")]
pub(crate) struct Build {
    /// Which targets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) jobs: Jobs,
    /// After a failure, go on with what does not depend on it
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Show what would be done, as `plan` does
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Build only those of the targets that differ from this commit
    #[arg(long, value_name = "REV")]
    pub(crate) affected_by: Option<String>,
    /// With --affected-by, compare with the best common ancestor of that commit and this one
    #[arg(long, requires = "affected_by")]
    pub(crate) merge_base: bool,
    /// Build the named targets even if they are cached, and leave the builder's own cache aside
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Write the images that are asked for: oci:DIR, oci-tar:FILE, docker-tar:FILE, or
    /// type=oci,dest=DIR,compression=zstd; - is the standard output
    #[arg(short, long, value_name = "OUTPUT", value_parser = output_spec)]
    pub(crate) output: Vec<OutputSpec>,
    /// Load the images that are asked for into a Docker Engine
    #[arg(long)]
    pub(crate) load: bool,
    /// How to show progress
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) progress: Progress,
    /// Write every event to FILE, as NDJSON
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
    /// The form of the result on standard output
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// Arguments of `watch`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "imgraph watch [OPTIONS] <TARGET>...")]
pub(crate) struct Watch {
    /// Which targets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) jobs: Jobs,
    /// After a failure, go on with what does not depend on it
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// How to show progress
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) progress: Progress,
    /// The form of each result on standard output
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// Arguments of `plan`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "imgraph plan [OPTIONS] <TARGET>...")]
pub(crate) struct Plan {
    /// Which targets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) jobs: Jobs,
    /// Exit with 10 when there is work to do
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// The form of the result
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// The forms in which affected targets are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AffectedFormat {
    /// A label a line
    Text,
    /// A document for programs
    Json,
    /// `matrix` and `count` for $GITHUB_OUTPUT
    Github,
    /// The folders of the packages, one a line
    Paths,
}

/// The kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Shared base images
    Base,
    /// Builder stages
    Stage,
    /// Products
    Image,
}

/// Arguments of `affected`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "imgraph affected [OPTIONS] --base <REV> [TARGET]...")]
pub(crate) struct Affected {
    /// Which targets; without any, all of them
    #[arg(value_name = "TARGET")]
    pub(crate) patterns: Vec<String>,
    /// Compare with this commit: a branch, a tag, an id
    #[arg(long, value_name = "REV")]
    pub(crate) base: String,
    /// Compare this commit, and not the checkout
    #[arg(long, value_name = "REV")]
    pub(crate) head: Option<String>,
    /// Compare with the best common ancestor of both
    #[arg(long)]
    pub(crate) merge_base: bool,
    /// Tell targets of these kinds only
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) kind: Vec<Kind>,
    /// Look at these platforms instead of the declared ones
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Say why, and tell of removed targets too
    #[arg(long)]
    pub(crate) why: bool,
    /// With --why, show every reason, not only a few for each target
    #[arg(long, requires = "why")]
    pub(crate) all: bool,
    /// Fail where the base cannot be looked at, instead of taking everything as affected
    #[arg(long)]
    pub(crate) strict: bool,
    /// Exit with 10 when a target is affected
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// The form of the result
    #[arg(long, default_value = "text")]
    pub(crate) format: AffectedFormat,
}

/// Arguments of `inputs`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "imgraph inputs [OPTIONS] <TARGET>...")]
pub(crate) struct Inputs {
    /// Which targets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// The form of the result
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// Arguments of `explain`.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "imgraph explain [OPTIONS] <TARGET>\n       imgraph explain [OPTIONS] <TARGET> <OTHER>\n       \
                      imgraph explain [OPTIONS] <TARGET> --base <REV>\n       \
                      imgraph explain [OPTIONS] --file <PATH>"
)]
pub(crate) struct Explain {
    /// The target; with another one, the path between the two
    #[arg(value_name = "TARGET", num_args = 1..=2, required_unless_present = "file")]
    pub(crate) targets: Vec<String>,
    /// Say who reads the file, and why nobody does; `//` begins at the workspace's root
    #[arg(long, value_name = "PATH", conflicts_with = "targets", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) file: Option<PathBuf>,
    /// Say what differs from this commit, and not from the last build
    #[arg(long, value_name = "REV", conflicts_with = "file")]
    pub(crate) base: Option<String>,
    /// With --base, look at this commit, and not at the checkout
    #[arg(long, value_name = "REV", requires = "base")]
    pub(crate) head: Option<String>,
    /// With --base, compare with the best common ancestor of both
    #[arg(long, requires = "base")]
    pub(crate) merge_base: bool,
    /// Show everything, not only as much as fits on a screen
    #[arg(long)]
    pub(crate) all: bool,
    /// The form of the result
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// The forms in which a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A tree for people
    Text,
    /// A document for programs
    Json,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// A drawing for browsers
    Svg,
}

/// Arguments of `graph`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "imgraph graph [OPTIONS] <TARGET>...")]
pub(crate) struct Graph {
    /// Which targets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Show what a build would do with each target; asks the builder, as `plan` does
    #[arg(long)]
    pub(crate) state: bool,
    /// The form of the picture
    #[arg(long, default_value = "text")]
    pub(crate) format: GraphFormat,
}

/// The forms in which refs are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RefsFormat {
    /// A line for each image, for people
    Text,
    /// One flat object, name to ref
    Json,
    /// NAME=ref, a line for each image, for a shell or an env file
    Env,
    /// The same, to be added to $GITHUB_OUTPUT or $GITHUB_ENV
    Github,
}

/// Arguments of `refs`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "imgraph refs --predict [OPTIONS] [TARGET]...")]
pub(crate) struct Refs {
    /// Which images; without a word all of the workspace
    #[arg(value_name = "TARGET")]
    pub(crate) patterns: Vec<String>,
    /// Tell what a build of these files will call the images; needs no Docker
    #[arg(long)]
    pub(crate) predict: bool,
    /// Tell images without an `export` name too, under their labels
    #[arg(long)]
    pub(crate) all: bool,
    /// Predict for these platforms instead of the declared ones
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// The form of the result
    #[arg(long, default_value = "text")]
    pub(crate) format: RefsFormat,
}

/// The forms of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code scanners
    Sarif,
    /// Workflow commands, for annotations on GitHub
    Github,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "imgraph check [OPTIONS] [TARGET]...")]
pub(crate) struct Check {
    /// Which targets, as for other commands; without any: all
    #[arg(value_name = "TARGET")]
    pub(crate) patterns: Vec<String>,
    /// Make findings of these codes errors; `warnings` stands for all
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(crate) deny: Vec<String>,
    /// Leave findings of these codes out
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// List all codes
    #[arg(long, conflicts_with_all = ["explain", "patterns", "deny", "allow"])]
    pub(crate) list: bool,
    /// Say what a code means, why it matters, and what to do
    #[arg(long, value_name = "CODE", conflicts_with_all = ["patterns", "deny", "allow"])]
    pub(crate) explain: Option<String>,
    /// The form of the result
    #[arg(long, default_value = "text")]
    pub(crate) format: CheckFormat,
}

/// Arguments of `doctor`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Doctor {
    /// The form of the result
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// Arguments of `completions`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        grammar(|_| false).debug_assert();
        grammar(|_| true).debug_assert();
    }

    #[test]
    fn an_empty_variable_is_not_asked_for() {
        let asked = |is_empty: fn(&OsStr) -> bool| -> Vec<String> {
            let command = grammar(is_empty);
            let names = command.get_arguments().filter_map(clap::Arg::get_env);
            names.map(|name| name.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(asked(|_| false), ["IMGRAPH_CACHE_DIR", "IMGRAPH_BUILDER", "DOCKER_HOST"]);
        assert_eq!(asked(|name| name == "IMGRAPH_BUILDER"), ["IMGRAPH_CACHE_DIR", "DOCKER_HOST"]);
        assert_eq!(asked(|_| true), [""; 0]);
    }
}

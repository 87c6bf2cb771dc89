//! What was typed.
//!
//! This is the command line's grammar and nothing else: what the words mean (which workspace, which
//! cache folder, whether to draw colours) is worked out in `cli/request.rs`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// List the files, arguments and bases that decide a target
    Inputs(Inputs),
    /// Say why a target is dirty
    Explain(Explain),
    /// Draw the graph
    Graph(Graph),
    /// Ask the graph: what needs what, what reads which files, which ways there are
    Query(Query),
    /// Look at the caches
    #[command(subcommand)]
    Cache(Cache),
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

/// Text for people or a document for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
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
    /// Build the named targets even if they are cached, and leave the builder's own cache aside
    #[arg(long)]
    pub(crate) no_cache: bool,
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
#[command(override_usage = "imgraph explain [OPTIONS] <TARGET>")]
pub(crate) struct Explain {
    /// Which target.
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// Show every fact, not only as many as fit on a screen
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

/// The forms of a query's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// A name a line
    #[value(alias = "label")]
    Text,
    /// Kind and name
    #[value(name = "label_kind", alias = "label-kind")]
    LabelKind,
    /// Where it is declared, kind and name
    Location,
    /// The packages
    Package,
    /// The length of the shortest way from what nothing needs, and the name
    Minrank,
    /// The length of the longest way, and the name
    Maxrank,
    /// A tree for people
    Tree,
    /// A document for programs
    Json,
    /// For Graphviz
    #[value(alias = "graph")]
    Dot,
    /// For Markdown
    Mermaid,
    /// A drawing for browsers
    Svg,
}

/// The order of a query's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryOrder {
    /// By name; with `somepath`, as `deps`
    Auto,
    /// By name
    Label,
    /// What needs before what is needed
    Deps,
}

/// What a query can be made of.
const QUERY_HELP: &str = "\
An expression is a target pattern (//folder:name, //folder/..., :all), the reference of an image from
elsewhere, or one of:
  deps(x [, depth])         x and what it needs
  rdeps(u, x [, depth])     x and what needs it, of all that u needs
  allrdeps(x [, depth])     x and what needs it
  somepath(x, y)            a shortest way from x to y
  allpaths(x, y)            everything on a way from x to y
  kind(regex, x)            those of x that are an image, stage, base, group or file
  filter(regex, x)          those of x whose name matches
  attr(field, regex, x)     those of x whose field matches: args, tags, args.NAME ...
  labels(field, x)          the targets and files that a field of x names
  siblings(x)               the targets of the same package
  same_pkg_direct_rdeps(x)  what needs x directly, in the same package
  some(x [, count])         one of x, or a few
  buildfiles(x)             the BUILD.toml files that say what x is
  owner(file)               the targets that read a file
  inputs(x)                 the files that x reads
  bases(x)                  the images from elsewhere that x stands on
  x + y, x - y, x ^ y       union, except, intersect: from left to right
  set(//a:b //c:d)          several patterns
  let name = x in y         y, in which $name is x
Words with other letters than A-Z, a-z, 0-9 and */@.-_:$~[] stand in quotes.";

/// Arguments of `query`.
#[derive(Clone, Debug, Args)]
#[command(after_help = QUERY_HELP)]
pub(crate) struct Query {
    /// What to ask, such as 'deps(//folder:name)'
    #[arg(value_name = "EXPR", required_unless_present = "query_file", conflicts_with = "query_file")]
    pub(crate) expression: Option<String>,
    /// Read the expression from FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) query_file: Option<PathBuf>,
    /// The form of the answer
    #[arg(long, visible_alias = "output", default_value = "text")]
    pub(crate) format: QueryFormat,
    /// The order of the answer's lines
    #[arg(long, default_value = "auto")]
    pub(crate) order: QueryOrder,
}

/// Commands about the caches.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Cache {
    /// Read every file that the workspace's stat index knows, and compare; exit with 1 when it is wrong
    Verify {
        /// The form of the result
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Show what the caches hold
    Stats {
        /// The form of the result
        #[arg(long, default_value = "text")]
        format: Format,
    },
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
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}

//! What was typed for `imgraph query`.
//!
//! It stands beside `arguments.rs`, as its part, because the help of a language is long.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
  affected(commit)          the targets that differ between a commit and the files as they are
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

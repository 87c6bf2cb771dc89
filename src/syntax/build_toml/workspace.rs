//! `[workspace]`: the table that makes a folder the root of a workspace.

use crate::types::diagnostic::nearest;
use crate::types::span::{Located, Location};

use super::requirement::Requirement;
use super::table::{Entry, Reader};

/// Which builder a workspace asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WishedBuilder {
    /// A Docker Engine where one answers, else the embedded builder.
    Auto,
    /// A Docker Engine.
    Docker,
    /// The builder in this program.
    Embedded,
}

impl WishedBuilder {
    /// All, by the name that they have in the file.
    pub const ALL: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("docker", Self::Docker), ("embedded", Self::Embedded)];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, builder)| *builder)
    }
}

/// What `[workspace]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceTable {
    /// The header.
    pub location: Location,
    /// The workspace's name.
    pub name: Option<Located<String>>,
    /// Which versions of imgraph it works with.
    pub requires: Option<Located<Requirement>>,
    /// Who builds, where neither the command line nor the environment says it.
    pub builder: Option<Located<WishedBuilder>>,
    /// Patterns of folders in which no package is looked for.
    pub exclude: Vec<Located<String>>,
}

pub(super) fn read(reader: &Reader, entry: &Entry<'_>) -> Option<WorkspaceTable> {
    let mut table = reader.table(entry, "`[workspace]`", "a table")?;
    let workspace = WorkspaceTable {
        location: table.location.clone(),
        name: table.text("name"),
        requires: table.text("requires").and_then(|text| requirement(reader, &text)),
        builder: table.text("builder").and_then(|text| builder(reader, &text)),
        exclude: table.texts("exclude").map_or_else(Vec::new, |patterns| patterns.value),
    };
    table.finish();
    Some(workspace)
}

fn builder(reader: &Reader, text: &Located<String>) -> Option<Located<WishedBuilder>> {
    let builder = WishedBuilder::named(&text.value);
    if builder.is_none() {
        let message = format!("`{}` is no builder", text.value);
        let diagnostic = reader.error(message, &text.location, "expected the name of a builder");
        let names = WishedBuilder::ALL.map(|(name, _)| name);
        reader.report(diagnostic.help(match nearest(&text.value, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the builders are `auto`, `docker` and `embedded`".to_owned(),
        }));
    }
    builder.map(|builder| text.with(builder))
}

fn requirement(reader: &Reader, text: &Located<String>) -> Option<Located<Requirement>> {
    let requirement = Requirement::parse(&text.value).map(|requirement| text.with(requirement));
    if requirement.is_none() {
        let message = format!("`{}` is not a requirement on a version", text.value);
        let diagnostic = reader.error(message, &text.location, "expected comparisons, such as `>=0.1, <0.3`");
        reader.report(diagnostic.help("the comparisons are `>=`, `>`, `<=`, `<` and `=`"));
    }
    requirement
}

//! `[workspace]`: the table that makes a folder the root of a workspace.

use crate::types::span::{Located, Location};

use super::requirement::Requirement;
use super::table::{Entry, Reader};

/// What `[workspace]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceTable {
    /// The header.
    pub location: Location,
    /// The workspace's name.
    pub name: Option<Located<String>>,
    /// Which versions of imgraph it works with.
    pub requires: Option<Located<Requirement>>,
    /// Patterns of folders in which no package is looked for.
    pub exclude: Vec<Located<String>>,
}

pub(super) fn read(reader: &Reader, entry: &Entry<'_>) -> Option<WorkspaceTable> {
    let mut table = reader.table(entry, "`[workspace]`", "a table")?;
    let workspace = WorkspaceTable {
        location: table.location.clone(),
        name: table.text("name"),
        requires: table.text("requires").and_then(|text| requirement(reader, &text)),
        exclude: table.texts("exclude").map_or_else(Vec::new, |patterns| patterns.value),
    };
    table.finish();
    Some(workspace)
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

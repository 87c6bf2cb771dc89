//! `[base.*]`, `[stage.*]`, `[image.*]`, `[group.*]`: the targets of a package.

use std::fmt;

use toml::de::DeValue;

use crate::syntax::interpolation::Template;
use crate::types::label::is_target_name;
use crate::types::span::Located;

use super::build_fields::{self, BuildFields, KEYS};
use super::table::{Entry, Reader, Table};

/// What a target is for. The word of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// A base image that several targets share.
    Base,
    /// A builder stage: an intermediate.
    Stage,
    /// A product.
    Image,
    /// A name for several targets.
    Group,
}

impl TargetKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Base, Self::Stage, Self::Image, Self::Group];

    /// The word of its table: `base`, `stage`, `image`, `group`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Stage => "stage",
            Self::Image => "image",
            Self::Group => "group",
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A target as its table writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetTable {
    /// The word before the dot.
    pub kind: TargetKind,
    /// The word after it.
    pub name: Located<String>,
    /// What the table says, as far as it can be read.
    pub content: Option<TargetContent>,
    /// Whether all of it could be read. When not, what is wrong has been reported, and a field that
    /// is not in `content` may be written all the same.
    pub whole: bool,
}

/// What a target's table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetContent {
    /// A base that somebody else builds.
    External {
        /// The reference.
        image: Template,
        /// Codes of lints that are not to be told.
        allow: Option<Vec<Template>>,
    },
    /// Built from a Dockerfile.
    Built(Box<BuildFields>),
    /// The targets of a group.
    Group(Vec<Located<String>>),
}

/// Reads all targets of one kind.
pub(super) fn read(reader: &Reader, kind: TargetKind, entry: &Entry<'_>) -> Vec<TargetTable> {
    let expected = format!("a table of targets, such as `[{kind}.api]`");
    let targets = reader.map(entry, &expected, |entry| Some(target(reader, kind, entry)));
    targets.into_iter().map(|(_name, target)| target).collect()
}

fn target(reader: &Reader, kind: TargetKind, entry: &Entry<'_>) -> TargetTable {
    let before = reader.count();
    let name = entry.key.clone();
    check_name(reader, kind, &name);
    let article = if kind == TargetKind::Image { "an" } else { "a" };
    let what = format!("{article} {kind}");
    if KEYS.contains(&name.value.as_str()) && !matches!(entry.value, DeValue::Table(_)) {
        let message = format!("`{}` stands outside of a target", name.value);
        let diagnostic = reader.error(message, &name.location, &format!("a field of {what}"));
        reader.report(diagnostic.help(format!("a target has a name: write `[{kind}.api]` above its fields")));
        return TargetTable { kind, name, content: None, whole: false };
    }
    let content =
        reader.table(entry, &what, &format!("a table `[{kind}.{}]`", name.value)).and_then(|mut table| {
            let content = match kind {
                TargetKind::Group => group(&mut table),
                TargetKind::Base => base(&mut table),
                TargetKind::Stage | TargetKind::Image => Some(built(&mut table)),
            };
            table.finish();
            content
        });
    TargetTable { kind, name, content, whole: reader.count() == before }
}

fn built(table: &mut Table<'_, '_>) -> TargetContent {
    TargetContent::Built(Box::new(build_fields::read(table)))
}

fn base(table: &mut Table<'_, '_>) -> Option<TargetContent> {
    let Some(image) = table.take("image") else { return Some(built(table)) };
    for key in KEYS {
        if let Some(entry) = table.take(key) {
            let message = format!("`{key}` does not go with `image`");
            let said = "an external base is not built here";
            let diagnostic = table.reader.error(message, &entry.key.location, said);
            let image = &image.key.location;
            let diagnostic = diagnostic.see(&image.source, image.span, "the base is external");
            table.reader.report(diagnostic.help("leave out one of the two"));
        }
    }
    let allow = build_fields::allow(table);
    table.template("image").map(|image| TargetContent::External { image, allow })
}

fn group(table: &mut Table<'_, '_>) -> Option<TargetContent> {
    if table.take("targets").is_none() {
        table.missing("targets", "targets = [\":api\", \"//services/...\"]");
    }
    table.texts("targets").map(|targets| TargetContent::Group(targets.value))
}

fn check_name(reader: &Reader, kind: TargetKind, name: &Located<String>) {
    if name.value == "all" {
        let diagnostic =
            reader.error("no target can be called `all`", &name.location, "a pattern of imgraph");
        reader.report(diagnostic.help("`:all` stands for every target of a package: choose another name"));
    } else if !is_target_name(&name.value) {
        let message = format!("`{}` cannot be the name of a target", name.value);
        let said = "expected letters, digits and `-_.+`, a letter, a digit or `_` first";
        let diagnostic = reader.error(message, &name.location, said);
        reader
            .report(diagnostic.help(format!("write a name such as `[{kind}.{}]`", suggestion(&name.value))));
    }
}

/// A name that is allowed and close to `text`.
fn suggestion(text: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let folded: String = text.chars().map(|letter| if allowed(letter) { letter } else { '-' }).collect();
    let trimmed = folded.trim_matches('-');
    if trimmed.is_empty() { "api".to_owned() } else { trimmed.to_owned() }
}

//! What a builder made of a case, as it is recorded and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::image::Image;
use crate::tree::{Entry, Layers, Tree};

/// The fields of a configuration that are compared.
const FIELDS: &[&str] = &[
    "Env",
    "Entrypoint",
    "Cmd",
    "User",
    "WorkingDir",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "Healthcheck",
    "StopSignal",
    "OnBuild",
    "Shell",
    "ArgsEscaped",
];

/// The result of one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Why it was refused or failed. Only that it did is compared: words differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fails: Option<String>,
    /// The base whose files are left out of `tree` where they are as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
    /// The fields of the configuration that are set.
    #[serde(default)]
    pub(crate) config: BTreeMap<String, Value>,
    /// Architecture, operating system, and the like.
    #[serde(default)]
    pub(crate) platform: String,
    /// What the history says above the base: `created by`, with `(empty)` where there is no layer.
    #[serde(default)]
    pub(crate) history: Vec<String>,
    /// What is there, and `null` for what the base has and the image has not: what was below that too.
    #[serde(default)]
    pub(crate) tree: BTreeMap<String, Option<Entry>>,
}

/// A base image with its files.
pub(crate) struct Base {
    pub(crate) name: &'static str,
    pub(crate) image: Image,
    laid: Layers,
    tree: Tree,
    /// Large contents, and where the first file with each is: a record of a copied program must not change
    /// with its version.
    contents: BTreeMap<String, String>,
}

impl Base {
    /// Reads the base's files.
    pub(crate) fn of(name: &'static str, image: Image) -> Self {
        let laid = image.laid();
        let tree = laid.tree();
        let mut contents = BTreeMap::new();
        for (path, entry) in tree.iter().filter(|(_path, entry)| entry.is_large()) {
            contents.entry(entry.content.clone()).or_insert_with(|| format!("as /{path} of {name}"));
        }
        Self { name, image, tree, laid, contents }
    }
}

impl Answer {
    /// A refusal.
    pub(crate) fn failure(message: String) -> Self {
        Self {
            fails: Some(message),
            base: None,
            config: BTreeMap::new(),
            platform: String::new(),
            history: Vec::new(),
            tree: BTreeMap::new(),
        }
    }

    /// An image, as what it adds to the base that it stands on.
    pub(crate) fn of(image: &Image, bases: &[Base]) -> Self {
        let on_base = bases
            .iter()
            .find_map(|base| image.laid_on(&base.image, &base.laid).map(|laid| (Some(base), laid)));
        let (base, laid) = on_base.unwrap_or_else(|| (None, image.laid()));
        let tree = laid.tree();
        let empty = Tree::new();
        let below = base.map_or(&empty, |base| &base.tree);
        let mut changes: BTreeMap<String, Option<Entry>> = below
            .keys()
            .filter(|path| !tree.contains_key(*path) && tree.contains_key(parent(path)))
            .map(|path| (path.clone(), None))
            .collect();
        for (path, mut entry) in tree.into_iter().filter(|(path, entry)| below.get(path) != Some(entry)) {
            let known = bases.iter().find_map(|base| base.contents.get(&entry.content));
            if let Some(known) = known.filter(|_known| entry.is_large()) {
                entry.content.clone_from(known);
            }
            changes.insert(path, Some(entry));
        }
        let config = &image.config;
        let fields = FIELDS.iter().map(|field| ((*field).to_owned(), config["config"][field].clone()));
        let skip = base.map_or(0, |base| history(&base.image.config).len());
        let text = |field: &str| config[field].as_str().unwrap_or_default().to_owned();
        Self {
            fails: None,
            base: base.map(|base| base.name.to_owned()),
            config: fields.filter(|(_field, value)| !is_empty(value)).collect(),
            platform: format!("{}/{}/{}", text("os"), text("architecture"), text("variant")),
            history: history(config).into_iter().skip(skip).collect(),
            tree: changes,
        }
    }

    /// Every difference, a line each: field or path, what is expected, what was found.
    pub(crate) fn differences(&self, found: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        match (&self.fails, &found.fails) {
            (None, None) => {}
            (Some(_), Some(_)) => return lines,
            (Some(message), None) => return vec![format!("must fail: {message}")],
            (None, Some(message)) => return vec![format!("must not fail: {message}")],
        }
        let mut compare = |what: &str, expected: String, found: String| {
            if expected != found {
                lines.push(format!("{what}\n      expected {expected}\n      found    {found}"));
            }
        };
        compare("base", format!("{:?}", self.base), format!("{:?}", found.base));
        compare("platform", self.platform.clone(), found.platform.clone());
        compare("history", self.history.join(" | "), found.history.join(" | "));
        let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        for field in self.config.keys().chain(found.config.keys()).collect::<BTreeSet<_>>() {
            compare(field, shown(self.config.get(field)), shown(found.config.get(field)));
        }
        for path in self.tree.keys().chain(found.tree.keys()).collect::<BTreeSet<_>>() {
            for (field, expected, found) in entry_differences(self.tree.get(path), found.tree.get(path)) {
                compare(&format!("/{path}: {field}"), expected, found);
            }
        }
        lines
    }
}

fn entry_differences(
    expected: Option<&Option<Entry>>,
    found: Option<&Option<Entry>>,
) -> Vec<(String, String, String)> {
    let json = |entry: Option<&Option<Entry>>| match entry {
        None => Value::String("as in the base, or not there".to_owned()),
        Some(None) => Value::String("removed".to_owned()),
        Some(Some(entry)) => serde_json::to_value(entry).unwrap(),
    };
    let (expected, found) = (json(expected), json(found));
    let (Some(old), Some(new)) = (expected.as_object(), found.as_object()) else {
        return vec![("there".to_owned(), expected.to_string(), found.to_string())];
    };
    let fields: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |object: &serde_json::Map<String, Value>, field: &str| {
        object.get(field).map_or_else(|| "nothing".to_owned(), Value::to_string)
    };
    fields.into_iter().map(|field| (field.clone(), value(old, field), value(new, field))).collect()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _name)| folder)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Bool(value) => !value,
        // An empty list is not the same as none.
        Value::Object(map) => map.is_empty(),
        Value::Array(_) | Value::Number(_) => false,
    }
}

fn history(config: &Value) -> Vec<String> {
    let entries = config["history"].as_array().cloned().unwrap_or_default();
    let line = |entry: &Value| {
        let empty = if entry["empty_layer"] == true { " (empty)" } else { "" };
        format!("{}{empty}", entry["created_by"].as_str().unwrap_or_default())
    };
    entries.iter().map(line).collect()
}

/// The recorded answers of one subject: case → answer.
pub(crate) type Recorded = BTreeMap<String, Answer>;

/// As text with one line a field and a path, so that changes read well.
pub(crate) fn write(recorded: &Recorded) -> String {
    let mut text = "{\n".to_owned();
    for (at, (name, answer)) in recorded.iter().enumerate() {
        let comma = if at == 0 { "" } else { ",\n" };
        writeln!(text, "{comma}{}: {{", line(name)).unwrap();
        let mut fields = Vec::new();
        if let Some(message) = &answer.fails {
            fields.push(format!("  \"fails\": {}", line(message)));
        } else {
            if let Some(base) = &answer.base {
                fields.push(format!("  \"base\": {}", line(base)));
            }
            fields.push(format!("  \"platform\": {}", line(&answer.platform)));
            fields.push(format!("  \"config\": {}", line(&answer.config)));
            let history: Vec<String> =
                answer.history.iter().map(|entry| format!("    {}", line(entry))).collect();
            fields.push(format!("  \"history\": [\n{}\n  ]", history.join(",\n")));
            let entry =
                |(path, entry): (&String, &Option<Entry>)| format!("    {}: {}", line(path), line(entry));
            let tree: Vec<String> = answer.tree.iter().map(entry).collect();
            fields.push(format!("  \"tree\": {{\n{}\n  }}", tree.join(",\n")));
        }
        write!(text, "{}\n}}", fields.join(",\n")).unwrap();
    }
    text.push_str("\n}\n");
    text
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

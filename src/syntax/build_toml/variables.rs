//! `[vars]`: what `${NAME}` stands for.
//!
//! A variable takes its value from `--set`, else from the environment variable that `env` names, else
//! from the case of `switch`, else from `default`. A plain string is a default and nothing more.

use toml::de::DeValue;

use crate::syntax::interpolation::Template;
use crate::types::span::Located;

use super::table::{Entry, Reader, Table};

/// One variable of `[vars]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name: letters, digits and `_`, no digit first.
    pub name: Located<String>,
    /// The environment variable that gives its value.
    pub env: Option<Located<String>>,
    /// What chooses among the cases.
    pub switch: Option<Template>,
    /// The cases, in the order written.
    pub cases: Vec<(Located<String>, Template)>,
    /// The value when nothing else gives one.
    pub default: Option<Template>,
    /// The only values that it may have; `None`: any.
    pub values: Option<Located<Vec<Located<String>>>>,
}

pub(super) fn read(reader: &Reader, entry: &Entry<'_>) -> Vec<Variable> {
    let variables = reader.map(entry, "a table of variables", |entry| variable(reader, entry));
    variables.into_iter().map(|(_name, variable)| variable).collect()
}

fn variable(reader: &Reader, entry: &Entry<'_>) -> Option<Variable> {
    check_name(reader, &entry.key);
    let name = entry.key.clone();
    if matches!(entry.value, DeValue::String(_)) {
        let default = Some(reader.template(entry)?);
        return Some(Variable { name, env: None, switch: None, cases: Vec::new(), default, values: None });
    }
    let expected = "a string, or a table with `env`, `default`, `values`, `switch` and `cases`";
    let mut table = reader.table(entry, &format!("the variable `{}`", name.value), expected)?;
    let variable = Variable {
        name,
        env: table.text("env"),
        switch: table.template("switch"),
        cases: table
            .map("cases", "a table of cases, such as `{ release = \"\" }`", |entry| {
                Some((entry.key.clone(), reader.template(entry)?))
            })
            .into_iter()
            .map(|(_key, case)| case)
            .collect(),
        default: table.template("default"),
        values: table.texts("values"),
    };
    check_sources(&mut table);
    table.finish();
    Some(variable)
}

/// A variable has something to take its value from, and `switch` and `cases` come together.
fn check_sources(table: &mut Table<'_, '_>) {
    let mut written = |key| table.take(key).is_some();
    let (switch, cases) = (written("switch"), written("cases"));
    let any = switch || cases || written("env") || written("default") || written("values");
    if switch && !cases {
        table.missing("cases", "cases = { release = \"\" }");
    }
    if cases && !switch {
        table.missing("switch", "switch = \"${PROFILE}\"");
    }
    if !any {
        table.missing("default", "default = \"\"");
    }
}

fn check_name(reader: &Reader, name: &Located<String>) {
    let text = name.value.as_str();
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !letters || text.is_empty() || text.as_bytes()[0].is_ascii_digit() {
        let message = format!("`{text}` cannot be the name of a variable");
        let said = "expected letters, digits and `_`, no digit first";
        reader.report(reader.error(message, &name.location, said));
    } else if matches!(text, "name" | "package") {
        let message = format!("`{text}` is a variable of imgraph itself");
        let said = format!("`${{{text}}}` is the target's own {text}");
        reader.report(reader.error(message, &name.location, &said).help("choose another name"));
    }
}

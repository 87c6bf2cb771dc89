//! The values of variables: those of `[vars]` and those of imgraph itself.
//!
//! A variable is seen in its package and in those below it; a nearer one of the same name hides it.
//! Its value is computed when somebody first uses it, once, so that git is asked only when a field
//! that is used says so, and an environment variable that nobody needs may be missing.
//!
//! **Invariant:** a value depends on the files, on `--set` and on the environment variables that
//! `[vars]` name; no other environment variable is read but by a tag's `when`, which enters no key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use crate::graph::cycles;
use crate::source::git_facts::{GitError, GitFacts};
use crate::syntax::build_toml::variables::Variable;
use crate::syntax::interpolation::{Found, Piece, Reference, Template};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::environment::Environment;
use crate::types::span::{Located, Location};
use crate::types::workspace_path::WorkspacePath;

/// The variables of imgraph itself.
const BUILT_IN: [&str; 7] =
    ["name", "package", "source-key", "git.sha", "git.short-sha", "git.branch", "git.dirty"];

/// No value is longer, in bytes: variables that double each other would fill the memory.
const LONGEST_VALUE: usize = 64 * 1024;

/// The packages that declare one name are gone through where there are no more of them.
const FEW: usize = 4;

/// Where values come from that no file holds.
#[derive(Clone, Copy, Debug)]
pub struct Givens<'g> {
    /// What `--set` gave.
    pub set: &'g BTreeMap<String, String>,
    /// The environment.
    pub environment: &'g Environment,
    /// The repository.
    pub git: &'g GitFacts,
}

/// All variables of a workspace.
#[derive(Debug)]
pub struct Variables<'g> {
    givens: Givens<'g>,
    by_name: BTreeMap<String, BTreeMap<Arc<WorkspacePath>, Definition>>,
}

/// A variable and the package that declares it.
#[derive(Debug)]
struct Definition {
    package: Arc<WorkspacePath>,
    variable: Variable,
    value: OnceLock<Result<Value, Diagnostic>>,
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    /// `None`: it is declared and nothing gives it a value.
    text: Option<String>,
    /// The git variable that it was made from, if any.
    git: Option<String>,
}

/// What is being evaluated, which decides what may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A field whose value enters a key.
    Key,
    /// A field whose value enters no key.
    NoKey,
    /// A tag: the source key may be part of it.
    Tag,
    /// The `when` of a tag: a name that no `[vars]` declares is an environment variable, and empty
    /// when that is not set. So `when = "${CI}"` needs no declaration.
    When,
}

/// Who evaluates a template.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'s> {
    /// The variables.
    pub variables: &'s Variables<'s>,
    /// The package whose variables are seen.
    pub package: &'s Arc<WorkspacePath>,
    /// The target's name; `None` within `[vars]`.
    pub name: Option<&'s str>,
}

/// A template with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The text, with the source key left open in a tag.
    pub pieces: Vec<Piece>,
    /// The first use of a variable that git gives, and that variable's name.
    pub git: Option<(Location, String)>,
}

impl Evaluated {
    /// The text, of a template in which nothing is left open.
    pub fn into_text(self) -> String {
        let text = |piece| match piece {
            Piece::Text(text) | Piece::Later(text) => text,
        };
        let pieces = self.pieces.into_iter().map(text);
        // Nearly always there is one, and it is the text.
        pieces.reduce(|text, piece| text + &piece).unwrap_or_default()
    }
}

impl<'g> Variables<'g> {
    /// The variables that packages declare. Returns what is wrong with them, too: names that nobody
    /// declares, cycles, and what `--set` gives to no variable or a wrong value.
    pub fn new(
        declared: Vec<(Arc<WorkspacePath>, Vec<Variable>)>,
        givens: Givens<'g>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut by_name: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
        for (package, variables) in declared {
            for variable in variables {
                let name = variable.name.value.clone();
                let definition =
                    Definition { package: Arc::clone(&package), value: OnceLock::new(), variable };
                by_name.entry(name).or_default().insert(Arc::clone(&package), definition);
            }
        }
        let variables = Self { givens, by_name };
        let mut diagnostics = variables.check_names();
        diagnostics.extend(variables.check_cycles());
        diagnostics.extend(variables.check_set());
        (variables, diagnostics)
    }

    /// The variable that `name` means in `package`.
    fn find(&self, name: &str, package: &WorkspacePath) -> Option<&Definition> {
        let definitions = self.by_name.get(name)?;
        if definitions.len() <= FEW {
            // A folder comes before what is in it.
            let mut nearest_first = definitions.iter().rev();
            return nearest_first
                .find(|(folder, _)| package.letters_below(folder).is_some())
                .map(|(_, definition)| definition);
        }
        let mut folders = std::iter::successors(Some(package.clone()), WorkspacePath::parent);
        folders.find_map(|folder| definitions.get(&folder))
    }

    fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.by_name.values().flat_map(BTreeMap::values)
    }

    fn names_seen_in<'n>(&'n self, package: &'n WorkspacePath) -> impl Iterator<Item = &'n str> {
        self.by_name.keys().map(String::as_str).filter(|name| self.find(name, package).is_some())
    }

    fn check_names(&self) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for definition in self.definitions() {
            let scope = Scope { variables: self, package: &definition.package, name: None };
            for reference in definition.references() {
                match reference.name.as_str() {
                    "name" | "package" => diagnostics.push(of_targets_only(reference)),
                    "source-key" => diagnostics.push(of_tags_only(reference)),
                    name if BUILT_IN.contains(&name) => {}
                    name if self.find(name, &definition.package).is_some() => {}
                    _ => diagnostics.push(scope.unknown(reference)),
                }
            }
        }
        diagnostics
    }

    /// Reports cycles, and gives every variable of one the report in place of a value, so that
    /// evaluation ends.
    fn check_cycles(&self) -> Vec<Diagnostic> {
        let definitions: Vec<&Definition> = self.definitions().collect();
        let numbered = definitions.iter().enumerate();
        let positions: HashMap<*const Definition, usize> =
            numbered.map(|(index, definition)| (std::ptr::from_ref(*definition), index)).collect();
        let edges: Vec<Vec<(usize, Location)>> = definitions
            .iter()
            .map(|definition| {
                let edge = |reference: &&Reference| {
                    let target = self.find(&reference.name, &definition.package)?;
                    Some((*positions.get(&std::ptr::from_ref(target))?, reference.location.clone()))
                };
                definition.references().iter().filter_map(edge).collect()
            })
            .collect();
        let mut diagnostics = Vec::new();
        for cycle in cycles::find(&edges) {
            let names: Vec<_> =
                cycle.iter().map(|step| definitions[step.node].variable.name.value.as_str()).collect();
            let diagnostic = cycles::describe("variables", "needs", &names, &cycle);
            for step in &cycle {
                definitions[step.node].value.get_or_init(|| Err(diagnostic.clone()));
            }
            diagnostics.push(diagnostic);
        }
        diagnostics
    }

    fn check_set(&self) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for name in self.givens.set.keys() {
            let Some(definitions) = self.by_name.get(name) else {
                diagnostics.push(self.unknown_set(name));
                continue;
            };
            diagnostics.extend(definitions.values().filter_map(|one| self.value(one).err().cloned()));
        }
        diagnostics
    }

    fn unknown_set(&self, name: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error(format!("--set names an unknown variable `{name}`"));
        let names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        match nearest(name, names.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => diagnostic.help("no `[vars]` of this workspace declares a variable"),
            None => diagnostic.help(format!("the variables are {}", names.join(", "))),
        }
    }

    fn value<'v>(&'v self, definition: &'v Definition) -> Result<&'v Value, &'v Diagnostic> {
        definition.value.get_or_init(|| self.compute(definition)).as_ref()
    }

    fn compute(&self, definition: &Definition) -> Result<Value, Diagnostic> {
        let variable = &definition.variable;
        let scope = Scope { variables: self, package: &definition.package, name: None };
        let given = |text: &String| Value { text: Some(text.clone()), git: None };
        if let Some(text) = self.givens.set.get(&variable.name.value) {
            return variable.allowed(given(text), "`--set`");
        }
        if let Some(env) = &variable.env
            && let Some(text) = self.givens.environment.get(&env.value)
        {
            let origin = format!("the environment variable `{}`", env.value);
            return variable.allowed(given(&text.to_owned()), &origin);
        }
        let template = match &variable.switch {
            Some(switch) => variable.case(&scope.text(switch, Purpose::NoKey)?)?,
            None => variable.default.as_ref(),
        };
        let Some(template) = template else { return Ok(Value { text: None, git: None }) };
        let evaluated = scope.evaluate(template, Purpose::NoKey)?;
        let git = evaluated.git.as_ref().map(|(_location, name)| name.clone());
        let text = evaluated.into_text();
        if text.len() > LONGEST_VALUE {
            let message = format!("the value of `{}` is longer than 64 KiB", variable.name.value);
            return Err(
                Diagnostic::error(message).at_location(&variable.name.location, "its value is too long")
            );
        }
        variable.allowed(Value { text: Some(text), git }, "its own definition")
    }
}

impl Definition {
    fn references(&self) -> Vec<&Reference> {
        let variable = &self.variable;
        let cases = variable.cases.iter().map(|(_value, template)| template);
        let templates = variable.switch.iter().chain(cases).chain(&variable.default);
        templates.flat_map(Template::references).collect()
    }
}

impl Variable {
    /// The template of the case `value`, or the default.
    fn case(&self, value: &str) -> Result<Option<&Template>, Diagnostic> {
        let case = self.cases.iter().find(|(case, _template)| case.value == value);
        if let Some(template) = case.map(|(_case, template)| template).or(self.default.as_ref()) {
            return Ok(Some(template));
        }
        let cases: Vec<_> = self.cases.iter().map(|(case, _template)| format!("`{}`", case.value)).collect();
        let message = format!("`{}` has no case for `{value}`, and no `default`", self.name.value);
        let said = format!("the cases are {}", cases.join(", "));
        Err(Diagnostic::error(message)
            .at_location(&self.name.location, said)
            .help("write a `default`, or one more case"))
    }

    /// `value`, when it is one of those that the variable may have.
    fn allowed(&self, value: Value, origin: &str) -> Result<Value, Diagnostic> {
        let (Some(values), Some(text)) = (&self.values, &value.text) else { return Ok(value) };
        if values.value.iter().any(|allowed| allowed.value == *text) {
            return Ok(value);
        }
        let names = values.value.iter().map(|allowed| allowed.value.as_str());
        let message = format!("`{}` is `{text}`, which is none of its values", self.name.value);
        let diagnostic = Diagnostic::error(message)
            .at_location(&values.location, "expected one of these")
            .help(format!("the value comes from {origin}"));
        Err(match nearest(text, names) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        })
    }
}

fn too_long(reference: &Reference, length: usize) -> Diagnostic {
    Diagnostic::error(format!("variables make a value of {} KiB", length >> 10))
        .at_location(&reference.location, "longer than 64 KiB here")
        .help("shorten it, or put the text into a file that is copied")
}

impl Scope<'_> {
    /// Puts values into `template`.
    ///
    /// # Errors
    /// A diagnostic at the first use that cannot be had.
    pub fn evaluate(&self, template: &Template, purpose: Purpose) -> Result<Evaluated, Diagnostic> {
        let mut git = None;
        let (mut uses, mut length) = (0, 0);
        let mut look_up = |reference: &Reference| {
            let value = self.look_up(reference, purpose)?;
            uses += 1;
            length += value.text.as_ref().map_or(0, String::len);
            // A single value is as long as it is: `--set` may give it.
            if length > LONGEST_VALUE && uses > 1 {
                return Err(too_long(reference, length));
            }
            if let (None, Some(name)) = (&git, &value.git) {
                git = Some((reference.location.clone(), name.clone()));
            }
            if reference.name == "source-key" {
                return Ok(Found::Later);
            }
            Ok(value.text.map_or(Found::Unset, Found::Text))
        };
        let unset = |reference: &Reference| self.unset(reference);
        let pieces = template.evaluate(&mut look_up, &unset)?;
        Ok(Evaluated { pieces, git })
    }

    /// The text of `template`.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn text(&self, template: &Template, purpose: Purpose) -> Result<String, Diagnostic> {
        self.evaluate(template, purpose).map(Evaluated::into_text)
    }

    fn look_up(&self, reference: &Reference, purpose: Purpose) -> Result<Value, Diagnostic> {
        let plain = |text: &str| Ok(Value { text: Some(text.to_owned()), git: None });
        match (reference.name.as_str(), self.name) {
            ("name", Some(name)) => return plain(name),
            ("package", Some(_)) => return plain(&self.package.to_string()),
            ("name" | "package", None) => return Err(of_targets_only(reference)),
            ("source-key", _) if purpose == Purpose::Tag => return plain(""),
            ("source-key", _) => return Err(of_tags_only(reference)),
            (name, _) if BUILT_IN.contains(&name) => return self.git(reference),
            _ => {}
        }
        if let Some(definition) = self.variables.find(&reference.name, self.package) {
            return self.variables.value(definition).cloned().map_err(Clone::clone);
        }
        if purpose == Purpose::When {
            return plain(self.variables.givens.environment.get(&reference.name).unwrap_or_default());
        }
        Err(self.unknown(reference))
    }

    /// Outside a repository, before the first commit, and without a branch, the git variables are
    /// unset: `${git.sha:-none}` works everywhere.
    fn git(&self, reference: &Reference) -> Result<Value, Diagnostic> {
        let facts = self.variables.givens.git;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let found = match reference.name.as_str() {
            "git.sha" => facts.commit().map(owned),
            "git.short-sha" => facts.short_commit().map(owned),
            "git.branch" => facts.branch().map(owned),
            _ => facts.dirty().map(|dirty| Some(if dirty { "true" } else { "" }.to_owned())),
        };
        let git = Some(reference.name.clone());
        match found {
            Ok(text) => Ok(Value { text, git }),
            Err(GitError::NoRepository) => Ok(Value { text: None, git }),
            Err(error) => {
                Err(Diagnostic::error(error.to_string()).at_location(&reference.location, "asked for here"))
            }
        }
    }

    fn unset(&self, reference: &Reference) -> Diagnostic {
        let name = &reference.name;
        let diagnostic =
            |message: String| Diagnostic::error(message).at_location(&reference.location, "used here");
        let fallback = format!("write what to take instead: `${{{name}:-…}}`");
        let Some(definition) = self.variables.find(name, self.package) else {
            return diagnostic(self.why_git_is_unset(name)).help(fallback);
        };
        let declared: &Located<String> = &definition.variable.name;
        let mut ways = vec![format!("say `--set {name}=…`"), "give it a `default`".to_owned()];
        if let Some(env) = &definition.variable.env {
            ways.insert(0, format!("set the environment variable `{}`", env.value));
        }
        diagnostic(format!("`{name}` has no value"))
            .see_location(&declared.location, "declared here, without a `default`")
            .help(format!("{}, or {fallback}", ways.join(", ")))
    }

    fn why_git_is_unset(&self, name: &str) -> String {
        match (self.variables.givens.git.commit(), name) {
            (Err(error), _) => format!("`{name}` has no value: {error}"),
            (Ok(_), "git.branch") => {
                format!("`{name}` has no value: a commit is checked out, not a branch")
            }
            (Ok(_), _) => format!("`{name}` has no value: the repository has no commit yet"),
        }
    }

    fn unknown(&self, reference: &Reference) -> Diagnostic {
        let name = &reference.name;
        let diagnostic = Diagnostic::error(format!("unknown variable `{name}`"))
            .at_location(&reference.location, "no `[vars]` that is seen here declares it");
        let mut names: Vec<&str> = self.variables.names_seen_in(self.package).chain(BUILT_IN).collect();
        names.sort_unstable();
        if let Some(near) = nearest(name, names) {
            return diagnostic.help(format!("did you mean `{near}`?"));
        }
        if name.starts_with("git.") {
            return diagnostic.help("git gives `git.sha`, `git.short-sha`, `git.branch` and `git.dirty`");
        }
        diagnostic.help(format!(
            "declare it in `[vars]`: `{name} = \"…\"`, or `{name} = {{ env = \"{name}\" }}` for an environment variable"
        ))
    }
}

fn of_targets_only(reference: &Reference) -> Diagnostic {
    let message = format!("`{}` has no value in `[vars]`", reference.name);
    Diagnostic::error(message)
        .at_location(&reference.location, "a variable of the whole package")
        .help(format!("write `${{{}}}` in the field of the target instead", reference.name))
}

fn of_tags_only(reference: &Reference) -> Diagnostic {
    Diagnostic::error("`source-key` can stand in `tags` only")
        .at_location(&reference.location, "not known here")
        .help("it is made from every field that enters the key, so no such field can hold it")
}

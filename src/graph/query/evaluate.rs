//! The value of an expression.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fields::{Field, Named};
use super::files;
use super::patterns;
use super::vertices::{Edges, Item, Vertices, of_target, vertices_of};
use super::walk::{self, Mask};
use crate::graph::load::Loaded;
use crate::graph::readers::readers;
use crate::graph::target::Definition;
use crate::source::snapshot::Snapshot;
use crate::syntax::query::{Call, Expression, Operator, Pattern};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::ids::VertexId;
use crate::types::label::Label;
use crate::types::span::{SourceText, Span, Spanned};
use crate::types::workspace_path::WorkspacePath;

/// Who can say which targets differ from the commit of a name, which is written at a place of the query.
pub type Affected<'a> = &'a dyn Fn(&str, Span) -> Result<BTreeSet<Label>, Diagnostic>;

/// What an expression is evaluated in.
#[derive(Clone, Copy)]
pub struct Surroundings<'s> {
    /// The files.
    pub snapshot: &'s Snapshot,
    /// The targets.
    pub loaded: &'s Loaded,
    /// The graph of all that the expression can speak of.
    pub vertices: &'s Vertices<'s>,
    /// The folder that relative words are relative to.
    pub current: &'s Arc<WorkspacePath>,
    /// The text of the expression.
    pub source: &'s Arc<SourceText>,
    /// Who compares with commits.
    pub affected: Affected<'s>,
}

/// What `expression` stands for.
///
/// # Errors
/// What is wrong with a word in it, or with the files that it asks about.
pub fn evaluate(
    expression: &Expression,
    surroundings: Surroundings<'_>,
) -> Result<BTreeSet<Item>, Diagnostic> {
    Evaluation { surroundings, variables: Vec::new() }.of(expression)
}

type Answer = Result<BTreeSet<Item>, Diagnostic>;

struct Evaluation<'e> {
    surroundings: Surroundings<'e>,
    /// What `let` gave, the nearest last.
    variables: Vec<(&'e str, BTreeSet<Item>)>,
}

impl<'e> Evaluation<'e> {
    fn of(&mut self, expression: &'e Expression) -> Answer {
        match expression {
            Expression::Word(word) => self.word(word),
            Expression::Variable(name) => Ok(self.variable(&name.value)),
            Expression::Set(words) => {
                let mut all = BTreeSet::new();
                for word in words {
                    all.extend(self.word(word)?);
                }
                Ok(all)
            }
            Expression::Let { name, value, body } => {
                let value = self.of(value)?;
                self.variables.push((name, value));
                let answer = self.of(body);
                self.variables.pop();
                answer
            }
            Expression::Chain { first, rest } => {
                let mut answer = self.of(first)?;
                for (operator, operand) in rest {
                    answer = combined(answer, *operator, self.of(operand)?);
                }
                Ok(answer)
            }
            Expression::Call(call) => self.call(call),
        }
    }

    /// The parser lets no variable pass that has no value.
    fn variable(&self, name: &str) -> BTreeSet<Item> {
        let mut known = self.variables.iter().rev();
        known.find(|(other, _)| *other == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn word(&self, word: &Spanned<String>) -> Answer {
        let Surroundings { loaded, vertices, current, source, .. } = self.surroundings;
        let problem = match patterns::select(word, loaded, current, source) {
            Ok(targets) => return Ok(targets.into_iter().map(of_target).map(Item::Vertex).collect()),
            Err(problem) => problem,
        };
        match vertices.image(&word.value) {
            Some(vertex) => Ok(BTreeSet::from([Item::Vertex(vertex)])),
            None => Err(self.names_nothing(word, problem)),
        }
    }

    /// What is wrong with a word that is no target, for the reason that is said, and no image.
    fn names_nothing(&self, word: &Spanned<String>, no_target: Diagnostic) -> Diagnostic {
        let Surroundings { snapshot, vertices, current, source, .. } = self.surroundings;
        let text = word.value.as_str();
        if !patterns::may_be_image(text) {
            return no_target;
        }
        let near = nearest(text, vertices.references());
        if !text.contains(['/', ':', '@']) {
            return match near {
                Some(near) => no_target.help(format!("or the image `{near}`?")),
                None => no_target,
            };
        }
        let problem = Diagnostic::error(format!(
            "`{text}` is neither a target nor an image that one stands on"
        ))
        .at(source, word.span, "expected a target pattern");
        let file = current.resolve(text.as_bytes()).ok().filter(|path| files::exists(path, snapshot));
        match (near, file) {
            (Some(near), _) => problem.help(format!("did you mean `{near}`?")),
            (None, Some(_)) => {
                problem.help(format!("`owner(\"{text}\")` are the targets that read this file"))
            }
            (None, None) => problem.help("a target is `//folder:name` or `:name`"),
        }
    }

    fn call(&mut self, call: &'e Call) -> Answer {
        match call {
            Call::Deps { of, depth } => {
                let of = self.of(of)?;
                Ok(self.around(&of, *depth, self.needs(), None))
            }
            Call::Rdeps { universe, of, depth } => {
                let universe = self.of(universe)?;
                let universe = walk::reached(vertices_of(&universe), None, self.needs(), None);
                let of = self.of(of)?;
                Ok(self.around(&of, *depth, self.needed_by(), Some(&universe)))
            }
            Call::Allrdeps { of, depth } => {
                let of = self.of(of)?;
                Ok(self.around(&of, *depth, self.needed_by(), None))
            }
            Call::Somepath { from, to } => {
                let (from, to) = (self.of(from)?, self.of(to)?);
                let way = walk::shortest(vertices_of(&from), vertices_of(&to), self.needs());
                Ok(way.into_iter().map(Item::Vertex).collect())
            }
            Call::Allpaths { from, to } => {
                let (from, to) = (self.of(from)?, self.of(to)?);
                let below = walk::reached(vertices_of(&from), None, self.needs(), None);
                Ok(of_mask(&walk::reached(vertices_of(&to), None, self.needed_by(), Some(&below))))
            }
            Call::Kind { pattern, of } => self.kept(of, |vertices, item| pattern.is_in(vertices.kind(item))),
            Call::Filter { pattern, of } => {
                self.kept(of, |vertices, item| pattern.is_in(&vertices.name(item)))
            }
            Call::Attr { field, pattern, of } => self.attr(field, pattern, of),
            Call::Labels { field, of } => self.labels(field, of),
            Call::Siblings { of } => self.siblings(of),
            Call::SamePkgDirectRdeps { of } => self.users_beside(of),
            Call::Some { of, span, count } => self.some(of, *span, *count),
            Call::Buildfiles { of } => {
                let of = self.of(of)?;
                Ok(files::declaring(&of, self.surroundings.vertices, self.surroundings.loaded))
            }
            Call::Owner { file } => self.owner(file),
            Call::Inputs { of } => self.inputs(of),
            Call::Bases { of } => self.bases(of),
            Call::Affected { commit } => self.affected(commit),
        }
    }

    fn needs(&self) -> &'e Edges {
        self.surroundings.vertices.needs()
    }

    fn needed_by(&self) -> &'e Edges {
        self.surroundings.vertices.needed_by()
    }

    /// What is reached from `of`. Nothing is reached from files; without a bound they stay.
    fn around(
        &self,
        of: &BTreeSet<Item>,
        depth: Option<usize>,
        edges: &Edges,
        within: Option<&Mask>,
    ) -> BTreeSet<Item> {
        let mut reached = of_mask(&walk::reached(vertices_of(of), depth, edges, within));
        if within.is_none() {
            reached.extend(of.iter().filter(|item| matches!(item, Item::File(_))).cloned());
        }
        reached
    }

    fn kept(&mut self, of: &'e Expression, is_kept: impl Fn(&Vertices<'_>, &Item) -> bool) -> Answer {
        let mut of = self.of(of)?;
        of.retain(|item| is_kept(self.surroundings.vertices, item));
        Ok(of)
    }

    fn attr(&mut self, field: &Spanned<String>, pattern: &Pattern, of: &'e Expression) -> Answer {
        let field = Field::of_word(field, self.surroundings.source)?;
        self.kept(of, |vertices, item| {
            let text = vertices.target(item).and_then(|target| field.text(target));
            text.is_some_and(|text| pattern.is_in(&text))
        })
    }

    fn labels(&mut self, field: &Spanned<String>, of: &'e Expression) -> Answer {
        let Surroundings { loaded, vertices, source, .. } = self.surroundings;
        let field = Field::that_names(field, source)?;
        let mut found = BTreeSet::new();
        for item in self.of(of)? {
            let Some(target) = vertices.target(&item) else { continue };
            for named in field.named(target) {
                match named {
                    Named::Target(label) => {
                        found.extend(loaded.names.target(label).map(of_target).map(Item::Vertex));
                    }
                    Named::Members => found.extend(vertices.needs_of(&item)),
                    Named::File(path) => {
                        found.insert(Item::File(Arc::new(path.clone())));
                    }
                }
            }
        }
        Ok(found)
    }

    fn siblings(&mut self, of: &'e Expression) -> Answer {
        let Surroundings { loaded, vertices, .. } = self.surroundings;
        let of = self.of(of)?;
        let packages: BTreeSet<Arc<WorkspacePath>> =
            of.iter().filter_map(|item| vertices.package(item)).collect();
        let targets = packages.iter().flat_map(|package| loaded.names.targets_of(package));
        Ok(targets.map(of_target).map(Item::Vertex).collect())
    }

    fn users_beside(&mut self, of: &'e Expression) -> Answer {
        let vertices = self.surroundings.vertices;
        let of = self.of(of)?;
        let mut beside = BTreeSet::new();
        for item in &of {
            let Some(package) = vertices.package(item) else { continue };
            let users = vertices.users_of(item);
            beside.extend(users.filter(|user| vertices.package(user).as_ref() == Some(&package)));
        }
        Ok(beside)
    }

    fn some(&mut self, of: &'e Expression, span: Span, count: Option<usize>) -> Answer {
        let found = self.of(of)?;
        if found.is_empty() {
            let problem = Diagnostic::error("there is nothing of which to take some");
            return Err(problem
                .at(self.surroundings.source, span, "this is empty")
                .help("without `some` an empty answer is no error"));
        }
        Ok(found.into_iter().take(count.unwrap_or(1)).collect())
    }

    fn owner(&self, file: &Spanned<String>) -> Answer {
        let Surroundings { snapshot, vertices, current, source, .. } = self.surroundings;
        let wrong = |message: String| Diagnostic::error(message).at(source, file.span, "expected a file");
        let path = current.resolve(file.value.as_bytes()).map_err(|error| {
            wrong(error.to_string()).help("a path is relative to where you stand, or begins with `//`")
        })?;
        let found = readers(vertices.graph(), snapshot, &path).map_err(|problems| {
            let first = problems.into_iter().next();
            first.unwrap_or_else(|| wrong("it cannot be said who reads it".to_owned()))
        })?;
        if found.is_empty() {
            files::check_that_it_exists(&path, snapshot, wrong)?;
        }
        Ok(found.iter().map(|reader| vertices.item_of(reader.node)).collect())
    }

    fn inputs(&mut self, of: &'e Expression) -> Answer {
        let Surroundings { snapshot, vertices, .. } = self.surroundings;
        let of = self.of(of)?;
        let all = self.with_members(of);
        let builds = all.iter().flat_map(|item| vertices.nodes_of(item)).filter_map(|(_, node)| node.build());
        files::read_by(builds, snapshot)
    }

    /// `items`, with what the groups among them hold.
    fn with_members(&self, mut items: BTreeSet<Item>) -> BTreeSet<Item> {
        let vertices = self.surroundings.vertices;
        let is_group = |item: &Item| {
            vertices.target(item).is_some_and(|target| matches!(target.definition, Definition::Group(_)))
        };
        let mut pending: Vec<Item> = items.iter().filter(|item| is_group(item)).cloned().collect();
        while let Some(group) = pending.pop() {
            for member in vertices.needs_of(&group) {
                if items.insert(member.clone()) && is_group(&member) {
                    pending.push(member);
                }
            }
        }
        items
    }

    fn bases(&mut self, of: &'e Expression) -> Answer {
        let vertices = self.surroundings.vertices;
        let of = self.of(of)?;
        let mut needed = of_mask(&walk::reached(vertices_of(&of), None, self.needs(), None));
        needed.retain(|item| {
            let declared = vertices.target(item).map(|target| &target.definition);
            matches!(declared, None | Some(Definition::External(_)))
        });
        Ok(needed)
    }

    fn affected(&self, commit: &Spanned<String>) -> Answer {
        let Surroundings { loaded, affected, .. } = self.surroundings;
        let labels = affected(&commit.value, commit.span)?;
        // What the commit has and the workspace has no more is no vertex.
        Ok(labels
            .iter()
            .filter_map(|label| loaded.names.target(label))
            .map(of_target)
            .map(Item::Vertex)
            .collect())
    }
}

/// It takes as long as the smaller side is large: chains of operands are long where tools write them.
fn combined(mut left: BTreeSet<Item>, operator: Operator, mut right: BTreeSet<Item>) -> BTreeSet<Item> {
    let left_is_smaller = left.len() < right.len();
    match operator {
        Operator::Union | Operator::Intersect if left_is_smaller => std::mem::swap(&mut left, &mut right),
        _ => {}
    }
    match operator {
        Operator::Union => left.extend(right),
        Operator::Intersect => {
            right.retain(|item| left.contains(item));
            return right;
        }
        Operator::Except if left_is_smaller => left.retain(|item| !right.contains(item)),
        Operator::Except => {
            for item in &right {
                left.remove(item);
            }
        }
    }
    left
}

fn of_mask(mask: &Mask) -> BTreeSet<Item> {
    let vertices = mask.iter().filter(|(_, is_in)| **is_in);
    vertices.map(|(vertex, _): (VertexId, _)| Item::Vertex(vertex)).collect()
}

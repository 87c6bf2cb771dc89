//! What a query asks for.

use std::fmt;

use regex::Regex;

use super::function::Function;
use crate::types::span::{Span, Spanned};

/// An expression: it stands for a set of targets, images from elsewhere, and files.
#[derive(Clone, Debug)]
pub enum Expression {
    /// A target pattern.
    Word(Spanned<String>),
    /// What `let` gave a name, written without the `$`.
    Variable(Spanned<String>),
    /// `set(…)`: all that the patterns name.
    Set(Vec<Spanned<String>>),
    /// `let name = value in body`.
    Let {
        /// The name, without a `$`.
        name: String,
        /// What it stands for.
        value: Box<Expression>,
        /// Where it stands for it.
        body: Box<Expression>,
    },
    /// Operands with operators between them, to be read from left to right. A list, not a tree: a chain may
    /// be as long as a text.
    Chain {
        /// The first operand.
        first: Box<Expression>,
        /// What follows; not empty.
        rest: Vec<(Operator, Expression)>,
    },
    /// A function and its arguments.
    Call(Box<Call>),
}

/// What stands between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`, `union`: what is in either.
    Union,
    /// `-`, `except`: what is in the left one only.
    Except,
    /// `^`, `intersect`: what is in both.
    Intersect,
}

/// A function with its arguments. Depths and counts are of edges and of members.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "`Function` says what each is; arguments are named as in its usage")]
pub enum Call {
    Deps {
        of: Expression,
        depth: Option<usize>,
    },
    Rdeps {
        universe: Expression,
        of: Expression,
        depth: Option<usize>,
    },
    Allrdeps {
        of: Expression,
        depth: Option<usize>,
    },
    Somepath {
        from: Expression,
        to: Expression,
    },
    Allpaths {
        from: Expression,
        to: Expression,
    },
    Kind {
        pattern: Pattern,
        of: Expression,
    },
    Filter {
        pattern: Pattern,
        of: Expression,
    },
    Attr {
        field: Spanned<String>,
        pattern: Pattern,
        of: Expression,
    },
    Labels {
        field: Spanned<String>,
        of: Expression,
    },
    Siblings {
        of: Expression,
    },
    SamePkgDirectRdeps {
        of: Expression,
    },
    /// The span is that of the argument.
    Some {
        of: Expression,
        span: Span,
        count: Option<usize>,
    },
    Buildfiles {
        of: Expression,
    },
    Owner {
        file: Spanned<String>,
    },
    Inputs {
        of: Expression,
    },
    Bases {
        of: Expression,
    },
    Affected {
        commit: Spanned<String>,
    },
}

/// A regular expression. It matches where it is found anywhere in a text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    pub(super) fn new(regex: Regex) -> Self {
        Self(regex)
    }

    /// Whether it is found in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl Expression {
    /// Every target pattern in it, in the order in which they are written.
    pub fn words(&self) -> Vec<&Spanned<String>> {
        let mut words = Vec::new();
        self.visit(&mut |expression| match expression {
            Self::Word(word) => words.push(word),
            Self::Set(set) => words.extend(set),
            _ => {}
        });
        words
    }

    /// Every function that it calls, in the order in which they are written.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        self.visit(&mut |expression| {
            if let Self::Call(call) = expression {
                functions.push(call.function());
            }
        });
        functions
    }

    fn visit<'e>(&'e self, look: &mut impl FnMut(&'e Self)) {
        look(self);
        match self {
            Self::Word(_) | Self::Variable(_) | Self::Set(_) => {}
            Self::Let { value, body, .. } => [value, body].into_iter().for_each(|part| part.visit(look)),
            Self::Chain { first, rest } => {
                first.visit(look);
                rest.iter().for_each(|(_, operand)| operand.visit(look));
            }
            Self::Call(call) => call.operands().into_iter().for_each(|operand| operand.visit(look)),
        }
    }
}

impl Call {
    /// Which function is called.
    pub fn function(&self) -> Function {
        match self {
            Self::Deps { .. } => Function::Deps,
            Self::Rdeps { .. } => Function::Rdeps,
            Self::Allrdeps { .. } => Function::Allrdeps,
            Self::Somepath { .. } => Function::Somepath,
            Self::Allpaths { .. } => Function::Allpaths,
            Self::Kind { .. } => Function::Kind,
            Self::Filter { .. } => Function::Filter,
            Self::Attr { .. } => Function::Attr,
            Self::Labels { .. } => Function::Labels,
            Self::Siblings { .. } => Function::Siblings,
            Self::SamePkgDirectRdeps { .. } => Function::SamePkgDirectRdeps,
            Self::Some { .. } => Function::Some,
            Self::Buildfiles { .. } => Function::Buildfiles,
            Self::Owner { .. } => Function::Owner,
            Self::Inputs { .. } => Function::Inputs,
            Self::Bases { .. } => Function::Bases,
            Self::Affected { .. } => Function::Affected,
        }
    }

    /// The arguments that are expressions.
    fn operands(&self) -> Vec<&Expression> {
        match self {
            Self::Deps { of, .. }
            | Self::Allrdeps { of, .. }
            | Self::Kind { of, .. }
            | Self::Filter { of, .. }
            | Self::Attr { of, .. }
            | Self::Labels { of, .. }
            | Self::Siblings { of }
            | Self::SamePkgDirectRdeps { of }
            | Self::Some { of, .. }
            | Self::Buildfiles { of }
            | Self::Inputs { of }
            | Self::Bases { of } => vec![of],
            Self::Rdeps { universe, of, .. } => vec![universe, of],
            Self::Somepath { from, to } | Self::Allpaths { from, to } => vec![from, to],
            Self::Owner { .. } | Self::Affected { .. } => Vec::new(),
        }
    }

    /// The arguments as they can be written.
    fn arguments(&self) -> Vec<String> {
        let number = |number: &Option<usize>| number.map(|number| number.to_string());
        let mut written = match self {
            Self::Kind { pattern, .. } | Self::Filter { pattern, .. } => vec![quoted(pattern.0.as_str())],
            Self::Attr { field, pattern, .. } => vec![quoted(&field.value), quoted(pattern.0.as_str())],
            Self::Labels { field: word, .. }
            | Self::Owner { file: word }
            | Self::Affected { commit: word } => vec![quoted(&word.value)],
            _ => Vec::new(),
        };
        written.extend(self.operands().into_iter().map(ToString::to_string));
        written.extend(match self {
            Self::Deps { depth, .. } | Self::Rdeps { depth, .. } | Self::Allrdeps { depth, .. } => {
                number(depth)
            }
            Self::Some { count, .. } => number(count),
            _ => None,
        });
        written
    }
}

/// A word in the quotes that it does not hold.
fn quoted(word: &str) -> String {
    let quote = if word.contains('"') { '\'' } else { '"' };
    format!("{quote}{word}{quote}")
}

/// The expression with all words in quotes and all operations in parentheses: it reads as the same again.
impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => formatter.write_str(&quoted(&word.value)),
            Self::Variable(name) => write!(formatter, "${}", name.value),
            Self::Set(words) => {
                let words: Vec<String> = words.iter().map(|word| quoted(&word.value)).collect();
                write!(formatter, "set({})", words.join(" "))
            }
            Self::Let { name, value, body } => write!(formatter, "(let {name} = {value} in {body})"),
            Self::Chain { first, rest } => {
                write!(formatter, "({first}")?;
                rest.iter().try_for_each(|(operator, operand)| write!(formatter, " {operator} {operand}"))?;
                formatter.write_str(")")
            }
            Self::Call(call) => {
                write!(formatter, "{}({})", call.function().name(), call.arguments().join(", "))
            }
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Union => "+",
            Self::Except => "-",
            Self::Intersect => "^",
        })
    }
}

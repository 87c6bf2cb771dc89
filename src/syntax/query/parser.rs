//! Tokens into an expression.
//!
//! One token of lookahead decides everything. What `let` names is known where it is used, so that a
//! variable that nobody gave a value is told before anything is loaded.

use std::sync::Arc;

use regex::Regex;

use super::expression::{Call, Expression, Operator, Pattern};
use super::function::Function;
use super::token::{Keyword, Token, TokenKind, tokens};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::span::{SourceText, Span, Spanned};

/// How deep expressions may stand in each other: each level takes some of the stack.
const MOST_LEVELS: usize = 50;

/// Reads the query that `source` is.
///
/// # Errors
/// The first mistake: its place, what was expected there, and what may have been meant.
pub fn parse(source: &Arc<SourceText>) -> Result<Expression, Diagnostic> {
    let tokens = tokens(source)?;
    let mut parser = Parser { source, tokens, next: 0, levels: 0, variables: Vec::new() };
    let expression = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Ok(expression),
        _ => Err(parser.after_the_end()),
    }
}

struct Parser<'p> {
    source: &'p Arc<SourceText>,
    /// The last one is the end.
    tokens: Vec<Token>,
    next: usize,
    /// How many expressions are open.
    levels: usize,
    /// What `let` names here, the nearest last.
    variables: Vec<String>,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Expression, Diagnostic> {
        if self.levels == MOST_LEVELS {
            let problem = Diagnostic::error("expressions stand too deep in each other");
            return Err(problem
                .at(self.source, self.span(), format!("below {MOST_LEVELS} others"))
                .help("give a part of it a name: `let name = expression in …`"));
        }
        self.levels += 1;
        let first = self.operand()?;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator() {
            rest.push((operator, self.operand()?));
        }
        self.levels -= 1;
        Ok(if rest.is_empty() { first } else { Expression::Chain { first: Box::new(first), rest } })
    }

    fn operator(&mut self) -> Option<Operator> {
        let operator = match self.peek() {
            TokenKind::Plus | TokenKind::Keyword(Keyword::Union) => Operator::Union,
            TokenKind::Minus | TokenKind::Keyword(Keyword::Except) => Operator::Except,
            TokenKind::Caret | TokenKind::Keyword(Keyword::Intersect) => Operator::Intersect,
            _ => return None,
        };
        self.next += 1;
        Some(operator)
    }

    fn operand(&mut self) -> Result<Expression, Diagnostic> {
        match self.peek().clone() {
            TokenKind::Open => {
                self.next += 1;
                let inside = self.expression()?;
                self.expect(&TokenKind::Close, "`)` or an operator")?;
                Ok(inside)
            }
            TokenKind::Keyword(Keyword::Let) => self.binding(),
            TokenKind::Keyword(Keyword::Set) => self.set(),
            TokenKind::Word(word) => {
                let word = Spanned::new(word, self.span());
                self.next += 1;
                match (self.peek(), word.value.strip_prefix('$')) {
                    (TokenKind::Open, _) => self.call(&word),
                    (_, Some(name)) => self.variable(name, word.span),
                    (_, None) => Ok(Expression::Word(word)),
                }
            }
            _ => Err(self.unexpected("a target pattern, a function or `(`")),
        }
    }

    fn variable(&self, name: &str, span: Span) -> Result<Expression, Diagnostic> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(Expression::Variable(Spanned::new(name.to_owned(), span)));
        }
        let problem = Diagnostic::error(format!("nothing is called `${name}` here")).at(
            self.source,
            span,
            "expected a variable of a `let` around it",
        );
        Err(match nearest(name, self.variables.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `${near}`?")),
            None => problem.help("`let name = expression in …` gives `$name` a value"),
        })
    }

    fn binding(&mut self) -> Result<Expression, Diagnostic> {
        self.next += 1;
        let name = self.variable_name()?;
        self.expect(&TokenKind::Equals, "`=`")?;
        let value = self.expression()?;
        self.expect(&TokenKind::Keyword(Keyword::In), "`in` or an operator")?;
        self.variables.push(name.clone());
        let body = self.expression()?;
        self.variables.pop();
        Ok(Expression::Let { name, value: Box::new(value), body: Box::new(body) })
    }

    fn variable_name(&mut self) -> Result<String, Diagnostic> {
        let TokenKind::Word(name) = self.peek().clone() else { return Err(self.unexpected("a name")) };
        let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if is_name {
            self.next += 1;
            return Ok(name);
        }
        let problem = Diagnostic::error(format!("`{name}` is not the name of a variable")).at(
            self.source,
            self.span(),
            "expected letters, digits and `_`, no digit first",
        );
        Err(match name.strip_prefix('$') {
            Some(bare) => problem.help(format!("the `$` stands where a variable is used: `let {bare} = …`")),
            None => problem.help("for example `let all = //... in $all`"),
        })
    }

    fn set(&mut self) -> Result<Expression, Diagnostic> {
        self.next += 1;
        self.expect(&TokenKind::Open, "`(`")?;
        let mut words = Vec::new();
        while let TokenKind::Word(word) = self.peek() {
            words.push(Spanned::new(word.clone(), self.span()));
            self.next += 1;
        }
        if *self.peek() == TokenKind::Close {
            self.next += 1;
            return Ok(Expression::Set(words));
        }
        let problem = self.unexpected("a target pattern or `)`");
        Err(problem.help("`set(//a:b //c:d)` takes patterns with spaces between them, and no expressions"))
    }

    fn call(&mut self, name: &Spanned<String>) -> Result<Expression, Diagnostic> {
        let Some(function) = Function::ALL.into_iter().find(|function| function.name() == name.value) else {
            return Err(self.no_function(name));
        };
        let mut arguments = Arguments { parser: self, function, taken: 0, may_go_on: false };
        let call = arguments.call()?;
        arguments.close()?;
        Ok(Expression::Call(Box::new(call)))
    }

    fn no_function(&self, name: &Spanned<String>) -> Diagnostic {
        let names = Function::ALL.map(Function::name);
        let problem = Diagnostic::error(format!("there is no function `{}`", name.value)).at(
            self.source,
            name.span,
            "expected a function",
        );
        match nearest(&name.value, names.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("the functions are {}", names.join(", "))),
        }
    }

    fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn span(&self) -> Span {
        self.tokens[self.next].span
    }

    fn expect(&mut self, kind: &TokenKind, expected: &str) -> Result<(), Diagnostic> {
        if self.peek() != kind {
            return Err(self.unexpected(expected));
        }
        self.next += 1;
        Ok(())
    }

    /// Says that the next token is not what was expected.
    fn unexpected(&self, expected: &str) -> Diagnostic {
        let expected = format!("expected {expected}");
        let found = &self.source.text[self.span().range()];
        match self.peek() {
            TokenKind::End if self.next == 0 => Diagnostic::error("the query is empty")
                .at(self.source, self.span(), expected)
                .help("for example `deps(//folder:name)`, or `//...` for all targets"),
            TokenKind::End => {
                Diagnostic::error("the query ends too early").at(self.source, self.span(), expected)
            }
            TokenKind::Keyword(_) => Diagnostic::error(format!("`{found}` is a word of the language"))
                .at(self.source, self.span(), expected)
                .help(format!("a target or a field of that name stands in quotes: \"{found}\"")),
            kind => {
                let problem = Diagnostic::error(format!("unexpected `{found}`"));
                let problem = problem.at(self.source, self.span(), expected);
                let touches_a_word =
                    self.next > 0 && self.tokens[self.next - 1].span.end() == self.span().start();
                match kind {
                    TokenKind::Plus | TokenKind::Equals if touches_a_word => {
                        problem.help("a word that holds a `+` or a `=` stands in quotes")
                    }
                    _ => problem,
                }
            }
        }
    }

    fn after_the_end(&self) -> Diagnostic {
        let problem = self.unexpected("an operator or the end");
        match self.peek() {
            TokenKind::Word(_) => problem
                .help("join expressions with `+`, `-` or `^`; `set(//a:b //c:d)` takes several patterns"),
            TokenKind::Close => problem.help("no `(` is open here"),
            _ => problem,
        }
    }
}

/// The arguments of a call, read one after the other.
struct Arguments<'a, 'p> {
    parser: &'a mut Parser<'p>,
    function: Function,
    /// How many were read.
    taken: usize,
    /// Whether the last one is an expression, which an operator would continue.
    may_go_on: bool,
}

impl Arguments<'_, '_> {
    fn call(&mut self) -> Result<Call, Diagnostic> {
        Ok(match self.function {
            Function::Deps => Call::Deps { of: self.expression()?, depth: self.number()? },
            Function::Rdeps => {
                Call::Rdeps { universe: self.expression()?, of: self.expression()?, depth: self.number()? }
            }
            Function::Allrdeps => Call::Allrdeps { of: self.expression()?, depth: self.number()? },
            Function::Somepath => Call::Somepath { from: self.expression()?, to: self.expression()? },
            Function::Allpaths => Call::Allpaths { from: self.expression()?, to: self.expression()? },
            Function::Kind => Call::Kind { pattern: self.pattern()?, of: self.expression()? },
            Function::Filter => Call::Filter { pattern: self.pattern()?, of: self.expression()? },
            Function::Attr => {
                Call::Attr { field: self.word()?, pattern: self.pattern()?, of: self.expression()? }
            }
            Function::Labels => Call::Labels { field: self.word()?, of: self.expression()? },
            Function::Siblings => Call::Siblings { of: self.expression()? },
            Function::SamePkgDirectRdeps => Call::SamePkgDirectRdeps { of: self.expression()? },
            Function::Some => self.some()?,
            Function::Buildfiles => Call::Buildfiles { of: self.expression()? },
            Function::Owner => Call::Owner { file: self.word()? },
            Function::Inputs => Call::Inputs { of: self.expression()? },
            Function::Bases => Call::Bases { of: self.expression()? },
            Function::Affected => Call::Affected { commit: self.word()? },
        })
    }

    fn some(&mut self) -> Result<Call, Diagnostic> {
        self.begin("an expression")?;
        let start = self.parser.span().start();
        let of = self.parser.expression()?;
        self.may_go_on = true;
        let end = self.parser.tokens[self.parser.next.saturating_sub(1)].span.end();
        let count = self.number()?;
        if count == Some(0) {
            let number = self.parser.tokens[self.parser.next.saturating_sub(1)].span;
            return Err(Diagnostic::error("`some` of nothing is nothing")
                .at(self.parser.source, number, "expected a number from 1")
                .help(format!("it is called as `{}`", self.function.usage())));
        }
        Ok(Call::Some { of, span: Span::new(start, end), count })
    }

    fn expression(&mut self) -> Result<Expression, Diagnostic> {
        self.begin("an expression")?;
        self.may_go_on = true;
        self.parser.expression()
    }

    fn word(&mut self) -> Result<Spanned<String>, Diagnostic> {
        self.begin("a word")?;
        let span = self.parser.span();
        match self.parser.peek().clone() {
            TokenKind::Word(word) if self.parser.tokens[self.parser.next + 1].kind != TokenKind::Open => {
                self.parser.next += 1;
                Ok(Spanned::new(word, span))
            }
            _ => Err(self.with_usage(self.parser.unexpected("a word"))),
        }
    }

    fn pattern(&mut self) -> Result<Pattern, Diagnostic> {
        let word = self.word()?;
        Regex::new(&word.value).map(Pattern::new).map_err(|error| {
            let text = match &error {
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                error => error.to_string(),
            };
            let last = text.lines().last().unwrap_or_default();
            let why = last.strip_prefix("error: ").unwrap_or(last);
            Diagnostic::error(format!("`{}` is not a regular expression: {why}", word.value))
                .at(self.parser.source, word.span, "expected a regular expression")
                .help("it matches where it is found anywhere in a text; `^` and `$` stand for its ends")
        })
    }

    /// The number that may follow. One that no machine can hold is as good as none.
    fn number(&mut self) -> Result<Option<usize>, Diagnostic> {
        if *self.parser.peek() != TokenKind::Comma {
            return Ok(None);
        }
        self.begin("a number")?;
        match self.parser.peek() {
            TokenKind::Word(word) if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) => {
                let number = word.parse().unwrap_or(usize::MAX);
                self.parser.next += 1;
                Ok(Some(number))
            }
            _ => Err(self.with_usage(self.parser.unexpected("a number"))),
        }
    }

    /// Goes to the next argument, which is to be there.
    fn begin(&mut self, expected: &str) -> Result<(), Diagnostic> {
        let separator = if self.taken == 0 { TokenKind::Open } else { TokenKind::Comma };
        let has_next = *self.parser.peek() == separator;
        let closes = |kind: &TokenKind| *kind == TokenKind::Close;
        let is_empty = has_next && self.taken == 0 && closes(&self.parser.tokens[self.parser.next + 1].kind);
        if is_empty || closes(self.parser.peek()) {
            self.parser.next += usize::from(is_empty);
            return Err(self.wrong_count(self.taken, &format!("expected {expected}")));
        }
        let expected = if self.may_go_on { "`,` or an operator" } else { "`,`" };
        self.parser.expect(&separator, expected).map_err(|problem| self.with_usage(problem))?;
        self.taken += 1;
        self.may_go_on = false;
        Ok(())
    }

    /// Ends the call.
    fn close(mut self) -> Result<(), Diagnostic> {
        let (_least, most) = self.function.arguments();
        if *self.parser.peek() != TokenKind::Comma {
            let expected = match (self.taken < most, self.may_go_on) {
                (true, true) => "`)`, `,` or an operator",
                (true, false) => "`)` or `,`",
                (false, true) => "`)` or an operator",
                (false, false) => "`)`",
            };
            let closed = self.parser.expect(&TokenKind::Close, expected);
            return closed.map_err(|problem| self.with_usage(problem));
        }
        self.parser.next += 1;
        Err(self.wrong_count(most + 1, "one too many"))
    }

    fn wrong_count(&mut self, given: usize, label: &str) -> Diagnostic {
        let (least, most) = self.function.arguments();
        let wanted = match (least, most) {
            (1, 1) => "1 argument".to_owned(),
            (least, most) if least == most => format!("{most} arguments"),
            (least, most) => format!("{least} or {most} arguments"),
        };
        let given = if given > most { format!("more than {most}") } else { given.to_string() };
        let message = format!("`{}` takes {wanted}, not {given}", self.function.name());
        self.with_usage(Diagnostic::error(message).at(self.parser.source, self.parser.span(), label))
    }

    fn with_usage(&self, problem: Diagnostic) -> Diagnostic {
        problem.help(format!("it is called as `{}`", self.function.usage()))
    }
}

//! The words and signs of a query.
//!
//! A word stands in quotes, or is made of letters, digits and `*/@.-_:$~[]` and begins with neither `-` nor
//! `*`: so a label needs no quotes unless it holds a `+`. There is no way to write a quote inside of
//! quotes of its own kind.

use std::sync::Arc;

use crate::types::diagnostic::Diagnostic;
use crate::types::span::{SourceText, Span};

/// A word that means something by itself, unless it stands in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Except,
    In,
    Intersect,
    Let,
    Set,
    Union,
}

impl Keyword {
    const ALL: [(&'static str, Self); 6] = [
        ("except", Self::Except),
        ("in", Self::In),
        ("intersect", Self::Intersect),
        ("let", Self::Let),
        ("set", Self::Set),
        ("union", Self::Union),
    ];

    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == word).map(|(_, keyword)| *keyword)
    }
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word(String),
    Keyword(Keyword),
    Open,
    Close,
    Comma,
    Equals,
    Plus,
    Minus,
    Caret,
    /// After the last token.
    End,
}

/// A token, and where it stands, quotes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

/// The tokens of `source`, at least the end.
///
/// # Errors
/// The first letter that begins no token, or quotes that are not closed.
pub(super) fn tokens(source: &Arc<SourceText>) -> Result<Vec<Token>, Diagnostic> {
    let text = source.text.as_str();
    let mut tokens = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        let kind = match letter {
            letter if letter.is_whitespace() => continue,
            '(' => TokenKind::Open,
            ')' => TokenKind::Close,
            ',' => TokenKind::Comma,
            '=' => TokenKind::Equals,
            '+' => TokenKind::Plus,
            '-' => TokenKind::Minus,
            '^' => TokenKind::Caret,
            '"' | '\'' => {
                let inside = start + 1;
                let Some(length) = text[inside..].find(letter) else { return Err(unclosed(source, start)) };
                while letters.next_if(|(at, _)| *at <= inside + length).is_some() {}
                TokenKind::Word(text[inside..inside + length].to_owned())
            }
            letter if in_word(letter) && letter != '*' => {
                while letters.next_if(|(_, letter)| in_word(*letter)).is_some() {}
                let end = letters.peek().map_or(text.len(), |(at, _)| *at);
                let word = &text[start..end];
                Keyword::of(word).map_or_else(|| TokenKind::Word(word.to_owned()), TokenKind::Keyword)
            }
            letter => return Err(foreign(source, start, letter)),
        };
        let end = letters.peek().map_or(text.len(), |(at, _)| *at);
        tokens.push(Token { kind, span: Span::new(start, end) });
    }
    tokens.push(Token { kind: TokenKind::End, span: Span::new(text.len(), text.len()) });
    Ok(tokens)
}

fn in_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "*/@.-_:$~[]".contains(letter)
}

fn unclosed(source: &Arc<SourceText>, start: usize) -> Diagnostic {
    let quote = &source.text[start..=start];
    Diagnostic::error("the quotes are not closed")
        .at(source, Span::new(start, source.text.len()), format!("expected another {quote}"))
        .help("a word in single quotes may hold double quotes, and the other way round")
}

fn foreign(source: &Arc<SourceText>, start: usize, letter: char) -> Diagnostic {
    let span = Span::new(start, start + letter.len_utf8());
    let shown = letter.escape_debug();
    let problem = Diagnostic::error(format!("no word begins with `{shown}`"));
    match letter {
        '*' => problem.at(source, span, "expected a target pattern or a function").help(
            "`//folder:all` are the targets of a package, `//folder/...` those below it too; \
             a regular expression stands in quotes",
        ),
        _ => problem
            .at(source, span, "expected a target pattern, a function or an operator")
            .help("a word with other letters than A-Z, a-z, 0-9 and `*/@.-_:$~[]` stands in quotes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::workspace_path::WorkspacePath;

    fn check(text: &str, expected: &[&str]) {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text: text.to_owned() });
        let shown = |token: &Token| match &token.kind {
            TokenKind::Word(word) => format!("<{word}>"),
            TokenKind::End => "end".to_owned(),
            _ => text[token.span.range()].to_owned(),
        };
        let found = match tokens(&source) {
            Ok(tokens) => tokens.iter().map(shown).collect(),
            Err(problem) => vec![problem.message],
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_need_no_quotes_as_a_rule() {
        check("", &["end"]);
        check("//a/b:c-d_e.f", &["<//a/b:c-d_e.f>", "end"]);
        check("//a-//b", &["<//a-//b>", "end"]);
        check("//a -//b", &["<//a>", "-", "<//b>", "end"]);
        check("//a+b", &["<//a>", "+", "<b>", "end"]);
        check("'//a+b'", &["<//a+b>", "end"]);
        check("\"it's\"'\"'", &["<it's>", "<\">", "end"]);
        check("''", &["<>", "end"]);
        check("'ü' ^\n'\\.c$'", &["<ü>", "^", "<\\.c$>", "end"]);
        check("deps(...,1)", &["<deps>", "(", "<...>", ",", "<1>", ")", "end"]);
        check("let v = $a in", &["let", "<v>", "=", "<$a>", "in", "end"]);
        check("'let' letter", &["<let>", "<letter>", "end"]);
        check("@a~b[c]*", &["<@a~b[c]*>", "end"]);
    }

    #[test]
    fn other_letters_are_refused() {
        check("a ü", &["no word begins with `ü`"]);
        check("*a", &["no word begins with `*`"]);
        check("a\u{0}", &["no word begins with `\\0`"]);
        check("'a", &["the quotes are not closed"]);
        check("'a\"'\"", &["the quotes are not closed"]);
    }
}

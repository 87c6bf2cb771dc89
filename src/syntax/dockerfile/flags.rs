//! The flags that each instruction knows, and their values (BuildKit's `bflag.go`).

use super::keyword::Keyword;
use super::site::Site;
use super::words::Word;
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::span::Spanned;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `--name`, `--name=true`, `--name=false`.
    Switch,
    /// `--name=value`, once.
    Text,
    /// `--name=value`, any number of times.
    List,
}

/// The flags of one instruction.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Flags(Vec<(&'static str, Spanned<String>)>);

impl Flags {
    /// The value of a flag that is given at most once.
    pub(super) fn text(&self, name: &str) -> Option<&Spanned<String>> {
        self.list(name).next()
    }

    /// The value of a flag that is given at most once, unless it is empty.
    pub(super) fn filled(&self, name: &str) -> Option<Spanned<String>> {
        self.text(name).filter(|value| !value.value.is_empty()).cloned()
    }

    /// The values of a flag, in order.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &Spanned<String>> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Whether a switch is on; `None` when it is not given.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        self.text(name).map(|value| !value.value.eq_ignore_ascii_case("false"))
    }
}

fn known(keyword: Keyword) -> &'static [(&'static str, Kind)] {
    match keyword {
        Keyword::Add => &[
            ("chown", Kind::Text),
            ("chmod", Kind::Text),
            ("link", Kind::Switch),
            ("keep-git-dir", Kind::Switch),
            ("checksum", Kind::Text),
            ("unpack", Kind::Switch),
            ("exclude", Kind::List),
        ],
        Keyword::Copy => &[
            ("chown", Kind::Text),
            ("from", Kind::Text),
            ("chmod", Kind::Text),
            ("link", Kind::Switch),
            ("exclude", Kind::List),
            ("parents", Kind::Switch),
        ],
        Keyword::From => &[("platform", Kind::Text)],
        Keyword::Run => &[
            ("device", Kind::List),
            ("mount", Kind::List),
            ("network", Kind::Text),
            ("security", Kind::Text),
        ],
        Keyword::Healthcheck => &[
            ("interval", Kind::Text),
            ("timeout", Kind::Text),
            ("start-period", Kind::Text),
            ("start-interval", Kind::Text),
            ("retries", Kind::Text),
        ],
        _ => &[],
    }
}

/// Whether BuildKit looks at the flags of this instruction at all.
pub(super) fn are_read(keyword: Keyword) -> bool {
    !matches!(keyword, Keyword::Arg | Keyword::Stopsignal)
}

/// Reads the flags of an instruction; adds what is wrong to `diagnostics`.
pub(super) fn read(
    site: Site<'_>,
    keyword: Keyword,
    words: &[Word],
    diagnostics: &mut Vec<Diagnostic>,
) -> Flags {
    let mut flags = Flags::default();
    for word in words {
        match one(site, keyword, word, &flags) {
            Ok((name, value)) => flags.0.push((name, value)),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    flags
}

fn one(
    site: Site<'_>,
    keyword: Keyword,
    word: &Word,
    before: &Flags,
) -> Result<(&'static str, Spanned<String>), Diagnostic> {
    let (written, value) =
        word.text.split_once('=').map_or((word.text.as_str(), None), |(n, v)| (n, Some(v)));
    let known = known(keyword);
    let bare = written.strip_prefix("--").unwrap_or(written);
    let Some((name, kind)) = known.iter().find(|(name, _)| *name == bare) else {
        return Err(unknown(site, keyword, word, bare));
    };
    if *kind != Kind::List && before.text(name).is_some() {
        let message = format!("`{written}` is given twice");
        return Err(site.refuse(&word.range, message, "the second one").help("keep one of them"));
    }
    match (kind, value) {
        (Kind::Switch, None) => Ok((name, Spanned::new("true".to_owned(), site.span(&word.range)))),
        (Kind::Switch, Some(value)) if !["true", "false"].contains(&value.to_lowercase().as_str()) => {
            let message = format!("`{value}` is not a value of `{written}`");
            let help = format!("write `{written}`, `{written}=true` or `{written}=false`");
            Err(site.refuse(&word.range, message, "expected `true` or `false`").help(help))
        }
        (Kind::Text | Kind::List, None) => {
            let message = format!("`{written}` needs a value");
            let help = format!("write `{written}=…`");
            Err(site.refuse(&word.range, message, "expected `=` and a value").help(help))
        }
        (_, Some(value)) => Ok((name, Spanned::new(value.to_owned(), site.span(&word.range)))),
    }
}

fn unknown(site: Site<'_>, keyword: Keyword, word: &Word, bare: &str) -> Diagnostic {
    let names: Vec<&str> = known(keyword).iter().map(|(name, _)| *name).collect();
    let message = format!("`{keyword}` knows no flag `--{bare}`");
    let diagnostic = site.refuse(&word.range, message, "unknown flag");
    match nearest(bare, names.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `--{name}`?")),
        None if names.is_empty() => diagnostic.help(format!("`{keyword}` takes no flags: take it out")),
        None => diagnostic.help(format!("it knows `--{}`", names.join("`, `--"))),
    }
}

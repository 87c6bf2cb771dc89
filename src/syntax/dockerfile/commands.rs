//! From words to what an instruction asks for, and what BuildKit refuses in a file without knowing
//! the arguments of a build (`frontend/dockerfile/instructions/parse.go`).

use super::arguments::Arguments;
use super::flags::{self, Flags};
use super::go_numbers;
use super::heredoc;
use super::keyword::Keyword;
use super::model::{Argument, Command, Copy, Heredoc, InlineFile, RawMount, Run};
use super::mount::{self, MountError};
use super::site::Site;
use super::words::Word;
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::span::Spanned;

/// An instruction after the first pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'d> {
    /// Where it stands.
    pub site: Site<'d>,
    /// Which one.
    pub keyword: Keyword,
    /// The flags.
    pub flags: &'d [Word],
    /// The arguments.
    pub arguments: &'d Arguments,
    /// The heredocs.
    pub heredocs: &'d [Heredoc],
}

impl Draft<'_> {
    fn refuse(&self, message: impl Into<String>, label: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message).at(self.site.source, self.site.line.whole(), label)
    }

    /// The flags, where BuildKit reads them.
    pub(super) fn read_flags(&self, diagnostics: &mut Vec<Diagnostic>) -> Flags {
        if flags::are_read(self.keyword) {
            flags::read(self.site, self.keyword, self.flags, diagnostics)
        } else {
            Flags::default()
        }
    }

    fn at_least_one(&self, diagnostics: &mut Vec<Diagnostic>) {
        if self.arguments.words.is_empty() && self.arguments.pairs.is_empty() {
            let message = format!("`{}` needs at least one argument", self.keyword);
            diagnostics.push(self.refuse(message, "nothing follows").help(example(self.keyword)));
        }
    }

    fn exactly_one(&self, diagnostics: &mut Vec<Diagnostic>) {
        if self.arguments.words.len() != 1 {
            let message = format!("`{}` needs exactly one argument", self.keyword);
            diagnostics.push(self.refuse(message, "nothing follows").help(example(self.keyword)));
        }
    }
}

fn example(keyword: Keyword) -> &'static str {
    match keyword {
        Keyword::Arg => "write `ARG NAME` or `ARG NAME=default`",
        Keyword::Env | Keyword::Label => "write `name=value`",
        Keyword::Expose => "write a port, such as `EXPOSE 8080/tcp`",
        Keyword::Healthcheck => "write `HEALTHCHECK CMD …` or `HEALTHCHECK NONE`",
        Keyword::Onbuild => "write an instruction after it, such as `ONBUILD RUN …`",
        Keyword::Shell => "write a JSON array, such as `SHELL [\"/bin/bash\", \"-c\"]`",
        Keyword::Stopsignal => "write a signal, such as `STOPSIGNAL SIGTERM`",
        Keyword::User => "write a name or a number, such as `USER 1000`",
        Keyword::Volume | Keyword::Workdir => "write a path",
        _ => "write what it is to do",
    }
}

/// Reads any instruction but `FROM` and `ONBUILD`.
pub(super) fn read(draft: Draft<'_>, diagnostics: &mut Vec<Diagnostic>) -> Command {
    let words = || draft.arguments.words.iter().map(|word| draft.site.spanned(word)).collect();
    match draft.keyword {
        Keyword::Arg => {
            draft.at_least_one(diagnostics);
            Command::Arg(
                draft.arguments.words.iter().filter_map(|w| argument(draft, w, diagnostics)).collect(),
            )
        }
        Keyword::Env | Keyword::Label => {
            draft.read_flags(diagnostics);
            draft.at_least_one(diagnostics);
            named_pairs(draft, diagnostics);
            Command::Pairs(draft.arguments.pairs.clone())
        }
        Keyword::Add | Keyword::Copy => copy(draft, diagnostics),
        Keyword::Run => run(draft, diagnostics),
        Keyword::User | Keyword::Workdir | Keyword::Stopsignal => {
            draft.read_flags(diagnostics);
            draft.exactly_one(diagnostics);
            Command::Words(words())
        }
        Keyword::Expose | Keyword::Volume => {
            draft.read_flags(diagnostics);
            draft.at_least_one(diagnostics);
            if draft.keyword == Keyword::Volume {
                filled_volumes(draft, diagnostics);
            }
            Command::Words(words())
        }
        Keyword::Maintainer => {
            draft.read_flags(diagnostics);
            draft.exactly_one(diagnostics);
            Command::Other
        }
        Keyword::Shell => shell(draft, diagnostics),
        Keyword::Healthcheck => healthcheck(draft, diagnostics),
        Keyword::Cmd | Keyword::Entrypoint | Keyword::From | Keyword::Onbuild => {
            draft.read_flags(diagnostics);
            Command::Other
        }
    }
}

fn argument(draft: Draft<'_>, word: &Word, diagnostics: &mut Vec<Diagnostic>) -> Option<Argument> {
    let (name, default) = match word.text.split_once('=') {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (word.text.as_str(), None),
    };
    if name.is_empty() {
        let message = "an argument needs a name";
        let label = "nothing stands before the `=`";
        diagnostics.push(draft.site.refuse(&word.range, message, label).help(example(Keyword::Arg)));
        return None;
    }
    let span = draft.site.span(&word.range);
    Some(Argument { name: Spanned::new(name.to_owned(), span), default })
}

fn named_pairs(draft: Draft<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for pair in draft.arguments.pairs.iter().filter(|pair| pair.name.is_empty()) {
        let message = format!("a value of `{}` needs a name", draft.keyword);
        let diagnostic = Diagnostic::error(message)
            .at(draft.site.source, pair.span, "nothing stands before the `=`")
            .help(example(draft.keyword));
        diagnostics.push(diagnostic);
    }
}

fn filled_volumes(draft: Draft<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for word in draft.arguments.words.iter().filter(|word| word.text.trim().is_empty()) {
        let message = "a volume cannot be an empty path";
        diagnostics
            .push(draft.site.refuse(&word.range, message, "one of these is empty").help("write a path"));
    }
}

fn copy(draft: Draft<'_>, diagnostics: &mut Vec<Diagnostic>) -> Command {
    let flags = draft.read_flags(diagnostics);
    let [sources @ .., destination] = draft.arguments.words.as_slice() else {
        diagnostics.push(no_destination(draft));
        return Command::Other;
    };
    if sources.is_empty() {
        diagnostics.push(no_destination(draft));
    }
    if let Ok(Some(_)) = heredoc::parse(&destination.text) {
        let message = format!("`{}` cannot write to a heredoc", draft.keyword);
        let label = "expected a path as the destination";
        diagnostics.push(
            draft.site.refuse(&destination.range, message, label).help("the last word is the destination"),
        );
    }
    let mut copy = Copy {
        from: flags.filled("from"),
        sources: Vec::new(),
        inline: Vec::new(),
        destination: draft.site.spanned(destination),
        owner: flags.filled("chown"),
        mode: flags.filled("chmod"),
        checksum: flags.filled("checksum"),
        keep_git_dir: flags.switch("keep-git-dir"),
        chooses: flags.text("parents").is_some() || flags.text("exclude").is_some(),
    };
    for source in sources {
        match heredoc::parse(&source.text) {
            Ok(Some(named)) => copy.inline.push(inline(draft, source, named)),
            _ => copy.sources.push(draft.site.spanned(source)),
        }
    }
    Command::Copy(Box::new(copy))
}

/// A source that is a heredoc. The last heredoc of a name is the one that counts.
fn inline(draft: Draft<'_>, source: &Word, named: Heredoc) -> InlineFile {
    let found = draft.heredocs.iter().rev().find(|heredoc| heredoc.name == named.name);
    let content = found.map_or("", |heredoc| heredoc.content.as_str());
    let content = if named.chomp { heredoc::without_leading_tabs(content) } else { content.to_owned() };
    InlineFile { name: named.name, content, expand: named.expand, span: draft.site.span(&source.range) }
}

fn no_destination(draft: Draft<'_>) -> Diagnostic {
    let keyword = draft.keyword;
    let message = format!("`{keyword}` needs at least one source and a destination");
    let label = match draft.arguments.words.len() {
        0 => "nothing follows",
        _ => "only one path follows",
    };
    draft.refuse(message, label).help(format!("write `{keyword} SOURCE… DESTINATION`"))
}

fn run(draft: Draft<'_>, diagnostics: &mut Vec<Diagnostic>) -> Command {
    let flags = draft.read_flags(diagnostics);
    let mut mounts = Vec::new();
    for text in flags.list("mount") {
        match mount::from_of(&text.value) {
            Ok(from) => mounts.push(RawMount { text: text.clone(), from }),
            Err(error) => diagnostics.push(wrong_value(draft, text, error)),
        }
    }
    for device in flags.list("device") {
        if let Err(error) = check_device(&device.value) {
            diagnostics.push(wrong_value(draft, device, error));
        }
    }
    check_word(draft, &flags, "network", &["default", "none", "host"], diagnostics);
    check_word(draft, &flags, "security", &["insecure", "sandbox"], diagnostics);
    Command::Run(Run { mounts, is_empty_list: draft.arguments.is_json && draft.arguments.words.is_empty() })
}

fn wrong_value(draft: Draft<'_>, value: &Spanned<String>, error: MountError) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.message).at(draft.site.source, value.span, "in this flag");
    error.help.into_iter().fold(diagnostic, Diagnostic::help)
}

fn check_word(
    draft: Draft<'_>,
    flags: &Flags,
    name: &str,
    known: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(value) = flags.text(name).filter(|value| !known.contains(&value.value.as_str())) else { return };
    let message = format!("`{}` is not a value of `--{name}`", value.value);
    let diagnostic = Diagnostic::error(message).at(draft.site.source, value.span, "unknown value");
    diagnostics.push(match nearest(&value.value, known.iter().copied()) {
        Some(word) => diagnostic.help(format!("did you mean `{word}`?")),
        None => diagnostic.help(format!("expected one of `{}`", known.join("`, `"))),
    });
}

/// `RUN --device` (BuildKit's `commands_rundevice.go`).
fn check_device(text: &str) -> Result<(), MountError> {
    let error =
        |message: String| MountError { message, help: Some("write `name=…` and `required`".to_owned()) };
    let mut is_named = false;
    for field in mount::fields(text)? {
        let (key, value) = field.split_once('=').map_or((&*field, None), |(k, v)| (k, Some(v)));
        match (key.to_lowercase().as_str(), value) {
            ("required", None) => {}
            ("required", Some(value)) if go_numbers::truth(value).is_some() => {}
            ("required", Some(value)) => {
                return Err(error(format!("`{value}` is not a value of `required`")));
            }
            ("name", Some(_)) if is_named => return Err(error("a device has one name".to_owned())),
            ("name", Some(name)) => is_named = !name.is_empty(),
            _ if is_named => return Err(error(format!("a device knows no `{field}`"))),
            _ => is_named = !field.is_empty(),
        }
    }
    Ok(())
}

fn shell(draft: Draft<'_>, diagnostics: &mut Vec<Diagnostic>) -> Command {
    draft.read_flags(diagnostics);
    draft.at_least_one(diagnostics);
    if !draft.arguments.words.is_empty() && !draft.arguments.is_json {
        let message = "`SHELL` needs a JSON array";
        diagnostics.push(draft.refuse(message, "this is none").help(example(Keyword::Shell)));
    }
    Command::Other
}

fn healthcheck(draft: Draft<'_>, diagnostics: &mut Vec<Diagnostic>) -> Command {
    let Some((kind, command)) = draft.arguments.words.split_first() else {
        draft.at_least_one(diagnostics);
        return Command::Other;
    };
    match kind.text.to_uppercase().as_str() {
        "NONE" => {
            if !command.is_empty() {
                let message = "`HEALTHCHECK NONE` takes no arguments";
                diagnostics.push(
                    draft.refuse(message, "something follows `NONE`").help("end the line after `NONE`"),
                );
            }
            return Command::Other;
        }
        "CMD" if command.is_empty() => {
            let message = "`HEALTHCHECK CMD` needs a command";
            diagnostics
                .push(draft.refuse(message, "nothing follows `CMD`").help("write the command after `CMD`"));
        }
        "CMD" => {}
        _ => {
            let message = format!("`{}` is no kind of `HEALTHCHECK`", kind.text);
            let diagnostic = draft.site.refuse(&kind.range, message, "expected `CMD` or `NONE`");
            diagnostics.push(diagnostic.help(format!("write `HEALTHCHECK CMD {}…`", kind.text)));
        }
    }
    let flags = draft.read_flags(diagnostics);
    for name in ["interval", "timeout", "start-period", "start-interval"] {
        let wrong = flags.filled(name).filter(|value| !is_interval(&value.value));
        diagnostics.extend(wrong.map(|value| wrong_number(draft, name, &value, "a time, such as `30s`")));
    }
    let wrong = flags.filled("retries").filter(|value| {
        !go_numbers::integer(&value.value).is_some_and(|number| (0..=i64::from(i32::MAX)).contains(&number))
    });
    diagnostics.extend(wrong.map(|value| wrong_number(draft, "retries", &value, "a number, such as `3`")));
    Command::Other
}

fn is_interval(text: &str) -> bool {
    go_numbers::duration(text).is_some_and(|nanoseconds| nanoseconds == 0 || nanoseconds >= 1_000_000)
}

fn wrong_number(draft: Draft<'_>, name: &str, value: &Spanned<String>, expected: &str) -> Diagnostic {
    Diagnostic::error(format!("`{}` is not a value of `--{name}`", value.value))
        .at(draft.site.source, value.span, "in this flag")
        .help(format!("write {expected}"))
}

//! The whole file: lines, heredocs, instructions, stages. All mistakes are gathered.

use std::ops::Range;
use std::sync::Arc;

use super::arguments::{self, Arguments};
use super::commands::{self, Draft};
use super::directives::{self, Directives};
use super::frontend::{self, Frontend};
use super::heredoc;
use super::keyword::Keyword;
use super::lines::{LONGEST_LINE, Lines, LogicalLine, PhysicalLine};
use super::model::{Argument, Command, Dockerfile, Heredoc, Instruction, Stage};
use super::site::Site;
use super::words::{self, Word};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::span::{SourceText, Span, Spanned};

/// Reads a Dockerfile.
///
/// # Errors
/// Every mistake of the file that BuildKit refuses before it looks at a stage, in file order.
pub fn parse(source: &Arc<SourceText>) -> Result<Dockerfile, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let Directives { escape, checks } = directives::read(source, &mut diagnostics);
    let frontend = frontend::asked_for(&source.text);
    check_line_lengths(source, &mut diagnostics);
    let mut file = File {
        source,
        escape,
        lines: Lines::at(&source.text, frontend.as_ref().map_or(0, Frontend::begin)),
        dockerfile: Dockerfile {
            source: Arc::clone(source),
            escape,
            checks,
            frontend: frontend.as_ref().map(|frontend| frontend.image.clone()),
            arguments: Vec::new(),
            stages: Vec::new(),
        },
        diagnostics,
        has_lines: false,
        before_from: Vec::new(),
    };
    file.read();
    file.finish().map_err(|problems| {
        let in_other_language = frontend.and_then(|frontend| frontend.cannot_be_read(source));
        in_other_language.map_or(problems, |problem| vec![problem])
    })
}

/// Reads the instruction that an `ONBUILD` holds, as a stage that is based on it does: always with
/// `\` as the escape character.
///
/// # Errors
/// What is wrong with it; places are places of `text`.
pub fn parse_trigger(text: &Arc<SourceText>) -> Result<Instruction, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let mut lines = Lines::new(&text.text);
    let first =
        lines.logical('\\').map(|line| read_instruction(text, &line, &mut lines, '\\', &mut diagnostics));
    let is_alone = lines.logical('\\').is_none();
    match first.flatten() {
        Some(read) if diagnostics.is_empty() && is_alone => Ok(read.instruction),
        _ => {
            if diagnostics.is_empty() {
                diagnostics.push(Diagnostic::error("`ONBUILD` needs exactly one instruction"));
            }
            Err(diagnostics)
        }
    }
}

struct File<'f> {
    source: &'f Arc<SourceText>,
    escape: char,
    lines: Lines<'f>,
    dockerfile: Dockerfile,
    diagnostics: Vec<Diagnostic>,
    has_lines: bool,
    /// Instructions that stand before the first `FROM` and may not.
    before_from: Vec<(Keyword, Span)>,
}

/// The name, the base and the platform of a `FROM`.
pub(super) type StageHead = (Option<Spanned<String>>, Spanned<String>, Option<Spanned<String>>);

/// An instruction, and what a `FROM` says.
pub(super) struct Read {
    pub(super) instruction: Instruction,
    pub(super) stage: Option<StageHead>,
}

impl File<'_> {
    fn read(&mut self) {
        let mut seen_from = false;
        while let Some(line) = self.lines.logical(self.escape) {
            self.has_lines = true;
            let read =
                read_instruction(self.source, &line, &mut self.lines, self.escape, &mut self.diagnostics);
            let keyword = read.as_ref().map(|read| read.instruction.keyword);
            seen_from |= keyword.or_else(|| keyword_of(&line)) == Some(Keyword::From);
            let Some(Read { instruction, stage }) = read else { continue };
            match (stage, instruction) {
                (Some((name, base, platform)), from) => {
                    let instructions = Vec::new();
                    self.dockerfile.stages.push(Stage { from, name, base, platform, instructions });
                }
                (None, Instruction { command: Command::Arg(arguments), .. }) if !seen_from => {
                    self.dockerfile.arguments.extend(arguments);
                }
                (None, instruction) => match self.dockerfile.stages.last_mut() {
                    Some(stage) => stage.instructions.push(instruction),
                    None if !seen_from => self.before_from.push((instruction.keyword, instruction.span)),
                    None => {}
                },
            }
        }
    }

    fn finish(mut self) -> Result<Dockerfile, Vec<Diagnostic>> {
        for (keyword, span) in std::mem::take(&mut self.before_from) {
            let diagnostic = Diagnostic::error(format!("`{keyword}` stands before the first `FROM`"))
                .at(self.source, span, "only `ARG` may stand here")
                .help("begin the file with `FROM`");
            self.diagnostics.push(diagnostic);
        }
        if self.dockerfile.stages.is_empty() && self.diagnostics.is_empty() {
            self.diagnostics.push(no_stage(self.source, self.has_lines));
        }
        if self.diagnostics.is_empty() {
            // A parsed file is kept, and there may be one of each target.
            self.dockerfile.stages.shrink_to_fit();
            self.dockerfile.stages.iter_mut().for_each(|stage| stage.instructions.shrink_to_fit());
            return Ok(self.dockerfile);
        }
        let start =
            |diagnostic: &Diagnostic| diagnostic.annotations.first().map(|at| at.location.span.start());
        self.diagnostics.sort_by_key(start);
        Err(self.diagnostics)
    }
}

fn no_stage(source: &Arc<SourceText>, has_lines: bool) -> Diagnostic {
    let message =
        if has_lines { "the Dockerfile has no stage" } else { "the Dockerfile has no instructions" };
    let end = source.text.trim_end().len();
    Diagnostic::error(message)
        .at(source, Span::new(end, end), "expected a `FROM`")
        .help("begin the file with `FROM`, such as `FROM scratch`")
}

fn check_line_lengths(source: &Arc<SourceText>, diagnostics: &mut Vec<Diagnostic>) {
    if source.text.len() < LONGEST_LINE {
        return;
    }
    let mut lines = Lines::new(&source.text);
    let is_too_long = |line: &PhysicalLine<'_>| {
        line.text.len() > LONGEST_LINE || (line.text.len() == LONGEST_LINE && !line.text.ends_with('\n'))
    };
    while let Some(line) = lines.physical() {
        if is_too_long(&line) {
            let message = format!("a line has more than {} bytes", LONGEST_LINE - 1);
            let span = Span::new(line.start, line.start);
            let diagnostic =
                Diagnostic::error(message).at(source, span, "this line is too long for the builder");
            diagnostics.push(diagnostic.help("break the line with the escape character, or `COPY` a file"));
        }
    }
}

/// Where the parts of an instruction stand in its line.
struct Parts {
    keyword: Range<usize>,
    flags: Vec<Word>,
    arguments: Range<usize>,
}

fn parts(text: &str, range: Range<usize>, escape: char) -> Parts {
    let range = words::trimmed(text, range);
    let (keyword, rest) = words::split_first(text, range.clone());
    let (flags, at) = words::flags(text, rest, escape);
    Parts { keyword, flags, arguments: words::trimmed(text, at..range.end) }
}

fn keyword_of(line: &LogicalLine<'_>) -> Option<Keyword> {
    let range = words::trimmed(&line.text, 0..line.text.len());
    Keyword::parse(&line.text[words::split_first(&line.text, range).0])
}

/// Reads one instruction and takes its heredocs from `lines`.
pub(super) fn read_instruction(
    source: &Arc<SourceText>,
    line: &LogicalLine<'_>,
    lines: &mut Lines<'_>,
    escape: char,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Read> {
    let site = Site { source, line };
    let parts = parts(&line.text, 0..line.text.len(), escape);
    let Some(keyword) = Keyword::parse(&line.text[parts.keyword.clone()]) else {
        diagnostics.push(unknown_keyword(site, parts.keyword));
        return None;
    };
    let count = diagnostics.len();
    let arguments = match arguments::cut(site, keyword, parts.arguments.clone(), escape) {
        Ok(arguments) => arguments,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            Arguments::default()
        }
    };
    let inner =
        (keyword == Keyword::Onbuild).then(|| inner(site, parts.arguments.clone(), escape, diagnostics));
    let heredocs = if takes_heredocs(keyword, &arguments, inner.as_ref()) {
        heredocs(site, lines, diagnostics)
    } else {
        Vec::new()
    };
    let draft = Draft { site, keyword, flags: &parts.flags, arguments: &arguments, heredocs: &heredocs };
    let mut stage = None;
    let command = match keyword {
        Keyword::From => {
            stage = from(draft, diagnostics);
            Command::From
        }
        Keyword::Onbuild => onbuild(draft, inner.as_ref(), diagnostics),
        // What could not be cut is told already, and there is nothing to read.
        _ if diagnostics.len() > count && arguments == Arguments::default() => Command::Other,
        _ => commands::read(draft, diagnostics),
    };
    let span = Span::new(line.whole().start(), lines.end_of_last().max(line.whole().end()));
    let flags = parts.flags.iter().map(|flag| site.spanned(flag)).collect();
    let arguments = arguments.normal;
    Some(Read { instruction: Instruction { keyword, span, flags, arguments, heredocs, command }, stage })
}

fn unknown_keyword(site: Site<'_>, range: Range<usize>) -> Diagnostic {
    let word = &site.line.text[range.clone()];
    let diagnostic = site.refuse(&range, format!("`{word}` is not an instruction"), "unknown instruction");
    match nearest(&word.to_uppercase(), Keyword::ALL.iter().map(|keyword| keyword.word())) {
        Some(keyword) => diagnostic.help(format!("did you mean `{keyword}`?")),
        None => diagnostic
            .help("a line that goes on from the one before needs an escape character at that one's end"),
    }
}

/// The instruction after an `ONBUILD`: its keyword, if it is one, and whether its arguments are JSON.
struct Inner {
    word: String,
    keyword: Option<Keyword>,
    is_json: bool,
}

/// BuildKit cuts the inner instruction's arguments with the file, and reads them with the trigger.
fn inner(site: Site<'_>, range: Range<usize>, escape: char, diagnostics: &mut Vec<Diagnostic>) -> Inner {
    let parts = parts(&site.line.text, range, escape);
    let word = site.line.text[parts.keyword].to_owned();
    let keyword = Keyword::parse(&word);
    let cut = keyword.map(|keyword| arguments::cut(site, keyword, parts.arguments, escape));
    let is_json = match cut {
        Some(Ok(arguments)) => arguments.is_json,
        Some(Err(diagnostic)) => {
            diagnostics.push(diagnostic);
            false
        }
        None => false,
    };
    Inner { word, keyword, is_json }
}

fn takes_heredocs(keyword: Keyword, arguments: &Arguments, inner: Option<&Inner>) -> bool {
    match inner {
        Some(inner) => inner.keyword.is_some_and(Keyword::takes_heredocs) && !inner.is_json,
        None => keyword.takes_heredocs() && !arguments.is_json,
    }
}

fn heredocs(site: Site<'_>, lines: &mut Lines<'_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Heredoc> {
    if !site.line.text.contains("<<") {
        return Vec::new();
    }
    let mut named = match heredoc::named_in(&site.line.text) {
        Ok(named) => named,
        Err(error) => {
            let message = "the word of a heredoc cannot be read";
            let diagnostic = site.refuse(&(0..0), message, error.to_string());
            diagnostics.push(diagnostic.help("use a plain word, such as `<<EOF`").help(error.help()));
            return Vec::new();
        }
    };
    for heredoc in &mut named {
        if !take_heredoc(lines, heredoc) {
            let message = format!("the heredoc `{}` does not end", heredoc.name);
            let label = format!("no line that follows is `{}` alone", heredoc.name);
            let help = match heredoc.chomp {
                true => format!("end it with a line `{}`", heredoc.name),
                false => format!("end it with a line `{}`, without space before or after it", heredoc.name),
            };
            diagnostics.push(site.refuse(&(0..0), message, label).help(help));
            break;
        }
    }
    named
}

/// Takes the lines of a heredoc; whether its end was found.
fn take_heredoc(lines: &mut Lines<'_>, heredoc: &mut Heredoc) -> bool {
    while let Some(line) = lines.physical() {
        let content = line.content();
        let word = if heredoc.chomp { content.trim_start_matches('\t') } else { content };
        if word == heredoc.name {
            return true;
        }
        heredoc.content += line.text;
    }
    false
}

fn from(draft: Draft<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<StageHead> {
    let flags = draft.read_flags(diagnostics);
    let platform = flags.filled("platform");
    match draft.arguments.words.as_slice() {
        [base] => Some((None, draft.site.spanned(base), platform)),
        [base, word, name] if word.text.to_lowercase() == "as" => {
            let lower = name.text.to_lowercase();
            if !is_stage_name(&lower) {
                diagnostics.push(bad_stage_name(draft, name));
            }
            let name = Spanned::new(lower, draft.site.span(&name.range));
            Some((Some(name), draft.site.spanned(base), platform))
        }
        words => {
            let (range, label) = match words {
                [] => (0..0, "nothing follows"),
                [_, word, ..] => (word.range.clone(), "expected `AS` and one name, or the end of the line"),
                [_] => (0..0, ""),
            };
            let message = "`FROM` needs an image, and may give the stage a name";
            let help = "write `FROM IMAGE` or `FROM IMAGE AS NAME`";
            diagnostics.push(draft.site.refuse(&range, message, label).help(help));
            None
        }
    }
}

/// `^[a-z][a-z0-9-_.]*$`.
pub(super) fn is_stage_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

fn bad_stage_name(draft: Draft<'_>, name: &Word) -> Diagnostic {
    let message = format!("`{}` cannot be the name of a stage", name.text);
    let label = "a name begins with a letter and has letters, digits, `-`, `_` and `.`";
    let folded: String =
        name.text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    let folded = folded.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).to_lowercase();
    let diagnostic = draft.site.refuse(&name.range, message, label);
    if folded.is_empty() {
        diagnostic.help("choose another name, such as `builder`")
    } else {
        diagnostic.help(format!("choose another name, such as `{folded}`"))
    }
}

fn onbuild(draft: Draft<'_>, inner: Option<&Inner>, diagnostics: &mut Vec<Diagnostic>) -> Command {
    draft.read_flags(diagnostics);
    let Some(inner) = inner.filter(|inner| !inner.word.is_empty()) else {
        let message = "`ONBUILD` needs an instruction";
        diagnostics.push(
            draft.site.refuse(&(0..0), message, "nothing follows").help("write one, such as `ONBUILD RUN …`"),
        );
        return Command::Other;
    };
    if let Some(keyword @ (Keyword::Onbuild | Keyword::Maintainer | Keyword::From)) = inner.keyword {
        let message = format!("`{keyword}` cannot follow `ONBUILD`");
        let help = "take it out: a stage that is based on this one cannot run it";
        diagnostics.push(draft.site.refuse(&(0..0), message, "not an instruction of a stage").help(help));
    }
    let text = draft.site.line.text.trim_start();
    let rest = text.get("ONBUILD".len()..).unwrap_or_default();
    let mut expression = rest.trim_start_matches(['\t', '\n', '\u{c}', '\r', ' ']).to_owned();
    for heredoc in draft.heredocs {
        expression = format!("{expression}\n{}{}", heredoc.content, heredoc.name);
    }
    Command::Onbuild(expression)
}

/// The names of all arguments that the file declares, in any place.
pub fn declared_arguments(dockerfile: &Dockerfile) -> impl Iterator<Item = &Argument> {
    let in_stages = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
    let in_stages = in_stages.filter_map(|instruction| match &instruction.command {
        Command::Arg(arguments) => Some(arguments),
        _ => None,
    });
    dockerfile.arguments.iter().chain(in_stages.flatten())
}

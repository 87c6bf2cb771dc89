//! `imgraph check`: what lints find, without a builder.

use std::fmt::Write;
use std::path::Path;

use crate::cli::arguments::{self, CheckFormat};
use crate::cli::diagnostics;
use crate::cli::exit::{self, Exit};
use crate::cli::session::{Session, Workspace};
use crate::cli::terminal;
use crate::export::{findings, sarif};
use crate::graph::check::{self, Checked, Finding, Levels};
use crate::graph::expand::{self, Wanted};
use crate::graph::lint::{self, Lint};
use crate::graph::node_views::NodeViews;
use crate::graph::target::TargetKind;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::ids::TargetId;

/// So many labels are named with a finding; the others are counted.
const MOST_LABELS: usize = 3;

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Check) -> Result<Exit, Exit> {
    if arguments.list {
        return list(session, arguments.format);
    }
    if let Some(code) = &arguments.explain {
        return explain(session, code, arguments.format);
    }
    let levels = levels(session, arguments)?;
    let workspace = session.workspace_to_look_at()?;
    let (found, count) = findings(session, &workspace, &arguments.patterns)?;
    let found = levels.apply(found);
    let text = match arguments.format {
        CheckFormat::Text => text(session, &found, count),
        CheckFormat::Json => findings::json(&found),
        CheckFormat::Sarif => sarif::sarif(&found, env!("CARGO_PKG_VERSION")),
        CheckFormat::Github => findings::github(&found, &folder(session, &workspace)),
    };
    terminal::result(&text)?;
    session.keep_index(&workspace);
    let fails = found.iter().any(Finding::is_error);
    exit::leave(workspace);
    Ok(if fails { Exit::TargetFailed } else { Exit::Done })
}

/// What is found of the targets that `patterns` name, and how many these are.
fn findings(
    session: &Session,
    workspace: &Workspace,
    patterns: &[String],
) -> Result<(Vec<Finding>, usize), Exit> {
    let targets =
        if patterns.is_empty() { everything(workspace) } else { session.select(workspace, patterns)? };
    let platform = Session::local_platform();
    let wanted = Wanted { targets: &targets, platforms: &[], build_platform: &platform };
    let (graph, problems) = expand::expand_to_look_at(&workspace.snapshot, &workspace.loaded, wanted);
    let problems: Vec<Diagnostic> = problems.into_iter().filter(|problem| problem.code.is_none()).collect();
    session.show(&problems);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(Exit::Usage);
    }
    let views = NodeViews::new(&graph, &workspace.snapshot);
    let views = views.map_err(|problems| session.fail(&problems, Exit::Usage))?;
    let (snapshot, loaded) = (&workspace.snapshot, &workspace.loaded);
    let found = check::check(Checked { snapshot, loaded, graph: &graph, views: &views });
    exit::leave((graph, views));
    Ok((found, targets.len()))
}

/// All targets but groups, in order of labels. A workspace without any is fine.
fn everything(workspace: &Workspace) -> Vec<TargetId> {
    let all = workspace.loaded.targets.iter();
    all.filter(|(_, target)| target.kind != TargetKind::Group).map(|(id, _)| id).collect()
}

/// What `--deny` and `--allow` say.
fn levels(session: &Session, arguments: &arguments::Check) -> Result<Levels, Exit> {
    let (mut levels, mut problems) = (Levels::default(), Vec::new());
    for word in &arguments.deny {
        match lint::find(word) {
            Ok(lint) => levels.denied.push(lint),
            Err(_) if word == "warnings" => levels.denies_warnings = true,
            Err(error) => problems.push(Diagnostic::error(format!("--deny: {error}")).help(error.help())),
        }
    }
    for code in &arguments.allow {
        match lint::find(code) {
            Ok(lint) if !lint.can_be_allowed() => {
                let problem = Diagnostic::error(format!("--allow: `{lint}` cannot be allowed"));
                problems.push(problem.help("a build refuses what it finds"));
            }
            Ok(lint) if levels.denied.contains(&lint) => {
                let problem = Diagnostic::error(format!("`{lint}` is denied and allowed"));
                problems.push(problem.help("leave out one of the two"));
            }
            Ok(lint) => levels.allowed.push(lint),
            Err(error) => problems.push(Diagnostic::error(format!("--allow: {error}")).help(error.help())),
        }
    }
    if problems.is_empty() { Ok(levels) } else { Err(session.fail(&problems, Exit::Usage)) }
}

fn text(session: &Session, found: &[Finding], count: usize) -> String {
    if found.is_empty() {
        let targets = if count == 1 { "1 target".to_owned() } else { format!("{count} targets") };
        return format!("nothing found in {targets}\n");
    }
    let shown: Vec<Diagnostic> = found.iter().map(with_targets).collect();
    let columns = session.terminal.columns;
    let drawn = diagnostics::draw_within(&shown, session.terminal.colour_out, columns);
    format!("{drawn}`imgraph check --explain CODE` says more of a code\n")
}

/// What a person is shown of a finding: the targets that have it, too.
fn with_targets(finding: &Finding) -> Diagnostic {
    let named: Vec<String> = finding.targets.iter().take(MOST_LABELS).map(ToString::to_string).collect();
    let others = finding.targets.len() - named.len();
    let more = if others == 0 { String::new() } else { format!(" and {others} more") };
    let mut diagnostic = finding.diagnostic.clone();
    diagnostic.note_first(format!("of {}{more}", named.join(", ")));
    diagnostic
}

/// Where the workspace lies in the repository that a workflow checked out: GitHub wants paths from there.
fn folder(session: &Session, workspace: &Workspace) -> String {
    let checkout = session.environment.get("GITHUB_WORKSPACE").map(Path::new);
    let checkout = checkout.and_then(|checkout| checkout.canonicalize().ok());
    let below = checkout.and_then(|checkout| {
        let below = workspace.snapshot.root_on_disk().strip_prefix(checkout).ok()?;
        Some(below.display().to_string())
    });
    below.filter(|below| !below.is_empty()).map(|below| format!("{below}/")).unwrap_or_default()
}

fn list(session: &Session, format: CheckFormat) -> Result<Exit, Exit> {
    let text = match format {
        CheckFormat::Json => findings::lints_json(&lint::ALL),
        CheckFormat::Text => {
            let widest = lint::ALL.iter().map(|lint| lint.code.len()).max().unwrap_or_default();
            let mut text = String::new();
            for lint in lint::ALL {
                let severity = findings::severity_word(lint.severity);
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{:widest$}  {severity:7}  {}", lint.code, lint.meaning);
            }
            text
        }
        CheckFormat::Sarif | CheckFormat::Github => return Err(no_such_form(session, "--list")),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}

fn explain(session: &Session, code: &str, format: CheckFormat) -> Result<Exit, Exit> {
    let lint = lint::find(code).map_err(|error| {
        let problem = Diagnostic::error(format!("--explain: {error}")).help(error.help());
        session.fail(&[problem], Exit::Usage)
    })?;
    let text = match format {
        CheckFormat::Json => findings::lints_json(&[lint]),
        CheckFormat::Text => explained(lint, session.terminal.columns.min(100)),
        CheckFormat::Sarif | CheckFormat::Github => return Err(no_such_form(session, "--explain")),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}

fn no_such_form(session: &Session, option: &str) -> Exit {
    let problem = Diagnostic::error(format!("{option} has the forms `text` and `json` only"));
    session.fail(&[problem.help("`sarif` and `github` are forms of findings")], Exit::Usage)
}

/// A page about `lint`, in lines of at most `columns`.
fn explained(lint: &Lint, columns: usize) -> String {
    let mut text = format!("{lint} ({})\n\n", findings::severity_word(lint.severity));
    let allow = if lint.can_be_allowed() {
        format!(
            "To live with it, write `allow = [\"{lint}\"]` into the target or its defaults, or say `--allow {lint}`."
        )
    } else {
        "A build refuses it, so it cannot be allowed.".to_owned()
    };
    let buildkit = lint.buildkit.map(|name| {
        format!("BuildKit's name of it is {name}; a directive `# check=skip={name}` of the Dockerfile is honoured.")
    });
    let finds = format!("It finds: {}.", lint.meaning);
    let paragraphs = [Some(finds), Some(lint.help.to_owned()), buildkit, Some(allow)];
    let wrapped = paragraphs.into_iter().flatten().map(|paragraph| wrap(&paragraph, columns));
    text.push_str(&wrapped.collect::<Vec<_>>().join("\n"));
    text
}

fn wrap(paragraph: &str, columns: usize) -> String {
    let (mut text, mut width) = (String::new(), 0);
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > columns {
            text.push('\n');
            width = 0;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text.push('\n');
    text
}

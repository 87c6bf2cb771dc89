//! `imgraph refs`: what images will be called.
//!
//! **Invariant:** a name that would not tell what is in the image is told to no program.

use std::collections::BTreeMap;

use crate::cli::arguments::{self, RefsFormat};
use crate::cli::exit::{self, Exit};
use crate::cli::session::{Session, Workspace};
use crate::cli::{table, terminal};
use crate::engine::refs::{self, Predicted, PredictedName};
use crate::graph::key::Keyed;
use crate::graph::target::{Target, TargetKind};
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::TargetId;
use crate::types::platform::Platform;
use crate::types::span::Location;

/// How many labels a warning names.
const NAMED: usize = 6;

/// Runs the command. No builder is asked.
pub(crate) fn run(session: &Session, arguments: &arguments::Refs) -> Result<Exit, Exit> {
    check(session, arguments)?;
    let platforms = session.platforms(&arguments.platform)?;
    let workspace = session.workspace()?;
    let images = images(session, &workspace, &arguments.patterns)?;
    let graph = session.graph(&workspace, &images, &platforms, &Session::local_platform())?;
    let views = session.views(&workspace, &graph)?;
    let source_keys = Keyed { graph: &graph, views: &views }.source_keys();
    session.check_tags(&graph, &source_keys)?;
    let predicted = refs::predict(&graph, &source_keys);
    let named: Vec<(&Target, &str)> = predicted.iter().filter_map(known).collect();
    let refs = Refs::new(&named, arguments.all);
    let mut warnings = no_names(&predicted);
    warnings.extend(refs.left_out().filter(|_| arguments.format != RefsFormat::Text));
    session.show(&warnings);
    terminal::result(&match arguments.format {
        RefsFormat::Text => text(&named),
        RefsFormat::Json => refs.json(),
        RefsFormat::Env | RefsFormat::Github => refs.lines(),
    })?;
    session.keep_index(&workspace);
    exit::leave((workspace, graph, views));
    Ok(Exit::Done)
}

fn check(session: &Session, arguments: &arguments::Refs) -> Result<(), Exit> {
    let wrong =
        |message: &str, help: &str| Err(session.fail(&[Diagnostic::error(message).help(help)], Exit::Usage));
    if !arguments.predict {
        return wrong("`refs` tells predictions only", "say so: `imgraph refs --predict`");
    }
    if arguments.all && matches!(arguments.format, RefsFormat::Env | RefsFormat::Github) {
        return wrong(
            "a label cannot be the name of a variable: `--all` goes with `text` and `json`",
            "write `export = \"…\"` in the tables of the images",
        );
    }
    Ok(())
}

/// The images that `patterns` name; all where there are none.
fn images(session: &Session, workspace: &Workspace, patterns: &[String]) -> Result<Vec<TargetId>, Exit> {
    let targets = &workspace.loaded.targets;
    let is_image = |id: &TargetId| targets[*id].kind == TargetKind::Image;
    if patterns.is_empty() {
        return Ok(targets.ids().filter(is_image).collect());
    }
    let selected = session.select(workspace, patterns)?;
    let images: Vec<TargetId> = selected.iter().copied().filter(is_image).collect();
    if images.is_empty() && !selected.is_empty() {
        session.show(&[Diagnostic::warning("the patterns name no image: only images have refs")]);
    }
    Ok(images)
}

/// Says why images have no name that can be told; once for those whose tags are written in one place.
fn no_names(predicted: &[Predicted]) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    let mut without: Vec<(&Location, Vec<String>)> = Vec::new();
    for Predicted { target, name } in predicted {
        let tag = target.build().and_then(|build| build.tags.first());
        let place = tag.map_or(&target.location, |tag| &tag.location);
        match name {
            PredictedName::Known(_) => {}
            PredictedName::PerPlatform(platforms) => warnings.push(per_platform(target, platforms, place)),
            PredictedName::NoContentTag => match without.iter_mut().find(|(other, _)| *other == place) {
                Some((_, labels)) => labels.push(target.label.to_string()),
                None => without.push((place, vec![target.label.to_string()])),
            },
        }
    }
    warnings.extend(without.into_iter().map(|(place, labels)| {
        Diagnostic::warning(format!("{}: left out, for no tag tells what is in the image", some(&labels)))
            .at_location(place, "without `${source-key}`, another image is called the same")
            .help("add a tag such as `ghcr.io/acme/${name}:${source-key}` to `tags`")
    }));
    warnings
}

fn per_platform(target: &Target, platforms: &[Platform], place: &Location) -> Diagnostic {
    let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
    let message =
        format!("{}: left out, for it has another name on each of {}", target.label, platforms.join(", "));
    Diagnostic::warning(message).at_location(place, "").help("choose one with --platform")
}

/// A few labels, and how many more there are.
fn some(labels: &[String]) -> String {
    let shown = if labels.len() > NAMED { NAMED - 1 } else { labels.len() };
    let more = labels.len() - shown;
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    labels[..shown].join(", ") + &more
}

fn known(predicted: &Predicted) -> Option<(&Target, &str)> {
    match &predicted.name {
        PredictedName::Known(name) => Some((&predicted.target, name)),
        PredictedName::NoContentTag | PredictedName::PerPlatform(_) => None,
    }
}

fn export_name(target: &Target) -> Option<&str> {
    target.build()?.export.as_ref().map(|export| export.value.as_str())
}

/// Refs as programs are told them.
struct Refs<'p> {
    by_name: BTreeMap<String, &'p str>,
    /// The labels of those that have no name.
    without: Vec<String>,
}

impl<'p> Refs<'p> {
    /// By export name, or with `all` by label where there is none.
    fn new(named: &[(&Target, &'p str)], all: bool) -> Self {
        let mut refs = Self { by_name: BTreeMap::new(), without: Vec::new() };
        for (target, reference) in named {
            let name = export_name(target).map(str::to_owned);
            match name.or_else(|| all.then(|| target.label.to_string())) {
                Some(name) => drop(refs.by_name.insert(name, reference)),
                None => refs.without.push(target.label.to_string()),
            }
        }
        refs
    }

    fn left_out(&self) -> Option<Diagnostic> {
        let first = self.without.first()?;
        let warning = format!("{}: left out, for there is no export name", some(&self.without));
        let help = format!(
            "write `export = \"IMAGE_URI\"` in the table of {first}, or ask for `--format json --all`"
        );
        Some(Diagnostic::warning(warning).help(help))
    }

    /// One flat object: who reads it asks for a name.
    fn json(&self) -> String {
        let text = serde_json::to_string_pretty(&self.by_name).expect("the names are texts");
        format!("{text}\n")
    }

    fn lines(&self) -> String {
        self.by_name.iter().map(|(name, reference)| format!("{name}={reference}\n")).collect()
    }
}

fn text(named: &[(&Target, &str)]) -> String {
    let row = |(target, reference): &(&Target, &str)| {
        let name = export_name(target).map_or_else(|| target.label.to_string(), str::to_owned);
        [name, (*reference).to_owned()]
    };
    let rows: Vec<[String; 2]> = named.iter().map(row).collect();
    table::aligned(&rows, usize::MAX).iter().map(|line| format!("{line}\n")).collect()
}

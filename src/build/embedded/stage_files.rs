//! `COPY` and `ADD` of a stage: words to a [`FileStep`], and its layer.

use std::sync::Arc;

use super::context_tree::ContextTree;
use super::file_error::FileStepError;
use super::file_step::{FileSource, FileStep, FromTree};
use super::pending::Pending;
use super::root::Root;
use super::stage::Stage;
use super::steps::StepKeyHasher;
use super::tree::{Content, Node, Owner};
use super::{owner, refusals, trouble};
use crate::build::builder::{BuildError, SentFolder};
use crate::graph::slice::{Place, ProgramStep, Source, place};
use crate::oci::layer_entry::EntryKind;
use crate::oci::layers::root_view::RootView;
use crate::oci::remote::download::{self, Download};
use crate::oci::remote::error::RemoteError;
use crate::syntax::dockerfile::expansion::Lexer;
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{Copy, InlineFile};
use crate::types::span::Spanned;

/// The largest file that is fetched, in bytes: larger than any archive that images are made from.
const LARGEST_DOWNLOAD: u64 = 16 << 30;

/// Runs a `COPY` or an `ADD`.
///
/// # Errors
/// When a source is not there, a destination cannot be written, or the build is to stop.
pub fn copy(stage: &mut Stage<'_>, step: &ProgramStep<'_>, copy: &Copy) -> Result<(), BuildError> {
    let site = stage.site;
    let nothing = ContextTree::new(SentFolder { on_disk: std::path::Path::new("/"), entries: &[] });
    let read = step.reads.first().and_then(Option::as_ref);
    let folder = match read {
        None => Some(site.context.unwrap_or(&nothing)),
        Some(Source::Image { context: Some(context), .. }) => site.folders.get(context.as_str()),
        Some(_) => None,
    };
    let root = match (folder, read) {
        (None, Some(source)) => Some(stage.sources.root(source)?),
        _ => None,
    };
    let view = root.as_ref().map(|root| root.view(&site.workshop.layers)).transpose()?;
    let from = match (folder, &root, view) {
        (Some(folder), _, _) => FromTree::Context(folder),
        (None, Some(root), Some(tree)) => FromTree::Root { tree, chain: root.chain() },
        _ => FromTree::Context(&nothing),
    };
    let files = file_step(stage, step, copy, from)?;
    let failed = |error: FileStepError| match error {
        FileStepError::Build(error) => error,
        error => site.failed(step.span, format!("{} failed: {error}", step.instruction.keyword)),
    };
    let told = told(step, &files);
    let chosen = files.choose().map_err(failed)?;
    let mut key = StepKeyHasher::new("files");
    files.key(&chosen, &mut key);
    if files.link {
        return linked(stage, step, key, told, |pending| {
            files.write(&chosen, &RootView::default(), pending, &site.workshop.rights.running).map_err(failed)
        });
    }
    let key = stage.key(key);
    stage.layer(step, &key, told, |stage, pending| {
        let below = stage.position.root.view(&site.workshop.layers)?;
        if let Some(name) = files.owner.as_ref().and_then(|owner| owner::unlisted(owner, below)) {
            let place = &site.dockerfile.source.path;
            site.warn(format!(
                "{place}: the image does not list `{name}` of `--chown`: root is taken for it"
            ));
        }
        files.write(&chosen, below, pending, &site.workshop.rights.running).map_err(failed)
    })
}

/// The line of the history.
fn told(step: &ProgramStep<'_>, files: &FileStep<'_>) -> String {
    let mut told = step.instruction.keyword.to_string();
    if files.parents {
        told += " --parents";
    }
    told.extend(files.exclude.iter().flat_map(|pattern| [" --exclude=", pattern]));
    for (flag, value) in [(" --chown=", &files.owner), (" --chmod=", &files.mode)] {
        told.extend(value.iter().flat_map(|value| [flag, value]));
    }
    for source in &files.sources {
        told += &match source {
            FileSource::Path(_, path) => format!(" {path}"),
            FileSource::Inline { name, .. } => format!(" <<{name}"),
            FileSource::Fetched { url, .. } => format!(" {url}"),
        };
    }
    format!("{told} {} # buildkit", files.written)
}

/// A layer that does not depend on what is below it (`--link`).
fn linked(
    stage: &mut Stage<'_>,
    step: &ProgramStep<'_>,
    mut key: StepKeyHasher,
    told: String,
    write: impl FnOnce(&mut Pending<'_>) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    key.field("root", &Root::empty().chain());
    key.field("time", &stage.site.time.to_le_bytes());
    let nothing = RootView::default();
    stage.done_once(step, &key.finish(), told, |stage| {
        let mut pending = Pending::over(&nothing);
        write(&mut pending)?;
        stage.keep(pending)
    })
}

/// The words of the instruction, expanded.
fn file_step<'t>(
    stage: &Stage<'_>,
    step: &ProgramStep<'_>,
    copy: &Copy,
    from: FromTree<'t>,
) -> Result<FileStep<'t>, BuildError> {
    let expand = |word: &Spanned<String>| stage.expand(step, &word.value).map(|word| word.text);
    let expand_all = |word: &Option<Spanned<String>>| word.as_ref().map(expand).transpose();
    let instruction = &step.instruction;
    let mut sources = Vec::new();
    for source in &copy.sources {
        let source = expand(source)?;
        sources.push(match place(&source) {
            Place::Local => FileSource::Path(from, source),
            Place::Http => fetched(stage, step, &source, expand_all(&copy.checksum)?)?,
            Place::Git => return Err(stage.site.failed(step.span, refusals::fetches_no_repository(&source))),
        });
    }
    for file in &copy.inline {
        let content = inline(stage, step, file)?;
        sources.push(FileSource::Inline { name: file.name.clone(), content });
    }
    let exclude: Result<Vec<String>, BuildError> = instruction
        .flag("exclude")
        .map(|pattern| stage.expand(step, pattern).map(|pattern| pattern.text))
        .collect();
    let written = expand(&copy.destination)?;
    let unpacks = instruction.flag("unpack").next().map(|_said| instruction.has_switch("unpack"));
    Ok(FileStep {
        unpacks: unpacks.unwrap_or(instruction.keyword == Keyword::Add),
        unpacks_fetched: unpacks.unwrap_or(false),
        sources,
        destination: destination(stage, &written),
        written,
        owner: expand_all(&copy.owner)?,
        mode: expand_all(&copy.mode)?.filter(|mode| !mode.is_empty()),
        exclude: exclude?,
        parents: instruction.has_switch("parents"),
        link: instruction.has_switch("link"),
    })
}

/// A file behind a URL. It is fetched whenever the instruction is looked at: what it holds is part of the key.
fn fetched<'t>(
    stage: &Stage<'_>,
    step: &ProgramStep<'_>,
    url: &str,
    checksum: Option<String>,
) -> Result<FileSource<'t>, BuildError> {
    let site = stage.site;
    let failed = |error: RemoteError| {
        let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
        site.failed(step.span, format!("cannot fetch `{url}`: {error}{help}"))
    };
    let checksum = checksum.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    let checksum = checksum
        .map_err(|_other| site.failed(step.span, "the embedded builder knows checksums of `sha256:` only"))?;
    let name = download::file_name(url).map_err(failed)?;
    let file = tempfile::tempfile_in(&site.workshop.rights.running);
    let mut file = file.map_err(|cause| trouble::of_disk("make a file", &cause))?;
    let wanted = Download { url, checksum, limit: LARGEST_DOWNLOAD };
    let fetched = site.images.remote()?.download(&wanted, &mut file, &|_, _| {}, site.cancellation);
    if site.cancellation.is_cancelled() {
        return Err(BuildError::Cancelled);
    }
    let fetched = fetched.map_err(failed)?;
    let kind = EntryKind::File { size: fetched.size };
    let content = Content::InFile { file: Arc::new(file), offset: 0, size: fetched.size };
    let node = Node { kind, content, ..Node::folder(0o600, Owner::default()) };
    Ok(FileSource::Fetched { name, url: url.to_owned(), identity: fetched.digest.to_string(), node })
}

/// A destination as the working folder makes it. That it is a folder stays to be seen at its end.
fn destination(stage: &Stage<'_>, written: &str) -> String {
    let is_folder = written.is_empty()
        || written.ends_with('/')
        || [".", ".."].contains(&written.rsplit('/').next().unwrap_or_default());
    let path = stage.absolute(written);
    if is_folder && !path.ends_with('/') { format!("{path}/") } else { path }
}

/// What a file that stands in the Dockerfile holds.
fn inline(stage: &Stage<'_>, step: &ProgramStep<'_>, file: &InlineFile) -> Result<Arc<[u8]>, BuildError> {
    if !file.expand {
        return Ok(file.content.as_bytes().into());
    }
    let expanded = stage.site.allowance.expand(Lexer::of_file(), &file.content, &stage.position.scope);
    let expanded = expanded.map_err(|error| stage.site.failed(step.span, error.to_string()))?;
    Ok(expanded.text.into_bytes().into())
}

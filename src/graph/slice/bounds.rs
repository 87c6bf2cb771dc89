//! What a Dockerfile may read, whatever its arguments are and whichever of its stages is wanted.
//!
//! A slice needs a request, and a walk through the stages with all their variables. Who only wants to know
//! whether a target could read a file, or could be based on another target, asks this instead: every
//! source and every name that stands in the file, reached or not.
//!
//! **Invariant:** never narrower than any slice of the file. Where the text alone does not tell, as with a
//! variable in a source or an `ONBUILD`, there are no bounds.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::model::Sources;
use super::sources::Gathered;
use crate::syntax::dockerfile::expansion::is_plain;
use crate::syntax::dockerfile::frontend;
use crate::syntax::dockerfile::mount::{self, MountError, MountKind};
use crate::syntax::dockerfile::skim::{self, Met};
use crate::types::span::{SourceText, Span};

/// The arguments that change how a file is read, or what it reads, though no line of it uses them.
const DECIDING: [&str; 2] = ["BUILDKIT_SYNTAX", "SOURCE_DATE_EPOCH"];

/// Whether a build that is given this argument may read more than [`Bounds`] say.
pub fn decides_what_is_read(argument: &str) -> bool {
    DECIDING.contains(&argument)
}

/// What a Dockerfile may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What it may read of its main context. The places say nothing.
    pub sources: Sources,
    /// What it may be based on, copy from or mount from, as it is written: names of images, of named
    /// contexts and of stages.
    pub names: BTreeSet<String>,
    /// The arguments whose values are names of that kind.
    pub arguments: BTreeSet<String>,
}

/// Whether an image of this name says that it leaves instructions to what is based on it.
pub fn leaves_instructions(name: &str) -> bool {
    name.contains("onbuild")
}

impl Bounds {
    /// The bounds of the Dockerfile that `source` is; `None` where it has mistakes, or its text does not tell
    /// them.
    pub fn of(source: &Arc<SourceText>) -> Option<Self> {
        let (mut read, mut names, mut arguments) = (Gathered::default(), BTreeSet::new(), BTreeSet::new());
        let mut name = |name: &str| {
            if !names.contains(name) {
                names.insert(name.to_owned());
            }
        };
        skim::skim(source, |met| {
            match met {
                Met::Frontend(image) => return frontend::is_known(image).then_some(()),
                Met::Argument(argument) => return (!decides_what_is_read(argument)).then_some(()),
                Met::Base(base) => match variable(base) {
                    Some(argument) => drop(arguments.insert(argument.to_owned())),
                    None => name(plain(base).filter(|base| !leaves_instructions(base))?),
                },
                Met::CopyFrom(from) => name(from),
                Met::Source(source, span) => read.add(plain(source)?, span),
                Met::Mount("", text, span) => read_mount(text, span, &mut read)?,
                Met::Mount(from, ..) => name(from),
                Met::Onbuild => return None,
            }
            Some(())
        })?;
        Some(Self { sources: read.finish(), names, arguments })
    }
}

/// The text, when it means itself with any variables.
fn plain(text: &str) -> Option<&str> {
    is_plain(text, skim::ESCAPE).then_some(text)
}

/// The variable whose value the text is, when it is nothing else.
fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let name = name.strip_prefix('{').map_or(Some(name), |name| name.strip_suffix('}'))?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())).then_some(name)
}

/// What a mount reads of the main context; `None` where its text does not tell.
fn read_mount(text: &str, span: Span, read: &mut Gathered) -> Option<()> {
    let not_plain = || MountError { message: String::new(), help: None };
    let value = |value: &str| plain(value).map(str::to_owned).ok_or_else(not_plain);
    let mount = mount::read(text, value).ok()?;
    if mount.kind == MountKind::Bind {
        read.add(&mount.source, span);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::slice::{self, SliceRequest};
    use crate::syntax::dockerfile;
    use crate::types::sorted_map::SortedMap;
    use crate::types::workspace_path::WorkspacePath;

    fn shown(sources: &Sources) -> String {
        match sources {
            Sources::Nothing => "-".to_owned(),
            Sources::Whole { .. } => ".".to_owned(),
            Sources::Paths(paths) => {
                let paths: Vec<_> =
                    paths.iter().map(|path| String::from_utf8_lossy(&path.pattern).into_owned()).collect();
                paths.join(" ")
            }
        }
    }

    /// The sources and the names of `text`, with the arguments behind them, and that the slice of its last stage
    /// has no others. Each argument is given: its value is its name in lower case.
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let path = WorkspacePath::root().join_name(b"Dockerfile");
        let source = Arc::new(SourceText { path, text: text.to_owned() });
        let bounds = Bounds::of(&source);
        let found = bounds.as_ref().map(|bounds| {
            let arguments = bounds.arguments.iter().map(|argument| format!("${argument}"));
            let names: Vec<String> = bounds.names.iter().cloned().chain(arguments).collect();
            (shown(&bounds.sources), names.join(" "))
        });
        let expected = expected.map(|(sources, names)| (sources.to_owned(), names.to_owned()));
        assert_eq!(found, expected, "{text}");
        let Some(bounds) = bounds else { return };
        let platform = "linux/amd64".parse().unwrap();
        let given = |argument: &String| (argument.clone(), argument.to_lowercase());
        let args: SortedMap<String, String> = bounds.arguments.iter().map(given).collect();
        let contexts = BTreeSet::from(["library".to_owned()]);
        let request = SliceRequest {
            stage: None,
            args: &args,
            platform: &platform,
            build_platform: &platform,
            contexts: &contexts,
        };
        let slice = slice::slice(&dockerfile::parse(&source).unwrap(), &request).unwrap();
        assert!(slice.widened.is_none(), "{text}");
        for reference in &slice.references {
            let is_known =
                bounds.names.contains(&reference.name) || args.values().any(|value| *value == reference.name);
            assert!(is_known, "{text}: {}", reference.name);
        }
        let all = shown(&bounds.sources);
        let all: Vec<&str> = all.split(' ').collect();
        let read = shown(&slice.sources);
        let is_in = |source: &str| all.contains(&source) || all == ["."] || source == "-";
        assert!(read.split(' ').all(is_in), "{text}: {read}");
    }

    #[test]
    fn every_source_and_every_name_counts() {
        check("FROM a:1", Some(("-", "a:1")));
        check("FROM a AS b\nCOPY x y /\nFROM scratch\nCOPY --from=b /o /", Some(("x y", "a b scratch")));
        check(
            "FROM scratch\nADD ./x/../z/*.rs /q/\nCOPY --from=library k /",
            Some(("z/*.rs", "library scratch")),
        );
        check("FROM scratch\nCOPY [\"a b\", \"c\", \"/\"]", Some(("a b c", "scratch")));
        check("FROM scratch\nCOPY . .\nCOPY x /", Some((".", "scratch")));
        check("FROM scratch\nCOPY <<E /x\n$y\nE\n", Some(("-", "scratch")));
        check(
            "FROM a\nRUN --mount=type=bind,source=s,target=/t --mount=src=u,dst=/v,from=w \
             --mount=type=cache,target=/c --mount=type=secret,id=x true",
            Some(("s", "a w")),
        );
        check("FROM a\nRUN --mount=type=bind,target=/t true", Some((".", "a")));
        check("FROM a\nARG X=$Y\nENV Z=$X\nRUN echo $X", Some(("-", "a")));
        check("# syntax=docker/dockerfile:1\nFROM a", Some(("-", "a")));
        check(
            "ARG A=x\nARG B\nFROM $B AS b\nCOPY x /\nFROM ${A}\nCOPY --from=b /y /",
            Some(("x", "b $A $B")),
        );
    }

    #[test]
    fn where_the_text_does_not_tell_there_are_none() {
        for text in [
            "ARG A=a\nFROM $A/b",
            "ARG A=a\nFROM ${A}b",
            "ARG A=a\nFROM ${A:-b} AS c\nFROM d",
            "FROM a:1-onbuild",
            "FROM a\nONBUILD COPY . .",
            "FROM a\nARG X\nCOPY $X /",
            "FROM a\nCOPY \"x\" /",
            "FROM a\nCOPY x\\ y /",
            "# escape=`\nFROM a\nCOPY x`y /",
            "FROM a\nADD [\"$x\", \"/\"]",
            "FROM a\nARG X\nRUN --mount=source=$X,target=/t true",
            "FROM a\nARG X\nRUN --mount=type=$X,target=/t true",
            "FROM a\nARG SOURCE_DATE_EPOCH=x",
            "ARG BUILDKIT_SYNTAX=x\nFROM a",
            "# syntax=acme/frontend\nFROM a",
            "FROM a\nCOPY x",
            "ARG A",
        ] {
            check(text, None);
        }
    }
}

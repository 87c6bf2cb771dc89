//! What `--output` says: `oci:DIR`, `oci-tar:FILE`, `docker-tar:FILE`, or the same in long, as
//! `type=oci,dest=DIR,compression=zstd`.

use std::path::PathBuf;
use std::str::FromStr;

use crate::oci::layers::compression::Compression;
use crate::types::diagnostic::nearest;

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// An OCI image layout: a folder. What is in it already stays.
    OciFolder,
    /// An OCI image layout in a tar.
    OciTar,
    /// A tar that every Docker Engine loads, which is an OCI image layout besides.
    DockerTar,
}

impl OutputKind {
    const ALL: [Self; 3] = [Self::OciFolder, Self::OciTar, Self::DockerTar];

    /// Its name in an option.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OciFolder => "oci",
            Self::OciTar => "oci-tar",
            Self::DockerTar => "docker-tar",
        }
    }
}

/// Where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputPlace {
    /// A path, as it was written.
    Path(PathBuf),
    /// `-`: the standard output, which the command line opens.
    Standard,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    /// What is made.
    pub kind: OutputKind,
    /// Where it goes.
    pub place: OutputPlace,
    /// How layers are compressed; `None` leaves them as they are stored.
    pub compression: Option<Compression>,
}

/// Why a text is no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputSpecError {
    /// Neither form.
    #[error("`{0}` is not an output: expected TYPE:PATH or type=TYPE,dest=PATH")]
    Form(String),
    /// An unknown word, and what it could have been.
    #[error("`{word}` is not {what}: {}", meant(*near, known))]
    Word {
        /// What was written.
        word: String,
        /// What was expected: `a type of output` …
        what: &'static str,
        /// The nearest of those that are known.
        near: Option<&'static str>,
        /// All that are known.
        known: &'static str,
    },
    /// A key twice, or none where one is needed.
    #[error("`{key}` {problem} in `{text}`")]
    Key {
        /// The key.
        key: &'static str,
        /// `is missing`, `is given twice`, `is empty`
        problem: &'static str,
        /// The whole text.
        text: String,
    },
    /// `oci:-`.
    #[error("`{0}` is a folder, which cannot go to the standard output; `oci-tar:-` can")]
    StandardFolder(String),
}

const TYPES: &str = "oci, oci-tar or docker-tar";
const KEYS: &str = "type, dest or compression";
const COMPRESSIONS: &str = "none, gzip or zstd";

fn meant(near: Option<&str>, known: &str) -> String {
    near.map_or_else(|| format!("expected {known}"), |near| format!("did you mean `{near}`?"))
}

impl FromStr for OutputSpec {
    type Err = OutputSpecError;

    fn from_str(text: &str) -> Result<Self, OutputSpecError> {
        let spec = match text.find([':', '=']) {
            Some(at) if text.as_bytes()[at] == b'=' => long(text)?,
            Some(at) => short(text, &text[..at], &text[at + 1..])?,
            None => return Err(OutputSpecError::Form(text.to_owned())),
        };
        match (spec.kind, &spec.place) {
            (OutputKind::OciFolder, OutputPlace::Standard) => {
                Err(OutputSpecError::StandardFolder(text.to_owned()))
            }
            _ => Ok(spec),
        }
    }
}

fn short(text: &str, kind: &str, path: &str) -> Result<OutputSpec, OutputSpecError> {
    Ok(OutputSpec { kind: kind_of(kind)?, place: place_of(path, text)?, compression: None })
}

fn long(text: &str) -> Result<OutputSpec, OutputSpecError> {
    let [mut kind, mut dest, mut compression] = [None; 3];
    for field in text.split(',') {
        let (key, value) = field.split_once('=').ok_or_else(|| OutputSpecError::Form(text.to_owned()))?;
        let (name, slot) = match key {
            "type" => ("type", &mut kind),
            "dest" => ("dest", &mut dest),
            "compression" => ("compression", &mut compression),
            _ => return Err(unknown(key, "a key of an output", &["type", "dest", "compression"], KEYS)),
        };
        if slot.replace(value).is_some() {
            return Err(problem(name, "is given twice", text));
        }
    }
    Ok(OutputSpec {
        kind: kind_of(kind.ok_or_else(|| problem("type", "is missing", text))?)?,
        place: place_of(dest.ok_or_else(|| problem("dest", "is missing", text))?, text)?,
        compression: compression.map(compression_of).transpose()?,
    })
}

fn kind_of(word: &str) -> Result<OutputKind, OutputSpecError> {
    let known = OutputKind::ALL.map(OutputKind::name);
    let found = OutputKind::ALL.into_iter().find(|kind| kind.name() == word);
    found.ok_or_else(|| unknown(word, "a type of output", &known, TYPES))
}

fn compression_of(word: &str) -> Result<Compression, OutputSpecError> {
    let all = [Compression::None, Compression::Gzip, Compression::Zstd];
    let found = all.into_iter().find(|compression| compression.name() == word);
    found.ok_or_else(|| unknown(word, "a compression", &all.map(Compression::name), COMPRESSIONS))
}

fn place_of(path: &str, text: &str) -> Result<OutputPlace, OutputSpecError> {
    match path {
        "" => Err(problem("dest", "is empty", text)),
        "-" => Ok(OutputPlace::Standard),
        path => Ok(OutputPlace::Path(path.into())),
    }
}

fn unknown(
    word: &str,
    what: &'static str,
    candidates: &[&'static str],
    known: &'static str,
) -> OutputSpecError {
    OutputSpecError::Word {
        word: word.to_owned(),
        what,
        near: nearest(word, candidates.iter().copied()),
        known,
    }
}

fn problem(key: &'static str, problem: &'static str, text: &str) -> OutputSpecError {
    OutputSpecError::Key { key, problem, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read() {
        let check = |text: &str, kind, place: &str, compression| {
            let place = if place == "-" { OutputPlace::Standard } else { OutputPlace::Path(place.into()) };
            assert_eq!(text.parse(), Ok(OutputSpec { kind, place, compression }), "{text}");
        };
        check("oci:out", OutputKind::OciFolder, "out", None);
        check("oci-tar:/a/b=c,d.tar", OutputKind::OciTar, "/a/b=c,d.tar", None);
        check("docker-tar:-", OutputKind::DockerTar, "-", None);
        check("docker-tar:a:b", OutputKind::DockerTar, "a:b", None);
        check("type=oci,dest=out", OutputKind::OciFolder, "out", None);
        check("dest=x:y,type=oci-tar,compression=zstd", OutputKind::OciTar, "x:y", Some(Compression::Zstd));
        check("type=docker-tar,dest=-,compression=none", OutputKind::DockerTar, "-", Some(Compression::None));
    }

    #[test]
    fn what_is_none_is_refused_in_words() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<OutputSpec>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("", "expected TYPE:PATH");
        check("out", "expected TYPE:PATH");
        check("oic:out", "did you mean `oci`?");
        check("docker:out", "`docker` is not a type of output");
        check("registry:out", "expected oci, oci-tar or docker-tar");
        check("type=docker-tra,dest=x", "did you mean `docker-tar`?");
        check("oci:", "`dest` is empty");
        check("oci:-", "`oci-tar:-` can");
        check("type=oci", "`dest` is missing");
        check("dest=x", "`type` is missing");
        check("type=oci,type=oci,dest=x", "`type` is given twice");
        check("type=oci,dst=x", "did you mean `dest`?");
        check("type=oci,dest=x,compression=gz", "is not a compression");
        check("type=oci,dest=x,", "expected TYPE:PATH");
    }
}

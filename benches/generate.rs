//! Makes a workspace of any size, to look at or to measure on.
//!
//! ```text
//! cargo bench --bench generate -- DIR [--shape SHAPE] [--services N] [--files N] [--targets N]
//!                                     [--bytes N] [--seed N] [--commit]
//! ```
//!
//! The shapes:
//!
//! - `services`: a monorepo of N services with N files each. The shape when none is asked for.
//! - `one-context`: N targets that copy one root context of N files.
//! - `bare`: N services (folders) of N targets each, and no files.
//! - `copies`: N targets that copy one file each, and a `docker-bake.hcl` for the same.
//!
//! It is among the benches because that is where it is wanted, and measures nothing itself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

#[path = "../tests/support/extremes.rs"]
mod extremes;
#[path = "../tests/support/monorepo.rs"]
mod monorepo;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use extremes::Shape;

const USAGE: &str = "usage: cargo bench --bench generate -- \
                     DIR [--shape services|one-context|bare|copies] [--services N] [--files N] \
                     [--targets N] [--bytes N] [--seed N] [--commit]";

fn main() -> ExitCode {
    // Cargo itself adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.is_empty() {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let made = Request::parse(&words).and_then(|request| {
        request.generate().map_err(|cause| format!("{}: {cause}", request.folder.display()))
    });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// What was typed.
struct Request {
    folder: PathBuf,
    /// `None`: services.
    shape: Option<Shape>,
    options: monorepo::Options,
    targets: usize,
}

impl Request {
    fn parse(words: &[String]) -> Result<Self, String> {
        let (mut folder, mut options) = (None, monorepo::Options::default());
        let (mut shape, mut targets) = (None, 10);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--shape" => shape = shape_named(words.next())?,
                "--services" => options.services = number(word, words.next())?,
                "--files" => options.files_per_service = number(word, words.next())?,
                "--targets" => targets = number(word, words.next())?,
                "--bytes" => options.mean_file_bytes = number(word, words.next())?,
                "--seed" => options.seed = number(word, words.next())? as u64,
                "--commit" => options.commit = true,
                _ if word.starts_with('-') || folder.is_some() => return Err(USAGE.to_owned()),
                _ => folder = Some(PathBuf::from(word)),
            }
        }
        Ok(Self { folder: folder.ok_or(USAGE)?, shape, options, targets })
    }

    fn generate(&self) -> io::Result<()> {
        let (root, options): (&Path, _) = (&self.folder, &self.options);
        let Some(shape) = self.shape else { return monorepo::generate(root, options) };
        let extreme = extremes::Options {
            shape,
            targets: self.targets,
            folders: options.services,
            files: options.files_per_service,
            mean_file_bytes: options.mean_file_bytes,
            seed: options.seed,
            commit: options.commit,
        };
        extremes::generate(root, &extreme)
    }
}

fn number(option: &str, word: Option<&String>) -> Result<usize, String> {
    let number = word.and_then(|text| text.parse::<usize>().ok());
    number.ok_or_else(|| format!("{option} needs a number\n{USAGE}"))
}

fn shape_named(word: Option<&String>) -> Result<Option<Shape>, String> {
    match word.map(String::as_str) {
        Some("services") => Ok(None),
        Some("one-context") => Ok(Some(Shape::OneContext)),
        Some("bare") => Ok(Some(Shape::Bare)),
        Some("copies") => Ok(Some(Shape::Copies)),
        _ => Err(format!("--shape needs one of four words\n{USAGE}")),
    }
}

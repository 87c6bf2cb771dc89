//! Makes a monorepo of any size, to look at or to measure on.
//!
//! ```text
//! cargo bench --bench generate -- DIR [--services N] [--files N] [--bytes N] [--seed N] [--commit]
//! ```
//!
//! It is among the benches because that is where it is wanted, and measures nothing itself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

#[path = "../tests/support/monorepo.rs"]
mod monorepo;

use std::path::PathBuf;
use std::process::ExitCode;

use monorepo::Options;

const USAGE: &str = "usage: cargo bench --bench generate -- \
                     DIR [--services N] [--files N] [--bytes N] [--seed N] [--commit]";

fn main() -> ExitCode {
    // Cargo itself adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.is_empty() {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let made = parse(&words).and_then(|(folder, options)| {
        monorepo::generate(&folder, &options).map_err(|cause| format!("{}: {cause}", folder.display()))
    });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<(PathBuf, Options), String> {
    let (mut folder, mut options) = (None, Options::default());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|text| text.parse::<usize>().ok());
            number.ok_or_else(|| format!("{word} needs a number\n{USAGE}"))
        };
        match word.as_str() {
            "--services" => options.services = number()?,
            "--files" => options.files_per_service = number()?,
            "--bytes" => options.mean_file_bytes = number()?,
            "--seed" => options.seed = number()? as u64,
            "--commit" => options.commit = true,
            _ if word.starts_with('-') || folder.is_some() => return Err(USAGE.to_owned()),
            _ => folder = Some(PathBuf::from(word)),
        }
    }
    Ok((folder.ok_or(USAGE)?, options))
}

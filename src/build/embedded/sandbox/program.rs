//! Finding the program in the root, and becoming it.
//!
//! It is done by hand what `execvp` does: that would run a file without a header through a shell, would sort
//! the environment, and would not tell a missing program from a missing interpreter. A container engine tells
//! them apart by codes: 127 when there is no such program, 126 when it cannot be run.

use std::ffi::{CString, NulError};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, execve};

use super::outcome::Outcome;

const NOT_FOUND: i32 = 127;
const CANNOT_RUN: i32 = 126;

/// Becomes `args[0]`, which is looked for from the current folder. Returns only when that fails.
pub(super) fn run(args: &[String], env: &[String]) -> Outcome {
    let (Ok(words), Ok(variables)) = (all_c(args), all_c(env)) else {
        return not_started("the command or its environment holds a byte of value 0", None, CANNOT_RUN);
    };
    let Some(name) = args.first().filter(|name| !name.is_empty()) else {
        return not_started("there is no command to run", None, NOT_FOUND);
    };
    let program = match find(name, env) {
        Ok(program) => program,
        Err(outcome) => return outcome,
    };
    let Ok(path) = CString::new(program.to_string_lossy().as_bytes()) else {
        return not_started("the program's path holds a byte of value 0", None, CANNOT_RUN);
    };
    match execve(&path, &words, &variables) {
        Err(errno) => why(name, &program, errno),
        Ok(never) => match never {},
    }
}

fn all_c(texts: &[String]) -> Result<Vec<CString>, NulError> {
    texts.iter().map(|text| CString::new(text.as_bytes())).collect()
}

fn not_started(message: impl Into<String>, help: Option<String>, exit_code: i32) -> Outcome {
    Outcome::NotStarted { message: message.into(), help, exit_code }
}

fn find(name: &str, env: &[String]) -> Result<PathBuf, Outcome> {
    if name.contains('/') {
        return match fs::metadata(name) {
            Ok(found) if found.is_dir() => {
                Err(not_started(format!("`{name}` is a folder, not a program"), None, CANNOT_RUN))
            }
            Ok(_) => Ok(PathBuf::from(name)),
            Err(_) => Err(missing(name)),
        };
    }
    let path = env.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or_default();
    let places =
        path.split(':').filter(|folder| !folder.is_empty()).map(|folder| Path::new(folder).join(name));
    let mut files = places.filter(|place| place.is_file());
    files.find(|place| access(place, AccessFlags::X_OK).is_ok()).ok_or_else(|| {
        let message = format!("`{name}` is not found in PATH, which is `{path}`");
        let help = "install it in an earlier RUN, or name it by its whole path".to_owned();
        not_started(message, Some(help), NOT_FOUND)
    })
}

fn missing(name: &str) -> Outcome {
    let shell = ["/bin/sh", "/bin/bash", "/bin/ash"].contains(&name);
    let help = if shell {
        "the image has no shell: write RUN in its JSON form with a program that the image has, or begin with a base \
         that has a shell"
    } else {
        "is it copied into the image before, under this path?"
    };
    not_started(format!("`{name}` is not in the image"), Some(help.to_owned()), NOT_FOUND)
}

fn why(name: &str, program: &Path, errno: Errno) -> Outcome {
    match errno {
        Errno::ENOENT => {
            let what = interpreter(program).map_or_else(
                || "the loader that it needs is not in the image".to_owned(),
                |interpreter| format!("its interpreter `{interpreter}` is not in the image"),
            );
            let help = "a program that is linked dynamically needs its loader and libraries in the image; a script \
                        needs the interpreter of its first line";
            not_started(format!("`{name}` cannot be run: {what}"), Some(help.to_owned()), NOT_FOUND)
        }
        Errno::EACCES => not_started(
            format!("`{name}` cannot be run: permission denied"),
            Some(
                "does it have the x permission for the user of the step? COPY --chmod=755 gives it"
                    .to_owned(),
            ),
            CANNOT_RUN,
        ),
        Errno::ENOEXEC => not_started(
            format!(
                "`{name}` cannot be run: it is no program of this platform, and no script with a `#!` line"
            ),
            Some("is the base image of this machine's platform?".to_owned()),
            CANNOT_RUN,
        ),
        other => not_started(format!("`{name}` cannot be run: {}", other.desc()), None, CANNOT_RUN),
    }
}

/// The interpreter in the first line of a script.
fn interpreter(program: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(program).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    line.split_whitespace().next().map(str::to_owned)
}

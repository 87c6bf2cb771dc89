//! A secret's value is in the memory of whoever needs it, and nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::place::Place;

const VALUE: &str = "hush-5e1f3a-not-to-be-told";

/// Uses both secrets while somebody looks, prints one, and fails or not.
const DOCKERFILE: &str = r#"FROM busybox:1.36
RUN --mount=type=secret,id=one --mount=type=secret,id=two,env=TWO \
    cat /run/secrets/one; echo "$TWO" >&2; test -n "$TWO" && sleep 1
RUN --mount=type=secret,id=one,target=/etc/one cmp -s /etc/one /missing || echo different
"#;

/// The files below `folder` that have `value` in them.
fn tellers(folder: &Path, value: &[u8]) -> Vec<PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(path) = waiting.pop() {
        let seen = fs::symlink_metadata(&path).unwrap();
        if seen.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if seen.is_file() && has(&fs::read(&path).unwrap(), value) {
            found.push(path);
        }
    }
    found
}

fn has(bytes: &[u8], value: &[u8]) -> bool {
    bytes.windows(value.len()).any(|window| window == value)
}

fn has_value(bytes: &[u8]) -> bool {
    has(bytes, VALUE.as_bytes())
}

/// The processes whose words have the value in them, and those whose environment has: `FILE of WORDS`. One that ends
/// or becomes another program between the reads is left for the next look, since nobody could say whose it was.
fn telling_processes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for process in fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()) {
        let read = |file: &str| fs::read(process.join(file)).unwrap_or_default();
        let words = read("cmdline");
        let has_it = [("cmdline", has_value(&words)), ("environ", has_value(&read("environ")))];
        if read("cmdline") == words {
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            found.extend(has_it.iter().filter(|it| it.1).map(|it| format!("{} of {words}", it.0)));
        }
    }
    found
}

fn check(last: &str, is_success: bool) {
    let place = Place::new();
    place.write("Dockerfile", format!("{DOCKERFILE}{last}"));
    place.write("secret.txt", "");
    let secret = place.folder().join("secret.txt");
    fs::write(&secret, VALUE).unwrap();
    place.write(
        "BUILD.toml",
        format!(
            "[workspace]\nname = \"proof\"\n[image.it]\ncontext = \".\"\ndockerfile = \"Dockerfile\"\n\
             secrets = [{{ id = \"one\", file = {secret:?} }}, {{ id = \"two\", env = \"THE_SECOND\" }}]\n"
        ),
    );
    let mut command =
        place.imgraph(["build", "--progress", "plain", "--format", "json", "--events", "events", "//:it"]);
    command.env("THE_SECOND", VALUE).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut build = command.spawn().unwrap();
    let mut told = BTreeSet::new();
    while build.try_wait().unwrap().is_none() {
        told.extend(telling_processes());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let mut said = Vec::new();
    build.stdout.take().unwrap().read_to_end(&mut said).unwrap();
    build.stderr.take().unwrap().read_to_end(&mut said).unwrap();
    let text = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(build.wait().unwrap().success(), is_success, "{text}");
    let logs = tellers(&place.cache().join("v1/logs"), b"***");
    assert!(!logs.is_empty(), "the command said nothing: {text}");
    assert!(!has_value(&said), "{text}");
    fs::remove_file(&secret).unwrap();
    assert_eq!(tellers(place.folder(), VALUE.as_bytes()), Vec::<PathBuf>::new());
    // Who was given it in the environment has it there: the program by its user, the command by its mount, and what
    // the command starts.
    let is_given = |told: &String| {
        told.starts_with("environ of ") && (told.contains("--builder embedded") || told.contains("$TWO"))
            || ["environ of sleep ", "environ of cat "].iter().any(|child| told.starts_with(child))
    };
    let others: Vec<&String> = told.iter().filter(|told| !is_given(told)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(!told.is_empty(), "nobody was seen who has it");
}

#[test]
fn secrets_are_not_kept() {
    check("", true);
}

#[test]
fn secrets_are_not_kept_of_a_build_that_fails() {
    check("RUN --mount=type=secret,id=one cat /run/secrets/one; false\n", false);
}

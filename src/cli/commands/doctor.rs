//! `imgraph doctor`: what builds here and what does not, each with its cure.
//!
//! Nothing is guessed: the engine is asked, sandboxes are made, a file is written into the cache. It needs no
//! workspace.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::build::builder::{BuildError, Builder};
use crate::cli::arguments::{self, Format};
use crate::cli::builder_choice::{BuilderChoice, NoBuilder};
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::types::environment::Environment;

/// One thing that was looked at.
struct Finding {
    name: String,
    ok: bool,
    detail: String,
    cure: Option<String>,
}

impl Finding {
    fn good(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), ok: true, detail: detail.into(), cure: None }
    }

    fn bad(name: &str, detail: impl Into<String>, cure: Option<String>) -> Self {
        Self { name: name.to_owned(), ok: false, detail: detail.into(), cure }
    }
}

/// The findings, and the family of the builder that would be used.
struct Report {
    findings: Vec<Finding>,
    builder: Option<&'static str>,
}

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Doctor) -> Result<Exit, Exit> {
    let report = examine(session);
    terminal::result(&match arguments.format {
        Format::Json => json_text(&report),
        Format::Text => text(&report),
    })?;
    Ok(if report.builder.is_some() { Exit::Done } else { Exit::Surroundings })
}

fn examine(session: &Session) -> Report {
    let docker = engine(session);
    let place = session.cache_place();
    let (embedded, embedded_works) = embedded(place.as_deref());
    let choice = session.builder_choice();
    let docker_is_taken = docker.ok && choice != BuilderChoice::Embedded;
    let embedded_is_taken = embedded_works && choice != BuilderChoice::Docker;
    let builder = match (docker_is_taken, embedded_is_taken) {
        (true, _) => Some("docker"),
        (false, true) => Some("embedded"),
        (false, false) => None,
    };
    let mut findings = vec![docker];
    findings.extend(embedded);
    findings.push(cache(place.as_deref()));
    findings.push(git());
    findings.extend(credential_helpers(&session.environment));
    Report { findings, builder }
}

fn engine(session: &Session) -> Finding {
    match session.engine().docker() {
        Ok(builder) => Finding::good("docker", builder.description()),
        Err(NoBuilder::Address(error)) => Finding::bad("docker", error.to_string(), None),
        Err(NoBuilder::Builder(error)) => {
            let cure = match &error {
                BuildError::Surroundings { help, .. } => help.clone(),
                _ => None,
            };
            Finding::bad("docker", error.to_string(), cure)
        }
    }
}

/// The findings about the embedded builder, and whether it works.
#[cfg(target_os = "linux")]
fn embedded(cache: Option<&Path>) -> (Vec<Finding>, bool) {
    use crate::build::embedded::sandbox::{Probe, Sandbox, probes};
    let folder = cache.map_or_else(std::env::temp_dir, Path::to_path_buf).join("embedded/running");
    let probes = probes(&Sandbox::default(), &folder);
    let works = probes.iter().any(|probe| probe.name == "sandbox" && probe.ok);
    let finding = |probe: Probe| {
        let Probe { name, ok, detail, cure } = probe;
        Finding { name: name.to_owned(), ok, detail, cure }
    };
    (probes.into_iter().map(finding).collect(), works)
}

/// Sandboxes are made of what Linux has.
#[cfg(not(target_os = "linux"))]
fn embedded(_cache: Option<&Path>) -> (Vec<Finding>, bool) {
    (vec![Finding::bad("sandbox", "the embedded builder runs on Linux only", None)], false)
}

fn cache(place: Option<&Path>) -> Finding {
    let cure = || Some("name another folder with --cache-dir or IMGRAPH_CACHE_DIR".to_owned());
    let Some(place) = place else {
        return Finding::bad("cache", "there is no place for it: HOME is not set", cure());
    };
    let writes = || {
        std::fs::create_dir_all(place)?;
        tempfile::tempfile_in(place)
    };
    match writes() {
        Ok(_written) => Finding::good("cache", format!("{} can be written to", place.display())),
        Err(error) => Finding::bad("cache", format!("cannot write to {}: {error}", place.display()), cure()),
    }
}

fn git() -> Finding {
    let cure = || Some("install git: `affected`, `--base` and stamps need it".to_owned());
    match Command::new("git").arg("--version").output() {
        Ok(output) if output.status.success() => {
            Finding::good("git", String::from_utf8_lossy(&output.stdout).trim())
        }
        Ok(output) => Finding::bad("git", String::from_utf8_lossy(&output.stderr).trim(), cure()),
        Err(error) => Finding::bad("git", format!("cannot run git: {error}"), cure()),
    }
}

/// The helpers that Docker's configuration names, each with whether it is there.
fn credential_helpers(environment: &Environment) -> Vec<Finding> {
    let folder = environment.get("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let Some(folder) = folder.or_else(|| Some(Path::new(environment.get("HOME")?).join(".docker"))) else {
        return Vec::new();
    };
    let file = folder.join("config.json");
    let text = match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            let cure = Some("make it readable, or set DOCKER_CONFIG to another folder".to_owned());
            return vec![Finding::bad(
                "credentials",
                format!("cannot read {}: {error}", file.display()),
                cure,
            )];
        }
        Ok(text) => text,
    };
    match named_helpers(&text) {
        Err(error) => {
            let cure = Some("put its JSON right, or set DOCKER_CONFIG to another folder".to_owned());
            vec![Finding::bad("credentials", format!("{}: {error}", file.display()), cure)]
        }
        Ok(names) => names.iter().map(|name| helper(name, &file, environment)).collect(),
    }
}

fn named_helpers(text: &str) -> Result<BTreeSet<String>, serde_json::Error> {
    let configuration: serde_json::Value = serde_json::from_str(text)?;
    let of_registries = configuration["credHelpers"].as_object().into_iter().flat_map(|map| map.values());
    let named = of_registries.chain([&configuration["credsStore"]]).filter_map(|name| name.as_str());
    Ok(named.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn helper(name: &str, file: &Path, environment: &Environment) -> Finding {
    let program = format!("docker-credential-{name}");
    let path = environment.get("PATH").unwrap_or_default();
    match std::env::split_paths(path).map(|folder| folder.join(&program)).find(|place| place.is_file()) {
        Some(place) => Finding::good("credentials", place.display().to_string()),
        None => Finding::bad(
            "credentials",
            format!("{} names `{program}`, which is not on PATH", file.display()),
            Some("install it, or take its name out of that file".to_owned()),
        ),
    }
}

fn json_text(report: &Report) -> String {
    let finding = |finding: &Finding| {
        let Finding { name, ok, detail, cure } = finding;
        json!({ "name": name, "ok": ok, "detail": detail, "cure": cure })
    };
    let probes: Vec<_> = report.findings.iter().map(finding).collect();
    format!("{:#}\n", json!({ "schema": 1, "builder": report.builder, "probes": probes }))
}

fn text(report: &Report) -> String {
    let width = report.findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { name, ok, detail, cure } in &report.findings {
        let mark = if *ok { "ok" } else { "no" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark}  {name:width$}  {}", detail.replace('\n', " "));
        if let Some(cure) = cure {
            let _ = writeln!(text, "{:1$}cure: {cure}", "", width + 6);
        }
    }
    text.push_str(match report.builder {
        Some("docker") => "\nimages are built with Docker Engine\n",
        Some(_) => "\nimages are built with the embedded builder, as no Docker Engine answers\n",
        None => "\nno builder works here\n",
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_told_with_their_cures() {
        let findings = || {
            let cure = "start Docker Engine, or set DOCKER_HOST to where it listens";
            vec![
                Finding::bad("docker", "cannot reach Docker Engine at unix:///no", Some(cure.to_owned())),
                Finding::good("kernel", "Linux 6.1.0 on x86_64"),
                Finding::bad("credentials", "a line\nand another", None),
            ]
        };
        let mut shown = String::new();
        for builder in [Some("docker"), Some("embedded"), None] {
            shown.push_str(&text(&Report { findings: findings(), builder }));
            shown.push('\n');
        }
        shown.push_str(&json_text(&Report { findings: findings(), builder: None }));
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn helpers_are_those_that_the_configuration_names() {
        let check = |text: &str, expected: &[&str]| {
            let found = named_helpers(text).unwrap();
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
        };
        check("{}", &[]);
        check("[]", &[]);
        check(r#"{"credsStore":"pass"}"#, &["pass"]);
        check(
            r#"{"credsStore":"","credHelpers":{"a":"gcr","b":"ecr-login","c":"gcr","d":7}}"#,
            &["ecr-login", "gcr"],
        );
        assert!(named_helpers("{").is_err());
    }
}

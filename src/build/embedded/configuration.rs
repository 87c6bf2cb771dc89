//! Instructions that change an image's configuration alone (BuildKit's `dispatch…` of `convert.go`).

use std::collections::BTreeMap;

use super::history;
use crate::oci::image_config::{ContainerConfig, Empty, Healthcheck, History, ImageConfig};
use crate::syntax::dockerfile::go_numbers;
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{CommandLine, Instruction};

/// The shell of the shell forms where nothing says another.
const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// The configuration of an image in the making.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// What will be written.
    pub image: ImageConfig,
    /// Whether the stage itself said `CMD`: an `ENTRYPOINT` takes away only that of a base.
    has_cmd: bool,
}

impl Configuration {
    /// Goes on from the configuration of a base.
    pub fn on(base: ImageConfig) -> Self {
        Self { image: base, has_cmd: false }
    }

    /// That of a stage based on this one.
    pub fn child(&self) -> Self {
        let mut child = Self::on(self.image.clone());
        child.config().on_build = None;
        child
    }

    fn config(&mut self) -> &mut ContainerConfig {
        &mut self.image.config
    }

    /// A command as it is run.
    pub fn command(&self, line: CommandLine) -> Vec<String> {
        match line {
            CommandLine::Exec(words) => words,
            CommandLine::Shell(text) => self.shell().into_iter().chain([text]).collect(),
        }
    }

    /// The shell of the shell forms.
    pub fn shell(&self) -> Vec<String> {
        let own = self.image.config.shell.as_ref().filter(|shell| !shell.is_empty());
        own.cloned().unwrap_or_else(|| DEFAULT_SHELL.map(str::to_owned).to_vec())
    }

    /// The folder in which commands are run.
    pub fn folder(&self) -> &str {
        if self.image.config.working_dir.is_empty() { "/" } else { &self.image.config.working_dir }
    }

    /// `CMD`, `ENTRYPOINT`, `SHELL`, `HEALTHCHECK` and `MAINTAINER`: what needs no variables. Gives the line of
    /// the history.
    pub fn apply(&mut self, instruction: &Instruction) -> String {
        let told = match instruction.keyword {
            Keyword::Cmd => {
                self.has_cmd = true;
                let command = self.command(CommandLine::of(&instruction.arguments));
                let told = history::quoted_list(&command);
                self.config().cmd = Some(command).filter(|command| !command.is_empty());
                self.config().args_escaped = true;
                told
            }
            Keyword::Entrypoint => {
                let command = self.command(CommandLine::of(&instruction.arguments));
                let told = history::quoted_list(&command);
                self.config().entrypoint = Some(command).filter(|command| !command.is_empty());
                if !self.has_cmd {
                    self.config().cmd = None;
                }
                told
            }
            Keyword::Shell => match CommandLine::of(&instruction.arguments) {
                CommandLine::Exec(words) => {
                    let told = format!("[{}]", words.join(" "));
                    self.config().shell = Some(words);
                    told
                }
                CommandLine::Shell(text) => text,
            },
            Keyword::Healthcheck => self.health(instruction),
            Keyword::Maintainer => {
                self.image.others.insert("author".to_owned(), instruction.arguments.clone().into());
                instruction.arguments.clone()
            }
            _ => instruction.arguments.clone(),
        };
        format!("{} {told}", instruction.keyword)
    }

    fn health(&mut self, instruction: &Instruction) -> String {
        let (kind, line) =
            instruction.arguments.split_once(' ').unwrap_or((instruction.arguments.as_str(), ""));
        if kind.eq_ignore_ascii_case("none") {
            let test = Some(vec!["NONE".to_owned()]);
            return self.set_health(Healthcheck { test, ..Healthcheck::default() });
        }
        let test = match CommandLine::of(line) {
            CommandLine::Exec(words) => [vec!["CMD".to_owned()], words].concat(),
            CommandLine::Shell(text) => vec!["CMD-SHELL".to_owned(), text],
        };
        // What is no time and no number was refused with the file.
        let flag = |name| instruction.flag(name).next().filter(|value| !value.is_empty());
        let time = |name| {
            let time = flag(name).and_then(go_numbers::duration);
            time.and_then(|time| i64::try_from(time).ok()).unwrap_or_default()
        };
        self.set_health(Healthcheck {
            test: Some(test),
            interval: time("interval"),
            timeout: time("timeout"),
            start_period: time("start-period"),
            start_interval: time("start-interval"),
            retries: flag("retries").and_then(go_numbers::integer).unwrap_or_default(),
        })
    }

    fn set_health(&mut self, check: Healthcheck) -> String {
        let test = history::quoted_list(check.test.as_deref().unwrap_or_default());
        let times = [check.interval, check.timeout, check.start_period, check.start_interval];
        let times = times.map(|time| format!("\"{}\"", history::duration(time))).join(" ");
        let told = format!("&{{{test} {times} {}}}", history::quoted_number(check.retries));
        self.config().healthcheck = Some(check);
        told
    }

    /// `ENV name=value`.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let env = self.config().env.get_or_insert_default();
        let is_own = |pair: &&mut String| pair.split('=').next() == Some(name);
        let pair = format!("{name}={value}");
        match env.iter_mut().find(is_own) {
            Some(own) => *own = pair,
            None => env.push(pair),
        }
    }

    /// `LABEL name=value`.
    pub fn set_label(&mut self, name: &str, value: &str) {
        self.config().labels.get_or_insert_default().insert(name.to_owned(), value.to_owned());
    }

    /// `EXPOSE`, one word of it: `[ip:][host:]port[-port][/protocol]`. Gives the ports.
    pub fn expose(&mut self, word: &str) -> Vec<String> {
        let inside = word.rsplit(':').next().unwrap_or(word);
        let (range, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
        let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_lowercase() };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        // What is no port was refused with the slice.
        let port = |text: &str| go_numbers::integer(text).unwrap_or_default();
        let ports: Vec<String> =
            (port(first)..=port(last)).map(|port| format!("{port}/{protocol}")).collect();
        let exposed = self.config().exposed_ports.get_or_insert_default();
        exposed.extend(ports.iter().map(|port| (port.clone(), Empty {})));
        ports
    }

    /// `VOLUME`, one word of it.
    pub fn add_volume(&mut self, path: &str) {
        self.config().volumes.get_or_insert_default().insert(path.to_owned(), Empty {});
    }

    /// `ONBUILD`.
    pub fn add_trigger(&mut self, text: &str) {
        self.config().on_build.get_or_insert_default().push(text.to_owned());
    }

    /// Adds a step to the history.
    pub fn remember(&mut self, created_by: String, created: &str, empty_layer: bool) {
        let author = self.image.others.get("author").and_then(|author| author.as_str()).map(str::to_owned);
        self.image.history.push(History {
            created: Some(created.to_owned()),
            author,
            created_by: Some(created_by),
            comment: Some("buildkit.dockerfile.v0".to_owned()),
            empty_layer,
        });
    }

    /// Labels that the build is given beside the Dockerfile.
    pub fn add_labels(&mut self, labels: &BTreeMap<String, String>) {
        labels.iter().for_each(|(name, value)| self.set_label(name, value));
    }
}

//! The variables that the instructions of a stage see.
//!
//! BuildKit keeps two lists: the environment of the image, which `ENV` sets, and that of the stage, which
//! `ENV` and `ARG` set, the last one winning. The order in which names were set first is kept: programs and
//! images see it.

use std::collections::BTreeMap;

use crate::syntax::dockerfile::expansion::Variables;

/// What `PATH` is where nothing sets it (BuildKit's `system.DefaultPathEnvUnix`).
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names and values, in the order in which the names were set first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariableList(Vec<(String, String)>);

impl VariableList {
    /// What an image's configuration says: `NAME=value` each.
    pub fn of_image(env: &[String]) -> Self {
        let mut list = Self::default();
        for pair in env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            list.set(name, value);
        }
        list
    }

    /// Sets `name`; it keeps its place when it has one.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => value.clone_into(own),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// How many bytes it holds, about.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>()).sum()
    }

    /// `NAME=value` each.
    pub fn pairs(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

impl Variables for VariableList {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The arguments of a build, as a stage can come by them.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    /// Those that are given.
    pub given: &'a BTreeMap<String, String>,
    /// The global ones that have a value.
    pub globals: &'a BTreeMap<String, String>,
}

impl Arguments<'_> {
    /// What `ARG name` gives where a stage declares it with the default `default`, expanded.
    pub fn value(&self, name: &str, default: Option<String>) -> Option<String> {
        self.given.get(name).cloned().or(default).or_else(|| self.globals.get(name).cloned())
    }

    /// The proxies, which every `RUN` sees without a declaration: they are part of no image and no cache.
    pub fn proxies(&self) -> Vec<String> {
        const NAMES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];
        let is_proxy = |name: &str| NAMES.contains(&name.to_lowercase().as_str());
        let proxies = self.given.iter().filter(|(name, _)| is_proxy(name));
        // BuildKit sets both ways of writing them.
        let both = |(name, value): (&String, &String)| {
            [format!("{}={value}", name.to_uppercase()), format!("{}={value}", name.to_lowercase())]
        };
        proxies.flat_map(both).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_first_place() {
        let mut list = VariableList::of_image(&["A=1".into(), "B=2".into(), "A=3".into(), "C".into()]);
        list.set("B", "4");
        assert_eq!(list.pairs(), ["A=3", "B=4", "C="]);
    }
}

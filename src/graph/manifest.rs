//! A manifest: the named facts that decide an output.
//!
//! There is one writer of manifests (`graph/key.rs`) and there are two sinks for what it writes: a
//! hash, which is the key, and a list, which is the explanation. What is explained can therefore not
//! differ from what was hashed. Facts are length-prefixed, so that no two lists of facts are one
//! sequence of bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Takes the facts of one manifest, one after the other.
pub trait FactSink {
    /// Takes the fact `name`, whose value is `value`. No name is given twice.
    fn fact(&mut self, name: &str, value: &str);
}

/// Hashes facts, all at once: a manifest is small, and one long text is hashed faster than many short ones.
pub struct HashSink {
    context: &'static str,
    text: Vec<u8>,
}

impl HashSink {
    /// A hash in blake3's derived-key mode; `context` says what the key is for and of which version.
    pub fn new(context: &'static str) -> Self {
        Self { context, text: Vec::new() }
    }

    /// The hash of all facts that were taken.
    pub fn finish(&self) -> [u8; 32] {
        blake3::derive_key(self.context, &self.text)
    }
}

impl FactSink for HashSink {
    fn fact(&mut self, name: &str, value: &str) {
        for text in [name, value] {
            self.text.extend_from_slice(&(text.len() as u64).to_le_bytes());
            self.text.extend_from_slice(text.as_bytes());
        }
    }
}

/// A fact, as records keep it and people read it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// What the fact is about, such as `argument PROFILE`.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// Lists facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListSink(pub Vec<Fact>);

impl FactSink for ListSink {
    fn fact(&mut self, name: &str, value: &str) {
        self.0.push(Fact { name: name.to_owned(), value: value.to_owned() });
    }
}

/// How a fact differs between two manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is only in the second.
    Added,
    /// It is only in the first.
    Removed,
    /// Its value is another.
    Changed,
    /// There is no first manifest: nothing was built.
    NeverBuilt,
}

/// A fact that makes a target dirty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reason {
    /// The fact's name.
    pub fact: String,
    /// How it differs.
    pub change: Change,
    /// Its value at the last build.
    pub old: Option<String>,
    /// Its value in the snapshot.
    pub new: Option<String>,
}

impl Reason {
    /// The reason of a target of which no build is known.
    pub fn never_built() -> Self {
        Self { fact: "build".to_owned(), change: Change::NeverBuilt, old: None, new: None }
    }
}

/// The name under which the instructions of all reached stages are facts: one for each, numbered.
pub const INSTRUCTION: &str = "instruction";

/// Compares two manifests. Empty exactly when they are equal.
///
/// Facts are compared by name; instructions, whose numbers shift when a line is added above them, are
/// compared as two sequences, so that one added line is one reason.
pub fn compare(old: &[Fact], new: &[Fact]) -> Vec<Reason> {
    let numbered = |fact: &&Fact| fact.name.starts_with(INSTRUCTION);
    let mut reasons = compare_named(old.iter().filter(|f| !numbered(f)), new.iter().filter(|f| !numbered(f)));
    let old_lines: Vec<&Fact> = old.iter().filter(numbered).collect();
    let new_lines: Vec<&Fact> = new.iter().filter(numbered).collect();
    reasons.extend(compare_sequences(&old_lines, &new_lines));
    if reasons.is_empty() && old != new {
        reasons.push(Reason {
            fact: "order of facts".to_owned(),
            change: Change::Changed,
            old: None,
            new: None,
        });
    }
    reasons
}

fn compare_named<'f>(
    old: impl Iterator<Item = &'f Fact>,
    new: impl Iterator<Item = &'f Fact>,
) -> Vec<Reason> {
    let mut both: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for fact in old {
        both.entry(&fact.name).or_default().0 = Some(&fact.value);
    }
    for fact in new {
        both.entry(&fact.name).or_default().1 = Some(&fact.value);
    }
    let different = both.into_iter().filter(|(_, (old, new))| old != new);
    different.map(|(name, (old, new))| reason(name, old, new)).collect()
}

fn reason(name: &str, old: Option<&str>, new: Option<&str>) -> Reason {
    let change = match (old, new) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    Reason { fact: name.to_owned(), change, old: old.map(str::to_owned), new: new.map(str::to_owned) }
}

/// The lines that a longest common subsequence leaves over: those of `old` as removed, those of
/// `new` as added, and a removed line directly before an added one as changed.
fn compare_sequences(old: &[&Fact], new: &[&Fact]) -> Vec<Reason> {
    let same_start = old.iter().zip(new).take_while(|(a, b)| a.value == b.value).count();
    let (old, new) = (&old[same_start..], &new[same_start..]);
    let same_end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a.value == b.value).count();
    let (old, new) = (&old[..old.len() - same_end], &new[..new.len() - same_end]);
    let lengths = common_lengths(old, new);
    let (mut reasons, mut i, mut j) = (Vec::new(), 0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i].value == new[j].value {
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || lengths[i + 1][j] >= lengths[i][j + 1]) {
            reasons.push(reason(&old[i].name, Some(&old[i].value), None));
            i += 1;
        } else {
            reasons.push(reason(&new[j].name, None, Some(&new[j].value)));
            j += 1;
        }
    }
    join_replacements(reasons)
}

/// `lengths[i][j]` is the length of the longest common subsequence of `old[i..]` and `new[j..]`.
fn common_lengths(old: &[&Fact], new: &[&Fact]) -> Vec<Vec<u32>> {
    let mut lengths = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            lengths[i][j] = if old[i].value == new[j].value {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    lengths
}

fn join_replacements(reasons: Vec<Reason>) -> Vec<Reason> {
    let mut joined: Vec<Reason> = Vec::new();
    for reason in reasons {
        match joined.last_mut() {
            Some(last) if last.change == Change::Removed && reason.change == Change::Added => {
                *last = Reason { old: last.old.take(), change: Change::Changed, ..reason };
            }
            _ => joined.push(reason),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Vec<Fact> {
        let fact = |line: &str| {
            let (name, value) = line.split_once('=').unwrap();
            Fact { name: name.trim().to_owned(), value: value.trim().to_owned() }
        };
        text.split(';').filter(|line| !line.trim().is_empty()).map(fact).collect()
    }

    fn check(old: &str, new: &str, expected: &[&str]) {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let found: Vec<String> = compare(&facts(old), &facts(new))
            .iter()
            .map(|r| format!("{:?} {} {} {}", r.change, r.fact, shown(&r.old), shown(&r.new)))
            .collect();
        assert_eq!(found, expected, "{old} | {new}");
    }

    #[test]
    fn manifests_are_compared_by_name() {
        check("a = 1; b = 2", "a = 1; b = 2", &[]);
        check("a = 1", "a = 2", &["Changed a 1 2"]);
        check("a = 1", "a = 1; b = 2", &["Added b - 2"]);
        check("a = 1; b = 2", "b = 2", &["Removed a 1 -"]);
        check("a = 1; b = 2", "b = 2; a = 1", &["Changed order of facts - -"]);
    }

    #[test]
    fn an_added_instruction_is_one_reason() {
        let old = "instruction 1 = FROM x; instruction 2 = RUN a; instruction 3 = RUN b";
        let new =
            "instruction 1 = FROM x; instruction 2 = RUN new; instruction 3 = RUN a; instruction 4 = RUN b";
        check(old, new, &["Added instruction 2 - RUN new"]);
        check(new, old, &["Removed instruction 2 RUN new -"]);
        let other = "instruction 1 = FROM x; instruction 2 = RUN a; instruction 3 = RUN c";
        check(old, other, &["Changed instruction 3 RUN b RUN c"]);
    }

    fn hash(facts: &[(&str, &str)]) -> [u8; 32] {
        let mut sink = HashSink::new("imgraph test 2026");
        for (name, value) in facts {
            sink.fact(name, value);
        }
        sink.finish()
    }

    #[test]
    fn different_facts_are_different_bytes() {
        assert_eq!(hash(&[("ab", "c")]), hash(&[("ab", "c")]));
        assert_ne!(hash(&[("ab", "c")]), hash(&[("a", "bc")]));
        assert_ne!(hash(&[("a", "b"), ("c", "d")]), hash(&[("a", "bcd")]));
        assert_ne!(hash(&[("a", "b")]), hash(&[("a", "b"), ("", "")]));
    }
}

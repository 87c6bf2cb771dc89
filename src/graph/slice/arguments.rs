//! The arguments that the reached stages see, gathered as a walk meets them.

use std::collections::BTreeMap;

use super::model::ArgumentUse;
use super::scope::Globals;
use crate::types::sorted_map::SortedMap;
use crate::types::span::Span;

/// How much the value of an argument decides: a given one decides all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It has no value.
    None,
    /// The default of a stage, which is in the text of its instruction.
    Default,
    /// The value of the global argument.
    Global,
    /// The value that the request gives.
    Given,
}

/// What was seen so far, each argument with what decides most about it.
#[derive(Debug, Default)]
pub(super) struct SeenArguments(BTreeMap<String, (Rank, ArgumentUse)>);

impl SeenArguments {
    /// Remembers an argument, unless something that decides more is known of it.
    pub(super) fn note(&mut self, name: &str, rank: Rank, value: Option<String>, span: Option<Span>) {
        let known = self.0.get(name).is_some_and(|(before, _)| *before >= rank);
        if !known {
            self.0.insert(name.to_owned(), (rank, ArgumentUse { value, span }));
        }
    }

    /// Remembers a global argument and those that its default is made of; gives its value.
    pub(super) fn note_global(
        &mut self,
        globals: &Globals<'_>,
        name: &str,
        used_at: Option<Span>,
    ) -> Option<String> {
        let global = globals.find(name)?;
        self.note(name, Rank::Global, Some(global.value.to_owned()), global.span.or(used_at));
        for part in global.made_of {
            if let Some(part_of) = globals.find(part) {
                self.note(part, Rank::Global, Some(part_of.value.to_owned()), part_of.span);
            }
        }
        Some(global.value.to_owned())
    }

    /// What is known of the argument `name`.
    pub(super) fn get(&self, name: &str) -> Option<&ArgumentUse> {
        self.0.get(name).map(|(_, argument)| argument)
    }

    /// All of them, by name.
    pub(super) fn finish(self) -> SortedMap<String, ArgumentUse> {
        self.0.into_iter().map(|(name, (_, argument))| (name, argument)).collect()
    }
}

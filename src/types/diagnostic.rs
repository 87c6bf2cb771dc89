//! What is wrong, where, and how to put it right.
//!
//! A diagnostic is data: the one renderer (`cli/diagnostics.rs`) draws it, tests compare it, and a
//! load returns its value *and* all diagnostics, so that every mistake is shown at once.

use std::sync::Arc;

use super::span::{Location, SourceText, Span};

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing fails.
    Warning,
    /// What was asked for cannot be done.
    Error,
}

/// A place that a diagnostic points at, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The place.
    pub location: Location,
    /// What is said beside it; may be empty.
    pub message: String,
    /// Whether this is the place of the mistake; the others give context.
    pub primary: bool,
}

/// One thing of a circle, and where it leads on to the next; the last leads back to the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircleStep {
    /// What people call it.
    pub name: String,
    /// Where it needs the next.
    pub location: Location,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// The code of the lint that says so, a kebab-case word; `None` for what no lint is about.
    pub code: Option<&'static str>,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// The places, the primary one first. Empty when no text is to blame.
    pub annotations: Vec<Annotation>,
    /// How to put it right, a sentence each.
    pub help: Vec<String>,
    /// What few have to say: apart, for each result that may be a mistake has room for one.
    pub aside: Option<Box<Aside>>,
}

/// What few diagnostics have to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// The things that lead back to themselves; none, or two at least.
    circle: Vec<CircleStep>,
    /// What else is worth knowing, a sentence each.
    notes: Vec<String>,
}

impl Diagnostic {
    /// An error that says `message`.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: None,
            message: message.into(),
            annotations: Vec::new(),
            help: Vec::new(),
            aside: None,
        }
    }

    /// A warning that says `message`.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Points at the place of the mistake.
    #[must_use]
    pub fn at(self, source: &Arc<SourceText>, span: impl Into<Span>, message: impl Into<String>) -> Self {
        self.annotate(source, span.into(), message.into(), true)
    }

    /// Points at a place that helps to understand.
    #[must_use]
    pub fn see(self, source: &Arc<SourceText>, span: impl Into<Span>, message: impl Into<String>) -> Self {
        self.annotate(source, span.into(), message.into(), false)
    }

    /// As [`Self::at`], for a place that is known as one value.
    #[must_use]
    pub fn at_location(self, location: &Location, message: impl Into<String>) -> Self {
        self.at(&location.source, location.span, message)
    }

    /// As [`Self::see`], for a place that is known as one value.
    #[must_use]
    pub fn see_location(self, location: &Location, message: impl Into<String>) -> Self {
        self.see(&location.source, location.span, message)
    }

    /// Says what leads back to itself. One thing alone needs no picture.
    #[must_use]
    pub fn circle(mut self, steps: Vec<CircleStep>) -> Self {
        if steps.len() > 1 {
            self.aside.get_or_insert_default().circle = steps;
        }
        self
    }

    /// The things that lead back to themselves, when that is what is wrong: it is drawn.
    pub fn steps(&self) -> &[CircleStep] {
        self.aside.as_ref().map_or(&[], |aside| &aside.circle)
    }

    /// What else is worth knowing, a sentence each.
    pub fn notes(&self) -> &[String] {
        self.aside.as_ref().map_or(&[], |aside| &aside.notes)
    }

    /// Says before all other notes what is worth knowing.
    pub fn note_first(&mut self, note: String) {
        self.aside.get_or_insert_default().notes.insert(0, note);
    }

    /// Says what else is worth knowing.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.aside.get_or_insert_default().notes.push(note.into());
        self
    }

    /// Says how to put it right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// What to sort by: the file and the place, then what is said. Those without a place come first.
    pub fn order(&self) -> impl Ord + use<> {
        let place = self.annotations.first().map(|first| &first.location);
        let place = place.map(|location| (location.source.path.clone(), location.span));
        (place, std::cmp::Reverse(self.severity), self.message.clone())
    }

    fn annotate(mut self, source: &Arc<SourceText>, span: Span, message: String, primary: bool) -> Self {
        let location = Location { source: Arc::clone(source), span };
        self.annotations.push(Annotation { location, message, primary });
        self
    }
}

/// The nearest of `candidates` to `word`, when one is near enough to be what was meant.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let letters = word.chars().count();
    let farthest = |candidate: &str| 1 + candidate.len().max(word.len()) / 4;
    candidates
        .into_iter()
        // Words are at least as far from each other as their lengths are, and that is soon seen.
        .filter(|candidate| candidate.chars().count().abs_diff(letters) <= farthest(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= farthest(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

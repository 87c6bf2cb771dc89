//! A circle as a small picture: each thing, the place where it leads on, and the way back to the first.
//!
//! It gives a text; the renderer of diagnostics puts it below what is wrong. It draws what it is given and
//! looks for no circle.

use crate::types::diagnostic::CircleStep;

/// What stands before a name.
const LEAD: usize = 4;
/// What stands before a place.
const PLACE_LEAD: usize = 8;

/// The picture, of lines of at most `columns` letters where there is room for any; empty for no steps.
pub(super) fn draw(steps: &[CircleStep], columns: usize) -> String {
    let Some((last, others)) = steps.split_last() else { return String::new() };
    let name = |step: &CircleStep| without_middle(&step.name, columns.saturating_sub(LEAD));
    let place =
        |step: &CircleStep| without_middle(&step.location.path_line(), columns.saturating_sub(PLACE_LEAD));
    let mut lines = vec!["the circle, and where each leads on:".to_owned()];
    for (index, step) in others.iter().enumerate() {
        lines.push(format!("{} {}", if index == 0 { "┌─→" } else { "│  " }, name(step)));
        lines.push(format!("│     ↓ {}", place(step)));
    }
    lines.push(format!("{} {}", if others.is_empty() { "┌─→" } else { "│  " }, name(last)));
    lines.push(format!("└─────┘ {}", place(last)));
    lines.join("\n")
}

/// `text` in at most `columns` letters: the start and the end of a path tell more than its middle.
fn without_middle(text: &str, columns: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= columns {
        return text.to_owned();
    }
    let kept = columns.saturating_sub(1);
    let (start, end) = (kept / 2, kept - kept / 2);
    letters[..start].iter().chain(&['…']).chain(&letters[letters.len() - end..]).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::types::span::{Location, SourceText, Span};
    use crate::types::workspace_path::WorkspacePath;

    fn step(name: &str, path: &str) -> CircleStep {
        let path = WorkspacePath::root().resolve(path.as_bytes()).unwrap();
        let source = Arc::new(SourceText { path, text: "\n\nx".to_owned() });
        CircleStep { name: name.to_owned(), location: Location { source, span: Span::new(2, 3) } }
    }

    fn check(steps: &[(&str, &str)], columns: usize, expected: &[&str]) {
        let steps: Vec<CircleStep> = steps.iter().map(|(name, path)| step(name, path)).collect();
        let drawn = draw(&steps, columns);
        assert_eq!(drawn.lines().skip(1).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_circle_leads_back_to_its_first() {
        check(&[], 80, &[]);
        check(&[("//:a", "a/D")], 80, &["┌─→ //:a", "└─────┘ a/D:3"]);
        let two = ["┌─→ //:a", "│     ↓ a/D:3", "│   //:b", "└─────┘ b/D:3"];
        check(&[("//:a", "a/D"), ("//:b", "b/D")], 80, &two);
    }

    #[test]
    fn long_names_and_places_lose_their_middle() {
        let long = [("//a/very/long/folder:name", "a/very/long/folder/Dockerfile")];
        check(&long, 24, &["┌─→ //a/very/…older:name", "└─────┘ a/very/…erfile:3"]);
        check(&long, 3, &["┌─→ …", "└─────┘ …"]);
    }
}

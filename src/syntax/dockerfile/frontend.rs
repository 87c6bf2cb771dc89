//! Which frontend a file asks for: the image that reads it in BuildKit's place.
//!
//! A file says so in a directive `# syntax=` at its top. As frontends may read other languages, whose
//! comments look otherwise, BuildKit takes `//syntax=` as well, and a file that is one JSON object with
//! the key `syntax` (`DetectSyntax` in BuildKit's `directives.go`).

use std::sync::Arc;

use super::directives::{directives_after, without_shebang};
use crate::syntax::image_reference::ImageReference;
use crate::types::diagnostic::Diagnostic;
use crate::types::span::{SourceText, Span, Spanned};

/// The repositories of the frontends whose rules are known here.
const KNOWN: [&str; 2] = ["docker/dockerfile", "docker/dockerfile-upstream"];

/// Whether `image` is a frontend of Docker's, whose rules are known here.
pub fn is_known(image: &str) -> bool {
    let repository = image.parse().map(|image: ImageReference| image.familiar_repository());
    repository.is_ok_and(|repository| KNOWN.contains(&repository.as_str()))
}

/// The frontend that a file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frontend {
    /// The image, without its command line.
    pub image: Spanned<String>,
    /// Where the text for it begins, when it was not asked for in a comment of Dockerfiles.
    pub other_language: Option<usize>,
}

/// The frontend that `text` asks for.
pub(super) fn asked_for(text: &str) -> Option<Frontend> {
    let after_comment = |comment| directives_after(text, comment).find(|(name, ..)| name == "syntax");
    let with_hash = after_comment("#").map(|(_, value, _)| Frontend { image: value, other_language: None });
    let with_slashes = || {
        let (_, value, _) = after_comment("//")?;
        let begin = directives_after(text, "//").last().map(|(.., end)| end);
        Some(Frontend { image: value, other_language: begin })
    };
    with_hash.or_else(with_slashes).or_else(|| of_json(text))
}

fn of_json(text: &str) -> Option<Frontend> {
    let start = without_shebang(text).physical()?.start;
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text[start..]).ok()?;
    let image = object.get("syntax")?.as_str()?.to_owned();
    let brace = start + text[start..].find('{')?;
    let image = Spanned::new(image, Span::new(brace, brace + 1));
    Some(Frontend { image, other_language: Some(start) })
}

impl Frontend {
    /// Where the Dockerfile begins: after directives that are no comments of Dockerfiles, unless it is
    /// Docker's frontend that is to read them.
    pub(super) fn begin(&self) -> usize {
        self.other_language.filter(|_| !is_known(&self.image.value)).unwrap_or_default()
    }

    /// What is wrong with a file in another language, which nobody can read as a Dockerfile.
    pub(super) fn cannot_be_read(&self, source: &Arc<SourceText>) -> Option<Diagnostic> {
        self.other_language.filter(|_| !is_known(&self.image.value))?;
        let message = format!("this file is for the frontend `{}`, and is no Dockerfile", self.image.value);
        let diagnostic = Diagnostic::error(message).at(source, self.image.span, "asked for here");
        Some(
            diagnostic.help("imgraph reads Dockerfiles only: write one; its `# syntax=` may name a frontend"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let found = asked_for(text);
        assert_eq!(found.as_ref().map(|found| found.image.value.as_str()), expected, "{text:?}");
    }

    #[test]
    fn every_way_of_asking_is_known() {
        check("# syntax=a/b:1 // more\nFROM x\n", Some("a/b:1"));
        check("#!/bin/sh\n# Syntax = a/b\n", Some("a/b"));
        check("\u{feff}#syntax=a/b\n", Some("a/b"));
        check("//syntax=a/b\n//key=value\n", Some("a/b"));
        check("// escape=`\n//  SYNTAX = a/b c\nFROM x\n", Some("a/b"));
        check("#!/bin/sh\n//syntax=a/b", Some("a/b"));
        check("\u{feff}//syntax=a/b", Some("a/b"));
        check("# escape=`\n//syntax=a/b\n", None);
        check(" //syntax=a/b\n", None);
        check("\n//syntax=a/b\n", None);
        check("/syntax=a/b\n", None);
        check("//key=value\n//syntax=a/b\n", None);
        check("# syntax=a/b\n//syntax=c/d\n", Some("a/b"));
        check("{\"syntax\": \"a/b\", \"bar\": [\"abc\"]}", Some("a/b"));
        check("#!/bin/sh\n\n {\n  \"syntax\": \"a/b\"\n}\n", Some("a/b"));
        check("\u{feff}{\"syntax\":\"a/b\"}", Some("a/b"));
        check("{\"syntax\": \"a/b\"", None);
        check("{\"syntax\": 1}", None);
        check("[\"syntax\"]", None);
        check("{\"syntax\": \"a/b\"}\n# syntax=c/d", None);
        check("", None);
        check("FROM x\n", None);
    }
}

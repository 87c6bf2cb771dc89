//! The flags of a `COPY` or an `ADD` that are wrong whatever is copied.

use super::checks;
use super::git::{self, Place};
use super::walk::Walk;
use crate::syntax::dockerfile::expansion::Expanded;
use crate::syntax::image_reference;
use crate::types::span::Span;

impl Walk<'_, '_> {
    /// `--chmod`.
    pub(super) fn check_mode(&mut self, mode: Option<(Expanded, Span)>) {
        let Some((mode, span)) = mode.filter(|(mode, _)| mode.uncertain.is_empty()) else { return };
        if !mode.text.is_empty() && !checks::is_mode(&mode.text) {
            let message = format!("`{}` is not a value of `--chmod`", mode.text);
            self.refuse(
                span,
                message,
                "in this flag",
                "write an octal number up to 7777, or letters as in `u+x`",
            );
        }
    }

    /// `--checksum`.
    pub(super) fn check_checksum(
        &mut self,
        checksum: Option<(Expanded, Span)>,
        sources: &[(Expanded, Span)],
    ) {
        let Some((checksum, span)) = checksum.filter(|(checksum, _)| !checksum.text.is_empty()) else {
            return;
        };
        let help = "write `--checksum` for one URL or git repository only";
        match sources {
            [(source, _)] if !source.uncertain.is_empty() => {}
            [(source, _)] if source.text.starts_with("github.com/") => {}
            [(source, _)] => match git::place(&source.text) {
                Place::Local => {
                    self.refuse(span, "`--checksum` needs a source that is fetched", "in this flag", help);
                }
                Place::Http
                    if checksum.uncertain.is_empty() && !image_reference::is_digest(&checksum.text) =>
                {
                    let message = format!("`{}` is not a digest", checksum.text);
                    self.refuse(span, message, "in this flag", "write `sha256:` and 64 hexadecimal digits");
                }
                Place::Http | Place::Git => {}
            },
            _ => self.refuse(span, "`--checksum` needs exactly one source", "in this flag", help),
        }
    }
}

//! The ids by which a `RUN --mount` asks for what a target gives: secrets and SSH agents.

use crate::types::span::Located;

use super::table::Reader;

/// What is given by an id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// In the words of messages, with its article.
    pub(super) what: &'static str,
    /// The type of the mount that asks for it.
    pub(super) mount: &'static str,
    /// An id that is often used.
    pub(super) example: &'static str,
}

impl Given {
    /// Whether a mount can ask for the id: `id=…` stands in a list of keys and values between commas.
    pub(super) fn check(self, reader: &Reader, id: &Located<String>) -> bool {
        let Self { what, mount, example } = self;
        let (message, expected) = match id.value.as_str() {
            "" => (format!("the id of {what} is empty"), "expected the id that the Dockerfile's mount names"),
            text if text.contains([',', '=']) => {
                (format!("`{text}` cannot be the id of {what}"), "expected an id without `,` and `=`")
            }
            _ => return true,
        };
        let help = format!("write `id = \"{example}\"` for `RUN --mount=type={mount},id={example}`");
        reader.report(reader.error(message, &id.location, expected).help(help));
        false
    }

    /// Refuses an id that is written twice.
    pub(super) fn check_all<'i>(self, reader: &Reader, ids: impl Iterator<Item = &'i Located<String>>) {
        let ids: Vec<_> = ids.collect();
        let noun = self.what.split_once(' ').map_or(self.what, |(_article, noun)| noun);
        for (index, later) in ids.iter().enumerate() {
            if let Some(first) = ids[..index].iter().find(|first| first.value == later.value) {
                let message = format!("the {noun} `{}` is written twice", later.value);
                let diagnostic = reader.error(message, &later.location, "the second");
                let first = &first.location;
                reader.report(diagnostic.see(&first.source, first.span, "the first"));
            }
        }
    }
}

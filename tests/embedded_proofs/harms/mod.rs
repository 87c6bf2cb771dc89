//! What a registry may do that nobody should: its documents, its blobs, and the places that it names.

mod blobs;
mod directions;
mod documents;

use std::io::{self, Write};

pub(crate) use blobs::blobs;
pub(crate) use directions::{directions, stranger};
pub(crate) use documents::{configurations, manifests};

use crate::attacker::{Reply, Request};
use crate::base_layout::digest;
use crate::served::Served;

/// What a server answers in the place of an honest one, where it does. `stranger` is another host.
pub(crate) type Fault = dyn Fn(&Served, &Request, &str) -> Option<Reply> + Send + Sync;

/// One way to do harm.
pub(crate) struct Harm {
    pub(crate) what: &'static str,
    /// What stands behind the image's name, which is nothing or a digest.
    pub(crate) reference: fn(&Served) -> String,
    /// What is in the registry.
    pub(crate) make: fn(&mut Served),
    pub(crate) fault: Box<Fault>,
    /// Whether it wants the password before it does harm.
    pub(crate) asks: bool,
    /// What is said; `HOST` stands for the registry.
    pub(crate) words: &'static str,
}

impl Harm {
    /// By an honest server, of what is made.
    pub(crate) fn new(what: &'static str, make: fn(&mut Served), words: &'static str) -> Self {
        Self { what, reference: |_| String::new(), make, fault: Box::new(|_, _, _| None), asks: true, words }
    }

    /// By the answers to all that is asked.
    pub(crate) fn any(
        what: &'static str,
        words: &'static str,
        fault: fn(&Served, &Request, &str) -> Reply,
    ) -> Self {
        let fault =
            move |served: &Served, request: &Request, stranger: &str| Some(fault(served, request, stranger));
        Self { fault: Box::new(fault), ..Self::new(what, |_| {}, words) }
    }

    /// By the answers to requests for the layer.
    pub(crate) fn layer(
        what: &'static str,
        words: &'static str,
        fault: fn(&[u8], &Request, &str) -> Reply,
    ) -> Self {
        let fault = move |served: &Served, request: &Request, stranger: &str| {
            let layer = served.layer();
            request.path.ends_with(&layer).then(|| fault(&served.blobs[&layer], request, stranger))
        };
        Self { fault: Box::new(fault), ..Self::new(what, |_| {}, words) }
    }

    /// It asks for the password itself, or does not.
    pub(crate) fn unasked(self) -> Self {
        Self { asks: false, ..self }
    }

    /// The image is asked for by its digest.
    pub(crate) fn by_digest(self) -> Self {
        Self { reference: |served| format!("@{}", digest(&served.manifests["latest"])), ..self }
    }
}

/// Endless bytes, in pieces.
fn forever(writer: &mut dyn Write, byte: u8) -> io::Result<()> {
    let piece = vec![byte; 64 << 10];
    loop {
        writer.write_all(&piece)?;
    }
}

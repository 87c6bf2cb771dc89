//! Looks for what lints are about: in Dockerfiles, once each, and in what targets make of them.
//!
//! It looks at a graph that need not be one that can be built: what a lint says of a target empties no
//! graph. What loading and drafting saw on their way (`remarks`) is taken from there, not looked for again.
//!
//! **Invariant:** nothing here asks a builder or a network, and nothing that is found changes a key.

mod finding;
mod written;
mod casing;
mod instructions;
mod stages;
mod variables;
mod secret_names;
mod dockerfile;
mod images;
mod fields;
mod inputs;
mod allowances;
mod levels;
mod workspace;

pub use finding::Finding;
pub use levels::Levels;
pub use workspace::{Checked, check};

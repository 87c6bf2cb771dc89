//! What one stage of a Dockerfile can reach: its slice.
//!
//! The slice is what the key of a target is made from, and what its view is cut by. It is pure: the
//! same Dockerfile and the same request give the same slice, on every machine. It walks a Dockerfile
//! as BuildKit's `dockerfile2llb` does: all stages are resolved, then the wanted one's closure is run
//! through, in file order, each stage with the variables that it sees.
//!
//! **Invariant:** a slice is never narrower than what the builder reads. What cannot be known from
//! the text is in [`Slice::widened`].

mod model;
mod checks;
mod git;
mod contexts;
mod platforms;
mod scope;
mod sources;
pub mod bounds;
mod states;
mod arguments;
mod text;
mod walk;
mod copy_flags;
mod cut;
mod program;

pub use cut::slice;
pub use git::{Place, place};
pub use model::{
    ArgumentUse, Demand, Mounted, Reference, ReferenceKind, Slice, SliceRequest, SlicedInstruction,
    SourcePath, Sources, Widening,
};
pub use program::{Program, ProgramStage, ProgramStep, Source, program};
pub(in crate::graph) use scope::is_platform_argument;

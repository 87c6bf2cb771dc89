//! Archives that `ADD` unpacks, and the tar stream in them.
//!
//! An archive is recognised by what it holds, as BuildKit does it: a compression that is known by its first
//! bytes, and in it a tar whose first header is right. What it holds is handed out entry by entry, with names
//! that are clean and stay inside; nothing here writes to a disk.
//!
//! **Invariant:** memory does not grow with an archive's size, and what grows with its names has a limit.

pub mod compression;
pub mod growth;
pub mod tar_stream;
pub mod entry_name;
pub mod seen_links;
pub mod reader;

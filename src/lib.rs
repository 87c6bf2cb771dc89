//! imgraph: a declarative build-graph engine for container images.
//!
//! A monorepo puts a `BUILD.toml` beside each service. It declares targets: images, builder stages,
//! shared base images. imgraph loads them into one graph, hashes exactly the files that each target
//! can read, runs what is dirty, and remembers each output by the key of everything that decided it.
//!
//! # Bird's-eye view
//!
//! ```text
//!  BUILD.toml ──load──▶ targets ──expand──▶ graph of nodes (target × platform)
//!  Dockerfile ──parse─▶ slice of the wanted stage ─┤   edges: FROM, COPY --from, mounts, arguments
//!  .dockerignore ─────▶ view: the files it can read ┘
//!                                                   │
//!                                  manifest of facts ──hash──▶ source key, action key
//!                                                   │            │
//!                                     explanations ◀┘            ▼
//!                                                action cache: hit, or a builder runs
//! ```
//!
//! A *snapshot* is an immutable view of the workspace's files; everything that decides reads the
//! snapshot. A *source key* needs no build: it is a function of files, pinned bases and variables. An
//! *action key* holds the digests of the dependencies' outputs instead of their source keys, so that a
//! dependency that was built again with the same result dirties nobody.
//!
//! A snapshot begins with an *index*: what earlier runs knew of files, by the facts that the system tells
//! of them. A run that had nothing to do leaves a *recall*: what it told, and which sentences of the index,
//! variables and images it leaned on. While all of that holds, it is told again, and nothing above happens.
//! When files changed, all of the above happens for the targets that they touch, and the rest is told again.
//!
//! A snapshot may be of a commit: the same questions, answered from git's objects. What a change *affects* are
//! the targets whose keys differ between two snapshots; two that are compared tell contents by the ids of blobs.
//!
//! # Layers
//!
//! Each layer uses only those that stand above it in this list, and each `mod.rs` lists its files in
//! the same way. `tests/architecture.rs` reads the `use` lines and fails otherwise.
//!
//! - [`types`]: labels, workspace paths, digests, dense ids, diagnostics, events. No I/O.
//! - [`syntax`]: text to values, pure: `BUILD.toml`, interpolation, Dockerfiles, ignore files, references, queries.
//! - [`source`]: the only reader of workspace bytes: walk, snapshot, stat index, packages, git's commits.
//! - [`graph`]: pure over a snapshot: load, slice, view, graph, keys, comparison of manifests,
//!   what a change affects, queries, lints.
//! - [`oci`]: images without a daemon: digests, layers, configurations, the store.
//! - [`cache`]: action records, listings of views, logs; damage is a miss.
//! - [`build`]: the builder trait and the builders behind it.
//! - [`engine`]: scheduler, estimate, plan, runner, recall, parts.
//! - [`export`]: what other programs read: pictures of the graph, documents.
//! - [`cli`]: arguments, commands, progress; the only layer that prints, reads the environment, or exits.
//!
//! # Invariants
//!
//! - **Invariant:** what enters a key is what a builder is sent. The view is computed once and used for both.
//! - **Invariant:** a manifest has one writer. The key is its hash and the explanation its comparison.
//! - **Invariant:** a recall decides only that nothing is to be done, and only while nothing has changed.
//! - **Invariant:** digests of different meaning are different types, without conversion.
//! - **Invariant:** nothing below `cli` knows a terminal, an environment variable or a home folder.
//! - **Invariant:** nothing is written into the workspace.
//! - **Invariant:** a secret's value is in no key, event, log, record or argument list.
//! - **Invariant:** wrong input is a diagnostic with a place; it never panics.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

pub mod types;

pub mod syntax;

pub mod source;

pub mod graph;

pub mod oci;

pub mod cache;

pub mod build;

pub mod engine;

pub mod export;

pub mod cli;

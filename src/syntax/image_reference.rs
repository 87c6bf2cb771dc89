//! Names of images: `registry/repository:tag@digest`.
//!
//! The rules are those of the distribution project's `reference` package, which every tool of the
//! Docker family uses: a name without a registry is of Docker Hub, one without a folder is of its
//! `library`.

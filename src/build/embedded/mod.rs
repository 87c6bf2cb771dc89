//! The embedded builder: images without a daemon.
//!
//! **Invariant:** only commands need unpacked layers. All else reads layers in their tars.

pub mod rootfs;

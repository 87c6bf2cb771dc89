//! The base images, read.

use crate::answer::Base;
pub(crate) use crate::base_layout::write_layout;
use crate::base_layout::{BASES, config, read};
use crate::image::Image;

/// Reads all bases.
pub(crate) fn all() -> Vec<Base> {
    let base = |(name, archive, command): &(&'static str, &str, &str)| {
        let layer = read(archive);
        Base::of(name, Image { config: config(command, &layer), layers: vec![layer] })
    };
    BASES.iter().map(base).collect()
}

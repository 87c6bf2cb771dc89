//! All images of an engine, listed once, and told again while nothing of them has changed.
//!
//! An engine takes a tenth of a second to list a thousand images, and as much of a processor. What it listed is
//! kept with a mark ([`NamesMark`]) by which a later run sees that no image and no name came, went or moved.
//!
//! **Invariant:** what is told was listed by the very engine that answers, and is what it would list again.

use serde::{Deserialize, Serialize};

use super::builder_choice::Connect;
use super::terminal;
use crate::build::any_builder::AnyBuilder;
use crate::build::builder::{BuildError, Builder, Inventory};
use crate::build::docker::NamesMark;
use crate::cache::folder::CacheFolder;
use crate::cache::listing_file::ListingFile;

/// So few names are listed sooner than a file is written.
const FEW: usize = 48;

/// What was listed, and by what one sees that it is so still.
#[derive(Serialize, Deserialize)]
struct Listing {
    mark: Box<NamesMark>,
    images: Inventory,
}

impl Connect {
    /// All images that `builder`, to which this connects, has.
    ///
    /// # Errors
    /// When it has to be asked and does not answer.
    pub(crate) fn inventory(&self, builder: &AnyBuilder) -> Result<Inventory, BuildError> {
        let file = self.listing_file().filter(|_| builder.docker().is_some());
        // What is damaged is replaced by what is listed.
        let kept = file.as_ref().and_then(|file| file.load::<Listing>().value(&mut Vec::new()));
        if let Some(kept) = kept.filter(|kept| self.holds(&kept.mark)) {
            if self.verbose {
                terminal::message("the engine's images are those that it listed before\n");
            }
            return Ok(kept.images);
        }
        let images = builder.inventory()?;
        if let Some(file) = file.filter(|_| images.references.len() > FEW)
            && let Some(mark) = builder.mark(&images.references)
        {
            let listing = Listing { mark, images };
            // A cache that cannot be written is told by whoever has something of his own to keep.
            let _kept = file.store(&listing);
            return Ok(listing.images);
        }
        Ok(images)
    }

    fn listing_file(&self) -> Option<ListingFile> {
        let cache = CacheFolder::new(self.cache.as_ref()?);
        Some(ListingFile::new(&cache, self.docker_host.as_deref().unwrap_or_default()))
    }
}

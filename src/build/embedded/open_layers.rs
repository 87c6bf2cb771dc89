//! The layers that are open: an index in memory, and often an open file, for each.
//!
//! The layers of bases are used by one build after the other, those of a service by its own alone. So all that
//! somebody uses are kept, and of the others those that were used last: a run of ten thousand builds may have no
//! more files open than a system allows by default.

use std::collections::HashMap;
use std::sync::Arc;

use crate::oci::blob_digest::DiffId;
use crate::oci::layers::layer::Layer;

/// So many that nobody uses are kept at the most.
const MOST_IDLE: usize = 128;

/// Open layers.
#[derive(Debug, Default)]
pub struct OpenLayers {
    layers: HashMap<DiffId, Open>,
    /// How many questions there were.
    asked: u64,
}

#[derive(Debug)]
struct Open {
    layer: Arc<Layer>,
    /// The number of the last question for it.
    asked: u64,
}

impl Open {
    /// Whether it may be closed. What was found damaged is kept until somebody sets it aside.
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.layer) == 1 && !self.layer.is_damaged()
    }
}

impl OpenLayers {
    /// The layer of that name, when it is open.
    pub fn get(&mut self, diff_id: &DiffId) -> Option<Arc<Layer>> {
        let open = self.layers.get_mut(diff_id)?;
        self.asked += 1;
        open.asked = self.asked;
        Some(Arc::clone(&open.layer))
    }

    /// Keeps a layer open. Where too many are that nobody uses, half of those are closed that nobody has asked
    /// for the longest.
    pub fn add(&mut self, layer: &Arc<Layer>) {
        self.asked += 1;
        let open = Open { layer: Arc::clone(layer), asked: self.asked };
        self.layers.insert(layer.diff_id(), open);
        if self.layers.len() <= MOST_IDLE {
            return;
        }
        let mut idle: Vec<u64> =
            self.layers.values().filter(|open| open.is_idle()).map(|open| open.asked).collect();
        if idle.len() > MOST_IDLE {
            idle.sort_unstable();
            let kept_from = idle[idle.len() - MOST_IDLE / 2];
            self.layers.retain(|_, open| open.asked >= kept_from || !open.is_idle());
        }
    }

    /// Closes those of the layers that were found damaged of which `is_whole` says so too.
    pub fn close_damaged(&mut self, is_whole: impl Fn(&DiffId) -> bool) {
        self.layers.retain(|diff_id, open| !open.layer.is_damaged() || is_whole(diff_id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    /// A layer without entries.
    fn layer(number: usize) -> Arc<Layer> {
        let tar = tempfile::tempfile().unwrap();
        tar.set_len(1024).unwrap();
        Layer::read(tar, DiffId(BlobDigest::of(number.to_string().as_bytes()))).unwrap()
    }

    #[test]
    fn layers_that_somebody_uses_stay_open_and_of_the_others_a_few() {
        let mut open = OpenLayers::default();
        let used: Vec<Arc<Layer>> = (0..300).map(layer).collect();
        used.iter().for_each(|layer| open.add(layer));
        let favourite = layer(300).diff_id();
        for number in 300..1000 {
            open.add(&layer(number));
            assert!(open.get(&favourite).is_some(), "what is asked for again and again, {number}");
            assert!(open.layers.len() <= 301 + MOST_IDLE, "{number}");
        }
        assert!(used.iter().all(|layer| open.get(&layer.diff_id()).is_some()));
        assert!(open.get(&layer(999).diff_id()).is_some() && open.get(&layer(301).diff_id()).is_none());
        drop(used);
        open.add(&layer(1000));
        assert!(open.layers.len() <= MOST_IDLE, "{}", open.layers.len());
    }
}

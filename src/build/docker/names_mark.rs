//! By what a later run sees that names still stand for the same images, without asking the engine for them.
//!
//! Listing a thousand images costs an engine a tenth of a second. But a classic store keeps all names in
//! one file, `image/<driver>/repositories.json` below its data root, and replaces it by a rename whenever a
//! name is added, moved or removed, whoever does it and however it ends: the names in memory change while a
//! lock is held until that is done (`reference/store.go` of moby, the same from 23.0 to 29). An image is
//! taken away only after its names, and its file among the images goes with it (`image_delete.go`,
//! `image/fs.go`). So the facts of a few files prove that nothing has changed, as those of a workspace's
//! files do. Whoever may not read them asks the engine, as for a containerd store.
//!
//! A mark is bound to one life of an engine ([`Answerer`]), which is the only thing that the engine is asked
//! for. Whatever is replaced, restored, mounted or started anew is another process or another inode. A change
//! that the engine could not write down stands in its memory alone, but it leaves a trace in the folder where
//! the file was to be replaced. Only an engine that could make no file at all leaves none: that is why a mark
//! holds nowhere where the disk is full or read-only. What is not seen: a name that was moved while no file
//! could be made for another reason, or none any longer, with no later change; and an engine's files that
//! somebody edits, or mounts over for a while, by hand.
//!
//! **Invariant:** whatever is unclear is no mark, or one that does not hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::EngineAddress;
use super::answerer::Answerer;
use super::store_files::{StoreFileFacts, StorePlace};
use crate::source::stat::Timestamp;
use crate::types::digest::OutputDigest;

/// One moment of the names in a classic store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesMark {
    engine: Answerer,
    place: StorePlace,
    facts: StoreFileFacts,
    taken: Timestamp,
}

impl NamesMark {
    /// A mark for the `names` of images that the engine said it has, when it was `engine` that said so.
    /// `None` where there can be none, such as shortly after a change.
    pub(super) async fn take(
        engine: &Answerer,
        place: &StorePlace,
        address: &EngineAddress,
        names: &BTreeMap<String, OutputDigest>,
    ) -> Option<Self> {
        let taken = Timestamp::now();
        let files = place.open(&engine.root()?)?;
        let facts = files.facts(taken)?;
        let stands = files.is_of(place) && files.have(names)?;
        let still = files.facts(taken)? == facts && Answerer::at(address).await.as_ref() == Some(engine);
        (stands && still).then(|| Self { engine: engine.clone(), place: place.clone(), facts, taken })
    }

    /// Whether every name that this was taken for stands for the same image in the engine at `address`. It
    /// is no for whatever is not clear.
    pub fn holds_at(&self, address: &EngineAddress) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let engine = runtime.ok().and_then(|runtime| runtime.block_on(Answerer::at(address)));
        engine.is_some_and(|engine| engine == self.engine) && self.facts_hold().unwrap_or(false)
    }

    /// A clock that was set back says nothing of what came first.
    fn facts_hold(&self) -> Option<bool> {
        let now = Timestamp::now();
        let facts = self.place.open(&self.engine.root()?)?.facts(now)?;
        Some(self.taken <= now && facts == self.facts)
    }
}

//! Whether what the embedded builder keeps is what it was: blobs, and the folders of unpacked layers.
//!
//! A build checks what it uses. This looks at everything, and uses nothing: what is old stays old. What is damaged is
//! moved out of the way, so that the next build that needs it makes or fetches it again.

use std::path::{Path, PathBuf};

use super::builder::{DERIVED, STORE};
use super::rights::Rights;
use super::rootfs::chore::{Chain, Chore};
use super::sandbox::{Privileges, Sandbox, best_privileges};
use super::trouble;
use crate::build::builder::BuildError;
use crate::oci::layers::root_view::RootView;
use crate::oci::store::Store;
use crate::oci::store_check::{StoreCheck, check_blobs};
use crate::types::cancellation::Cancellation;

/// Checks all that is kept in the caches at `cache`. A store that was never made is not made.
///
/// # Errors
/// When it cannot be read.
pub fn check(cache: &Path) -> Result<StoreCheck, BuildError> {
    let cache = std::path::absolute(cache)
        .map_err(|cause| trouble::of_disk(format!("find `{}`", cache.display()), &cause))?;
    let folder = cache.join(STORE);
    if !folder.join("oci-layout").exists() {
        return Ok(StoreCheck::default());
    }
    let store = Store::open(&folder).map_err(trouble::of_store)?;
    let mut found = check_blobs(&store).map_err(trouble::of_store)?;
    let derived = cache.join(DERIVED);
    let rights = Rights::new(Sandbox::default(), derived.join("running"), derived.join("unpacked"));
    let tars = folder.join("blobs/sha256");
    for privileges in [Privileges::Root, Privileges::Mapped, Privileges::Single] {
        let is_mine = (privileges == Privileges::Root) == (best_privileges() == Privileges::Root);
        if !is_mine || !rights.unpacked.join(privileges.ownership().name()).is_dir() {
            continue;
        }
        let chain = Chain { tars: tars.clone(), indexes: derived.join("layers"), layers: Vec::new() };
        let chore = Chore::Check(rights.unpacked.clone());
        let nothing = (&RootView::default(), chain);
        let mut output = std::io::sink();
        let report = rights.do_chore(chore, nothing, privileges, &mut output, &Cancellation::default())?;
        found.unpacked += report.folders.len() + report.damaged.len();
        let shown = |place: &PathBuf| place.strip_prefix(&cache).unwrap_or(place).display().to_string();
        found.wrong.extend(report.damaged.iter().map(shown));
    }
    Ok(found)
}

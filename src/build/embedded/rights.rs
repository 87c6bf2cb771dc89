//! With which rights commands are run here, and the chores around them.
//!
//! It is found out by trying, when somebody first wants to run a command: a build that only copies files pays
//! nothing for it, and works where no command can be run.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use super::rootfs::chore::{Chain, Chore, ChoreReport};
use super::rootfs::ownership::Ownership;
use super::rootfs::sweep::has_left_over;
use super::sandbox::{
    Privileges, Refusal, RunningFolder, Sandbox, SandboxError, abilities, best_privileges, clean,
};
use super::trouble;
use crate::build::builder::BuildError;
use crate::oci::layers::root_view::RootView;
use crate::oci::temporary::sweep_beside;
use crate::types::cancellation::Cancellation;

/// How commands are run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the rights come from.
    pub privileges: Privileges,
    /// Whether layers can be put over each other; else each command gets a copy of the whole root.
    pub has_overlay: bool,
}

/// The sandbox, what it may, and where its folders lie.
#[derive(Debug)]
pub struct Rights {
    /// Where commands are run.
    pub sandbox: Sandbox,
    /// Where steps work. Each has a folder of its own in it.
    pub running: PathBuf,
    /// Where layers are unpacked, for commands.
    pub unpacked: PathBuf,
    /// Folders of unpacked layers that were found to be whole. A run takes it that they stay so.
    pub trusted: Mutex<BTreeSet<PathBuf>>,
    found: OnceLock<Result<Found, Refusal>>,
}

impl Rights {
    /// Nothing is tried yet.
    pub fn new(sandbox: Sandbox, running: PathBuf, unpacked: PathBuf) -> Self {
        Self { sandbox, running, unpacked, trusted: Mutex::default(), found: OnceLock::new() }
    }

    /// What was found, by trying it the first time.
    ///
    /// # Errors
    /// When no command can be run here.
    pub fn found(&self) -> Result<Found, &Refusal> {
        let found = self.found.get_or_init(|| {
            let tried = abilities(&self.sandbox, &self.running).map_err(|error| match error {
                SandboxError::Refused(refusal) => refusal,
                other => Refusal { message: other.to_string(), help: None },
            })?;
            tried.sandbox?;
            Ok(Found { privileges: tried.privileges, has_overlay: tried.overlay.is_ok() })
        });
        found.as_ref().copied()
    }

    /// Removes what runs left that are dead. It looks at few folders, and starts nothing where there is nothing.
    pub fn clean(&self) {
        let best = best_privileges();
        // What cannot be removed is in nobody's way, and is tried again.
        let _ = clean(&self.running, &self.sandbox, best);
        for privileges in [Privileges::Root, Privileges::Mapped, Privileges::Single] {
            let is_possible = (privileges == Privileges::Root) == (best == Privileges::Root);
            if is_possible && has_left_over(&self.unpacked, privileges.ownership()).unwrap_or(false) {
                let chore = Chore::Sweep(self.unpacked.clone());
                let nothing = (&RootView::default(), Chain::default());
                let _ = self.do_chore(chore, nothing, privileges, &mut io::sink(), &Cancellation::default());
            }
        }
    }

    /// Removes from `folder` what runs that are dead had not finished writing.
    pub fn sweep(&self, folder: &Path) {
        let remove = |path: &Path| self.sandbox.remove(path, best_privileges()).map_err(io::Error::other);
        // What cannot be removed is in nobody's way, and is tried again.
        let _ = sweep_beside(folder, remove);
    }

    /// Does `chore` for a root, which is given as a view and by the names of its layers.
    ///
    /// # Errors
    /// When it cannot be done, or is to stop.
    pub fn do_chore(
        &self,
        chore: Chore,
        (view, chain): (&RootView, Chain),
        privileges: Privileges,
        output: &mut dyn Write,
        cancellation: &Cancellation,
    ) -> Result<ChoreReport, BuildError> {
        if privileges == Privileges::Root {
            return chore.run((view, &chain), Ownership::Root, output).map_err(trouble::of_rootfs);
        }
        self.sandbox.do_chore(chore, chain, privileges, output, cancellation).map_err(trouble::of_sandbox)
    }

    /// A folder for a step, which goes with the value.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn step_folder(&self, privileges: Privileges) -> Result<StepFolder<'_>, BuildError> {
        let made = RunningFolder::make(&self.running);
        let folder = made.map_err(|cause| trouble::of_disk("make a folder to work in", &cause))?;
        Ok(StepFolder { folder, sandbox: &self.sandbox, privileges })
    }
}

/// The folder of a step. It goes with the value, whoever owns what is in it.
#[derive(Debug)]
pub struct StepFolder<'r> {
    folder: RunningFolder,
    sandbox: &'r Sandbox,
    privileges: Privileges,
}

impl StepFolder<'_> {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for StepFolder<'_> {
    fn drop(&mut self) {
        // What stays is removed by a later run.
        let _ = self.sandbox.remove(self.folder.path(), self.privileges);
    }
}

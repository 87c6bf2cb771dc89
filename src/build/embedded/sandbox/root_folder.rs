//! The root folder of a sandbox: layers put over each other, or one folder, mounted at a place of its own.
//!
//! The kernel takes the options of an overlay in one page, which long names of two hundred layers do not fit
//! in. So each layer gets a link with a short name in a tmpfs, and the mount is made from there: relative
//! names, and nothing in them that would have to be escaped.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::mounting;
use super::outcome::{Doing, Refusal};
use super::spec::{Privileges, Root};

/// What overlayfs must not do, so that the upper folder says all in whiteouts and opaque folders.
const PLAIN: &str = "index=off,metacopy=off,redirect_dir=off";

/// The folders in which a sandbox works, below its `work` folder.
#[derive(Clone, Debug)]
pub(super) struct WorkFolders {
    /// A tmpfs: links, secrets, small files.
    pub(super) memory: PathBuf,
    /// Where the root is mounted.
    pub(super) root: PathBuf,
    /// Folders for overlays, on the disk: on the file system of the upper folder.
    disk: PathBuf,
}

impl WorkFolders {
    /// The folders below `work`, which they may not be in yet.
    pub(super) fn of(work: &Path) -> Self {
        Self { memory: work.join("memory"), root: work.join("root"), disk: work.join("disk") }
    }

    /// Makes them, and the tmpfs, in the process's own mount namespace.
    pub(super) fn make(&self) -> Result<(), Refusal> {
        for folder in [&self.memory, &self.root, &self.disk] {
            make_folder(folder)?;
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mounting::make("tmpfs", &self.memory, flags, "mode=0700")
    }

    /// Takes the root away and leaves `work` as it was, empty. What fails stays, and means nothing.
    pub(super) fn remove(&self) {
        for mounted in [&self.root, &self.memory] {
            let _ = mounting::detach(mounted);
            let _ = fs::remove_dir(mounted);
        }
        let _ = fs::remove_dir_all(&self.disk);
    }
}

/// Makes a folder that may be there already.
pub(super) fn make_folder(folder: &Path) -> Result<(), Refusal> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.doing(|| format!("make `{}`", folder.display())),
    }
}

/// Mounts `root` at its place.
pub(super) fn mount_root(root: &Root, folders: &WorkFolders, privileges: Privileges) -> Result<(), Refusal> {
    match root {
        Root::Folder(folder) => {
            mounting::bind(folder, &folders.root, true)?;
            mounting::restrict(&folders.root, MsFlags::MS_NODEV)
        }
        Root::Layers { lower, upper } => {
            let overlay = Overlay { folders, name: "root", lower, privileges };
            if let Some(topmost) = lower.first() {
                same_attributes(topmost, upper)?;
            }
            overlay.mount(Some(upper), &folders.root)
        }
    }
}

/// The root of an overlay is its upper folder: it looks as the folder below it does.
fn same_attributes(from: &Path, to: &Path) -> Result<(), Refusal> {
    let copy = || {
        let found = fs::metadata(from)?;
        let has = fs::metadata(to)?;
        if (has.uid(), has.gid()) != (found.uid(), found.gid()) {
            std::os::unix::fs::chown(to, Some(found.uid()), Some(found.gid()))?;
        }
        fs::set_permissions(to, fs::Permissions::from_mode(found.mode() & 0o7777))
    };
    copy().doing(|| format!("give `{}` the attributes of `{}`", to.display(), from.display()))
}

/// Layers that are to be mounted.
pub(super) struct Overlay<'o> {
    /// Where links and folders for it are made.
    pub(super) folders: &'o WorkFolders,
    /// A name that no other overlay of this sandbox has.
    pub(super) name: &'o str,
    /// The folders, the uppermost first.
    pub(super) lower: &'o [PathBuf],
    /// Who mounts.
    pub(super) privileges: Privileges,
}

impl Overlay<'_> {
    /// Mounts the layers at `target`. Without an upper folder one is made that goes away with the sandbox.
    pub(super) fn mount(&self, upper: Option<&Path>, target: &Path) -> Result<(), Refusal> {
        let links = self.folders.memory.join(format!("layers-{}", self.name));
        let disk = self.folders.disk.join(self.name);
        let (own_upper, work, empty) = (disk.join("upper"), disk.join("work"), links.join("empty"));
        for folder in [&links, &disk, &work, &empty] {
            make_folder(folder)?;
        }
        let upper = match upper {
            Some(upper) => upper,
            None => {
                make_folder(&own_upper)?;
                if let Some(topmost) = self.lower.first() {
                    same_attributes(topmost, &own_upper)?;
                }
                &own_upper
            }
        };
        let lower = self.link_all(&links, upper, &work)?;
        self.mount_links(&links, &lower, target)
    }

    /// Makes the links and returns the names of the lower ones.
    fn link_all(&self, links: &Path, upper: &Path, work: &Path) -> Result<String, Refusal> {
        let link = |leads: &Path, name: &str| {
            symlink(leads, links.join(name)).doing(|| format!("make a link to `{}`", leads.display()))
        };
        link(upper, "u")?;
        link(work, "w")?;
        let mut names = Vec::with_capacity(self.lower.len());
        for (number, folder) in self.lower.iter().enumerate() {
            let name = format!("{number:x}");
            link(folder, &name)?;
            names.push(name);
        }
        Ok(if names.is_empty() { "empty".to_owned() } else { names.join(":") })
    }

    /// `volatile` spares the disk: a root that a loss of power has damaged is thrown away with its step.
    /// Kernels before 5.10 do not know the word.
    fn mount_links(&self, links: &Path, lower: &str, target: &Path) -> Result<(), Refusal> {
        std::env::set_current_dir(links).doing(|| format!("go to `{}`", links.display()))?;
        let attributes = if self.privileges == Privileges::Root { PLAIN } else { "userxattr,index=off" };
        let options = format!("lowerdir={lower},upperdir=u,workdir=w,{attributes}");
        let attempt =
            |options: &str| mount(Some("overlay"), target, Some("overlay"), MsFlags::MS_NODEV, Some(options));
        let mounted = match attempt(&format!("{options},volatile")) {
            Err(nix::errno::Errno::EINVAL) => attempt(&options),
            other => other,
        };
        std::env::set_current_dir("/").doing(|| "go to `/`")?;
        mounted.doing(|| "put the layers over each other with overlayfs").map_err(|refusal| {
            refusal.help(
                "the kernel puts no overlay over another: inside a container, keep the cache on a volume; \
                 and for users other than root it must be 5.11 or newer",
            )
        })
    }
}

//! Who can own what in unpacked folders.

/// Who can own what in unpacked folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// Everybody: this process is root.
    Root,
    /// Everybody whom the user namespace that this process is in has.
    Mapped,
    /// One user, who stands for root and all others.
    Single,
}

impl Ownership {
    /// The name of the folder for what is unpacked so.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Mapped => "mapped",
            Self::Single => "single",
        }
    }

    /// The attribute with which an overlay knows a folder that hides what is below it. Without root's own
    /// privileges the overlay is mounted with `userxattr`.
    pub const fn opaque_attribute(self) -> &'static str {
        match self {
            Self::Root => "trusted.overlay.opaque",
            Self::Mapped | Self::Single => "user.overlay.opaque",
        }
    }

    /// Whether files can be given to others.
    pub const fn gives_away(self) -> bool {
        !matches!(self, Self::Single)
    }
}

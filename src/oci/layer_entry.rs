//! One entry of a layer, whoever wrote the layer.
//!
//! Layers that are made here carry no times of their own: all entries get the one time of their build.

/// Character devices that root folders have always had: null, zero, full, random, urandom, tty, console, ptmx.
const HARMLESS_DEVICES: [(u32, u32); 8] = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)];

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A file; its bytes travel beside the entry.
    File {
        /// In bytes.
        size: u64,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as it is stored.
        target: Box<[u8]>,
    },
    /// Another name of a file of the same layer.
    HardLink {
        /// The path of the file, as [`LayerEntry::path`].
        target: Box<[u8]>,
    },
    /// A device node.
    Device {
        /// Whether it is of characters; otherwise of blocks.
        is_character: bool,
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A named pipe.
    Pipe,
    /// The path is gone, though a layer below has it. The path is that which is gone, without `.wh.`.
    Whiteout,
    /// What the layers below have in this folder is gone. The path is the folder's.
    Opaque,
}

impl EntryKind {
    /// Whether it is a device node that could give access to the machine. No layer may have one.
    pub fn is_dangerous_device(&self) -> bool {
        match self {
            Self::Device { is_character, major, minor } => {
                !is_character || !HARMLESS_DEVICES.contains(&(*major, *minor))
            }
            _ => false,
        }
    }
}

/// An extended attribute: its full name, such as `security.capability`, and its value.
pub type Attribute = (Box<[u8]>, Box<[u8]>);

/// An entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LayerEntry {
    /// Relative to the root, clean: no leading, trailing or doubled `/`, no `.` and no `..`. Empty for the
    /// root itself.
    pub path: Box<[u8]>,
    /// What it is.
    pub kind: EntryKind,
    /// The lower twelve bits of `st_mode`.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Extended attributes by full name (`security.capability`, `user.…`), sorted.
    pub xattrs: Vec<Attribute>,
}

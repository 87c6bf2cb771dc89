//! The messages of BuildKit's file transfer, with paths as bytes.
//!
//! The protocol (`tonistiigi/fsutil`, `types/*.proto`) declares paths as strings, but Go neither
//! checks nor changes them, and file names on Unix are bytes. The generated Rust types would refuse
//! a name that is not UTF-8, so the few messages are declared here: on the wire they are the same.

use prost::bytes::Bytes;

use crate::types::file_entry::{FileEntry, FileKind};

/// 1980-01-02T00:00:00Z: the earliest day that zip tools accept, wherever they think they are.
const FIXED_SECOND: i64 = 315_619_200;
const NANOSECONDS: u64 = 1_000_000_000;

/// Bits of Go's `fs.FileMode`, which is not `st_mode`.
mod go_mode {
    pub(super) const FOLDER: u32 = 1 << 31;
    pub(super) const LINK: u32 = 1 << 27;
    pub(super) const SETUID: u32 = 1 << 23;
    pub(super) const SETGID: u32 = 1 << 22;
    pub(super) const STICKY: u32 = 1 << 20;
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum PacketKind {
    /// An entry; without one, the end of the entries.
    Stat = 0,
    /// The receiver wants the bytes of an entry.
    Request = 1,
    /// Bytes of an entry; without any, its end.
    Data = 2,
    /// The receiver has all that it wants.
    Finish = 3,
    /// Either side gives up, and says why.
    Error = 4,
}

/// One message in either direction.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Packet {
    #[prost(enumeration = "PacketKind", tag = "1")]
    pub(super) kind: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) stat: Option<Stat>,
    /// The position of an entry in the order in which entries were sent.
    #[prost(uint32, tag = "3")]
    pub(super) id: u32,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) data: Bytes,
}

/// An entry of a folder. Owner and device numbers are left at 0: a build sees no owner.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Stat {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) path: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(super) mode: u32,
    #[prost(int64, tag = "5")]
    pub(super) size: i64,
    /// Nanoseconds since 1970.
    #[prost(int64, tag = "6")]
    pub(super) modified: i64,
    #[prost(bytes = "vec", tag = "7")]
    pub(super) link_target: Vec<u8>,
}

impl Packet {
    /// Announces an entry.
    pub(super) fn entry(stat: Stat) -> Self {
        Self { kind: PacketKind::Stat.into(), stat: Some(stat), ..Self::default() }
    }

    /// Says that there are no more entries.
    pub(super) fn end_of_entries() -> Self {
        Self { kind: PacketKind::Stat.into(), ..Self::default() }
    }

    /// Bytes of the entry `id`; none is the end.
    pub(super) fn bytes(id: u32, data: Bytes) -> Self {
        Self { kind: PacketKind::Data.into(), id, data, ..Self::default() }
    }

    /// Answers that everything was sent.
    pub(super) fn finish() -> Self {
        Self { kind: PacketKind::Finish.into(), ..Self::default() }
    }

    /// Gives up.
    pub(super) fn error(message: &str) -> Self {
        let data = Bytes::copy_from_slice(message.as_bytes());
        Self { kind: PacketKind::Error.into(), data, ..Self::default() }
    }
}

impl Stat {
    /// How an entry of a view is announced. `second` is its time where that counts.
    pub(super) fn of(entry: &FileEntry, second: Option<i64>) -> Self {
        let modified = |nanoseconds| modified(second, nanoseconds);
        let path = entry.path.as_bytes().to_vec();
        let permissions = go_permissions(entry.permissions);
        match &entry.kind {
            FileKind::Folder => {
                Self { path, mode: go_mode::FOLDER | permissions, modified: modified(0), ..Self::default() }
            }
            FileKind::File { size, content } => Self {
                path,
                mode: permissions,
                size: i64::try_from(*size).unwrap_or(i64::MAX),
                modified: modified(content_nanoseconds(content.as_bytes())),
                ..Self::default()
            },
            FileKind::Link { target } => Self {
                path,
                mode: go_mode::LINK | 0o777,
                size: i64::try_from(target.len()).unwrap_or(i64::MAX),
                modified: modified(0),
                link_target: target.to_vec(),
            },
        }
    }

    /// How a file that lies in memory is announced.
    pub(super) fn of_bytes(path: &str, bytes: &[u8]) -> Self {
        Self {
            path: path.as_bytes().to_vec(),
            mode: 0o644,
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            modified: modified(None, content_nanoseconds(blake3::hash(bytes).as_bytes())),
            ..Self::default()
        }
    }
}

/// The receiver keeps a file whose path, size and time agree with what it got last time, so the time
/// must differ when the content does: the hash goes into the nanoseconds. Images keep whole seconds,
/// so that none of it is seen in an image.
fn content_nanoseconds(hash: &[u8; 32]) -> u64 {
    let head = hash.first_chunk::<8>().expect("a hash has 32 bytes");
    u64::from_le_bytes(*head) % NANOSECONDS
}

fn modified(second: Option<i64>, nanoseconds: u64) -> i64 {
    let nanoseconds = i64::try_from(nanoseconds).expect("less than a second");
    let second = second.unwrap_or(FIXED_SECOND);
    second.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

fn go_permissions(permissions: u32) -> u32 {
    let moved = [(0o4000, go_mode::SETUID), (0o2000, go_mode::SETGID), (0o1000, go_mode::STICKY)];
    moved
        .iter()
        .filter(|(unix, _)| permissions & unix != 0)
        .fold(permissions & 0o777, |mode, (_, go)| mode | go)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::digest::ContentHash;
    use crate::types::workspace_path::WorkspacePath;
    use prost::Message as _;

    fn stat(permissions: u32, kind: FileKind) -> Stat {
        Stat::of(&FileEntry { path: WorkspacePath::root().join_name(b"name"), permissions, kind }, None)
    }

    fn file(content: &[u8]) -> FileKind {
        let content_hash = ContentHash::from_bytes(*blake3::hash(content).as_bytes());
        FileKind::File { size: content.len() as u64, content: content_hash }
    }

    #[test]
    fn modes_are_those_of_go() {
        assert_eq!(stat(0o755, FileKind::Folder).mode, 0o755 | 1 << 31);
        assert_eq!(stat(0o1777, FileKind::Folder).mode, 0o777 | 1 << 31 | 1 << 20);
        assert_eq!(stat(0o6711, file(b"")).mode, 0o711 | 1 << 23 | 1 << 22);
        assert_eq!(stat(0o600, FileKind::Link { target: (*b"to").into() }).mode, 0o777 | 1 << 27);
    }

    #[test]
    fn files_of_one_size_and_different_content_differ_in_time() {
        let [one, other] = [b"AAAA", b"BBBB"].map(|content| stat(0o644, file(content)).modified);
        assert_ne!(one, other);
        assert_eq!(one / 1_000_000_000, FIXED_SECOND);
        assert_eq!(other / 1_000_000_000, FIXED_SECOND);
        assert_eq!(stat(0o755, FileKind::Folder).modified, FIXED_SECOND * 1_000_000_000);
    }

    #[test]
    fn on_the_wire_the_messages_are_the_declared_ones() {
        use bollard_buildkit_proto::fsutil::types;
        let packet = Packet::entry(stat(0o644, FileKind::Link { target: (*b"to").into() }));
        let read = types::Packet::decode(packet.encode_to_vec().as_slice()).unwrap();
        let read_stat = read.stat.unwrap();
        assert_eq!((read_stat.path.as_str(), read_stat.linkname.as_str(), read_stat.size), ("name", "to", 2));
        assert_eq!(read_stat.mod_time, FIXED_SECOND * 1_000_000_000);
        let request = types::Packet {
            r#type: types::packet::PacketType::PacketReq.into(),
            id: 7,
            ..Default::default()
        };
        let read = Packet::decode(request.encode_to_vec().as_slice()).unwrap();
        assert_eq!((read.kind(), read.id), (PacketKind::Request, 7));
    }
}

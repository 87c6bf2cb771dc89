//! The writer of layers: sorted entries in, one fixed tar out.
//!
//! The same entries give the same bytes, whoever writes them and when: entries come in the order of their
//! paths' bytes, all have one time, and no name of a user or a group is in them. Headers are those of POSIX;
//! what does not fit into one (long or foreign names, large numbers, attributes) goes into an extended header
//! before it, with its records sorted, and only then is there one. Docker, Go, GNU tar and bsdtar read them.
//!
//! Every folder above an entry has to come before it: Docker gives a folder that is missing in a layer a
//! mode of its own.

use std::collections::HashSet;
use std::io::{self, Read, Write};

use tar::{EntryType, Header};

use super::error::printable;
use crate::oci::disk_full;
use crate::oci::layer_entry::{EntryKind, LayerEntry};

/// How the name of an entry begins that says that a path is gone.
pub const WHITEOUT_PREFIX: &[u8] = b".wh.";

/// The name of the entry that says that a folder hides what is below it.
pub const OPAQUE_NAME: &[u8] = b".wh..wh..opq";

/// How the record of an extended attribute begins.
pub(super) const ATTRIBUTE_PREFIX: &[u8] = b"SCHILY.xattr.";

/// How the names of attributes begin in which an overlay keeps its own notes. No layer has them.
pub const OVERLAY_PREFIXES: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

const BLOCK: usize = 512;

/// Bytes of a file that are copied at once.
const COPIED_AT_ONCE: usize = 128 << 10;

/// The name of an extended header. Readers do not look at it.
const EXTENDED_NAME: &[u8] = b"PaxHeaders.0";

/// Why an entry was not written. After an error the tar is of no use.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The tar cannot be written, or the content cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An entry came after one that has to come later.
    #[error("the entry `{0}` of a layer is not in order")]
    Order(String),
    /// The folder that an entry is in was not written.
    #[error("the folder of the entry `{0}` of a layer is missing")]
    NoParent(String),
    /// A path that is not clean, or a name that would be read as something else.
    #[error("`{0}` cannot be the path of an entry of a layer")]
    Path(String),
    /// A file did not have the bytes that it was said to have: it changed while it was read.
    #[error("the file `{path}` has not the {expected} bytes that it had")]
    Size {
        /// The entry's path.
        path: String,
        /// What the entry says.
        expected: u64,
    },
    /// A device node that no layer may have: whoever reads the layer would refuse it.
    #[error("`/{0}` is a device node that no image needs")]
    Device(String),
}

impl WriteError {
    /// What helps, where something does.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Io(cause) => disk_full::help(cause),
            Self::Device(_) => Some(
                "remove it in the step that makes it: who runs an image gives it its devices (`docker run --device`)",
            ),
            Self::Order(_) | Self::NoParent(_) | Self::Path(_) | Self::Size { .. } => None,
        }
    }
}

/// Writes a layer's tar.
pub struct LayerWriter<W: Write> {
    writer: W,
    /// Of all entries, in seconds since 1970.
    time: i64,
    last: Option<LayerEntry>,
    folders: HashSet<Box<[u8]>>,
    buffer: Vec<u8>,
}

impl<W: Write> LayerWriter<W> {
    /// A tar in `writer`, whose entries all get `time`, in seconds since 1970.
    pub fn new(writer: W, time: i64) -> Self {
        Self { writer, time, last: None, folders: HashSet::new(), buffer: Vec::new() }
    }

    /// Appends `entry`; a file's bytes come from `content`, which has to have exactly as many as the entry
    /// says. Other kinds do not look at it.
    ///
    /// Paths come in strictly ascending order of their bytes, the folder of each before it; only
    /// [`EntryKind::Opaque`] has the path of the folder that comes right before it.
    pub fn append(&mut self, entry: &LayerEntry, content: &mut dyn Read) -> Result<(), WriteError> {
        let shown = || printable(&entry.path);
        if !is_clean(entry) {
            return Err(WriteError::Path(shown()));
        }
        if !self.is_next(entry) {
            return Err(WriteError::Order(shown()));
        }
        if entry.kind.is_dangerous_device() {
            return Err(WriteError::Device(shown()));
        }
        let above = parent(&entry.path);
        if !above.is_empty() && !self.folders.contains(above) {
            return Err(WriteError::NoParent(shown()));
        }
        self.write_headers(entry)?;
        if let EntryKind::File { size } = entry.kind {
            self.write_content(entry, size, content)?;
        }
        if entry.kind == EntryKind::Folder {
            self.folders.insert(entry.path.clone());
        }
        self.last = Some(entry.clone());
        Ok(())
    }

    /// Ends the tar.
    pub fn finish(mut self) -> io::Result<W> {
        self.writer.write_all(&[0; 2 * BLOCK])?;
        Ok(self.writer)
    }

    fn is_next(&self, entry: &LayerEntry) -> bool {
        let Some(last) = &self.last else { return true };
        if entry.kind == EntryKind::Opaque && last.path == entry.path {
            return last.kind == EntryKind::Folder;
        }
        last.path < entry.path
    }

    fn write_content(
        &mut self,
        entry: &LayerEntry,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), WriteError> {
        self.buffer.resize(COPIED_AT_ONCE, 0);
        let mut left = size;
        loop {
            // At the end it shows whether there is more.
            let wanted = usize::try_from(left).unwrap_or(COPIED_AT_ONCE).clamp(1, COPIED_AT_ONCE);
            let read = match content.read(&mut self.buffer[..wanted]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            match (left, read) {
                (0, 0) => return self.pad(size),
                (0, _) | (_, 0) => {
                    return Err(WriteError::Size { path: printable(&entry.path), expected: size });
                }
                _ => self.writer.write_all(&self.buffer[..read])?,
            }
            left -= read as u64;
        }
    }

    fn pad(&mut self, size: u64) -> Result<(), WriteError> {
        let used = (size % BLOCK as u64) as usize;
        Ok(self.writer.write_all(&[0; BLOCK][..(BLOCK - used) % BLOCK])?)
    }

    fn write_headers(&mut self, entry: &LayerEntry) -> Result<(), WriteError> {
        let mut records = Records::default();
        let mut header = Header::new_ustar();
        let fields = header.as_ustar_mut().expect("the header is one of ustar");
        records.text(&mut fields.name, "path", &tar_name(entry));
        fields.typeflag = [entry_type(&entry.kind).as_byte()];
        if let EntryKind::Link { target } | EntryKind::HardLink { target } = &entry.kind {
            records.text(&mut fields.linkname, "linkpath", target);
        }
        let size = if let EntryKind::File { size } = entry.kind { size } else { 0 };
        records.number(&mut fields.size, "size", i128::from(size));
        records.number(&mut fields.mode, "mode", i128::from(entry.mode & 0o7777));
        records.number(&mut fields.uid, "uid", i128::from(entry.uid));
        records.number(&mut fields.gid, "gid", i128::from(entry.gid));
        records.number(&mut fields.mtime, "mtime", i128::from(self.time));
        if let EntryKind::Device { major, minor, .. } = entry.kind {
            records.number(&mut fields.dev_major, "SCHILY.devmajor", i128::from(major));
            records.number(&mut fields.dev_minor, "SCHILY.devminor", i128::from(minor));
        }
        for (name, value) in &entry.xattrs {
            records.push([ATTRIBUTE_PREFIX, name].concat(), value.to_vec());
        }
        header.set_cksum();
        self.write_records(records)?;
        Ok(self.writer.write_all(header.as_bytes())?)
    }

    fn write_records(&mut self, mut records: Records) -> Result<(), WriteError> {
        if records.0.is_empty() {
            return Ok(());
        }
        records.0.sort();
        let body: Vec<u8> = records.0.iter().flat_map(|(key, value)| record(key, value)).collect();
        let mut header = Header::new_ustar();
        let fields = header.as_ustar_mut().expect("the header is one of ustar");
        fields.name[..EXTENDED_NAME.len()].copy_from_slice(EXTENDED_NAME);
        fields.typeflag = [EntryType::XHeader.as_byte()];
        octal(&mut fields.size, body.len() as u64);
        octal(&mut fields.mode, 0o644);
        octal(&mut fields.uid, 0);
        octal(&mut fields.gid, 0);
        octal(&mut fields.mtime, 0);
        header.set_cksum();
        self.writer.write_all(header.as_bytes())?;
        self.writer.write_all(&body)?;
        self.pad(body.len() as u64)
    }
}

/// The records of an extended header.
#[derive(Default)]
struct Records(Vec<(Vec<u8>, Vec<u8>)>);

impl Records {
    fn push(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.push((key, value));
    }

    /// Puts `text` into `field`, as much as fits, and into a record when that is not all of it, or when
    /// its letters are more than readers agree on.
    fn text(&mut self, field: &mut [u8], key: &str, text: &[u8]) {
        let length = text.len().min(field.len());
        field[..length].copy_from_slice(&text[..length]);
        if length < text.len() || !text.is_ascii() {
            self.push(key.into(), text.to_vec());
        }
    }

    /// Puts `value` into `field`, or into a record when it does not fit.
    fn number(&mut self, field: &mut [u8], key: &str, value: i128) {
        let digits = 3 * (field.len() as u32 - 1);
        if value >= 0 && value < 1_i128 << digits {
            octal(field, value as u64);
        } else {
            octal(field, 0);
            self.push(key.into(), value.to_string().into_bytes());
        }
    }
}

/// `value` in octal digits that fill `field` but for the zero byte at its end.
fn octal(field: &mut [u8], value: u64) {
    let width = field.len() - 1;
    field[..width].copy_from_slice(format!("{value:0width$o}").as_bytes());
}

/// `LENGTH key=value\n`, whose length counts itself.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

fn entry_type(kind: &EntryKind) -> EntryType {
    match kind {
        EntryKind::Folder => EntryType::Directory,
        EntryKind::File { .. } | EntryKind::Whiteout | EntryKind::Opaque => EntryType::Regular,
        EntryKind::Link { .. } => EntryType::Symlink,
        EntryKind::HardLink { .. } => EntryType::Link,
        EntryKind::Device { is_character: true, .. } => EntryType::Char,
        EntryKind::Device { is_character: false, .. } => EntryType::Block,
        EntryKind::Pipe => EntryType::Fifo,
    }
}

/// The name of `entry` in the tar.
fn tar_name(entry: &LayerEntry) -> Vec<u8> {
    let path = &*entry.path;
    match entry.kind {
        EntryKind::Folder if path.is_empty() => b"./".to_vec(),
        EntryKind::Folder => [path, b"/"].concat(),
        EntryKind::Opaque if path.is_empty() => OPAQUE_NAME.to_vec(),
        EntryKind::Opaque => [path, b"/", OPAQUE_NAME].concat(),
        EntryKind::Whiteout => {
            let name = path.len() - name(path).len();
            [&path[..name], WHITEOUT_PREFIX, &path[name..]].concat()
        }
        _ => path.to_vec(),
    }
}

/// The folder that `path` is in; empty for the root.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)]
}

/// The last name of `path`.
pub(super) fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

fn is_clean(entry: &LayerEntry) -> bool {
    if entry.path.is_empty() {
        return matches!(entry.kind, EntryKind::Folder | EntryKind::Opaque);
    }
    let target = match &entry.kind {
        EntryKind::Link { target } | EntryKind::HardLink { target } => {
            !target.is_empty() && !target.contains(&0)
        }
        _ => true,
    };
    target && is_clean_path(&entry.path) && entry.xattrs.iter().all(|(name, _value)| is_attribute_name(name))
}

fn is_clean_path(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').all(|name| {
        !matches!(name, b"" | b"." | b"..") && !name.contains(&0) && !name.starts_with(WHITEOUT_PREFIX)
    })
}

/// Whether `name` can be that of an attribute and of a record.
pub(super) fn is_attribute_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.iter().any(|byte| matches!(byte, 0 | b'=' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: EntryKind) -> LayerEntry {
        let xattrs = Vec::new();
        LayerEntry { path: path.as_bytes().into(), kind, mode: 0o755, uid: 0, gid: 0, xattrs }
    }

    /// What becomes of `entries`, whose files all have the bytes `abc`.
    fn check(entries: &[LayerEntry], expected: Result<(), &str>) {
        let mut writer = LayerWriter::new(Vec::new(), 0);
        let written = entries.iter().try_for_each(|entry| writer.append(entry, &mut &b"abc"[..]));
        assert_eq!(written.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        if expected.is_ok() {
            assert_eq!(writer.finish().unwrap().len() % BLOCK, 0);
        }
    }

    #[test]
    fn entries_have_to_be_in_order() {
        use EntryKind::{File, Folder, Opaque, Whiteout};
        let file = File { size: 3 };
        check(
            &[entry("", Folder), entry("a", Folder), entry("a.b", file.clone()), entry("a/b", file.clone())],
            Ok(()),
        );
        check(&[entry("a", Folder), entry("a", Opaque), entry("a/b", Whiteout)], Ok(()));
        check(&[entry("", Opaque), entry("a", Folder)], Ok(()));
        let out_of_order = Err("the entry `a` of a layer is not in order");
        check(&[entry("b", Folder), entry("a", Folder)], out_of_order);
        check(&[entry("a", Folder), entry("a", Folder)], out_of_order);
        check(&[entry("a", Opaque), entry("a", Folder)], out_of_order);
        check(&[entry("a/b", file)], Err("the folder of the entry `a/b` of a layer is missing"));
    }

    #[test]
    fn what_would_be_read_as_something_else_is_refused() {
        for path in ["/a", "a/", "a//b", ".", "a/../b", ".wh.a", ".wh..wh..opq", "a\0"] {
            let shown = printable(path.as_bytes());
            check(
                &[entry(path, EntryKind::Pipe)],
                Err(&format!("`{shown}` cannot be the path of an entry of a layer")),
            );
        }
    }

    #[test]
    fn a_file_has_the_size_that_it_is_said_to_have() {
        for size in [2, 4] {
            let expected = format!("the file `a` has not the {size} bytes that it had");
            check(&[entry("a", EntryKind::File { size })], Err(&expected));
        }
        check(&[entry("a", EntryKind::File { size: 3 })], Ok(()));
    }

    #[test]
    fn the_length_of_a_record_counts_itself() {
        for length in [1, 5, 90, 92, 93, 94, 95, 96, 990, 9_990] {
            let record = record(b"path", &vec![b'x'; length]);
            let said: usize = String::from_utf8_lossy(&record).split(' ').next().unwrap().parse().unwrap();
            assert_eq!(said, record.len());
        }
    }
}

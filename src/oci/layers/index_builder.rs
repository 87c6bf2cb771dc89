//! Makes the index of a layer from its tar, in the order of the tar: as Docker would unpack it.
//!
//! The last entry of a name wins. A folder that is missing is made. An entry below a symbolic link of the same
//! layer is where the link leads, inside the root; a link of a layer below is not looked at, since a layer
//! is unpacked without those below it. A hard link is another name of the file that was there when the link
//! came. A mark that a path is gone is about the layers below only, wherever in the tar it stands.
//!
//! It refuses what leads out of the root, hard links to nothing, entries below files, and devices but for the
//! few that root folders have always had: a device node gives whoever opens it the machine's own device.

use std::collections::HashMap;
use std::io::Read;

use super::error::{ENTRIES_PER_LAYER, EntryProblem, LayerError, NAME_LENGTH, PATH_LENGTH, TEXT_PER_LAYER};
use super::index::{Content, LayerIndex, ROOT, Record, Text};
use super::tar_reader::{TarEntry, TarReader};
use super::writer::WHITEOUT_PREFIX;
use crate::oci::blob_digest::DiffId;
use crate::oci::layer_entry::{Attribute, EntryKind};

/// How an entry's name begins that is about an aufs, a file system that Docker once used. Docker skips them.
const AUFS_PREFIX: &[u8] = b".wh..wh.";

/// The rest of the name that says that a folder hides what is below it.
const OPAQUE_REST: &[u8] = b".wh..opq";

/// How many links may be followed for one path, as Docker has it.
const LINKS_FOLLOWED: usize = 255;

/// How many names may be looked up behind links for all entries of a layer. Honest layers have few entries below
/// links; without a limit, links of links of links keep a reader busy for hours.
const NAMES_BEHIND_LINKS: usize = 20_000_000;

/// The index of `layer`, read from its tar, which has `length` bytes, where that is known.
pub(super) fn index_of(tar: impl Read, layer: DiffId, length: Option<u64>) -> Result<LayerIndex, LayerError> {
    let mut reader = TarReader::new(tar, layer, length);
    let mut builder = Builder::new();
    while let Some(entry) = reader.next()? {
        builder.add(&entry).map_err(|problem| reader.error(&entry.path, problem))?;
        if builder.records.len() > ENTRIES_PER_LAYER {
            return Err(LayerError::TooManyEntries(layer));
        }
        if builder.text.len() + builder.attribute_bytes > TEXT_PER_LAYER {
            return Err(LayerError::TooMuchText(layer));
        }
    }
    Ok(builder.finish())
}

/// The tree so far. A record that was replaced stays in the list and is in no folder.
struct Builder {
    records: Vec<Record>,
    text: Vec<u8>,
    attributes: Vec<Vec<Attribute>>,
    attribute_bytes: usize,
    /// Places of attributes in the list, plus one: most entries that have some have the same.
    known_attributes: HashMap<Vec<Attribute>, u32>,
    /// By folder and name.
    children: HashMap<(u32, Box<[u8]>), u32>,
    link_groups: u32,
    /// Of the path of each record, with the `/` after it.
    path_lengths: Vec<u32>,
    names_behind_links: usize,
}

impl Builder {
    fn new() -> Self {
        Self {
            records: LayerIndex::empty().records,
            text: Vec::new(),
            attributes: Vec::new(),
            attribute_bytes: 0,
            known_attributes: HashMap::new(),
            children: HashMap::new(),
            link_groups: 0,
            path_lengths: vec![0],
            names_behind_links: 0,
        }
    }

    fn add(&mut self, entry: &TarEntry) -> Result<(), EntryProblem> {
        let path = clean(&entry.path)?;
        let Some((name, folders)) = path.split_last() else {
            return Self::pass_over_root(entry);
        };
        if let Some(marked) = name.strip_prefix(WHITEOUT_PREFIX) {
            return self.mark(folders, marked);
        }
        if path.iter().any(|name| name.starts_with(AUFS_PREFIX)) {
            return Ok(());
        }
        let folder = self.folder(folders)?;
        let record = match entry.kind {
            b'1' => self.hard_link(entry)?,
            _ => self.record(entry)?,
        };
        self.put(folder, name, record).map(drop)
    }

    /// An entry for the root. It says nothing: the root of every image is 0755 and root's, as containerd has
    /// it.
    fn pass_over_root(entry: &TarEntry) -> Result<(), EntryProblem> {
        if entry.kind == b'5' { Ok(()) } else { Err(EntryProblem::RootNoFolder) }
    }

    /// An entry `.wh.` and `marked`, in `folders`.
    fn mark(&mut self, folders: &[&[u8]], marked: &[u8]) -> Result<(), EntryProblem> {
        if marked == OPAQUE_REST {
            let folder = self.folder(folders)?;
            self.records[folder as usize].is_opaque = true;
            return Ok(());
        }
        if marked.starts_with(WHITEOUT_PREFIX) {
            return Ok(());
        }
        if matches!(marked, b"" | b"." | b"..") {
            return Err(EntryProblem::BadWhiteout);
        }
        let folder = self.folder(folders)?;
        match self.child(folder, marked) {
            // It is about the layers below: what this layer has there stays.
            Some(there) => self.records[there as usize].is_opaque = true,
            None => {
                let mut record = Record::implied_folder(Text::default(), folder);
                record.content = Content::Whiteout;
                record.is_opaque = true;
                self.put(folder, marked, record)?;
            }
        }
        Ok(())
    }

    /// The folder at `path`, made where it is missing. Links on the way are followed inside the root.
    fn folder(&mut self, path: &[&[u8]]) -> Result<u32, EntryProblem> {
        let mut pending: Vec<Box<[u8]>> = path.iter().rev().map(|name| (*name).into()).collect();
        let (mut at, mut followed) = (ROOT, 0);
        while let Some(name) = pending.pop() {
            self.names_behind_links += usize::from(followed > 0);
            match &*name {
                b"" | b"." => continue,
                b".." => {
                    at = self.records[at as usize].parent;
                    continue;
                }
                _ => {}
            }
            let Some(child) = self.child(at, &name).filter(|child| !self.is_whiteout(*child)) else {
                check_name(&name)?;
                if name.starts_with(WHITEOUT_PREFIX) {
                    return Err(EntryProblem::BadWhiteout);
                }
                at = self.put(at, &name, Record::implied_folder(Text::default(), at))?;
                continue;
            };
            match self.records[child as usize].content {
                Content::Folder => at = child,
                Content::Link { target } => {
                    followed += 1;
                    if followed > LINKS_FOLLOWED
                        || pending.len() > PATH_LENGTH
                        || self.names_behind_links > NAMES_BEHIND_LINKS
                    {
                        return Err(EntryProblem::LinkLoop);
                    }
                    let target = self.text_at(target);
                    if target.starts_with(b"/") {
                        at = ROOT;
                    }
                    let names = target.split(|byte| *byte == b'/').rev().map(Box::from);
                    pending.extend(names.collect::<Vec<_>>());
                }
                _ => return Err(EntryProblem::BelowNoFolder),
            }
        }
        Ok(at)
    }

    fn hard_link(&mut self, entry: &TarEntry) -> Result<Record, EntryProblem> {
        let path = clean(&entry.link)?;
        let (name, folders) = path.split_last().ok_or(EntryProblem::LinkToFolder)?;
        let folder = self.existing_folder(folders).ok_or(EntryProblem::LinkToNothing)?;
        let there = self.child(folder, name).filter(|there| !self.is_whiteout(*there));
        let there = there.ok_or(EntryProblem::LinkToNothing)?;
        match self.records[there as usize].content {
            Content::Folder => return Err(EntryProblem::LinkToFolder),
            Content::File { .. } if self.records[there as usize].link_group == 0 => {
                self.link_groups += 1;
                self.records[there as usize].link_group = self.link_groups;
            }
            _ => {}
        }
        Ok(self.records[there as usize].clone())
    }

    /// The folder at `path`, when all of it is there.
    fn existing_folder(&mut self, path: &[&[u8]]) -> Option<u32> {
        let before = self.records.len();
        let folder = self.folder(path).ok()?;
        // A folder that had to be made cannot hold the file that is looked for.
        (self.records.len() == before).then_some(folder)
    }

    fn record(&mut self, entry: &TarEntry) -> Result<Record, EntryProblem> {
        let content = match entry.kind {
            0 | b'0' | b'7' => Content::File { offset: entry.offset, size: entry.size, check: entry.check },
            b'2' => Content::Link { target: self.target(&entry.link)? },
            b'3' | b'4' => device(entry)?,
            b'5' => Content::Folder,
            b'6' => Content::Pipe,
            b'S' => return Err(EntryProblem::Sparse),
            _ => return Err(EntryProblem::BadKind),
        };
        let mode = (entry.mode & 0o7777) as u16;
        let (uid, gid) = (entry.uid, entry.gid);
        let (seconds, nanoseconds) = (entry.seconds, entry.nanoseconds);
        let attributes = self.attributes_of(entry);
        let implied = Record::implied_folder(Text::default(), ROOT);
        Ok(Record { content, mode, is_implied: false, uid, gid, attributes, seconds, nanoseconds, ..implied })
    }

    fn target(&mut self, link: &[u8]) -> Result<Text, EntryProblem> {
        if link.is_empty() || link.contains(&0) {
            return Err(EntryProblem::BadName);
        }
        if link.len() >= PATH_LENGTH {
            return Err(EntryProblem::LongPath);
        }
        Ok(self.add_text(link))
    }

    fn attributes_of(&mut self, entry: &TarEntry) -> u32 {
        if entry.xattrs.is_empty() {
            return 0;
        }
        if let Some(place) = self.known_attributes.get(&entry.xattrs) {
            return *place;
        }
        // Both the list and the map hold them, each with what a list costs.
        let bytes: usize = entry.xattrs.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        self.attribute_bytes += 2 * bytes;
        self.attributes.push(entry.xattrs.clone());
        let place = self.attributes.len() as u32;
        self.known_attributes.insert(entry.xattrs.clone(), place);
        place
    }

    /// Puts `record` into `folder` under `name`, in place of what is there.
    fn put(&mut self, folder: u32, name: &[u8], mut record: Record) -> Result<u32, EntryProblem> {
        record.parent = folder;
        let there = self.child(folder, name);
        if let Some(there) = there {
            let old = &self.records[there as usize];
            if old.content == Content::Folder && record.content == Content::Folder {
                self.replace_folder(there, record);
                return Ok(there);
            }
            record.name = old.name;
            record.is_opaque |= old.is_opaque;
        } else {
            record.name = self.add_text(name);
        }
        let path_length = self.path_lengths[folder as usize] + name.len() as u32 + 1;
        if path_length as usize > PATH_LENGTH {
            return Err(EntryProblem::LongPath);
        }
        let place = self.records.len() as u32;
        self.records.push(record);
        self.path_lengths.push(path_length);
        self.children.insert((folder, name.into()), place);
        Ok(place)
    }

    /// Gives the folder `there` the owner, mode and attributes of `record`; what is in it stays.
    fn replace_folder(&mut self, there: u32, record: Record) {
        let old = &self.records[there as usize];
        let (name, parent, is_opaque) = (old.name, old.parent, old.is_opaque);
        self.records[there as usize] = Record { name, parent, is_opaque, ..record };
    }

    fn child(&self, folder: u32, name: &[u8]) -> Option<u32> {
        self.children.get(&(folder, name.into())).copied()
    }

    fn is_whiteout(&self, record: u32) -> bool {
        self.records[record as usize].content == Content::Whiteout
    }

    fn add_text(&mut self, text: &[u8]) -> Text {
        let at = self.text.len() as u32;
        self.text.extend_from_slice(text);
        Text { at, length: text.len() as u16 }
    }

    fn text_at(&self, text: Text) -> &[u8] {
        &self.text[text.at as usize..text.at as usize + usize::from(text.length)]
    }

    /// Puts the records in the order of an index.
    fn finish(self) -> LayerIndex {
        let Self { records, text, attributes, children, .. } = self;
        let mut members: Vec<(u32, u32)> =
            children.into_iter().map(|((folder, _name), record)| (folder, record)).collect();
        let name = |record: u32| {
            let name = records[record as usize].name;
            &text[name.at as usize..name.at as usize + usize::from(name.length)]
        };
        members.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| name(a.1).cmp(name(b.1))));
        let mut ordered = vec![records[ROOT as usize].clone()];
        let mut old_places = vec![ROOT];
        let mut at = 0;
        while at < ordered.len() {
            let old_place = old_places[at];
            let start = members.partition_point(|(folder, _record)| *folder < old_place);
            let inside = members[start..].iter().take_while(|(folder, _record)| *folder == old_place);
            ordered[at].first_child = ordered.len() as u32;
            for (_folder, record) in inside {
                ordered[at].children += 1;
                ordered.push(Record { parent: at as u32, ..records[*record as usize].clone() });
                old_places.push(*record);
            }
            at += 1;
        }
        drop((records, members, old_places));
        let mut index = LayerIndex { records: ordered, text, attributes, first_names: vec![ROOT] };
        settle(&mut index);
        index
    }
}

/// Drops what does not count any more: opaqueness of what is no folder, groups of one name; and finds the first
/// names of the others.
fn settle(index: &mut LayerIndex) {
    let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
    for (place, record) in index.records.iter_mut().enumerate() {
        record.is_opaque &= record.content == Content::Folder;
        if !matches!(record.content, Content::File { .. }) {
            record.link_group = 0;
        }
        if record.link_group != 0 {
            groups.entry(record.link_group).or_default().push(place as u32);
        }
    }
    let mut groups: Vec<Vec<u32>> = groups.into_values().collect();
    groups.sort_unstable();
    for names in groups {
        let first = names.iter().copied().min_by_key(|record| index.path(*record));
        let is_several = names.len() > 1;
        let number = if is_several { index.first_names.len() as u32 } else { 0 };
        names.iter().for_each(|record| index.records[*record as usize].link_group = number);
        if is_several {
            index.first_names.extend(first);
        }
    }
}

/// The names of `path`, cleaned as Go cleans: without `.` and doubled `/`, each `..` taken with the name before
/// it. An absolute path begins at the root.
fn clean(path: &[u8]) -> Result<Vec<&[u8]>, EntryProblem> {
    if path.is_empty() || path.contains(&0) {
        return Err(EntryProblem::BadName);
    }
    if path.len() > PATH_LENGTH {
        return Err(EntryProblem::LongPath);
    }
    let mut names = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop().ok_or(EntryProblem::LeavesRoot)?;
            }
            _ => {
                check_name(name)?;
                names.push(name);
            }
        }
    }
    Ok(names)
}

fn check_name(name: &[u8]) -> Result<(), EntryProblem> {
    if name.len() > NAME_LENGTH { Err(EntryProblem::LongName) } else { Ok(()) }
}

fn device(entry: &TarEntry) -> Result<Content, EntryProblem> {
    let (major, minor, is_character) = (entry.major, entry.minor, entry.kind == b'3');
    if (EntryKind::Device { is_character, major, minor }).is_dangerous_device() {
        return Err(EntryProblem::Device);
    }
    Ok(Content::Device { is_character, major, minor })
}

//! How many files the cache holds and how large they are, for `imgraph cache stats`.

use std::path::Path;

use super::folder::{CacheError, CacheFolder, Kind, TEMPORARY_PREFIX};

/// Files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many files.
    pub files: u64,
    /// Their sizes, summed up.
    pub bytes: u64,
}

/// What the cache holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Each kind of record, all of them, in the order of [`Kind::ALL`].
    pub kinds: Vec<(Kind, Usage)>,
    /// What interrupted runs left, or what is being written.
    pub temporary: Usage,
    /// Anything else in the version's folder.
    pub other: Usage,
}

impl Statistics {
    /// Counts what `folder` holds. A cache that is not there holds nothing.
    ///
    /// # Errors
    /// When a folder of the cache cannot be read.
    pub fn collect(folder: &CacheFolder) -> Result<Self, CacheError> {
        let kinds = Kind::ALL.map(|kind| (kind, Usage::default())).to_vec();
        let mut statistics = Self { kinds, ..Self::default() };
        for (path, metadata) in folder.files()? {
            let usage = statistics.of(path.strip_prefix(folder.path()).unwrap_or(&path));
            usage.files += 1;
            usage.bytes += metadata.len();
        }
        Ok(statistics)
    }

    /// Everything.
    pub fn total(&self) -> Usage {
        let parts = self.kinds.iter().map(|(_kind, usage)| usage).chain([&self.temporary, &self.other]);
        parts.fold(Usage::default(), |sum, part| Usage {
            files: sum.files + part.files,
            bytes: sum.bytes + part.bytes,
        })
    }

    /// Where the file at `path`, relative to the version's folder, is counted.
    fn of(&mut self, path: &Path) -> &mut Usage {
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()) {
            return &mut self.temporary;
        }
        let kind = self.kinds.iter_mut().find(|(kind, _usage)| path.starts_with(kind.name()));
        kind.map_or(&mut self.other, |(_kind, usage)| usage)
    }
}

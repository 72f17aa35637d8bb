//! Unpacks a dataset's tar archive, gzip-compressed or not. Archives come from outside and are
//! hostile until proven otherwise: everything is unpacked into a hidden folder beside its
//! destination and moved there only when the whole archive has been read and found good, so
//! that nothing of a bad one stays behind. Finding and fetching archives is left to others.
//!
//! The `tar` crate cuts the stream into entries; long names and extended headers are read here,
//! because the crate would read them into memory whatever their size.

mod entry;

pub use entry::Reason;

use crate::error::disk_hint;
use entry::{Kind, LONGEST_NAME, Names, kind_of, relative};
use flate2::bufread::MultiGzDecoder;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use storage::hint::Hint;
use tar::{EntryType, PaxExtensions};

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together, unpacked.
    pub total_bytes: u64,
    /// Files and folders.
    pub entries: usize,
}

impl Limits {
    /// More than any HST dataset has.
    pub const DEFAULT_GIB: u64 = 256;

    /// So many GiB in at most 100,000 files and folders.
    #[must_use]
    pub const fn of_gib(gib: u64) -> Self {
        Self {
            total_bytes: gib.saturating_mul(1 << 30),
            entries: 100_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_gib(Self::DEFAULT_GIB)
    }
}

/// An archive that was not unpacked; nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read.
    #[error("archive {archive} cannot be read")]
    Read {
        /// The archive.
        archive: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is cut short, damaged or no archive at all.
    #[error("archive {archive} is damaged: {reason}")]
    Damaged {
        /// The archive.
        archive: PathBuf,
        /// Where and how.
        reason: String,
    },
    /// One of its entries is not acceptable.
    #[error("archive {archive} is refused: entry {entry:?} {reason}")]
    Refused {
        /// The archive.
        archive: PathBuf,
        /// The entry's name.
        entry: String,
        /// Why.
        reason: Reason,
    },
    /// It holds more than it may.
    #[error("archive {archive} is refused: it holds more than {limit} {unit}")]
    TooLarge {
        /// The archive.
        archive: PathBuf,
        /// The limit.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// A file could not be written.
    #[error("archive {archive} cannot be unpacked: {path}")]
    Write {
        /// The archive.
        archive: PathBuf,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Hint for ArchiveError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::from(match self {
            Self::Read { source, .. } => disk_hint(source),
            Self::Damaged { .. } => "fetch it again",
            Self::Refused { .. } => return None,
            Self::TooLarge { .. } => {
                "look what is in it; the limit on bytes is raised with --archive-limit"
            }
            Self::Write { .. } => "is the disk full?",
        }))
    }
}

/// The longest extended header, in bytes.
const LONGEST_EXTENSION: u64 = 64 * 1024;
/// What headers and padding may add to the files' bytes.
const OVERHEAD: u64 = 256 << 20;

/// Unpacks `archive` into the existing folder `destination` and returns the files' paths
/// relative to it, sorted. Files of the same names are replaced.
pub fn unpack(
    archive: &Path,
    destination: &Path,
    limits: &Limits,
) -> Result<Vec<PathBuf>, ArchiveError> {
    let unpacking = Unpacking::new(archive, limits);
    let file = File::open(archive).map_err(|source| unpacking.read_error(source))?;
    let staging = tempfile::Builder::new()
        .prefix(".unpacking-")
        .tempdir_in(destination)
        .map_err(|source| unpacking.write_error(destination, source))?;
    let names = unpacking.stage(BufReader::with_capacity(256 * 1024, file), staging.path())?;
    unpacking.publish(&names, staging.path(), destination)?;
    Ok(names.into_files())
}

/// What the error messages of one archive need.
struct Unpacking<'a> {
    archive: &'a Path,
    limits: &'a Limits,
}

impl<'a> Unpacking<'a> {
    fn new(archive: &'a Path, limits: &'a Limits) -> Self {
        Self { archive, limits }
    }

    fn read_error(&self, source: io::Error) -> ArchiveError {
        let archive = self.archive.to_owned();
        match source.kind() {
            io::ErrorKind::FileTooLarge => self.too_large(),
            io::ErrorKind::UnexpectedEof => ArchiveError::Damaged {
                archive,
                reason: "it is cut short".to_owned(),
            },
            // What decoders report; the rest comes from the system.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                let reason = source.to_string();
                ArchiveError::Damaged { archive, reason }
            }
            _ => ArchiveError::Read { archive, source },
        }
    }

    fn write_error(&self, path: &Path, source: io::Error) -> ArchiveError {
        ArchiveError::Write {
            archive: self.archive.to_owned(),
            path: path.to_owned(),
            source,
        }
    }

    fn too_large(&self) -> ArchiveError {
        ArchiveError::TooLarge {
            archive: self.archive.to_owned(),
            limit: self.limits.total_bytes,
            unit: "bytes",
        }
    }

    fn refused(&self, entry: &[u8], reason: Reason) -> ArchiveError {
        let entry: String = String::from_utf8_lossy(entry).chars().take(200).collect();
        ArchiveError::Refused {
            archive: self.archive.to_owned(),
            entry,
            reason,
        }
    }

    /// Unpacks everything into `staging`, and reads the archive to its last byte, so that
    /// checksums at its end are verified.
    fn stage(&self, mut file: BufReader<File>, staging: &Path) -> Result<Names, ArchiveError> {
        let start = file.fill_buf().map_err(|e| self.read_error(e))?;
        if start.is_empty() {
            let archive = self.archive.to_owned();
            let reason = "it is empty".to_owned();
            return Err(ArchiveError::Damaged { archive, reason });
        }
        let cap = self.limits.total_bytes.saturating_add(OVERHEAD);
        let stream: Box<dyn Read> = if start.starts_with(&[0x1f, 0x8b]) {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut tar = tar::Archive::new(Capped { stream, left: cap });
        let names = self.stage_entries(&mut tar, staging)?;
        io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(|e| self.read_error(e))?;
        Ok(names)
    }

    fn stage_entries<R: Read>(
        &self,
        tar: &mut tar::Archive<R>,
        staging: &Path,
    ) -> Result<Names, ArchiveError> {
        let mut names = Names::default();
        let mut total: u64 = 0;
        let mut count = 0;
        let mut long_name: Option<Vec<u8>> = None;
        for entry in tar.entries().map_err(|e| self.read_error(e))?.raw(true) {
            let mut entry = entry.map_err(|e| self.read_error(e))?;
            let kind = entry.header().entry_type();
            if let Some(name) = self.extension(&mut entry, kind)? {
                long_name = name.or(long_name);
                continue;
            }
            count += 1;
            if count > self.limits.entries {
                return Err(ArchiveError::TooLarge {
                    archive: self.archive.to_owned(),
                    limit: self.limits.entries as u64,
                    unit: "entries",
                });
            }
            let written = long_name
                .take()
                .unwrap_or_else(|| entry.path_bytes().into_owned());
            let refuse = |reason| self.refused(&written, reason);
            let kind = kind_of(kind, &written).map_err(refuse)?;
            let Some(path) = relative(&written, kind).map_err(refuse)? else {
                continue;
            };
            names.add(&path, kind).map_err(refuse)?;
            total = total.saturating_add(entry.size());
            if total > self.limits.total_bytes {
                return Err(self.too_large());
            }
            self.write(&mut entry, kind, &staging.join(&path))?;
        }
        Ok(names)
    }

    /// Reads an entry that only extends the next one. `None` if it is not of that kind; else the
    /// name it gives, if it does.
    #[allow(clippy::option_option, reason = "two questions, both with an answer")]
    fn extension<R: Read>(
        &self,
        entry: &mut tar::Entry<R>,
        kind: EntryType,
    ) -> Result<Option<Option<Vec<u8>>>, ArchiveError> {
        let limit = match kind {
            EntryType::GNULongName => LONGEST_NAME,
            EntryType::XHeader | EntryType::XGlobalHeader => LONGEST_EXTENSION,
            _ => return Ok(None),
        };
        let refuse = |reason| self.refused(&entry.path_bytes(), reason);
        if entry.size() > limit {
            return Err(refuse(Reason::TooLong));
        }
        let mut data = Vec::new();
        entry
            .read_to_end(&mut data)
            .map_err(|e| self.read_error(e))?;
        let refuse = |reason| self.refused(&entry.path_bytes(), reason);
        if kind == EntryType::GNULongName {
            while data.last() == Some(&0) {
                data.pop();
            }
            return Ok(Some(Some(data)));
        }
        let mut name = None;
        for record in PaxExtensions::new(&data) {
            let record = record.map_err(|e| self.read_error(e))?;
            match record.key_bytes() {
                b"path" => name = Some(record.value_bytes().to_owned()),
                b"size" => {
                    return Err(refuse(Reason::Unsupported("a size in an extended header")));
                }
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(refuse(Reason::Unsupported("sparse files")));
                }
                _ => {}
            }
        }
        if name.is_some() && kind == EntryType::XGlobalHeader {
            return Err(refuse(Reason::Unsupported("a name for all entries")));
        }
        Ok(Some(name))
    }

    fn write<R: Read>(
        &self,
        entry: &mut tar::Entry<R>,
        kind: Kind,
        path: &Path,
    ) -> Result<(), ArchiveError> {
        let folder = match kind {
            Kind::Folder => path,
            Kind::File => path.parent().unwrap_or(path),
        };
        std::fs::create_dir_all(folder).map_err(|e| self.write_error(folder, e))?;
        if kind == Kind::Folder {
            return Ok(());
        }
        let mut file = File::create_new(path).map_err(|e| self.write_error(path, e))?;
        let size = entry.size();
        let mut left = size;
        let mut buffer = vec![0; 128 * 1024];
        while left > 0 {
            let read = entry.read(&mut buffer).map_err(|e| self.read_error(e))?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Err(self.read_error(io::ErrorKind::UnexpectedEof.into()));
            };
            io::Write::write_all(&mut file, bytes).map_err(|e| self.write_error(path, e))?;
            left = left.saturating_sub(read as u64);
        }
        Ok(())
    }

    /// Moves all files to their places, after looking that all places are free or files.
    fn publish(
        &self,
        names: &Names,
        staging: &Path,
        destination: &Path,
    ) -> Result<(), ArchiveError> {
        for (name, kind) in names.in_order() {
            let there = destination.join(name).symlink_metadata().ok();
            let free = match kind {
                // A link of that name is replaced itself, not what it points to.
                Kind::File => there.is_none_or(|metadata| !metadata.is_dir()),
                Kind::Folder => there.is_none_or(|metadata| metadata.is_dir()),
            };
            if !free {
                return Err(self.refused(name.as_bytes(), Reason::Collision));
            }
        }
        let mut moved: Vec<PathBuf> = Vec::new();
        for (name, kind) in names.in_order() {
            let place = destination.join(name);
            let result = match kind {
                Kind::File => std::fs::rename(staging.join(name), &place),
                Kind::Folder => match std::fs::create_dir(&place) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    result => result,
                },
            };
            if let Err(error) = result {
                for path in moved.iter().rev() {
                    let _ = std::fs::remove_file(path).or_else(|_| std::fs::remove_dir(path));
                }
                return Err(self.write_error(&place, error));
            }
            moved.push(place);
        }
        Ok(())
    }
}

/// Ends with an error when the stream gives more than it may: a small archive can unpack to
/// any size.
struct Capped {
    stream: Box<dyn Read>,
    left: u64,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;

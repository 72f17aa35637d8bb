//! Unpacks a dataset's tar archive, gzip-compressed or not. Archives come from outside and are
//! hostile until proven otherwise: everything is unpacked into a hidden folder beside its
//! destination and moved there only when the whole archive has been read and found good, so
//! that nothing of a bad one stays behind. Finding and fetching archives is left to others.
//!
//! Archives are taken as common programs write them: with a folder around the files, with what macOS and
//! Windows add, with holes, blocked for tapes. What could mean two things is refused by name.

mod entry;
mod header;
mod sparse;
mod stream;

pub use entry::EntryError;

use crate::error::disk_hint;
use entry::{Kind, Names, kind_of, place, relative};
use header::{ArchiveMember, Problem, Stream};
use sparse::Piece;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use storage::hint::Hint;
use stream::{Capped, Members, is_gzip, other_format};

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
    #[error("archive {archive} is damaged{}: {reason}", at(entry.as_deref()))]
    Damaged {
        /// The archive.
        archive: PathBuf,
        /// The entry that was read last.
        entry: Option<String>,
        /// How.
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
        reason: EntryError,
    },
    /// It holds more than it may.
    #[error("archive {archive} is refused{}: it holds more than {limit} {unit}", at(entry.as_deref()))]
    TooLarge {
        /// The archive.
        archive: PathBuf,
        /// The entry that was one too many.
        entry: Option<String>,
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

fn at(entry: Option<&str>) -> String {
    entry.map_or(String::new(), |entry| format!(" at entry {entry:?}"))
}

impl Hint for ArchiveError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::from(match self {
            Self::Read { source, .. } | Self::Write { source, .. } => disk_hint(source),
            Self::Damaged { .. } => "fetch it again",
            Self::Refused { .. } => return None,
            Self::TooLarge { .. } => {
                "look what is in it; the limit on bytes is raised with --archive-limit"
            }
        }))
    }
}

/// What headers and padding may add to the files' bytes.
const OVERHEAD: u64 = 256 << 20;

/// Unpacks `archive` into the existing folder `destination` and returns the files' paths
/// relative to it, sorted. FITS files and lists that count for a dataset are put there without the
/// folders they were packed in. Files of the same names are replaced.
pub fn unpack(
    archive: &Path,
    destination: &Path,
    limits: &Limits,
) -> Result<Vec<PathBuf>, ArchiveError> {
    unpack_placed(archive, destination, limits, place)
}

/// As [`unpack`], with every file in the folder that it was packed in: for archives of results.
pub fn unpack_as_packed(
    archive: &Path,
    destination: &Path,
    limits: &Limits,
) -> Result<Vec<PathBuf>, ArchiveError> {
    unpack_placed(archive, destination, limits, str::to_owned)
}

fn unpack_placed(
    archive: &Path,
    destination: &Path,
    limits: &Limits,
    place: fn(&str) -> String,
) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut unpacking = Unpacking {
        archive,
        limits,
        place,
        entry: None,
    };
    let file = File::open(archive).map_err(|source| unpacking.read_error(source))?;
    let staging = tempfile::Builder::new()
        .prefix(".unpacking-")
        .tempdir_in(destination)
        .map_err(|source| unpacking.write_error(destination, source))?;
    let names = unpacking.stage(BufReader::with_capacity(256 * 1024, file), staging.path())?;
    unpacking.publish(&names, staging.path(), destination)?;
    Ok(names.into_files())
}

/// An archive while it is read, with what error messages need.
struct Unpacking<'a> {
    archive: &'a Path,
    limits: &'a Limits,
    /// Where a file goes by its path in the archive.
    place: fn(&str) -> String,
    /// The entry that was read last.
    entry: Option<String>,
}

impl Unpacking<'_> {
    fn read_error(&self, source: io::Error) -> ArchiveError {
        match source.kind() {
            io::ErrorKind::FileTooLarge => self.too_large(self.limits.total_bytes, "bytes"),
            io::ErrorKind::UnexpectedEof if self.entry.is_none() => {
                self.damaged("it is no tar archive, or cut short at its beginning")
            }
            io::ErrorKind::UnexpectedEof => self.damaged("it is cut short"),
            // What decoders report; the rest comes from the system.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                self.damaged(&source.to_string())
            }
            _ => ArchiveError::Read {
                archive: self.archive.to_owned(),
                source,
            },
        }
    }

    fn problem(&self, problem: Problem) -> ArchiveError {
        match problem {
            Problem::Io(error) => self.read_error(error),
            Problem::Damaged(_) if self.entry.is_none() => self.damaged("it is no tar archive"),
            Problem::Damaged(reason) => self.damaged(reason),
            Problem::Refused { name, reason } => self.refused(&name, reason),
        }
    }

    fn damaged(&self, reason: &str) -> ArchiveError {
        ArchiveError::Damaged {
            archive: self.archive.to_owned(),
            entry: self.entry.clone(),
            reason: reason.to_owned(),
        }
    }

    fn write_error(&self, path: &Path, source: io::Error) -> ArchiveError {
        ArchiveError::Write {
            archive: self.archive.to_owned(),
            path: path.to_owned(),
            source,
        }
    }

    fn too_large(&self, limit: u64, unit: &'static str) -> ArchiveError {
        ArchiveError::TooLarge {
            archive: self.archive.to_owned(),
            entry: self.entry.clone(),
            limit,
            unit,
        }
    }

    fn refused(&self, entry: &[u8], reason: EntryError) -> ArchiveError {
        ArchiveError::Refused {
            archive: self.archive.to_owned(),
            entry: shown(entry),
            reason,
        }
    }

    /// Unpacks everything into `staging`.
    fn stage(&mut self, mut file: BufReader<File>, staging: &Path) -> Result<Names, ArchiveError> {
        let start = file.fill_buf().map_err(|e| self.read_error(e))?;
        if start.is_empty() {
            return Err(self.damaged("it is empty"));
        }
        if let Some(format) = other_format(start) {
            return Err(self.damaged(&format!("it is of {format}, not a tar archive of gzip")));
        }
        let compressed = is_gzip(start);
        let stream: Box<dyn Read> = if compressed {
            Box::new(Members::new(file))
        } else {
            Box::new(file)
        };
        let left = self.limits.total_bytes.saturating_add(OVERHEAD);
        // The checksum of gzip says that everything came; without it only the end itself does.
        let mut tar = Stream::new(Capped { stream, left }, !compressed);
        let mut names = Names::default();
        let (mut total, mut count): (u64, u64) = (0, 0);
        while let Some(member) = tar.next().map_err(|problem| self.problem(problem))? {
            self.entry = Some(shown(&member.name));
            count += 1;
            if count > self.limits.entries as u64 {
                return Err(self.too_large(self.limits.entries as u64, "entries"));
            }
            let refuse = |reason| self.refused(&member.name, reason);
            let kind = kind_of(member.kind, &member.name).map_err(refuse)?;
            let Some(path) = relative(&member.name, kind).map_err(refuse)? else {
                continue;
            };
            if kind == Kind::Folder {
                continue;
            }
            let path = (self.place)(&path);
            names.add(&path).map_err(refuse)?;
            total = total.saturating_add(member.size);
            if total > self.limits.total_bytes {
                return Err(self.too_large(self.limits.total_bytes, "bytes"));
            }
            self.write(&mut tar, &member, &staging.join(&path))?;
        }
        Ok(names)
    }

    fn write<R: Read>(
        &self,
        tar: &mut Stream<R>,
        member: &ArchiveMember,
        path: &Path,
    ) -> Result<(), ArchiveError> {
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(|e| self.write_error(folder, e))?;
        let mut file = File::create_new(path).map_err(|e| self.write_error(path, e))?;
        let whole = [Piece {
            offset: 0,
            length: member.size,
        }];
        let pieces = member.sparse.as_ref().map_or(&whole[..], |map| &map.pieces);
        let mut buffer = vec![0; 128 * 1024];
        for piece in pieces {
            file.seek(SeekFrom::Start(piece.offset))
                .map_err(|e| self.write_error(path, e))?;
            let mut left = piece.length;
            while left > 0 {
                let most = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                let part = buffer.get_mut(..most).unwrap_or_default();
                let read = tar.read(part).map_err(|e| self.read_error(e))?;
                let Some(bytes) = part.get(..read).filter(|bytes| !bytes.is_empty()) else {
                    return Err(self.read_error(io::ErrorKind::UnexpectedEof.into()));
                };
                io::Write::write_all(&mut file, bytes).map_err(|e| self.write_error(path, e))?;
                left -= read as u64;
            }
        }
        file.set_len(member.size)
            .map_err(|e| self.write_error(path, e))
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
                return Err(self.refused(name.as_bytes(), EntryError::Collision));
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

/// An entry's name as it stands in messages.
fn shown(entry: &[u8]) -> String {
    String::from_utf8_lossy(entry).chars().take(200).collect()
}

#[cfg(test)]
mod tests;

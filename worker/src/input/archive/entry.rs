//! What an archive's entry may be and be called: plain files and folders, with names that stay
//! below the destination and that no two entries share.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::path::{Component, Path, PathBuf};
use tar::EntryType;

/// Why an entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Its name starts with a slash.
    #[error("has an absolute name")]
    Absolute,
    /// Its name has a `..`.
    #[error("has a `..` in its name")]
    Parent,
    /// Its name is empty, not UTF-8, or has control characters.
    #[error("has a name that is empty, not UTF-8 or has control characters")]
    BadName,
    /// Its name, a folder in it or its extended header is longer than any real one.
    #[error("has a name or an extended header that is too long")]
    TooLong,
    /// It is not a plain file or a folder.
    #[error("is a {0}, not a file or a folder")]
    NotAFile(&'static str),
    /// Another entry has the same name, or one that differs in case only.
    #[error("has the same name as {0:?} (letter case does not tell files apart everywhere)")]
    Duplicate(String),
    /// A file is already there as a folder, or the other way round, or behind a link.
    #[error("collides with what is already at its place")]
    Collision,
    /// It stands where most programs would not find it.
    #[error("stands behind the end of the archive, as where two were joined")]
    BehindTheEnd,
    /// It is of no use without the archive's other volumes.
    #[error("is a part of a file that begins or ends in another volume")]
    OtherVolume,
    /// It uses a feature of tar that HST archives do not.
    #[error("uses {0}, which is not supported")]
    Unsupported(&'static str),
}

/// The longest name, in bytes, as on Linux.
pub(super) const LONGEST_NAME: u64 = 4096;
/// The names in an archive: by lower-case path, the path as written and whether it is a file.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, (String, Kind)>);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
}

impl Names {
    pub(super) fn into_files(self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self
            .0
            .into_values()
            .filter(|(_, kind)| *kind == Kind::File)
            .map(|(name, _)| PathBuf::from(name))
            .collect();
        files.sort_unstable();
        files
    }

    /// The paths as written, folders before what is in them.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&str, Kind)> {
        // A lower-case path sorts after its own beginning.
        self.0.values().map(|(name, kind)| (&**name, *kind))
    }

    /// Adds a file's path and the folders above it.
    pub(super) fn add(&mut self, path: &str) -> Result<(), EntryError> {
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default();
            self.add_one(folder, Kind::Folder)?;
        }
        self.add_one(path, Kind::File)
    }

    fn add_one(&mut self, path: &str, kind: Kind) -> Result<(), EntryError> {
        match self.0.entry(path.to_lowercase()) {
            Slot::Vacant(slot) => {
                slot.insert((path.to_owned(), kind));
                Ok(())
            }
            Slot::Occupied(slot) => {
                let (known, known_kind) = slot.get();
                // A folder may be named as often as one likes, but always the same.
                if known == path && kind == Kind::Folder && *known_kind == Kind::Folder {
                    Ok(())
                } else {
                    Err(EntryError::Duplicate(known.clone()))
                }
            }
        }
    }
}

/// What an entry of this type is; other types are refused.
pub(super) fn kind_of(kind: EntryType, name: &[u8]) -> Result<Kind, EntryError> {
    match kind {
        EntryType::Directory => Ok(Kind::Folder),
        // Archives of the first format mark folders by a slash.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Ok(Kind::Folder),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Ok(Kind::File),
        EntryType::Symlink => Err(EntryError::NotAFile("symbolic link")),
        EntryType::Link => Err(EntryError::NotAFile("hard link")),
        EntryType::Char | EntryType::Block => Err(EntryError::NotAFile("device")),
        EntryType::Fifo => Err(EntryError::NotAFile("named pipe")),
        other => match other.as_byte() {
            // A folder with the list of what was in it, as incremental dumps have them.
            b'D' => Ok(Kind::Folder),
            b'M' => Err(EntryError::OtherVolume),
            _ => Err(EntryError::NotAFile("thing of an unknown type")),
        },
    }
}

/// What file managers and archivers add for themselves, by a part of the path.
fn is_bookkeeping(part: &str) -> bool {
    // AppleDouble files; the folders of extended headers that were unpacked as files.
    part.starts_with("._")
        || part.starts_with("PaxHeader")
        || matches!(
            part,
            "__MACOSX"
                | ".DS_Store"
                | ".AppleDouble"
                | ".Spotlight-V100"
                | ".Trashes"
                | ".fseventsd"
                | "@eaDir"
                | "@LongLink"
                | "Thumbs.db"
                | "desktop.ini"
                | "$RECYCLE.BIN"
                | "System Volume Information"
        )
}

/// How the names of files end that count for a dataset, whichever folder of its archive they are in.
const COUNTING: [&str; 3] = [".fits", "_cal_env.txt", "_input.out"];

/// Where a file of the archive is put: one that counts for the dataset beside all others, in lower
/// case as HST's names are, whatever folder it was packed in; any other where it was.
pub(super) fn place(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    if COUNTING.iter().any(|end| name.ends_with(end)) {
        name
    } else {
        path.to_owned()
    }
}

/// The entry's path below the destination, without `.` and doubled slashes, with the separators
/// of Windows as those of everyone else; `None` for the destination itself, and for what file managers
/// and archivers add for themselves.
pub(super) fn relative(name: &[u8], kind: Kind) -> Result<Option<String>, EntryError> {
    let name = std::str::from_utf8(name).map_err(|_| EntryError::BadName)?;
    let name = &*name.replace('\\', "/");
    if name.get(1..2) == Some(":") {
        return Err(EntryError::Absolute);
    }
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(EntryError::BadName);
    }
    if name.len() as u64 > LONGEST_NAME {
        return Err(EntryError::TooLong);
    }
    let mut path = String::new();
    for component in Path::new(name).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => return Err(EntryError::Parent),
            Component::RootDir | Component::Prefix(_) => return Err(EntryError::Absolute),
            Component::Normal(part) => {
                let part = part.to_str().ok_or(EntryError::BadName)?;
                if part.len() > 255 {
                    return Err(EntryError::TooLong);
                }
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(part);
            }
        }
    }
    match (path.is_empty(), kind) {
        (false, _) if path.split('/').any(is_bookkeeping) => Ok(None),
        (false, _) => Ok(Some(path)),
        (true, Kind::Folder) => Ok(None),
        (true, Kind::File) => Err(EntryError::BadName),
    }
}

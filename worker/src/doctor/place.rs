//! What may be done with a directory, asked of the system without leaving anything in it.

use rustix::fs::{Access, access};
use std::io;
use std::path::{Path, PathBuf};

/// What a path is to somebody who wants to keep files below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A directory that can be read and written.
    Writable,
    /// A directory that can only be read.
    ReadOnly,
    /// A directory that cannot be read, or whose parents cannot.
    Unreadable(String),
    /// There is something else of that name.
    NoDirectory,
    /// Nothing is there, but it could be made in this directory.
    Creatable(PathBuf),
    /// Nothing is there, and this directory above it cannot be written.
    Absent(PathBuf),
}

impl Place {
    /// Looks at `path`.
    pub(super) fn of(path: &Path) -> Self {
        match path.metadata() {
            Ok(found) if !found.is_dir() => Self::NoDirectory,
            Ok(_) => match access(path, Access::READ_OK | Access::EXEC_OK) {
                Err(error) => Self::Unreadable(io::Error::from(error).to_string()),
                Ok(()) if can_write(path) => Self::Writable,
                Ok(()) => Self::ReadOnly,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let above = existing(path);
                if above.is_dir() && can_write(&above) {
                    Self::Creatable(above)
                } else {
                    Self::Absent(above)
                }
            }
            // A part of the path is a file.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Self::NoDirectory,
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

fn can_write(path: &Path) -> bool {
    access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// The nearest directory at or above `path` that exists.
pub(super) fn existing(path: &Path) -> PathBuf {
    let here = Path::new(".");
    path.ancestors()
        .map(|above| {
            if above.as_os_str().is_empty() {
                here
            } else {
                above
            }
        })
        .find(|above| above.exists())
        .unwrap_or(here)
        .to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_place_is_looked_at_without_being_touched() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let new = folder.path().join("a/b");
        assert_eq!(Place::of(folder.path()), Place::Writable);
        assert_eq!(Place::of(&file), Place::NoDirectory);
        assert_eq!(Place::of(&file.join("below")), Place::NoDirectory);
        assert_eq!(Place::of(&new), Place::Creatable(folder.path().to_owned()));
        assert!(!new.exists());
        assert_eq!(existing(&new), folder.path());
        assert_eq!(existing(Path::new("no/such/place")), Path::new("."));
    }
}

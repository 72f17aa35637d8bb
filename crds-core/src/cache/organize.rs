//! Sorts the references of a cache anew: all in one folder, or by instrument.
//!
//! Every file first gets its new name beside the old one (a hard link), then the cache says how it
//! is sorted, then the old names go. So whoever uses the cache meanwhile finds every file at every
//! moment, and after an interruption the same command finishes the work. Where a file system has
//! no hard links, files are renamed instead, and missing to others until all are.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use storage::hint::{Hint, with_causes};

use super::inventory::{self, CachedFile};
use super::layout::{self, CacheLayout, References};
use crate::config::{Config, SubdirMode};
use crate::names::FileName;

/// What was done.
#[derive(Debug, Default)]
pub struct Organized {
    /// Files that have a new place.
    pub moved: usize,
    /// Files that could not be moved, and why.
    pub left: Vec<(PathBuf, String)>,
}

/// What becomes of a file or folder of another content where a reference belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTheWay {
    /// It stays, and so does the reference.
    Kept,
    /// It makes place.
    Deleted,
}

/// The references cannot be sorted anew.
#[derive(Debug, thiserror::Error)]
pub enum OrganizeError {
    /// The cache may not be written.
    #[error("the cache is read-only")]
    ReadOnly,
    /// Only the two usual ways.
    #[error("references can be sorted `flat` or by `instrument`")]
    Legacy,
    /// The operating system refused.
    #[error("{path} cannot be sorted")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Hint for OrganizeError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::ReadOnly => Some("unset CRDS_READONLY_CACHE".into()),
            Self::Legacy => None,
            Self::Io { .. } => Some("run the same command again to go on".into()),
        }
    }
}

/// Sorts the references of a cache. `each` is called for every file, for showing progress.
pub fn organize(
    layout: &CacheLayout,
    config: &Config,
    mode: SubdirMode,
    in_the_way: InTheWay,
    mut each: impl FnMut(&CachedFile),
) -> Result<Organized, OrganizeError> {
    if config.readonly_cache {
        return Err(OrganizeError::ReadOnly);
    }
    if mode == SubdirMode::Legacy {
        return Err(OrganizeError::Legacy);
    }
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OrganizeError::Io { path, source }
    };
    let target = References::sorted(layout, mode);
    let mut done = Organized::default();
    let mut old_names = Vec::new();
    for file in inventory::references(layout).map_err(io(&layout.references))? {
        each(&file);
        match new_name(&file, &target) {
            Ok(new) if new == file.path => {}
            Ok(new) => match link(&file.path, &new, in_the_way) {
                Ok(()) => old_names.push((file.path, new)),
                Err(reason) => done.left.push((file.path, reason)),
            },
            Err(reason) => done.left.push((file.path, reason)),
        }
    }
    layout::write_mode(layout, mode).map_err(io(&layout.subdir_mode()))?;
    for (old, new) in old_names {
        if new.exists() {
            fs::remove_file(&old).map_err(io(&old))?;
            done.moved += 1;
        }
    }
    if mode == SubdirMode::Flat {
        for link in inventory::links(&layout.references) {
            fs::remove_file(&link).map_err(io(&link))?;
        }
        for folder in inventory::folders(&layout.references).map_err(io(&layout.references))? {
            // What is not empty was not ours.
            let _ = fs::remove_dir(folder);
        }
    }
    Ok(done)
}

/// Where a file belongs.
fn new_name(file: &CachedFile, target: &References) -> Result<PathBuf, String> {
    let name: FileName = file.name.parse().map_err(|error| format!("{error}"))?;
    if file.path.is_symlink() {
        return Err("it is a link".into());
    }
    target
        .prepare(&name)
        .map_err(|error| with_causes(&error).to_string())
}

/// Gives a file a second name; fine if it has it already.
fn link(old: &Path, new: &Path, in_the_way: InTheWay) -> Result<(), String> {
    match fs::hard_link(old, new) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let own = fs::metadata(old).map_err(|error| error.to_string())?;
            // References never change under one name, so one of the same size is the same.
            let is_same = fs::metadata(new).is_ok_and(|there| {
                there.is_file() && (own.ino() == there.ino() || own.len() == there.len())
            });
            if is_same {
                Ok(())
            } else if in_the_way == InTheWay::Deleted {
                let removed = if new.is_dir() && !new.is_symlink() {
                    fs::remove_dir_all(new)
                } else {
                    fs::remove_file(new)
                };
                removed.map_err(|error| error.to_string())?;
                link(old, new, InTheWay::Kept)
            } else {
                Err(format!("{} is there and has another size", new.display()))
            }
        }
        // Some file systems have no second names.
        Err(_) => fs::rename(old, new).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
#[path = "organize_tests.rs"]
mod tests;

//! What is in a cache, and whether it is what it should be.

use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use storage::unfinished;

use super::catalogue::Catalogue;
use super::layout::CacheLayout;
use super::verified_file::{self, Expected, VerifyError};
use crate::observatory::hst;

/// A file of the cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CachedFile {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The rules in a cache, in the order of their names.
pub fn mappings(layout: &CacheLayout) -> io::Result<Vec<CachedFile>> {
    let mut found = Vec::new();
    collect(&layout.mappings, &mut found)?;
    found.retain(|file| {
        matches!(
            file.name.rsplit_once('.'),
            Some((_, "pmap" | "imap" | "rmap"))
        )
    });
    found.sort();
    Ok(found)
}

/// The references in a cache, whether sorted by instrument or not, in the order of their names.
/// In a cache that is being sorted anew, one may be there twice.
pub fn references(layout: &CacheLayout) -> io::Result<Vec<CachedFile>> {
    let mut found = Vec::new();
    collect(&layout.references, &mut found)?;
    for folder in folders(&layout.references)? {
        collect(&folder, &mut found)?;
    }
    found.sort();
    Ok(found)
}

/// The folders by instrument; links to them are not followed.
pub(super) fn folders(references: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in entries(references)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// The links `jref` and so on that stand for folders by instrument.
pub(super) fn links(references: &Path) -> Vec<PathBuf> {
    hst::reference_variables()
        .map(|name| references.join(name))
        .filter(|path| path.is_symlink())
        .collect()
}

/// A missing folder has nothing in it.
fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("{}: {error}", folder.display()),
        )),
    }
}

/// The files of one folder, and links that should be files and lead nowhere; unfinished ones left
/// out.
fn collect(folder: &Path, found: &mut Vec<CachedFile>) -> io::Result<()> {
    for entry in entries(folder)? {
        let entry = entry?;
        let path = entry.path();
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with('.')
            && (path.is_file() || leads_nowhere(&path))
        {
            found.push(CachedFile { name, path });
        }
    }
    Ok(())
}

/// Whether this is a link in the place of a file that is not there, or that is a circle.
fn leads_nowhere(path: &Path) -> bool {
    let is_folder = |name: &std::ffi::OsStr| {
        let mut variables = hst::reference_variables();
        variables.any(|variable| name == variable)
    };
    path.is_symlink() && !path.exists() && !path.file_name().is_some_and(is_folder)
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Sizes only.
    Sizes,
    /// Sizes and SHA-1 sums: reads every byte.
    Sums,
}

/// A file that is not what the server's catalogue says.
#[derive(Debug)]
pub struct Finding {
    /// The file.
    pub file: CachedFile,
    /// What is wrong; `None` if the catalogue does not know the file.
    pub problem: Option<VerifyError>,
}

/// Compares files of a cache with the catalogue, on all cores. Findings are in the order of
/// `files`; `each` is called as each file is done, in no order, for showing progress.
pub fn check(
    files: Vec<CachedFile>,
    catalogue: &Catalogue,
    depth: Depth,
    each: impl Fn(&CachedFile) + Sync,
) -> Vec<Finding> {
    let work = Mutex::new(files.into_iter().enumerate());
    let findings = Mutex::new(Vec::new());
    let look = || {
        while let Some((number, file)) = locked(&work).next() {
            let problem = match catalogue.expected(&file.name) {
                Some(expected) => {
                    let sha1 = expected.sha1.filter(|_| depth == Depth::Sums);
                    let expected = Expected { sha1, ..expected };
                    verified_file::check(&file.path, &expected).err().map(Some)
                }
                None => Some(None),
            };
            each(&file);
            if let Some(problem) = problem {
                locked(&findings).push((number, Finding { file, problem }));
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 1..cores {
            scope.spawn(look);
        }
        look();
    });
    let mut findings = findings
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    findings.sort_by_key(|(number, _)| *number);
    findings.into_iter().map(|(_, finding)| finding).collect()
}

/// The data are whole between any two uses, so a panic elsewhere does not spoil them.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Removes what killed processes left unfinished; how many files and folders.
pub fn remove_abandoned(layout: &CacheLayout) -> io::Result<usize> {
    let mut places = vec![
        layout.mappings.clone(),
        layout.config.clone(),
        layout.pickles.clone(),
        layout.references.clone(),
    ];
    places.extend(folders(&layout.references)?);
    let removed = places
        .iter()
        .map(|place| unfinished::remove_abandoned(place));
    removed.sum()
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
pub(super) mod tests;

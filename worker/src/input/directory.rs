//! Inputs from a directory (`file:`): archives there, or loose files, copied.

use super::archive;
use super::error::{InputError, at};
use super::poller::Poller;
use super::{archive::Limits, events::InputEvents};
use crate::membership::membership;
use caldp_core::dataset::{ARCHIVE_SUFFIX, Dataset, Kind};
use std::fs;
use std::path::Path;
use storage::blocking;

/// The archive of the dataset if there is one, else every archive of its program, else the loose
/// files that belong to it. Gives the names of what was brought.
pub(super) async fn bring(
    directory: &Path,
    dataset: &Dataset,
    folder: &Path,
    (limits, events): (Limits, &InputEvents),
) -> Result<Vec<String>, InputError> {
    let (directory, dataset, folder) = (directory.to_owned(), dataset.clone(), folder.to_owned());
    let events = events.clone();
    blocking::run(move || {
        let names = list(&directory)?;
        unpack(&directory, &names, &dataset, &folder, limits)?;
        let unpacked = list(&folder)?;
        if !unpacked.is_empty() {
            copy_environment(&directory, &names, &dataset, &folder)?;
            return of_folder(&dataset, &folder);
        }
        let loose = loose_files(&dataset, &names, &directory)?;
        for name in &loose {
            let target = folder.join(name);
            fs::copy(directory.join(name), &target).map_err(at(&target))?;
            events.send(&target);
        }
        Ok(loose)
    })
    .await
}

fn unpack(
    directory: &Path,
    names: &[String],
    dataset: &Dataset,
    folder: &Path,
    limits: Limits,
) -> Result<(), InputError> {
    for archive in archives(dataset, names) {
        archive::unpack(&directory.join(archive), folder, &limits)?;
    }
    Ok(())
}

/// The archive of the dataset if there is one among `names`, else every archive of its program.
fn archives<'n>(dataset: &Dataset, names: &'n [String]) -> Vec<&'n String> {
    let own = dataset.archive_file();
    let of_program = |name: &&String| {
        name.ends_with(ARCHIVE_SUFFIX)
            && dataset.ippps().is_some_and(|ippps| name.starts_with(ippps))
    };
    match names.iter().find(|name| **name == own) {
        Some(own) => vec![own],
        None => names.iter().filter(of_program).collect(),
    }
}

/// What a directory has of a dataset.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    /// The archives that would be unpacked.
    pub(crate) archives: Vec<String>,
    /// The loose files, which count where no archive holds any.
    pub(crate) loose: Vec<String>,
}

/// Looks at what would be brought from a directory, and brings nothing.
///
/// # Errors
/// When the directory cannot be listed.
pub(crate) fn offer(directory: &Path, dataset: &Dataset) -> Result<Offer, InputError> {
    let names = list(directory)?;
    Ok(Offer {
        archives: archives(dataset, &names).into_iter().cloned().collect(),
        loose: loose_files(dataset, &names, directory)?,
    })
}

fn loose_files(
    dataset: &Dataset,
    names: &[String],
    directory: &Path,
) -> Result<Vec<String>, InputError> {
    match dataset.kind() {
        Kind::Ipppssoot => Ok(membership(dataset, names, directory)),
        Kind::Svm | Kind::Mvm => of_mosaic(dataset, names, directory),
    }
}

/// An environment file beside the archive is an operator's, and counts before one inside.
fn copy_environment(
    directory: &Path,
    names: &[String],
    dataset: &Dataset,
    folder: &Path,
) -> Result<(), InputError> {
    let name = dataset.environment_file();
    if names.contains(&name) {
        let target = folder.join(&name);
        fs::copy(directory.join(&name), &target).map_err(at(&target))?;
    }
    Ok(())
}

/// What of an unpacked folder belongs to the dataset.
pub(super) fn of_folder(dataset: &Dataset, folder: &Path) -> Result<Vec<String>, InputError> {
    loose_files(dataset, &list(folder)?, folder)
}

/// The poller file of a mosaic among `names`, and every exposure that it names, all of which must
/// be there; nothing when there is no poller file.
fn of_mosaic(
    dataset: &Dataset,
    names: &[String],
    directory: &Path,
) -> Result<Vec<String>, InputError> {
    let list = Poller::file_name(dataset);
    if !names.contains(&list) {
        return Ok(Vec::new());
    }
    let poller = Poller::read(dataset, directory)?;
    let mut files = vec![list];
    for file in poller.files() {
        let name = file.as_str().to_owned();
        if !names.contains(&name) {
            let place = directory.display().to_string();
            return Err(InputError::ExposureMissing { name, place });
        }
        files.push(name);
    }
    files.extend(
        names
            .iter()
            .find(|name| **name == dataset.environment_file())
            .cloned(),
    );
    files.sort_unstable();
    Ok(files)
}

/// The names of the files in a directory that can be names of HST files.
pub(super) fn list(directory: &Path) -> Result<Vec<String>, InputError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        let entry = entry.map_err(at(directory))?;
        // Names of HST files are ASCII; others are none of ours.
        if let Ok(name) = entry.file_name().into_string()
            && entry.path().is_file()
        {
            names.push(name);
        }
    }
    Ok(names)
}

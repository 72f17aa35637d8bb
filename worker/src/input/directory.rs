//! Inputs from a directory (`file:`): archives there, or loose files, copied.

use super::archive::{self, Limits};
use super::error::{InputError, at};
use super::events::InputEvents;
use super::poller::Poller;
use crate::membership::{all_inputs, is_fits, membership};
use caldp_core::dataset::{ARCHIVE_SUFFIX, Dataset, Kind};
use std::fs;
use std::path::Path;
use storage::blocking;

/// The archive of the dataset if there is one, else what the archives of its program have of it,
/// else the loose files that belong to it. Gives the names of what was brought.
pub(super) async fn bring(
    directory: &Path,
    dataset: &Dataset,
    folder: &Path,
    (limits, events): (Limits, &InputEvents),
) -> Result<Vec<String>, InputError> {
    let (directory, dataset, folder) = (directory.to_owned(), dataset.clone(), folder.to_owned());
    let events = events.clone();
    blocking::run(move || {
        let offer = offer(&directory, &dataset)?;
        if !offer.archives.is_empty() {
            let mut files = offer.unpack(&directory, &dataset, &folder, &limits)?;
            if !files.is_empty() {
                files.extend(copy_environment(&directory, &dataset, &folder)?);
                files.sort_unstable();
                files.dedup();
                return Ok(files);
            }
        }
        let loose = offer.loose(&dataset, &directory)?;
        for name in &loose {
            let target = folder.join(name);
            fs::copy(directory.join(name), &target).map_err(at(&target))?;
            events.send(&target);
        }
        Ok(loose)
    })
    .await
}

/// What a directory has of a dataset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offer {
    /// The archive of the dataset, else all of its program: loose files count where they hold none
    /// of the dataset's.
    pub(crate) archives: Vec<String>,
    /// All files.
    names: Vec<String>,
}

/// Looks at what would be brought from a directory, and brings nothing.
///
/// # Errors
/// When the directory cannot be listed.
pub(crate) fn offer(directory: &Path, dataset: &Dataset) -> Result<Offer, InputError> {
    let names = list(directory)?;
    let own = dataset.archive_file();
    let of_program = |name: &&String| {
        name.ends_with(ARCHIVE_SUFFIX)
            && dataset.ippps().is_some_and(|ippps| name.starts_with(ippps))
    };
    let archives = if names.contains(&own) {
        vec![own]
    } else {
        names.iter().filter(of_program).cloned().collect()
    };
    Ok(Offer { archives, names })
}

impl Offer {
    /// Unpacks the archives into the empty `folder` and leaves there what is of the dataset: all
    /// inputs of its own archive, and of those of its program what belongs to it.
    ///
    /// # Errors
    /// When an archive is not accepted, or the dataset's own holds no input.
    pub(crate) fn unpack(
        &self,
        directory: &Path,
        dataset: &Dataset,
        folder: &Path,
        limits: &Limits,
    ) -> Result<Vec<String>, InputError> {
        if let [archive] = self.archives.as_slice()
            && *archive == dataset.archive_file()
        {
            archive::unpack(&directory.join(archive), folder, limits)?;
            return of_own_archive(&directory.join(archive), dataset, folder);
        }
        for archive in &self.archives {
            archive::unpack(&directory.join(archive), folder, limits)?;
        }
        let names = list(folder)?;
        // Files of other datasets are no error yet: there may be loose ones of this.
        let files = select(dataset, &names, folder).or_else(|error| match error {
            InputError::OtherDatasets(_) => Ok(Vec::new()),
            error => Err(error),
        })?;
        keep_only(&files, &names, folder)?;
        Ok(files)
    }

    /// The loose files that belong to the dataset.
    ///
    /// # Errors
    /// When there are only others of its program, or a mosaic's list names what is not there.
    pub(crate) fn loose(
        &self,
        dataset: &Dataset,
        directory: &Path,
    ) -> Result<Vec<String>, InputError> {
        select(dataset, &self.names, directory)
    }
}

/// What of a folder belongs to a dataset that shares it with others.
fn select(dataset: &Dataset, names: &[String], folder: &Path) -> Result<Vec<String>, InputError> {
    match dataset.kind() {
        Kind::Ipppssoot => Ok(membership(dataset, names, folder)?),
        Kind::Svm | Kind::Mvm => of_mosaic(dataset, names, folder),
    }
}

/// The inputs in a folder into which the dataset's own archive was unpacked. What an earlier run
/// made is removed, so that it does not pass for what this one makes.
pub(super) fn of_own_archive(
    archive: &Path,
    dataset: &Dataset,
    folder: &Path,
) -> Result<Vec<String>, InputError> {
    let names = list(folder)?;
    let files = match dataset.kind() {
        Kind::Ipppssoot => all_inputs(dataset, &names),
        Kind::Svm | Kind::Mvm => of_mosaic(dataset, &names, folder)?,
    };
    if files.is_empty() {
        return Err(InputError::NothingInArchive {
            archive: archive.to_owned(),
            dataset: dataset.to_string(),
            holds: names,
        });
    }
    keep_only(&files, &names, folder)?;
    Ok(files)
}

/// Removes the FITS files that are not inputs from the working directory, and says which.
fn keep_only(files: &[String], names: &[String], folder: &Path) -> Result<(), InputError> {
    let other = |name: &&String| is_fits(name) && !files.contains(name);
    let others: Vec<&String> = names.iter().filter(other).collect();
    for name in &others {
        let path = folder.join(name);
        fs::remove_file(&path).map_err(at(&path))?;
    }
    if !others.is_empty() {
        let others: Vec<&str> = others.into_iter().map(String::as_str).collect();
        tracing::warn!("not inputs of the dataset, left out: {}", others.join(" "));
    }
    Ok(())
}

/// An environment file beside the archive is an operator's, and counts before one inside.
fn copy_environment(
    directory: &Path,
    dataset: &Dataset,
    folder: &Path,
) -> Result<Option<String>, InputError> {
    let name = dataset.environment_file();
    if !directory.join(&name).is_file() {
        return Ok(None);
    }
    let target = folder.join(&name);
    fs::copy(directory.join(&name), &target).map_err(at(&target))?;
    Ok(Some(name))
}

/// The poller file of a mosaic among `names`, and every exposure that it names, all of which must
/// be there; nothing when there is no poller file.
pub(super) fn of_mosaic(
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

/// The names of the files in a directory that can be names of HST files, sorted.
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
    names.sort_unstable();
    Ok(names)
}

//! Why inputs cannot be had, and with which exit code that ends a run.

use super::archive::ArchiveError;
use super::identity::IdentityError;
use super::mast::MastError;
use super::poller::PollerError;
use super::source::Source;
use crate::error::disk_hint;
use crate::membership::OtherDatasets;
use crate::membership::file_name::quoted;
use caldp_core::exit_code::ExitCode;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use storage::hint::Hint;
use storage::s3::StoreError;
use storage::uri::UriError;

/// Why the inputs could not be had.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The archive is damaged or not safe.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A directory or file could not be read, or the working directory not be written.
    #[error("{path}")]
    Local {
        /// What could not be used.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing of the dataset is there.
    #[error("{place} has no input of {dataset}: neither {dataset}.tar.gz nor files like {pattern}")]
    Nothing {
        /// The dataset's name.
        dataset: String,
        /// Where it was looked for.
        place: String,
        /// The pattern of loose files.
        pattern: String,
    },
    /// The dataset's own archive has nothing of use.
    #[error("archive {} holds no input of {dataset}: {}", archive.display(), content(holds))]
    NothingInArchive {
        /// The archive.
        archive: PathBuf,
        /// The dataset's name.
        dataset: String,
        /// The files in it.
        holds: Vec<String>,
    },
    /// Only other datasets of the program have files there.
    #[error(transparent)]
    OtherDatasets(#[from] OtherDatasets),
    /// A file is not of the dataset.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The list of a mosaic's exposures names one that is not there.
    #[error("the poller file names {name}, which is not in {place}")]
    ExposureMissing {
        /// The exposure's file.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// S3 did not give them.
    #[error(transparent)]
    S3(#[from] StoreError),
    /// A key cannot be spelled.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// MAST did not give them.
    #[error(transparent)]
    Mast(#[from] MastError),
    /// The list of a mosaic's exposures cannot be used.
    #[error(transparent)]
    Poller(#[from] PollerError),
}

impl Hint for InputError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Archive(error) => return error.hint(),
            Self::Local { source, .. } => disk_hint(source).into(),
            Self::Nothing { .. } => "check the dataset's name and the place; \
                `caldp-process --help` lists the forms it can have"
                .into(),
            Self::NothingInArchive { .. } => "look what is in it: tar -tf lists an archive".into(),
            Self::OtherDatasets(error) => return error.hint(),
            Self::Identity(error) => return error.hint(),
            Self::ExposureMissing { .. } => {
                "put the exposure there, or take inputs from astroquery:".into()
            }
            Self::S3(error) => return error.hint(),
            Self::Uri(error) => return error.hint(),
            Self::Mast(error) => return error.hint(),
            Self::Poller(error) => return error.hint(),
        })
    }
}

impl InputError {
    /// What the run exits with.
    pub fn exit_code(&self, source: &Source) -> ExitCode {
        let from_mast = matches!(source, Source::Mast(_) | Source::PublicBucket);
        match self {
            Self::Identity(IdentityError::Damaged(_)) if from_mast => ExitCode::Mast,
            Self::Archive(_)
            | Self::NothingInArchive { .. }
            | Self::OtherDatasets(_)
            | Self::Identity(_) => ExitCode::InputTar,
            _ if matches!(source, Source::Dir(_)) => ExitCode::InputTar,
            // Of S3 only the poller file is asked then.
            Self::S3(_) | Self::Uri(_) if matches!(source, Source::Mast(_)) => ExitCode::S3Download,
            _ if from_mast => ExitCode::Mast,
            _ => ExitCode::S3Download,
        }
    }
}

/// What an archive holds, in words.
fn content(names: &[String]) -> String {
    const NAMED: usize = 5;
    let some: Vec<String> = names.iter().take(NAMED).map(|name| quoted(name)).collect();
    match names.len().saturating_sub(NAMED) {
        _ if names.is_empty() => "it has no files".to_owned(),
        0 => format!("it has {}", some.join(", ")),
        more => format!("it has {} and {more} more", some.join(", ")),
    }
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> InputError {
    let path = path.to_owned();
    move |source| InputError::Local { path, source }
}

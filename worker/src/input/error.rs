//! Why inputs cannot be had, and with which exit code that ends a run.

use super::archive::ArchiveError;
use super::mast::MastError;
use super::poller::PollerError;
use super::source::Source;
use crate::error::disk_hint;
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
        match (self, source) {
            (Self::Archive(_), _) | (_, Source::Dir(_)) => ExitCode::InputTar,
            // Of S3 only the poller file is asked then.
            (Self::S3(_) | Self::Uri(_), Source::Mast(_)) => ExitCode::S3Download,
            (_, Source::Mast(_) | Source::PublicBucket) => ExitCode::Mast,
            _ => ExitCode::S3Download,
        }
    }
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> InputError {
    let path = path.to_owned();
    move |source| InputError::Local { path, source }
}

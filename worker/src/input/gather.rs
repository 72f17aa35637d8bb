//! Bringing the raw files into the working directory, from wherever they are.

use super::Source;
use super::archive::{ArchiveError, Limits};
use super::arrival::Arrivals;
use super::directory;
use super::mast::{self, MastClient, MastError};
use super::objects::Objects;
use super::poller::{Poller, PollerError};
use super::public_bucket::{self, Found};
use caldp_core::dataset::{Dataset, Kind};
use caldp_core::exit_code::ExitCode;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use storage::s3::{Expected, S3, S3Error};
use storage::uri::{Location, UriError};

/// How many files are brought at once.
pub(super) const FILES_IN_FLIGHT: usize = 4;

/// Why the inputs could not be had.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The archive is damaged or not safe.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A directory or file could not be read, or the working directory not be written.
    #[error("{path}: {source}")]
    Local {
        /// What could not be used.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing of the dataset is there.
    #[error(
        "{place} has no input of {dataset}: neither {dataset}.tar.gz nor files like {pattern}\n\
         hint: check the dataset's name and the place; `caldp-process --help` lists the forms it can have"
    )]
    Nothing {
        /// The dataset's name.
        dataset: String,
        /// Where it was looked for.
        place: String,
        /// The pattern of loose files.
        pattern: String,
    },
    /// The list of a mosaic's exposures names one that is not there.
    #[error(
        "the poller file names {name}, which is not in {place}\n\
         hint: put the exposure there, or take inputs from astroquery:"
    )]
    ExposureMissing {
        /// The exposure's file.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// S3 did not give them.
    #[error(transparent)]
    S3(#[from] S3Error),
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

/// What gathering works with.
#[derive(Debug)]
pub struct Tools<'a> {
    /// The S3 client.
    pub s3: &'a S3Client,
    /// Where MAST is and how patiently it is asked.
    pub mast: mast::Settings,
    /// The most an archive may hold.
    pub limits: Limits,
    /// Who wants to know of files that are complete.
    pub arrivals: Arrivals,
}

/// Brings the raw files of `dataset` into `folder` and gives their names, sorted.
///
/// # Errors
/// [`InputError`] when there are none, or they are not to be had or not acceptable.
pub async fn gather(
    source: &Source,
    dataset: &Dataset,
    folder: &Path,
    tools: &Tools<'_>,
) -> Result<Vec<String>, InputError> {
    let limits = tools.limits;
    let arrivals = &tools.arrivals;
    let found = match source {
        Source::Dir(place) => directory::bring(place, dataset, folder, (limits, arrivals)).await?,
        Source::S3(place) => {
            let objects = Objects {
                s3: tools.s3.get().await,
                place,
                dataset,
                folder,
                limits,
                arrivals,
            };
            Box::pin(objects.bring()).await?
        }
        Source::Mast(pollers) => {
            Box::pin(from_mast(pollers.as_ref(), dataset, folder, tools)).await?
        }
        Source::PublicBucket => Box::pin(from_public_bucket(dataset, folder, tools)).await?,
    };
    if found.is_empty() {
        return Err(InputError::Nothing {
            dataset: dataset.to_string(),
            place: source.to_string(),
            pattern: match dataset.ippps() {
                Some(ippps) => format!("{ippps}*.fits"),
                None => Poller::file_name(dataset),
            },
        });
    }
    Ok(found)
}

/// An S3 client that is made when it is first needed: a run on local files needs no credentials.
#[derive(Debug, Default)]
pub struct S3Client(tokio::sync::OnceCell<S3>);

impl S3Client {
    /// The client of the environment.
    pub async fn get(&self) -> &S3 {
        self.0.get_or_init(S3::from_env).await
    }
}

pub(super) fn archive_name(dataset: &Dataset) -> String {
    dataset.archive_file()
}

/// The raw files MAST lists for a dataset; for a mosaic the exposures its poller file names, and
/// that file itself, which the mosaic programs read.
async fn from_mast(
    pollers: Option<&Location>,
    dataset: &Dataset,
    folder: &Path,
    tools: &Tools<'_>,
) -> Result<Vec<String>, InputError> {
    let client = MastClient::new(tools.mast.clone())?;
    let poller = match (dataset.kind(), pollers) {
        (Kind::Ipppssoot, _) | (_, None) => None,
        (_, Some(Location::Dir(directory))) => Some(Poller::read(dataset, directory)?),
        (_, Some(Location::S3(place))) => {
            let uri = place.join(&Poller::file_name(dataset))?;
            let local = folder.with_file_name("pollers");
            let target = local.join(Poller::file_name(dataset));
            let s3 = tools.s3.get().await;
            s3.get_to_file(&uri, &target, &Expected::default()).await?;
            Some(Poller::read(dataset, &local)?)
        }
    };
    let request = mast::Request::new(dataset, poller.as_ref())?;
    let fetched = mast::fetch(&client, &request, folder, &tools.arrivals).await?;
    if let Some(poller) = poller {
        let path = folder.join(Poller::file_name(dataset));
        let text = poller.rewritten(|wanted| fetched.replacement(wanted));
        fs::write(&path, text).map_err(at(&path))?;
    }
    let mut names = list(folder)?;
    names.sort_unstable();
    Ok(names)
}

/// What the public bucket has, and from MAST what it does not have.
async fn from_public_bucket(
    dataset: &Dataset,
    folder: &Path,
    tools: &Tools<'_>,
) -> Result<Vec<String>, InputError> {
    if dataset.kind() == Kind::Ipppssoot {
        let s3 = public_bucket::client().await;
        let found = public_bucket::bring(&s3, dataset, folder, &tools.arrivals).await;
        if found == Found::Everything {
            let mut names = list(folder)?;
            names.sort_unstable();
            return Ok(names);
        }
    }
    from_mast(None, dataset, folder, tools).await
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

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> InputError {
    let path = path.to_owned();
    move |source| InputError::Local { path, source }
}

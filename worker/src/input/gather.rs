//! Bringing the raw files into the working directory, from wherever they are.

use super::Source;
use super::archive::{self, ArchiveError, Limits};
use super::belonging::{association_name, belonging};
use super::mast::{self, MastClient, MastError};
use super::poller::{Poller, PollerError};
use super::public_bucket::{self, Found};
use caldp_core::dataset::{Dataset, Kind};
use caldp_core::exit_code::ExitCode;
use caldp_core::s3::{Delimiter, ErrorKind, Expected, S3, S3Error};
use caldp_core::uri::{Location, S3Uri, UriError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many files are brought at once.
const FILES_IN_FLIGHT: usize = 4;

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
            (Self::Archive(_), _) | (Self::Nothing { .. } | Self::Local { .. }, Source::Dir(_)) => {
                ExitCode::InputTar
            }
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
    let found = match source {
        Source::Dir(directory) => {
            let (directory, dataset, folder) =
                (directory.clone(), dataset.clone(), folder.to_owned());
            blocking(move || from_directory(&directory, &dataset, &folder, limits)).await?
        }
        Source::S3(place) => from_s3(place, dataset, folder, tools.s3.get().await, limits).await?,
        Source::Mast(pollers) => {
            Box::pin(from_mast(pollers.as_ref(), dataset, folder, tools)).await?
        }
        Source::PublicBucket => Box::pin(from_public_bucket(dataset, folder, tools)).await?,
    };
    if found.is_empty() {
        return Err(InputError::Nothing {
            dataset: dataset.to_string(),
            place: source.to_string(),
            pattern: format!("{}*.fits", dataset.ippps().unwrap_or(dataset.name())),
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

fn archive_name(dataset: &Dataset) -> String {
    format!("{dataset}.tar.gz")
}

/// What a directory has of a dataset.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    /// The archives that would be unpacked.
    pub(crate) archives: Vec<String>,
    /// The loose files, which count where no archive holds any.
    pub(crate) loose: Vec<String>,
}

/// Looks at what [`gather`] would bring from a directory, and brings nothing.
///
/// # Errors
/// When the directory cannot be listed.
pub(crate) fn offer(directory: &Path, dataset: &Dataset) -> Result<Offer, InputError> {
    let names = list(directory)?;
    Ok(Offer {
        archives: archives(dataset, &names).into_iter().cloned().collect(),
        loose: belonging(dataset, &names, directory),
    })
}

/// The archive of the dataset if there is one among `names`, else every archive of its program.
fn archives<'n>(dataset: &Dataset, names: &'n [String]) -> Vec<&'n String> {
    let own = archive_name(dataset);
    let of_program = |name: &&String| {
        name.ends_with(".tar.gz") && dataset.ippps().is_some_and(|ippps| name.starts_with(ippps))
    };
    match names.iter().find(|name| **name == own) {
        Some(own) => vec![own],
        None => names.iter().filter(of_program).collect(),
    }
}

/// The dataset's archives, unpacked, or the loose files that belong to it.
fn from_directory(
    directory: &Path,
    dataset: &Dataset,
    folder: &Path,
    limits: Limits,
) -> Result<Vec<String>, InputError> {
    let names = list(directory)?;
    for archive in archives(dataset, &names) {
        archive::unpack(&directory.join(archive), folder, &limits)?;
    }
    let unpacked = belonging(dataset, &list(folder)?, folder);
    if !unpacked.is_empty() {
        return Ok(unpacked);
    }
    let loose = belonging(dataset, &names, directory);
    for name in &loose {
        let target = folder.join(name);
        fs::copy(directory.join(name), &target).map_err(at(&target))?;
    }
    Ok(loose)
}

async fn from_s3(
    place: &S3Uri,
    dataset: &Dataset,
    folder: &Path,
    s3: &S3,
    limits: Limits,
) -> Result<Vec<String>, InputError> {
    let archive = place.join(&archive_name(dataset))?;
    // Beside the data, so that the unpacked files and the archive do not meet.
    let local = folder.with_file_name(archive_name(dataset));
    match s3.get_to_file(&archive, &local, &Expected::default()).await {
        Ok(_) => {
            let (dataset, folder) = (dataset.clone(), folder.to_owned());
            blocking(move || {
                let unpacked = archive::unpack(&local, &folder, &limits);
                // The archive has done its work, or is not to be kept, whatever unpacking said.
                fs::remove_file(&local).map_err(at(&local))?;
                unpacked?;
                Ok(belonging(&dataset, &list(&folder)?, &folder))
            })
            .await
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            loose_objects(place, dataset, folder, s3).await
        }
        Err(error) => Err(error.into()),
    }
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
    let fetched = mast::fetch(&client, &request, folder).await?;
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
        let s3 = S3::anonymous().await;
        if public_bucket::bring(&s3, dataset, folder).await == Found::Everything {
            let mut names = list(folder)?;
            names.sort_unstable();
            return Ok(names);
        }
    }
    from_mast(None, dataset, folder, tools).await
}

async fn loose_objects(
    place: &S3Uri,
    dataset: &Dataset,
    folder: &Path,
    s3: &S3,
) -> Result<Vec<String>, InputError> {
    let Some(ippps) = dataset.ippps() else {
        return Ok(Vec::new());
    };
    let below = if place.key().is_empty() {
        String::new()
    } else {
        format!("{}/", place.key())
    };
    let mut names = Vec::new();
    let mut pages = s3.list(place.bucket(), &format!("{below}{ippps}"), Delimiter::Slash);
    while let Some(page) = pages.next_page().await? {
        let base = |key: &str| key.strip_prefix(&below).map(str::to_owned);
        names.extend(page.objects.iter().filter_map(|object| base(&object.key)));
    }
    let fetch = async |name: &str| {
        let expected = Expected::default();
        s3.get_to_file(&place.join(name)?, &folder.join(name), &expected)
            .await?;
        Ok::<_, InputError>(())
    };
    let table = association_name(dataset);
    if names.contains(&table) {
        fetch(&table).await?;
    }
    let wanted = belonging(dataset, &names, folder);
    stream::iter(wanted.iter().filter(|name| **name != table))
        .map(|name| fetch(name))
        .buffer_unordered(FILES_IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    Ok(wanted)
}

/// The names of the files in a directory that can be names of HST files.
fn list(directory: &Path) -> Result<Vec<String>, InputError> {
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

fn at(path: &Path) -> impl FnOnce(io::Error) -> InputError {
    let path = path.to_owned();
    move |source| InputError::Local { path, source }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InputError> + Send + 'static,
) -> Result<T, InputError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(at(Path::new("."))(io::Error::other(cancelled))),
        },
    }
}

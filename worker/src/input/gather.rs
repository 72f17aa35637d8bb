//! Bringing the raw files into the working directory, from wherever they are.

use super::context::InputContext;
use super::directory::{self, list};
use super::error::{InputError, at};
use super::identity;
use super::mast::{self, MastClient};
use super::objects::Objects;
use super::poller::Poller;
use super::public_bucket::{self, Found};
use super::source::Source;
use caldp_core::dataset::{Dataset, Kind};
use std::fs;
use std::path::Path;
use storage::blocking;
use storage::s3::Expected;
use storage::uri::Location;

/// Brings the raw files of `dataset` into `folder` and gives their names, sorted.
///
/// # Errors
/// [`InputError`] when there are none, or they are not to be had or not acceptable.
pub async fn gather(
    source: &Source,
    dataset: &Dataset,
    folder: &Path,
    context: &InputContext<'_>,
) -> Result<Vec<String>, InputError> {
    let limits = context.limits;
    let events = &context.events;
    let found = match source {
        Source::Dir(place) => directory::bring(place, dataset, folder, (limits, events)).await?,
        Source::S3(place) => {
            let objects = Objects {
                s3: context.s3.get().await,
                place,
                dataset,
                folder,
                limits,
                events,
            };
            Box::pin(objects.bring()).await?
        }
        Source::Mast(pollers) => {
            Box::pin(from_mast(pollers.as_ref(), dataset, folder, context)).await?
        }
        Source::PublicBucket => Box::pin(from_public_bucket(dataset, folder, context)).await?,
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
    let (dataset, folder) = (dataset.clone(), folder.to_owned());
    blocking::run(move || {
        identity::check(&dataset, &folder, &found)?;
        Ok(found)
    })
    .await
}

/// The raw files MAST lists for a dataset; for a mosaic the exposures its poller file names, and
/// that file itself, which the mosaic programs read.
async fn from_mast(
    pollers: Option<&Location>,
    dataset: &Dataset,
    folder: &Path,
    context: &InputContext<'_>,
) -> Result<Vec<String>, InputError> {
    let client = MastClient::new(context.mast.clone())?.with_progress(mast::progress_log());
    let poller = match (dataset.kind(), pollers) {
        (Kind::Ipppssoot, _) | (_, None) => None,
        (_, Some(Location::Dir(directory))) => Some(Poller::read(dataset, directory)?),
        (_, Some(Location::S3(place))) => {
            let uri = place.join(&Poller::file_name(dataset))?;
            let local = folder.with_file_name("pollers");
            let target = local.join(Poller::file_name(dataset));
            let s3 = context.s3.get().await;
            s3.get_to_file(&uri, &target, &Expected::default()).await?;
            Some(Poller::read(dataset, &local)?)
        }
    };
    let request = mast::InputRequest::new(dataset, poller.as_ref())?;
    let fetched = mast::fetch(&client, &request, folder, &context.events).await?;
    if let Some(poller) = poller {
        let path = folder.join(Poller::file_name(dataset));
        let text = poller.rewritten(|wanted| fetched.replacement(wanted));
        fs::write(&path, text).map_err(at(&path))?;
    }
    list(folder)
}

/// What the public bucket has, and from MAST what it does not have.
async fn from_public_bucket(
    dataset: &Dataset,
    folder: &Path,
    context: &InputContext<'_>,
) -> Result<Vec<String>, InputError> {
    if dataset.kind() == Kind::Ipppssoot {
        let s3 = public_bucket::client().await;
        let found = public_bucket::bring(&s3, dataset, folder, &context.events).await;
        if found == Found::Everything {
            return list(folder);
        }
    }
    from_mast(None, dataset, folder, context).await
}

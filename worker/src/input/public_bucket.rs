//! Raw files from MAST's public bucket (`stpubdata:`), which needs no credentials.
//!
//! The layout is `hst/public/<first four>/<name>/<file>` for the name of an association or of an
//! exposure; an association's folder may or may not have the files of its members. The bucket is
//! never the last word: whatever goes wrong is logged and leaves the files to MAST, which brings
//! only what is not there yet.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use caldp_core::dataset::Dataset;
use futures_util::{StreamExt, stream};
use storage::hint::with_causes;
use storage::retry::RetryPolicy;
use storage::s3::{Access, Delimiter, Expected, S3, S3Options, StoreError};
use storage::uri::S3Uri;

use super::events::InputEvents;
use super::mast::{is_exposure, suffixes};
use crate::membership::association::Association;
use crate::membership::file_name::{FileName, suffix};

/// The bucket.
pub const BUCKET: &str = "stpubdata";

/// What the keys of all HST data begin with.
const ROOT: &str = "hst/public";
/// Letters and digits in the name of an exposure or association.
const NAME_LENGTH: usize = 9;
/// How many objects are fetched at a time.
const FILES_IN_FLIGHT: usize = 4;

/// Whether the bucket had everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Every input is in the directory, the raw files of every member included.
    Everything,
    /// Something has to come from elsewhere.
    Part,
}

/// An input in the bucket.
struct Input {
    key: String,
    file: FileName,
    size: u64,
}

/// How patiently the bucket is asked: MAST has the files too, so that waiting long is not worth it.
const PATIENCE: RetryPolicy = RetryPolicy {
    tries: 4,
    total: Duration::from_secs(15),
    base: Duration::from_millis(100),
    cap: Duration::from_secs(5),
};

/// A client of the bucket, without credentials.
pub async fn client() -> S3 {
    S3::new(S3Options {
        access: Access::Anonymous,
        retry: PATIENCE,
        ..S3Options::default()
    })
    .await
}

/// Brings what the bucket has of a dataset's inputs into `folder`, and sends an event for each.
pub async fn bring(s3: &S3, dataset: &Dataset, folder: &Path, events: &InputEvents) -> Found {
    match bring_all(s3, dataset, folder, events).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(
                "the public bucket cannot be used, MAST is asked instead: {}",
                with_causes(&error)
            );
            Found::Part
        }
    }
}

/// As [`bring`]; an error is of the bucket as a whole.
async fn bring_all(
    s3: &S3,
    dataset: &Dataset,
    folder: &Path,
    events: &InputEvents,
) -> Result<Found, StoreError> {
    let inputs = inputs_of(s3, dataset, dataset.name()).await?;
    let mut have = get(s3, &inputs, folder, events).await;
    let table = dataset.association_file();
    let listed = inputs.iter().any(|input| input.file.as_str() == table);
    let complete = if listed {
        let Ok(association) = Association::read(&folder.join(&table)) else {
            // Not fetched, or damaged; MAST's copy will tell.
            return Ok(Found::Part);
        };
        for member in association.without_raw_files(&names(&have)) {
            let inputs = inputs_of(s3, dataset, member).await?;
            have.extend(get(s3, &inputs, folder, events).await);
        }
        association.without_raw_files(&names(&have)).is_empty()
    } else {
        has_exposure(dataset, &names(&have))
    };
    let all_came = inputs.iter().all(|input| have.contains(&input.file));
    Ok(if complete && all_came {
        Found::Everything
    } else {
        Found::Part
    })
}

fn names(files: &BTreeSet<FileName>) -> Vec<&str> {
    files.iter().map(FileName::as_str).collect()
}

/// The inputs of `dataset` that are kept under the name of `owner`.
async fn inputs_of(s3: &S3, dataset: &Dataset, owner: &str) -> Result<Vec<Input>, StoreError> {
    let Some(prefix) = prefix(owner) else {
        return Ok(Vec::new());
    };
    let page = s3.list(BUCKET, &prefix, Delimiter::Slash).collect().await?;
    let input = |object: &storage::s3::Object| {
        let mut inputs = inputs(dataset, [object.key.as_str()]);
        let (key, file) = inputs.pop()?;
        let (key, size) = (key.to_owned(), object.size);
        Some(Input { key, file, size })
    };
    Ok(page.objects.iter().filter_map(input).collect())
}

/// Fetches inputs; those that do not come are logged and left out.
async fn get(s3: &S3, inputs: &[Input], folder: &Path, events: &InputEvents) -> BTreeSet<FileName> {
    let pending: Vec<_> = inputs
        .iter()
        .map(async |input| {
            let uri = S3Uri::new(BUCKET, &input.key).ok()?;
            let expected = Expected {
                size: Some(input.size),
                ..Expected::default()
            };
            let target = folder.join(&input.file);
            match s3.get_to_file(&uri, &target, &expected).await {
                Ok(_) => {
                    events.send(&target);
                    Some(input.file.clone())
                }
                Err(error) => {
                    tracing::warn!("{} is left to MAST: {}", input.file, with_causes(&error));
                    None
                }
            }
        })
        .collect();
    let fetched = stream::iter(pending).buffer_unordered(FILES_IN_FLIGHT);
    fetched.filter_map(async |file| file).collect().await
}

/// The prefix, with a slash at its end, of the files of an exposure or association; none for a
/// text that is not the name of one, as a damaged association table may have it.
pub fn prefix(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let plain = name.len() == NAME_LENGTH && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let program = name.get(..4).filter(|_| plain)?;
    Some(format!("{ROOT}/{program}/{name}/"))
}

/// The inputs of `dataset` among the keys listed below a [`prefix`], with the names they will
/// have. Keys of anything else, deeper ones and unsafe names included, are left out.
fn inputs<'a>(
    dataset: &Dataset,
    keys: impl IntoIterator<Item = &'a str>,
) -> Vec<(&'a str, FileName)> {
    let wanted = dataset.instrument().map_or(&[][..], suffixes);
    let file = |key: &'a str| {
        let (folder, name) = key.rsplit_once('/')?;
        let (_, owner) = folder.rsplit_once('/')?;
        let of_owner = prefix(owner).is_some_and(|p| p.trim_end_matches('/') == folder);
        let suffix = suffix(name)?.to_ascii_uppercase();
        let is_input = of_owner && wanted.contains(&suffix.as_str());
        FileName::parse(name)
            .ok()
            .filter(|_| is_input)
            .map(|name| (key, name))
    };
    keys.into_iter().filter_map(file).collect()
}

/// Whether `files` hold an exposure of the dataset itself, as they must when it is no association.
fn has_exposure(dataset: &Dataset, files: &[&str]) -> bool {
    files.iter().any(|file| {
        let own = file.starts_with(dataset.name());
        let suffix = suffix(file).unwrap_or_default().to_ascii_uppercase();
        own && dataset
            .instrument()
            .is_some_and(|i| is_exposure(i, &suffix))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_prefix_is_of_a_name_only() {
        assert_eq!(prefix("J8CB010B0").unwrap(), "hst/public/j8cb/j8cb010b0/");
        for bad in [
            "",
            "j8cb010b",
            "j8cb010b00",
            "../cb010b",
            "j8cb/10b0",
            "j8cb é1b",
        ] {
            assert_eq!(prefix(bad), None, "{bad}");
        }
    }

    #[test]
    fn inputs_are_told_from_everything_else() {
        let dataset: Dataset = "lcxv13040".parse().unwrap();
        let found = inputs(
            &dataset,
            [
                "hst/public/lcxv/lcxv13040/lcxv13040_asn.fits",
                "hst/public/lcxv/lcxv13040/lcxv13040_x1dsum.fits",
                "hst/public/lcxv/lcxv13f1q/lcxv13f1q_rawtag_a.fits",
                "hst/public/lcxv/lcxv13f1q/lcxv13f1q_rawtag_a.jpg",
                "hst/public/lcxv/lcxv13f1q/old/lcxv13f1q_rawtag_a.fits",
                "hst/public/lcxv/lcxv13f1q/a b_rawtag_a.fits",
                "lcxv13f1q_rawtag_b.fits",
                "",
            ],
        );
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["lcxv13040_asn.fits", "lcxv13f1q_rawtag_a.fits"]);
        assert_eq!(
            found[1].0,
            "hst/public/lcxv/lcxv13f1q/lcxv13f1q_rawtag_a.fits"
        );
    }

    #[test]
    fn an_exposure_is_of_the_dataset_itself() {
        let dataset: Dataset = "octka8050".parse().unwrap();
        assert!(has_exposure(&dataset, &["octka8050_wav.fits"]));
        assert!(!has_exposure(
            &dataset,
            &["octka8050_epc.fits", "octka7040_raw.fits"]
        ));
    }
}

//! Raw files from MAST's public bucket (`stpubdata:`), which needs no credentials.
//!
//! Where files lie is planned in [`super::mast::public`]; here objects are listed and fetched.
//! The bucket is never the last word: whatever goes wrong is logged and leaves the files to MAST,
//! which brings only what is not there yet.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use caldp_core::dataset::Dataset;
use futures_util::{StreamExt, stream};
use storage::retry::RetryPolicy;
use storage::s3::{Access, Delimiter, Expected, S3, S3Error, S3Options};
use storage::uri::S3Uri;

use super::arrival::Arrivals;
use super::mast::FileName;
use super::mast::public::{self, BUCKET};
use crate::calibrate::association::Association;

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

/// Brings what the bucket has of a dataset's inputs into `folder`, and tells of each.
pub async fn bring(s3: &S3, dataset: &Dataset, folder: &Path, arrivals: &Arrivals) -> Found {
    match bring_all(s3, dataset, folder, arrivals).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!("the public bucket cannot be used, MAST is asked instead: {error}");
            Found::Part
        }
    }
}

/// As [`bring`]; an error is of the bucket as a whole.
async fn bring_all(
    s3: &S3,
    dataset: &Dataset,
    folder: &Path,
    arrivals: &Arrivals,
) -> Result<Found, S3Error> {
    let inputs = inputs_of(s3, dataset, dataset.name()).await?;
    let mut have = get(s3, &inputs, folder, arrivals).await;
    let table = dataset.association_file();
    let listed = inputs.iter().any(|input| input.file.as_str() == table);
    let complete = if listed {
        let Ok(association) = Association::read(&folder.join(&table)) else {
            // Not fetched, or damaged; MAST's copy will tell.
            return Ok(Found::Part);
        };
        let members: Vec<&str> = association.exposures().map(|m| &*m.name).collect();
        for member in missing(&members, &have) {
            let inputs = inputs_of(s3, dataset, member).await?;
            have.extend(get(s3, &inputs, folder, arrivals).await);
        }
        missing(&members, &have).is_empty()
    } else {
        let names: Vec<&str> = have.iter().map(FileName::as_str).collect();
        public::has_exposure(dataset, &names)
    };
    let all_came = inputs.iter().all(|input| have.contains(&input.file));
    Ok(if complete && all_came {
        Found::Everything
    } else {
        Found::Part
    })
}

fn missing<'a>(members: &[&'a str], have: &BTreeSet<FileName>) -> Vec<&'a str> {
    let names: Vec<&str> = have.iter().map(FileName::as_str).collect();
    public::missing_members(members.iter().copied(), &names)
}

/// The inputs of `dataset` that are kept under the name of `owner`.
async fn inputs_of(s3: &S3, dataset: &Dataset, owner: &str) -> Result<Vec<Input>, S3Error> {
    let Some(prefix) = public::prefix(owner) else {
        return Ok(Vec::new());
    };
    let page = s3.list(BUCKET, &prefix, Delimiter::Slash).collect().await?;
    let input = |object: &storage::s3::Object| {
        let mut inputs = public::inputs(dataset, [object.key.as_str()]);
        let (key, file) = inputs.pop()?;
        let (key, size) = (key.to_owned(), object.size);
        Some(Input { key, file, size })
    };
    Ok(page.objects.iter().filter_map(input).collect())
}

/// Fetches inputs; those that do not come are logged and left out.
async fn get(s3: &S3, inputs: &[Input], folder: &Path, arrivals: &Arrivals) -> BTreeSet<FileName> {
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
                    arrivals.tell(&target);
                    Some(input.file.clone())
                }
                Err(error) => {
                    tracing::warn!("{} is left to MAST: {error}", input.file);
                    None
                }
            }
        })
        .collect();
    let fetched = stream::iter(pending).buffer_unordered(FILES_IN_FLIGHT);
    fetched.filter_map(async |file| file).collect().await
}

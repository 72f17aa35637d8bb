//! The context that operators choose for a whole bucket: the name of an empty object,
//! `s3://<bucket>/crds_env_vars/<context>.pmap`, which the deployment scripts put there. What a run's own
//! environment says is not for this module: that is asked first.

use crate::config::variables::CONTEXT;
use crate::config::{Origin, Settings};
use storage::s3::{Delimiter, S3, StoreError};
use storage::uri::S3Uri;

/// Where the object is.
const FOLDER: &str = "crds_env_vars/";

/// Sets the context that operators chose in `bucket`, where the run's own settings name none. Gives
/// the context and where it is chosen; none where nothing is.
///
/// # Errors
/// When the bucket cannot be listed.
pub async fn choose(
    settings: &mut Settings,
    s3: &S3,
    bucket: &str,
) -> Result<Option<(String, S3Uri)>, StoreError> {
    if settings.get(CONTEXT).is_some() {
        return Ok(None);
    }
    let choice = chosen(s3, bucket).await?;
    if let Some((context, place)) = &choice {
        settings.set(CONTEXT, context.clone(), Origin::Operator(place.clone()));
    }
    Ok(choice)
}

/// The context that is chosen in a bucket, and where it says so; none where nothing is chosen.
///
/// Of several the first in order of name counts, as it always did; the others are warned of.
///
/// # Errors
/// When the bucket cannot be listed.
async fn chosen(s3: &S3, bucket: &str) -> Result<Option<(String, S3Uri)>, StoreError> {
    let page = s3.list(bucket, FOLDER, Delimiter::Slash).collect().await?;
    let mut names = page.objects.iter().filter_map(|object| {
        let name = object.key.strip_prefix(FOLDER)?;
        let is_context = std::path::Path::new(name).extension() == Some("pmap".as_ref());
        is_context.then_some(name)
    });
    let Some(name) = names.next() else {
        return Ok(None);
    };
    for other in names {
        tracing::warn!("s3://{bucket}/{FOLDER} also has {other}; {name} is used");
    }
    let place = S3Uri::new(bucket, &format!("{FOLDER}{name}"));
    Ok(place.ok().map(|uri| (name.to_owned(), uri)))
}

//! The catalogue of a CRDS server: ids by instrument, then headers page by page.

use crds_core::{Client, ClientError};
use futures_util::{StreamExt as _, stream};

use super::{Questions, Subject, dataset_of, quoted};
use crate::resources::features::of_fields;

/// Pages that are asked for at once.
const PAGES_AT_ONCE: usize = 4;

/// Gives all datasets of these instruments, in lower case; what was taken before a day is left to
/// the server to leave out.
pub(crate) async fn read(
    client: &Client,
    context: &str,
    instruments: &[String],
    since: Option<&str>,
    mut give: impl FnMut(Questions) -> bool,
) -> Result<(), ClientError> {
    let at_once = client.datasets_at_once().await?;
    for instrument in instruments {
        let ids = client.dataset_ids(context, instrument, since).await?;
        let pages = stream::iter(ids.chunks(at_once)).map(|ids| page(client, context, ids));
        let mut pages = pages.buffered(PAGES_AT_ONCE);
        while let Some(page) = pages.next().await {
            if !give(Questions::Subjects(page?)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn page(client: &Client, context: &str, ids: &[String]) -> Result<Vec<Subject>, ClientError> {
    let mut headers = client.dataset_headers(context, ids).await?;
    let told: Vec<String> = headers.iter().map(|(id, _)| id.to_uppercase()).collect();
    // The server may give an id another form, but not leave it out.
    let missing = ids.iter().filter(|id| {
        let id = id.to_uppercase();
        let pair = format!("{id}:{id}");
        !told.contains(&id) && !told.contains(&pair)
    });
    let silent = || Err("the server says nothing of it".to_owned());
    headers.extend(missing.map(|id| (id.clone(), silent())).collect::<Vec<_>>());
    let subjects = headers.into_iter().map(|(id, header)| {
        let dataset = dataset_of(&id.to_lowercase());
        match header {
            Ok(header) => Subject {
                id: quoted(&id),
                features: dataset.clone().map(|dataset| of_fields(dataset, &header)),
                dataset,
                context: None,
                headers: Ok(vec![header]),
                earlier: None,
            },
            Err(reason) => Subject::unknown(&id, dataset, reason),
        }
    });
    Ok(subjects.collect())
}

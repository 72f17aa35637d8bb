//! Which dataset a job works on: named in its command, or by the line of a list on S3.

use caldp_core::array::{DatasetList, MAX_LIST_BYTES};
use caldp_core::dataset::Dataset;
use storage::uri::S3Uri;

use super::documents::{Documents, unreadable};
use crate::error::TriggerError;
use crate::event::EventError;
use crate::event::job_event::{Task, Work};

/// The dataset of a task, the line of a list looked up.
pub(crate) async fn dataset_of(
    documents: &Documents,
    task: &Task,
) -> Result<Dataset, TriggerError> {
    match &task.work {
        Work::Dataset(dataset) => Ok(dataset.clone()),
        Work::Line { list, index } => {
            let datasets = datasets_in(documents, list).await?;
            let line = datasets.get(usize::from(*index)).cloned();
            Ok(line.ok_or_else(|| EventError::Malformed {
                kind: "Batch Job State Change",
                reason: format!("{list} has no line {index}, counted from 0"),
            })?)
        }
    }
}

/// The datasets in a list this system wrote.
pub(crate) async fn datasets_in(
    documents: &Documents,
    list: &S3Uri,
) -> Result<Vec<Dataset>, TriggerError> {
    documents.check_bucket(list.bucket())?;
    let (bytes, _) = documents.s3().get_bytes(list, MAX_LIST_BYTES).await?;
    let datasets = DatasetList::parse(&bytes).map_err(|e| unreadable(list, e.to_string()))?;
    Ok(datasets.into())
}

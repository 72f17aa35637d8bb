//! The child of an array job: which dataset is its own.

use caldp_core::array::{DatasetList, INDEX_VARIABLE, ListError, MAX_LIST_BYTES};
use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode;
use std::borrow::Cow;
use storage::hint::Hint;
use storage::s3::{S3, StoreError};
use storage::uri::S3Uri;

/// Why a child has no dataset.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    #[error("@{list} is for the children of an array job, and {INDEX_VARIABLE} is not set")]
    NoIndex { list: S3Uri },
    #[error("{INDEX_VARIABLE} is {value:?}, which is no index")]
    Index { value: String },
    #[error("{list} has {lines} lines, and {INDEX_VARIABLE} is {index}")]
    Beyond {
        list: S3Uri,
        lines: usize,
        index: usize,
    },
    #[error("{list} is no list of datasets")]
    List {
        list: S3Uri,
        #[source]
        error: ListError,
    },
    #[error(transparent)]
    S3(#[from] StoreError),
}

impl Hint for ChildError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::NoIndex { .. } => {
                format!("name a dataset, or set {INDEX_VARIABLE} to its line, counted from 0")
                    .into()
            }
            Self::Index { .. } => "AWS Batch counts from 0".into(),
            Self::Beyond { .. } => "the array job has more children than its list has lines".into(),
            Self::List { error, .. } => return error.hint(),
            Self::S3(error) => return error.hint(),
        })
    }
}

impl ChildError {
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::S3(_) => ExitCode::S3Download,
            _ => ExitCode::CommandLine,
        }
    }
}

/// The dataset on the line of the list that the index says.
pub(super) async fn dataset_of_child(
    list: &S3Uri,
    index: Option<&str>,
) -> Result<Dataset, ChildError> {
    let index = index_of(list, index)?;
    let (bytes, _) = S3::from_env().await.get_bytes(list, MAX_LIST_BYTES).await?;
    line_of(list, &bytes, index)
}

fn index_of(list: &S3Uri, index: Option<&str>) -> Result<usize, ChildError> {
    let value = index.ok_or_else(|| ChildError::NoIndex { list: list.clone() })?;
    value.parse().map_err(|_| ChildError::Index {
        value: value.to_owned(),
    })
}

fn line_of(list: &S3Uri, bytes: &[u8], index: usize) -> Result<Dataset, ChildError> {
    let datasets = DatasetList::parse(bytes).map_err(|error| ChildError::List {
        list: list.clone(),
        error,
    })?;
    datasets
        .get(index)
        .cloned()
        .ok_or_else(|| ChildError::Beyond {
            list: list.clone(),
            lines: datasets.len(),
            index,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_child_takes_its_line_and_no_other() {
        let list: S3Uri = "s3://bkt/a.ids".parse().unwrap();
        let bytes = b"j8cb010b0\nlbgu17qnq\n";
        assert_eq!(line_of(&list, bytes, 1).unwrap().name(), "lbgu17qnq");
        for error in [
            line_of(&list, bytes, 2).unwrap_err(),
            line_of(&list, b"j8cb010b0\n\n", 0).unwrap_err(),
            index_of(&list, None).unwrap_err(),
            index_of(&list, Some("-1")).unwrap_err(),
        ] {
            assert_eq!(error.code(), ExitCode::CommandLine, "{error}");
        }
    }
}

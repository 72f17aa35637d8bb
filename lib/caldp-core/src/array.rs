//! Array jobs of AWS Batch: one job for many datasets, whose children each take the line of a list
//! that their index says. The trigger writes lists, the worker reads them.

use std::borrow::Cow;
use std::fmt;

use crate::dataset::{Dataset, DatasetError};
use storage::hint::Hint;

/// The variable in which AWS Batch tells a child its index, counted from 0.
pub const INDEX_VARIABLE: &str = "AWS_BATCH_JOB_ARRAY_INDEX";

/// The largest list, in bytes: ten thousand children, the most an array can have, take a fifth.
pub const MAX_LIST_BYTES: usize = 1 << 20;

/// The datasets of an array job, one a line, in the order of the children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetList(Vec<Dataset>);

/// A line of a list that names no dataset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} names no dataset")]
pub struct ListError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: DatasetError,
}

impl Hint for ListError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.source.hint()
    }
}

impl DatasetList {
    /// Reads a list. Every line counts, because children count lines: an empty one is an error.
    ///
    /// # Errors
    /// [`ListError`] for the first line that is no dataset.
    pub fn parse(bytes: &[u8]) -> Result<Self, ListError> {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.lines().enumerate();
        let datasets = lines.map(|(index, line)| {
            line.parse().map_err(|source| ListError {
                line: index + 1,
                source,
            })
        });
        datasets.collect::<Result<_, _>>().map(Self)
    }

    /// The dataset of the child with this index.
    pub fn get(&self, index: usize) -> Option<&Dataset> {
        self.0.get(index)
    }

    /// How many children there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<Dataset>> for DatasetList {
    fn from(datasets: Vec<Dataset>) -> Self {
        Self(datasets)
    }
}

impl From<DatasetList> for Vec<Dataset> {
    fn from(list: DatasetList) -> Self {
        list.0
    }
}

impl fmt::Display for DatasetList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|dataset| writeln!(f, "{dataset}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_list_reads_back_as_it_was_written() {
        let text = "j8cb010b0\nacs_8ph_01\nskycell-p1234x05y06\n";
        let list = DatasetList::parse(text.as_bytes()).unwrap();
        assert_eq!(list.to_string(), text);
        assert_eq!(list.len(), 3);
        assert_eq!(list.get(1).unwrap().name(), "acs_8ph_01");
        assert_eq!(list.get(3), None);
        assert_eq!(DatasetList::from(Vec::from(list.clone())), list);
        assert!(DatasetList::parse(b"").unwrap().is_empty());
    }

    #[test]
    fn a_line_that_is_no_dataset_is_named() {
        for text in [
            &b"j8cb010b0\n\nlbgu17qnq\n"[..],
            b"j8cb010b0\n../x\n",
            b"j8cb010b0\n\xc3",
        ] {
            let error = DatasetList::parse(text).unwrap_err();
            assert_eq!(error.line, 2, "{error}");
        }
    }
}

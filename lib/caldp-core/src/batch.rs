//! Names of batches and ids of AWS Batch jobs, as they appear in keys.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use storage::hint::Hint;

/// The longest batch name. AWS Batch allows job names of 128 characters, and they start with it.
const MAX_BATCH_NAME: usize = 100;

/// The name of a batch of datasets: letters, digits, `-` and `_`, starting with a letter or
/// digit, at most 100 characters. It becomes part of keys and job names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BatchName(String);

/// The id of an AWS Batch job: a UUID, with `:<index>` for a child of an array job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// A text that is no batch name or job id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Not a batch name.
    #[error("{0:?} is not a batch name")]
    Name(String),
    /// Not the id of a job.
    #[error("{0:?} is not the id of an AWS Batch job")]
    Job(String),
}

impl Hint for BatchError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Name(_) => {
                "use letters, digits, '-' and '_', starting with a letter or digit, at most 100"
            }
            Self::Job(_) => {
                "it looks like 5b202ca1-bfd0-4c9f-b2a0-f396843ef639, with :0 appended for the \
                 first child of an array"
            }
        };
        Some(hint.into())
    }
}

impl BatchName {
    /// The name of a batch of `count` datasets submitted at `when`:
    /// `batch-<count>-<YYYY-MM-DDTHH-MM-SS>` in UTC.
    pub fn of(count: usize, when: jiff::Timestamp) -> Self {
        Self(format!(
            "batch-{count}-{}",
            when.strftime("%Y-%m-%dT%H-%M-%S")
        ))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl JobId {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The job itself, or the array this job is a child of.
    #[must_use]
    pub fn parent(&self) -> Self {
        let uuid = self
            .0
            .split_once(':')
            .map_or(self.0.as_str(), |(uuid, _)| uuid);
        Self(uuid.to_owned())
    }

    /// The index of a child in its array, counted from 0; none for any other job.
    pub fn index(&self) -> Option<u16> {
        self.0.split_once(':')?.1.parse().ok()
    }

    /// The child of this array with an index.
    #[must_use]
    pub fn child(&self, index: u16) -> Self {
        Self(format!("{}:{index}", self.parent()))
    }
}

impl FromStr for BatchName {
    type Err = BatchError;

    fn from_str(text: &str) -> Result<Self, BatchError> {
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let rest = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if starts && text.len() <= MAX_BATCH_NAME && text.chars().all(rest) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BatchError::Name(
                text.chars().take(MAX_BATCH_NAME).collect(),
            ))
        }
    }
}

impl FromStr for JobId {
    type Err = BatchError;

    fn from_str(text: &str) -> Result<Self, BatchError> {
        const UUID: &str = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
        let (uuid, index) = match text.split_once(':') {
            Some((uuid, index)) => (uuid, Some(index)),
            None => (text, None),
        };
        let is_uuid = uuid.len() == UUID.len()
            && UUID.bytes().zip(uuid.bytes()).all(|(p, b)| match p {
                b'h' => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
                _ => p == b,
            });
        let is_index =
            index.is_none_or(|i| i.bytes().all(|b| b.is_ascii_digit()) && i.parse::<u16>().is_ok());
        if is_uuid && is_index {
            Ok(Self(text.to_owned()))
        } else {
            Err(BatchError::Job(text.chars().take(MAX_BATCH_NAME).collect()))
        }
    }
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = BatchError;
            fn try_from(text: String) -> Result<Self, BatchError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}
text!(BatchName, JobId);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_batch_is_named_after_its_size_and_time() {
        let when = "2026-03-01T12:34:56Z".parse().unwrap();
        let name = BatchName::of(1000, when);
        assert_eq!(name.as_str(), "batch-1000-2026-03-01T12-34-56");
        assert_eq!(name.as_str().parse::<BatchName>().unwrap(), name);
    }

    #[test]
    fn a_batch_name_cannot_leave_its_place() {
        for bad in ["", "-a", "../x", "a/b", "a.b", "a b", "é", &"a".repeat(101)] {
            assert!(bad.parse::<BatchName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_job_id_is_a_uuid_with_perhaps_an_index() {
        for good in [
            "5b202ca1-bfd0-4c9f-b2a0-f396843ef639",
            "5b202ca1-bfd0-4c9f-b2a0-f396843ef639:9999",
        ] {
            assert_eq!(good.parse::<JobId>().unwrap().as_str(), good);
        }
        let array: JobId = "5b202ca1-bfd0-4c9f-b2a0-f396843ef639".parse().unwrap();
        let child = array.child(7);
        assert_eq!(child.as_str(), "5b202ca1-bfd0-4c9f-b2a0-f396843ef639:7");
        assert_eq!((child.index(), child.parent()), (Some(7), array.clone()));
        assert_eq!((array.index(), array.parent()), (None, array));
        for bad in [
            "",
            "j8cb010b0",
            "5b202ca1-bfd0-4c9f-b2a0-f396843ef639:",
            "5b202ca1-bfd0-4c9f-b2a0-f396843ef639:x",
            "5b202ca1-bfd0-4c9f-b2a0-f396843ef639:+1",
            "5b202ca1-bfd0-4c9f-b2a0-f396843ef639:70000",
            "5B202CA1-bfd0-4c9f-b2a0-f396843ef639",
            "5b202ca1bfd0-4c9f-b2a0-f396843ef639",
        ] {
            assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
        }
    }
}

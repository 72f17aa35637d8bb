//! What can go wrong with stored things, told apart by what a user or caller can do about it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use crate::atomic::CheckedFileError;
use crate::checksum::Mismatch;
use crate::hint::{Hint, local_hint};
use crate::retry::{Failure, GaveUp, RetryStats};

/// The kinds of failure of a store, on S3 or on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// There is no such object or file.
    NotFound,
    /// There is no such bucket.
    NoSuchBucket,
    /// The credentials or permissions do not allow it.
    AccessDenied,
    /// No credentials were found.
    NoCredentials,
    /// The bucket is in another region.
    WrongRegion,
    /// It was to be written only if absent, and is there.
    AlreadyExists,
    /// It is not, or no longer, the version expected.
    Changed,
    /// It is larger than allowed.
    TooLarge,
    /// Size or checksum differ from what they should be.
    Damaged,
    /// The server asks for fewer requests.
    Throttled,
    /// The server failed.
    Server,
    /// The server was not reached, or did not answer in time.
    Unreachable,
    /// A local file could not be read or written.
    LocalFile,
    /// The key, bucket or request is not acceptable.
    Invalid,
}

impl ErrorKind {
    /// What to do about it on S3, where that is known.
    pub const fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::NoSuchBucket => {
                "check the bucket's name and the account the credentials belong to"
            }
            Self::AccessDenied => {
                "check that the credentials are current and their role may do this (s3:GetObject, \
                 s3:PutObject, s3:DeleteObject on the objects, s3:ListBucket on the bucket)"
            }
            Self::NoCredentials => {
                "give credentials by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of \
                 the machine or job"
            }
            Self::WrongRegion => {
                "set AWS_REGION to the bucket's region, and no AWS_ENDPOINT_URL of another"
            }
            Self::Changed => "something else writes there too; run it again",
            Self::Throttled => {
                "too many requests at once; run it again later or with less concurrency"
            }
            Self::Unreachable => "check the network, AWS_ENDPOINT_URL and AWS_REGION",
            Self::Damaged => "run it again; if it persists, what is stored is damaged",
            Self::NotFound
            | Self::AlreadyExists
            | Self::TooLarge
            | Self::Server
            | Self::LocalFile
            | Self::Invalid => return None,
        })
    }
}

/// A failed operation: a sentence with what failed, on what, how often it was tried and why.
#[derive(Debug)]
pub struct StoreError(Box<Failed>);

#[derive(Debug)]
struct Failed {
    action: &'static str,
    /// The URI, path or key.
    place: String,
    attempt: AttemptError,
    hint: Option<&'static str>,
    stats: RetryStats,
}

impl StoreError {
    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.attempt.kind
    }

    /// How much was tried.
    pub fn stats(&self) -> RetryStats {
        self.0.stats
    }

    /// What was not as expected, where that is the failure.
    pub fn mismatch(&self) -> Option<Mismatch> {
        self.0.attempt.source.as_ref()?.downcast_ref().copied()
    }

    pub(crate) fn new(
        action: &'static str,
        place: impl fmt::Display,
        attempt: AttemptError,
    ) -> Self {
        Self(Box::new(Failed {
            action,
            place: place.to_string(),
            hint: attempt.hint(),
            attempt,
            stats: RetryStats::ONCE,
        }))
    }

    pub(crate) fn gave_up(
        action: &'static str,
        place: impl fmt::Display,
        gave_up: GaveUp<AttemptError>,
    ) -> Self {
        let mut error = Self::new(action, place, gave_up.error);
        error.0.stats = gave_up.stats;
        error
    }

    /// The same of another kind.
    pub(crate) fn told_as(mut self, attempt: AttemptError) -> Self {
        self.0.hint = attempt.hint();
        self.0.attempt = attempt;
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = &*self.0;
        write!(f, "cannot {} {}", failed.action, failed.place)?;
        if failed.stats.tries > 1 {
            write!(f, " {}", failed.stats)?;
        }
        match &*failed.attempt.detail {
            "" => Ok(()),
            detail => write!(f, ": {detail}"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.0.attempt.source.as_deref()?;
        Some(source)
    }
}

impl Hint for StoreError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.0.hint.map(Cow::Borrowed)
    }
}

/// Why one attempt failed, before it is known what was attempted on what.
#[derive(Debug)]
pub(crate) struct AttemptError {
    pub(crate) kind: ErrorKind,
    /// Empty where the source says it all.
    detail: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
    remedy: Remedy,
    /// Where the bucket is, if the server said that it is elsewhere.
    region: Option<String>,
}

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// What can be done about all of its kind.
    OfKind,
    /// This, and not what is said of its kind.
    Known(&'static str),
    /// Nothing that is known here.
    Unknown,
}

impl Remedy {
    /// In words, for a failure of a kind.
    pub(crate) const fn of(self, kind: ErrorKind) -> Option<&'static str> {
        match self {
            Self::OfKind => kind.hint(),
            Self::Known(words) => Some(words),
            Self::Unknown => None,
        }
    }
}

impl AttemptError {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            source: None,
            remedy: Remedy::OfKind,
            region: None,
        }
    }

    /// What helps: with a file of this machine something else than with an object.
    fn hint(&self) -> Option<&'static str> {
        self.remedy.of(self.kind)
    }

    /// The same with another remedy than that of its kind.
    pub(crate) fn with_remedy(self, remedy: Remedy) -> Self {
        Self { remedy, ..self }
    }

    /// The same with the region that the server names.
    pub(crate) fn with_region(self, region: Option<String>) -> Self {
        Self { region, ..self }
    }

    /// Where the bucket is, if the server said that it is elsewhere.
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// There is no such object or file.
    pub(crate) fn missing() -> Self {
        Self::new(ErrorKind::NotFound, "it does not exist")
    }

    /// It is there and must not be.
    pub(crate) fn exists() -> Self {
        Self::new(ErrorKind::AlreadyExists, "it exists already")
    }

    /// It is not what a writer saw before.
    pub(crate) fn other_version() -> Self {
        Self::new(ErrorKind::Changed, "it is no longer what it was")
    }

    /// It is larger than a reader takes.
    pub(crate) fn too_large(max: usize) -> Self {
        let detail = format!("it has more than the {max} bytes allowed");
        Self::new(ErrorKind::TooLarge, detail)
    }

    /// What the cause says is all there is to say.
    pub(crate) fn because(
        kind: ErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(kind, "")
        }
    }

    /// `what` failed on a local file.
    pub(crate) fn local(what: impl Into<Cow<'static, str>>, error: io::Error) -> Self {
        Self {
            detail: what.into(),
            remedy: Remedy::Known(local_hint(&error)),
            ..Self::because(ErrorKind::LocalFile, error)
        }
    }

    /// A file could not be written to `target`, or is not what it should be.
    pub(crate) fn of_target(target: &Path, error: CheckedFileError) -> Self {
        match error {
            CheckedFileError::Io(error) => {
                Self::local(format!("writing {} failed", target.display()), error)
            }
            CheckedFileError::Mismatch(mismatch) => mismatch.into(),
        }
    }

    /// Something was not as it should be on arrival; it may be next time.
    pub(crate) fn damaged(detail: impl Into<Cow<'static, str>>) -> Failure<Self> {
        Failure::Transient(Self::new(ErrorKind::Damaged, detail))
    }

    pub(crate) fn unreachable(detail: impl Into<Cow<'static, str>>) -> Failure<Self> {
        Failure::Transient(Self::new(ErrorKind::Unreachable, detail))
    }

    /// Says what it is about.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.detail = format!("{what}: {}", self.detail).into();
        self
    }
}

/// Of a file that is stored.
impl From<io::Error> for AttemptError {
    fn from(error: io::Error) -> Self {
        let hint = local_hint(&error);
        let attempt = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::missing(),
            io::ErrorKind::AlreadyExists => Self::exists(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::because(ErrorKind::AccessDenied, error)
            }
            _ => Self::because(ErrorKind::LocalFile, error),
        };
        match attempt.kind {
            ErrorKind::AlreadyExists => attempt,
            _ => attempt.with_remedy(Remedy::Known(hint)),
        }
    }
}

impl From<Mismatch> for AttemptError {
    fn from(mismatch: Mismatch) -> Self {
        Self::because(ErrorKind::Damaged, mismatch)
    }
}

/// With the cause, for the log of a single attempt.
impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            None => f.write_str(&self.detail),
            Some(source) if self.detail.is_empty() => source.fmt(f),
            Some(source) => write!(f, "{}: {source}", self.detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::explain;

    #[test]
    fn an_error_is_a_sentence_with_a_cause_and_a_hint() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let attempt = AttemptError::local("writing it failed", full);
        let error = StoreError::new("download", "s3://b/k", attempt);
        assert_eq!(
            error.to_string(),
            "cannot download s3://b/k: writing it failed"
        );
        assert_eq!(
            explain(&error).to_string(),
            "cannot download s3://b/k: writing it failed: no storage space\n\
             hint: make room, or use a larger disk"
        );

        let attempt = AttemptError::new(ErrorKind::Throttled, "Please reduce your request rate");
        let stats = RetryStats {
            tries: 10,
            elapsed: std::time::Duration::from_millis(41_240),
        };
        let gave_up = GaveUp {
            error: attempt,
            stats,
        };
        let error = StoreError::gave_up("read", "s3://b/k", gave_up);
        assert_eq!(
            explain(&error).to_string(),
            "cannot read s3://b/k after 10 tries over 41.2 s: Please reduce your request rate\n\
             hint: too many requests at once; run it again later or with less concurrency"
        );
    }
}

//! Why the inputs could not be had from MAST, and which failures are worth another try.

use crate::error::disk_hint;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use storage::hint::Hint;

use reqwest::StatusCode;
use storage::retry::{Failure, GaveUp, RetryStats};

use super::select::SelectError;
use crate::input::poller::PollerError;
use crate::membership::file_name::FileName;
use fits::FitsError;

/// A failure that may be the server's mistake of a moment or be meant is given this many tries.
const DOUBTFUL_TRIES: u32 = 3;

/// Why the inputs of a dataset could not be had from MAST.
#[derive(Debug, thiserror::Error)]
pub enum MastError {
    /// A setting cannot be used.
    #[error("{variable} cannot be used: {reason}")]
    Setting {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong; never the value of a secret.
        reason: String,
        /// What to set.
        hint: &'static str,
    },
    /// The HTTP client could not be set up.
    #[error("secure connections to MAST cannot be set up")]
    Setup(#[source] reqwest::Error),
    /// A mosaic without the list of its exposures.
    #[error("{0} is a mosaic and its exposures are not known without its poller file")]
    NoPoller(String),
    /// The poller file cannot be used.
    #[error(transparent)]
    Poller(#[from] PollerError),
    /// What MAST lists is not what the dataset needs.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A question was not answered.
    #[error("{host} did not tell {what}{}", tried(stats))]
    Query {
        /// What was asked for, as in "the products of j8cb010b0".
        what: String,
        /// The server.
        host: String,
        /// What went wrong last.
        source: TransferError,
        /// How much was tried.
        stats: RetryStats,
    },
    /// A file that MAST lists was not delivered.
    #[error("{file} could not be downloaded from {host}{}", tried(stats))]
    Download {
        /// The file.
        file: FileName,
        /// The server.
        host: String,
        /// What went wrong last.
        source: TransferError,
        /// How much was tried.
        stats: RetryStats,
    },
    /// An association's table cannot be read.
    #[error("the association table from MAST cannot be read")]
    Association(#[source] FitsError),
    /// The association has exposures for which there are no raw files.
    #[error("{association} lists exposures that MAST gave no raw files for: {members}")]
    MembersMissing {
        /// The association table.
        association: FileName,
        /// The exposures, comma-separated.
        members: String,
    },
    /// A file could not be written.
    #[error("{path} cannot be written")]
    Store {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What went wrong in one try.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// No connection, or one that broke.
    #[error("{0}")]
    Connection(String),
    /// Next to nothing arrived for too long.
    #[error("the transfer stalled")]
    Stalled,
    /// A status that means failure.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// Not for everyone.
    #[error("access is denied ({status})")]
    Denied {
        /// The status.
        status: StatusCode,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// The server does not have it.
    #[error("the server does not have it ({0})")]
    NotThere(StatusCode),
    /// The service reported an error of its own.
    #[error("the service reported {0}")]
    Service(String),
    /// The service was never ready.
    #[error("the service is still working on the answer")]
    Executing,
    /// The answer cannot be used.
    #[error("{0}")]
    Answer(String),
    /// The file has another size than announced.
    #[error("{found} bytes instead of the {expected} that MAST lists")]
    Size {
        /// Bytes that MAST lists.
        expected: u64,
        /// Bytes that came, or that the server said would come.
        found: u64,
    },
    /// The content is not FITS.
    #[error("what came is not a FITS file")]
    NotFits,
    /// The server did not continue where the transfer had stopped.
    #[error("the server did not continue the same file")]
    Resumed,
    /// The partial file could not be written.
    #[error("it cannot be stored")]
    Disk(#[from] std::io::Error),
}

impl TransferError {
    /// Says whether another try may help, after `tries` tries.
    pub(super) fn classify(self, tries: u32) -> Failure<Self> {
        let again = match &self {
            Self::Connection(_) | Self::Stalled | Self::Executing | Self::Resumed => true,
            Self::Status(status) => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                    )
            }
            Self::Service(_) | Self::Answer(_) | Self::Size { .. } | Self::NotFits => {
                tries < DOUBTFUL_TRIES
            }
            Self::Denied { .. } | Self::NotThere(_) | Self::Disk(_) => false,
        };
        if again {
            Failure::Transient(self)
        } else {
            Failure::Permanent(self)
        }
    }

    /// A failure of the HTTP client, without the address (it is named where the failure is told).
    pub(super) fn connection(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let more = inner.to_string();
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = inner.source();
        }
        Self::Connection(text)
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Denied {
                with_token: false, ..
            } => Some(
                "the data are exclusive to their investigators; set MAST_API_TOKEN to the token of an account that may see them",
            ),
            Self::Denied {
                with_token: true, ..
            } => Some("the account of MAST_API_TOKEN may not see it, or the token has expired"),
            Self::Connection(_) => Some("check the network; CALDP_MAST_URL names another server"),
            Self::Stalled | Self::Status(_) | Self::Executing => {
                Some("MAST is busy or down; run the dataset again later")
            }
            Self::Disk(error) => Some(disk_hint(error)),
            _ => None,
        }
    }
}

impl Hint for MastError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Setting { hint, .. } => (*hint).into(),
            Self::Setup(_) => "are CA certificates installed?".into(),
            Self::NoPoller(dataset) => format!(
                "name the place of {dataset}_input.out as astroquery:<directory> or astroquery:s3://bucket/prefix"
            )
            .into(),
            Self::Poller(error) => return error.hint(),
            Self::Select(error) => return error.hint(),
            Self::Query { source, .. } | Self::Download { source, .. } => {
                return source.hint().map(Cow::from);
            }
            Self::Association(_) => return None,
            Self::MembersMissing { .. } => {
                "they may still be proprietary; set MAST_API_TOKEN if the account may see them"
                    .into()
            }
            Self::Store { source, .. } => disk_hint(source).into(),
        })
    }
}

impl MastError {
    /// For `map_err`: a question given up.
    pub(super) fn query(what: &str, host: &str) -> impl FnOnce(GaveUp<TransferError>) -> Self {
        let (what, host) = (what.to_owned(), host.to_owned());
        move |gave_up| Self::Query {
            what,
            host,
            source: gave_up.error,
            stats: gave_up.stats,
        }
    }

    /// For `map_err`: a download given up.
    pub(super) fn download(
        file: &FileName,
        host: &str,
    ) -> impl FnOnce(GaveUp<TransferError>) -> Self {
        let (file, host) = (file.clone(), host.to_owned());
        move |gave_up| Self::Download {
            file,
            host,
            source: gave_up.error,
            stats: gave_up.stats,
        }
    }
}

fn tried(stats: &RetryStats) -> impl fmt::Display {
    let text = stats.to_string();
    if text.is_empty() {
        text
    } else {
        format!(" {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(trouble: TransferError, tries: u32) -> bool {
        matches!(trouble.classify(tries), Failure::Transient(_))
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_meant_is_not() {
        for status in [500, 502, 503, 504, 429, 408] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert!(again(TransferError::Status(status), 9), "{status}");
        }
        assert!(!again(TransferError::Status(StatusCode::BAD_REQUEST), 1));
        assert!(!again(TransferError::NotThere(StatusCode::NOT_FOUND), 1));
        assert!(again(TransferError::NotFits, 2) && !again(TransferError::NotFits, 3));
    }
}

//! Why a file could not be had.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use storage::hint::Hint;
pub use storage::retry::RetryStats;
pub use storage::store::StoreError;

use crate::cache::verified_file::VerifyError;

/// A file could not be read from its source, or not be put where it belongs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such file.
    #[error("{location} does not exist")]
    NotFound {
        /// Path or URI.
        location: String,
    },
    /// Someone answered, but not with the file.
    #[error("{location} was refused: {reason}")]
    Refused {
        /// Path or URI.
        location: String,
        /// What was answered.
        reason: String,
    },
    /// The transfer failed, also when tried again.
    #[error("{location} could not be fetched{}: {reason}", spaced(.stats))]
    Transfer {
        /// Path or URI.
        location: String,
        /// The last failure.
        reason: String,
        /// How much was tried.
        stats: RetryStats,
    },
    /// What came is not the file that CRDS knows, or cannot be stored.
    #[error("{location} was fetched, but is not kept")]
    Verify {
        /// Path or URI.
        location: String,
        /// What is wrong with it.
        #[source]
        problem: VerifyError,
    },
    /// A folder or object storage did not give the file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file that is read into memory is far larger than any real one.
    #[error("{location} is larger than {limit} bytes, which no such file is")]
    TooLarge {
        /// Path or URI.
        location: String,
        /// In bytes.
        limit: u64,
    },
    /// The file cannot be stored.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// Where it should be.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The program of `CRDS_DOWNLOAD_PLUGIN` failed.
    #[error("the download plugin failed for {location} with {status}{}\n  command: {command}", after_colon(.said))]
    Plugin {
        /// URI.
        location: String,
        /// Its exit status, as text.
        status: String,
        /// The command as the shell got it.
        command: String,
        /// The end of what it wrote to stderr.
        said: String,
    },
    /// The program of `CRDS_DOWNLOAD_PLUGIN` says that the user interrupted it.
    #[error("the download of {location} was interrupted")]
    Interrupted {
        /// URI.
        location: String,
    },
    /// The CRDS server answered that it cannot.
    #[error("the CRDS server {url} could not {method}: {message}")]
    Server {
        /// Its address.
        url: String,
        /// The method that was called.
        method: String,
        /// Its answer.
        message: String,
    },
    /// Something needs a server and there is none.
    #[error("{what} needs a CRDS server, and there is none")]
    Serverless {
        /// What was to be done.
        what: String,
    },
    /// A setting names a place that cannot be.
    #[error("{location} is no place for files: {reason}")]
    Location {
        /// URI.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl SourceError {
    /// Whether the file does not exist, as opposed to not being had.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

impl Hint for SourceError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Verify { problem, .. } => problem.hint(),
            Self::Store(error) => error.hint(),
            Self::Serverless { .. } => Some(
                "set CRDS_SERVER_URL, such as https://hst-crds.stsci.edu, or the CRDS_*_URI variables"
                    .into(),
            ),
            _ => None,
        }
    }
}

fn spaced(stats: &RetryStats) -> String {
    match stats.to_string() {
        text if text.is_empty() => text,
        text => format!(" {text}"),
    }
}

fn after_colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

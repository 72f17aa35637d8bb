//! How a run fails: what failed, in a sentence, with the exit code that Batch will report.
//!
//! Every module has error types of its own; here they become one, because whoever runs a dataset
//! asks three things of every failure: which step, why, and what to do. Printing it is left to the
//! command.

use caldp_core::exit_code::ExitCode;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use storage::hint::{Hint, local_hint};

/// The steps of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Resolving the configuration and preparing the working directory.
    Setup,
    /// Getting the raw files.
    Inputs,
    /// Choosing and fetching reference files.
    References,
    /// Running the calibration programs.
    Calibration,
    /// Making previews.
    Previews,
    /// Storing results.
    Delivery,
    /// Recording the dataset's state.
    Messages,
}

impl Step {
    /// The step's name as it stands in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Inputs => "inputs",
            Self::References => "references",
            Self::Calibration => "calibration",
            Self::Previews => "previews",
            Self::Delivery => "delivery",
            Self::Messages => "messages",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed run: its cause says why, its hint what to do.
#[derive(Debug)]
pub struct RunError {
    /// The step that failed.
    pub step: Step,
    /// What the process exits with.
    pub code: ExitCode,
    cause: Box<dyn Hint + Send + Sync>,
}

impl RunError {
    /// A failure of `step`, for the reason `cause`.
    pub fn new(step: Step, code: ExitCode, cause: impl Hint + Send + Sync + 'static) -> Self {
        let cause = Box::new(cause);
        Self { step, code, cause }
    }

    /// For `map_err`: wraps an error as a failure of `step`.
    pub fn at<E>(step: Step, code: ExitCode) -> impl FnOnce(E) -> Self
    where
        E: Hint + Send + Sync + 'static,
    {
        move |cause| Self::new(step, code, cause)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.step)
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause.as_ref())
    }
}

impl Hint for RunError {
    /// That of the cause, else that of the exit code.
    fn hint(&self) -> Option<Cow<'_, str>> {
        let own = self.cause.hint();
        own.or_else(|| self.code.remedy().map(Cow::from))
    }
}

/// A cause that is said in words and that has no remedy of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Reason(pub String);

impl Hint for Reason {
    fn hint(&self) -> Option<Cow<'_, str>> {
        None
    }
}

/// A file or directory of this machine that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be {action}")]
pub struct LocalError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl LocalError {
    /// For `map_err`: `path` could not be read.
    pub fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::new("read", path)
    }

    /// For `map_err`: `path` could not be written.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::new("written", path)
    }

    fn new(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self {
            action,
            path,
            source,
        }
    }
}

impl Hint for LocalError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(disk_hint(&self.source).into())
    }
}

/// What helps where the system refused to read or write a file.
pub(crate) fn disk_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or set CALDP_HOME to a directory on a larger disk"
        }
        _ => local_hint(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::hint::explain;

    #[test]
    fn a_failure_is_one_paragraph_with_its_cause_before_its_remedy() {
        let cause = LocalError::read(Path::new("x.fits"))(io::ErrorKind::StorageFull.into());
        let error = RunError::new(Step::Inputs, ExitCode::InputTar, cause);
        assert_eq!(
            explain(&error).to_string(),
            "inputs failed: x.fits cannot be read: no storage space\n\
             hint: make room, or set CALDP_HOME to a directory on a larger disk"
        );
    }

    #[test]
    fn without_a_remedy_of_its_own_the_exit_code_gives_one() {
        let reason = Reason("no such key".to_owned());
        let error = RunError::new(Step::Inputs, ExitCode::S3Download, reason);
        let text = explain(&error).to_string();
        assert!(text.contains("\nhint: "), "{text}");
    }
}

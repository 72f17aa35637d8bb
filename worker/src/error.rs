//! How a run fails: what failed, in a sentence, with the exit code that Batch will report.
//!
//! The rooms have error types of their own; here they become one, because whoever runs a dataset
//! asks three things of every failure: which step, why, and what to do.

use caldp_core::exit_code::ExitCode;
use std::error::Error;
use std::fmt;

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

/// A failed run.
#[derive(Debug)]
pub struct RunError {
    /// The step that failed.
    pub step: Step,
    /// What the process exits with.
    pub code: ExitCode,
    cause: Box<dyn Error + Send + Sync>,
}

impl RunError {
    /// A failure of `step`, for the reason `cause`.
    pub fn new(step: Step, code: ExitCode, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            step,
            code,
            cause: cause.into(),
        }
    }

    /// For `map_err`: wraps any error as a failure of `step`.
    pub fn at<E>(step: Step, code: ExitCode) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        move |cause| Self::new(step, code, cause)
    }
}

impl fmt::Display for RunError {
    /// One paragraph: step, reason with every cause not already part of it, remedy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where an error is one of a list its remedy is indented; here there is no list.
        let text = sentence(self.cause.as_ref()).replace("\n  hint: ", "\nhint: ");
        let (reason, own_hint) = match text.split_once("\nhint: ") {
            Some((reason, hint)) => (reason, Some(hint)),
            None => (text.as_str(), None),
        };
        write!(f, "{} failed: {reason}", self.step)?;
        match own_hint.or(self.code.remedy()) {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// An error's text followed by its causes, each only if the text before does not say it already;
/// hints stay at the end.
fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            let at = text.find("\nhint: ").unwrap_or(text.len());
            text.insert_str(at, &format!(": {more}"));
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("x.fits cannot be read\nhint: put it back")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_is_one_paragraph_with_its_cause_before_its_remedy() {
        let cause = Outer(std::io::Error::other("disk on fire"));
        let error = RunError::new(Step::Inputs, ExitCode::InputTar, cause);
        assert_eq!(
            error.to_string(),
            "inputs failed: x.fits cannot be read: disk on fire\nhint: put it back"
        );
    }

    #[test]
    fn without_a_remedy_of_its_own_the_exit_code_gives_one() {
        let error = RunError::new(Step::Inputs, ExitCode::S3Download, "no such key");
        assert!(error.to_string().contains("\nhint: "), "{error}");
    }
}

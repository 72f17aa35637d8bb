//! What a failed request to S3 means, and whether it is worth another try.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::codes::{Again, meaning};
use super::regions::told;
use crate::error::{AttemptError, ErrorKind};
use crate::retry::Failure;

/// How much of a server's words an error repeats, in characters.
const DETAIL_LENGTH: usize = 300;

/// An error of the SDK, told by its innermost cause, which says what happened.
#[derive(Debug)]
struct SdkFailure(Box<dyn Error + Send + Sync>);

impl fmt::Display for SdkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause: &dyn Error = &*self.0;
        while let Some(source) = cause.source() {
            cause = source;
        }
        f.write_str(&cut(&cause.to_string()))
    }
}

impl Error for SdkFailure {}

/// Decides what a failed request means and whether it is worth another try.
pub(super) fn classify<E>(error: SdkError<E, HttpResponse>) -> Failure<AttemptError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|r| r.status().as_u16());
    match error {
        SdkError::ServiceError(failed) => {
            let (code, message) = (failed.err().code(), failed.err().message());
            let failure = answer(status.unwrap_or_default(), code, message);
            failure.map(|attempt| attempt.with_region(told(failed.raw(), code)))
        }
        SdkError::TimeoutError(_) => AttemptError::unreachable("no answer in time"),
        SdkError::ResponseError(_) => {
            AttemptError::unreachable("the answer broke off or could not be understood")
        }
        SdkError::DispatchFailure(ref failed) => {
            let text = cut(&DisplayErrorContext(&error).to_string());
            let about_credentials = text.contains("redential");
            if about_credentials && failed.as_connector_error().is_some_and(|e| !e.is_io()) {
                let kind = ErrorKind::NoCredentials;
                let detail = "no credentials could be loaded";
                return Failure::Permanent(AttemptError::new(kind, detail));
            }
            let cause = SdkFailure(error.into());
            Failure::Transient(AttemptError::because(ErrorKind::Unreachable, cause))
        }
        other => {
            let cause = SdkFailure(other.into());
            Failure::Permanent(AttemptError::because(ErrorKind::Invalid, cause))
        }
    }
}

/// What an answer of S3 means; those to HEAD have no code.
fn answer(status: u16, code: Option<&str>, message: Option<&str>) -> Failure<AttemptError> {
    use ErrorKind::{NoSuchBucket, NotFound};
    let (kind, again, remedy) = meaning(status, code);
    let detail: Cow<'static, str> = match (kind, code, message) {
        (NotFound, Some("NoSuchUpload"), _) => "the upload is not known any more".into(),
        (NotFound, ..) => "it does not exist".into(),
        (NoSuchBucket, ..) => "the bucket does not exist".into(),
        (_, Some(code), Some(message)) => cut(&format!("{message} ({status} {code})")).into(),
        (_, Some(code), None) => format!("the server answers {status} {code}").into(),
        (_, None, _) => format!("the server answers {status}").into(),
    };
    let attempt = AttemptError::new(kind, detail).with_remedy(remedy);
    match again {
        Again::Yes => Failure::Transient(attempt),
        Again::No => Failure::Permanent(attempt),
    }
}

/// One key of a deletion of many.
pub(super) fn deletion(
    key: &str,
    code: Option<&str>,
    message: Option<&str>,
) -> Failure<AttemptError> {
    let status = match code {
        Some("AccessDenied") => 403,
        _ => 500,
    };
    answer(status, code, message).map(|attempt| attempt.about(key))
}

fn cut(text: &str) -> String {
    text.chars().take(DETAIL_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(status: u16, code: Option<&str>) -> (ErrorKind, bool) {
        match answer(status, code, None) {
            Failure::Transient(attempt) => (attempt.kind, true),
            Failure::Permanent(attempt) | Failure::Elsewhere(attempt) => (attempt.kind, false),
        }
    }

    #[test]
    fn answers_are_told_apart_by_what_can_be_done() {
        assert_eq!(
            classified(404, Some("NoSuchKey")),
            (ErrorKind::NotFound, false)
        );
        assert_eq!(classified(404, None), (ErrorKind::NotFound, false));
        assert_eq!(
            classified(404, Some("NoSuchBucket")),
            (ErrorKind::NoSuchBucket, false)
        );
        assert_eq!(
            classified(400, Some("ExpiredToken")),
            (ErrorKind::AccessDenied, false)
        );
        assert_eq!(classified(403, None), (ErrorKind::AccessDenied, false));
        assert_eq!(
            classified(301, Some("PermanentRedirect")),
            (ErrorKind::WrongRegion, false)
        );
        assert_eq!(
            classified(503, Some("SlowDown")),
            (ErrorKind::Throttled, true)
        );
        assert_eq!(
            classified(500, Some("InternalError")),
            (ErrorKind::Server, true)
        );
        assert_eq!(classified(502, None), (ErrorKind::Server, true));
        assert_eq!(
            classified(400, Some("RequestTimeout")),
            (ErrorKind::Server, true)
        );
        assert_eq!(classified(412, None), (ErrorKind::AlreadyExists, false));
        assert_eq!(
            classified(409, Some("ConditionalRequestConflict")),
            (ErrorKind::Server, true)
        );
        assert_eq!(
            classified(400, Some("InvalidArgument")),
            (ErrorKind::Invalid, false)
        );
    }
}

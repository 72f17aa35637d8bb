//! What can go wrong with S3, told apart by what a user or caller can do about it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::hint::Hint;
use crate::retry::{Effort, Failure, GaveUp};

/// How much of a server's words an error repeats, in characters.
const DETAIL_LENGTH: usize = 300;

/// The kinds of failure of storage, on S3 or on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// There is no such object or file.
    NotFound,
    /// There is no such bucket.
    NoSuchBucket,
    /// The credentials do not allow it, or are wrong.
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
    /// What to do about it, where that is known.
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
            Self::WrongRegion => "set AWS_REGION to the bucket's region",
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

/// A failed operation on S3: a sentence with what failed, on what, why, how often it was tried.
#[derive(Debug)]
pub struct S3Error {
    action: &'static str,
    uri: String,
    pub(super) kind: ErrorKind,
    pub(super) detail: String,
    effort: Effort,
}

impl S3Error {
    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How much was tried.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    pub(super) fn new(action: &'static str, uri: &impl fmt::Display, trouble: Trouble) -> Self {
        Self {
            action,
            uri: uri.to_string(),
            kind: trouble.kind,
            detail: trouble.detail,
            effort: Effort::ONCE,
        }
    }

    pub(super) fn gave_up(
        action: &'static str,
        uri: &impl fmt::Display,
        gave_up: GaveUp<Trouble>,
    ) -> Self {
        Self {
            effort: gave_up.effort,
            ..Self::new(action, uri, gave_up.error)
        }
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.uri, self.detail)?;
        if self.effort.tries > 1 {
            write!(f, ", {}", self.effort)?;
        }
        match self.kind.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl StdError for S3Error {}

// The text still has the hint in it.
impl Hint for S3Error {
    fn hint(&self) -> Option<Cow<'_, str>> {
        None
    }
}

/// One failed try, before it is known what was tried on what.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) kind: ErrorKind,
    pub(super) detail: String,
    /// The server's code for it, for the few callers that look closer.
    pub(super) code: Option<String>,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Trouble {
    pub(super) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            code: None,
        }
    }

    /// Whether it is about a multipart upload that is not open.
    pub(super) fn is_no_upload(&self) -> bool {
        self.code.as_deref() == Some("NoSuchUpload")
    }

    pub(super) fn local(what: &str, error: &std::io::Error) -> Self {
        Self::new(ErrorKind::LocalFile, format!("{what}: {error}"))
    }

    /// Something was not as it should be on arrival; it may be next time.
    pub(super) fn damaged(detail: impl Into<String>) -> Failure<Self> {
        Failure::Transient(Self::new(ErrorKind::Damaged, detail))
    }

    pub(super) fn unreachable(detail: impl Into<String>) -> Failure<Self> {
        Failure::Transient(Self::new(ErrorKind::Unreachable, detail))
    }
}

/// Decides what a failed request means and whether it is worth another try.
pub(super) fn judge<E>(error: SdkError<E, HttpResponse>) -> Failure<Trouble>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let status = error.raw_response().map(|r| r.status().as_u16());
    match error {
        SdkError::ServiceError(failed) => {
            let (code, message) = (failed.err().code(), failed.err().message());
            judge_answer(status.unwrap_or_default(), code, message)
        }
        SdkError::TimeoutError(_) => Trouble::unreachable("no answer in time"),
        SdkError::ResponseError(_) => {
            Trouble::unreachable("the answer broke off or could not be understood")
        }
        SdkError::DispatchFailure(ref failed) => {
            let text = cut(&DisplayErrorContext(&error).to_string());
            let about_credentials = text.contains("redential");
            if about_credentials && failed.as_connector_error().is_some_and(|e| !e.is_io()) {
                let kind = ErrorKind::NoCredentials;
                return Failure::Permanent(Trouble::new(kind, "no credentials could be loaded"));
            }
            Trouble::unreachable(root_cause(&error))
        }
        other => Failure::Permanent(Trouble::new(ErrorKind::Invalid, root_cause(&other))),
    }
}

/// After the error responses of the S3 API reference. Answers to HEAD have no code.
fn judge_answer(status: u16, code: Option<&str>, message: Option<&str>) -> Failure<Trouble> {
    use ErrorKind::{
        AccessDenied, AlreadyExists, Damaged, Invalid, NoSuchBucket, NotFound, Server, Throttled,
        WrongRegion,
    };
    let (kind, transient) = match (code.unwrap_or_default(), status) {
        ("NoSuchBucket", _) => (NoSuchBucket, false),
        ("NoSuchKey" | "NotFound" | "NoSuchUpload", _) => (NotFound, false),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed", _) | (_, 301) => {
            (WrongRegion, false)
        }
        ("PreconditionFailed", _) | (_, 412) => (AlreadyExists, false),
        // two conditional writers at the same time
        ("ConditionalRequestConflict" | "OperationAborted", _) | (_, 409) => (Server, true),
        ("SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded", _)
        | (_, 429 | 503) => (Throttled, true),
        ("BadDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch", _) => (Damaged, true),
        ("RequestTimeout" | "InternalError", _) | (_, 500..) => (Server, true),
        ("RequestTimeTooSkewed", _) | (_, 401 | 403) => (AccessDenied, false),
        (_, 404) => (NotFound, false),
        _ => (Invalid, false),
    };
    let detail = match (kind, code, message) {
        (NotFound, Some("NoSuchUpload"), _) => "the upload is not known any more".to_owned(),
        (NotFound, ..) => "it does not exist".to_owned(),
        (NoSuchBucket, ..) => "the bucket does not exist".to_owned(),
        (_, Some(code), Some(message)) => cut(&format!("{message} ({status} {code})")),
        (_, Some(code), None) => format!("the server answers {status} {code}"),
        (_, None, _) => format!("the server answers {status}"),
    };
    let trouble = Trouble {
        kind,
        detail,
        code: code.map(str::to_owned),
    };
    if transient {
        Failure::Transient(trouble)
    } else {
        Failure::Permanent(trouble)
    }
}

/// One key of a deletion of many.
pub(super) fn judge_deletion(
    key: &str,
    code: Option<&str>,
    message: Option<&str>,
) -> Failure<Trouble> {
    let status = match code {
        Some("AccessDenied") => 403,
        _ => 500,
    };
    let name = |mut trouble: Trouble| {
        trouble.detail = format!("{key}: {}", trouble.detail);
        trouble
    };
    match judge_answer(status, code, message) {
        Failure::Transient(trouble) => Failure::Transient(name(trouble)),
        Failure::Permanent(trouble) => Failure::Permanent(name(trouble)),
    }
}

/// The innermost error, which says what happened.
fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cut(&cause.to_string())
}

fn cut(text: &str) -> String {
    text.chars().take(DETAIL_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, code: Option<&str>) -> (ErrorKind, bool) {
        match judge_answer(status, code, None) {
            Failure::Transient(trouble) => (trouble.kind, true),
            Failure::Permanent(trouble) => (trouble.kind, false),
        }
    }

    #[test]
    fn answers_are_told_apart_by_what_can_be_done() {
        assert_eq!(judged(404, Some("NoSuchKey")), (ErrorKind::NotFound, false));
        assert_eq!(judged(404, None), (ErrorKind::NotFound, false));
        assert_eq!(
            judged(404, Some("NoSuchBucket")),
            (ErrorKind::NoSuchBucket, false)
        );
        assert_eq!(
            judged(403, Some("ExpiredToken")),
            (ErrorKind::AccessDenied, false)
        );
        assert_eq!(judged(403, None), (ErrorKind::AccessDenied, false));
        assert_eq!(
            judged(301, Some("PermanentRedirect")),
            (ErrorKind::WrongRegion, false)
        );
        assert_eq!(judged(503, Some("SlowDown")), (ErrorKind::Throttled, true));
        assert_eq!(
            judged(500, Some("InternalError")),
            (ErrorKind::Server, true)
        );
        assert_eq!(judged(502, None), (ErrorKind::Server, true));
        assert_eq!(
            judged(400, Some("RequestTimeout")),
            (ErrorKind::Server, true)
        );
        assert_eq!(judged(412, None), (ErrorKind::AlreadyExists, false));
        assert_eq!(
            judged(409, Some("ConditionalRequestConflict")),
            (ErrorKind::Server, true)
        );
        assert_eq!(
            judged(400, Some("InvalidArgument")),
            (ErrorKind::Invalid, false)
        );
    }

    #[test]
    fn an_error_is_a_sentence_with_a_hint() {
        let trouble = Trouble::new(ErrorKind::Throttled, "Please reduce your request rate");
        let effort = Effort {
            tries: 10,
            elapsed: std::time::Duration::from_millis(41_240),
        };
        let error = S3Error::gave_up(
            "read",
            &"s3://b/k",
            GaveUp {
                error: trouble,
                effort,
            },
        );
        assert_eq!(
            error.to_string(),
            "cannot read s3://b/k: Please reduce your request rate, after 10 tries over 41.2 s\n\
             hint: too many requests at once; run it again later or with less concurrency"
        );
    }
}

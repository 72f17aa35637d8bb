//! The error codes of S3 and what each means: the table of "Error responses" in the S3 API reference, with
//! the codes of KMS and of conditional writes that S3 passes on. Codes of requests that are never made
//! (logging, policies, POST forms, torrents) mean what their status does.

use crate::error::ErrorKind::{
    self, AccessDenied, AlreadyExists, Damaged, Invalid, NoSuchBucket, NotFound, Server, Throttled,
    TooLarge, WrongRegion,
};
use crate::error::Remedy::{self, Known, OfKind, Unknown};

/// Whether a request that was answered so is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Yes,
    No,
}

/// What an answer means.
pub(super) type Classified = (ErrorKind, Again, Remedy);

const KEYS: Remedy = Known("check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE");
const RENEW: Remedy = Known(
    "the temporary credentials have run out: log in again (aws sso login), or give new ones by \
     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
);
const CLOCK: Remedy = Known(
    "the clock of this machine is wrong by more than 15 minutes: set it (timedatectl, chronyc tracking)",
);
const ACCOUNT: Remedy = Known("ask who pays for the AWS account: it is closed, blocked or new");
const ARCHIVED: Remedy =
    Known("the object is in an archive storage class: restore it (aws s3api restore-object) first");
const ENCRYPTION: Remedy = Known(
    "check the KMS key that encrypts the bucket: that it is enabled and its policy lets the role use it \
     (kms:Decrypt, kms:GenerateDataKey)",
);
const ADDRESS: Remedy = Known(
    "check the bucket's name and AWS_ENDPOINT_URL: buckets of other names need another way of addressing",
);
const OWNER_PAYS: Remedy =
    Known("the bucket's owner lets requesters pay; requests that pay are not made here");
const OTHER_SERVER: Remedy = Known("the server at AWS_ENDPOINT_URL does not do what S3 does");

/// Every code that means more than its status does.
#[rustfmt::skip]
const CODES: [(&str, Classified); 69] = [
    // it is not there
    ("NoSuchBucket", (NoSuchBucket, Again::No, OfKind)),
    ("NoSuchKey", (NotFound, Again::No, OfKind)),
    ("NoSuchVersion", (NotFound, Again::No, OfKind)),
    ("NoSuchUpload", (NotFound, Again::No, OfKind)),
    ("NotFound", (NotFound, Again::No, OfKind)),
    // who asks
    ("AccessDenied", (AccessDenied, Again::No, OfKind)),
    ("AllAccessDisabled", (AccessDenied, Again::No, ACCOUNT)),
    ("AccountProblem", (AccessDenied, Again::No, ACCOUNT)),
    ("NotSignedUp", (AccessDenied, Again::No, ACCOUNT)),
    ("InvalidPayer", (AccessDenied, Again::No, OWNER_PAYS)),
    ("InvalidAccessKeyId", (AccessDenied, Again::No, KEYS)),
    ("SignatureDoesNotMatch", (AccessDenied, Again::No, KEYS)),
    ("InvalidSecurity", (AccessDenied, Again::No, KEYS)),
    ("InvalidToken", (AccessDenied, Again::No, RENEW)),
    ("ExpiredToken", (AccessDenied, Again::No, RENEW)),
    ("TokenRefreshRequired", (AccessDenied, Again::No, RENEW)),
    ("RequestTimeTooSkewed", (AccessDenied, Again::No, CLOCK)),
    ("RequestExpired", (AccessDenied, Again::No, CLOCK)),
    ("AccessForbidden", (AccessDenied, Again::No, OfKind)),
    ("MissingSecurityHeader", (AccessDenied, Again::No, KEYS)),
    ("CredentialsNotSupported", (AccessDenied, Again::No, Unknown)),
    ("InvalidObjectState", (AccessDenied, Again::No, ARCHIVED)),
    ("RestoreAlreadyInProgress", (AccessDenied, Again::No, Known("the object is being restored: try again in some hours"))),
    ("MethodNotAllowed", (Invalid, Again::No, Known("what is asked for may be a deleted version of the object"))),
    // where
    ("PermanentRedirect", (WrongRegion, Again::No, OfKind)),
    ("AuthorizationHeaderMalformed", (WrongRegion, Again::No, OfKind)),
    ("IllegalLocationConstraintException", (WrongRegion, Again::No, OfKind)),
    ("InvalidLocationConstraint", (WrongRegion, Again::No, OfKind)),
    ("InvalidRegionName", (WrongRegion, Again::No, OfKind)),
    ("Redirect", (Server, Again::Yes, Unknown)),
    ("TemporaryRedirect", (Server, Again::Yes, Known("the bucket is new: try again in some minutes"))),
    ("EndpointNotFound", (Invalid, Again::No, ADDRESS)),
    ("InvalidAddressingHeader", (Invalid, Again::No, ADDRESS)),
    ("InvalidBucketName", (Invalid, Again::No, ADDRESS)),
    ("InvalidURI", (Invalid, Again::No, ADDRESS)),
    ("InvalidBucketState", (Invalid, Again::No, Known("look at the bucket's settings: they forbid this now"))),
    // others write too
    ("PreconditionFailed", (AlreadyExists, Again::No, OfKind)),
    ("ConditionalRequestConflict", (Server, Again::Yes, OfKind)),
    ("OperationAborted", (Server, Again::Yes, OfKind)),
    // how much, how often
    ("SlowDown", (Throttled, Again::Yes, OfKind)),
    ("ServiceUnavailable", (Throttled, Again::Yes, OfKind)),
    ("Throttling", (Throttled, Again::Yes, OfKind)),
    ("ThrottlingException", (Throttled, Again::Yes, OfKind)),
    ("RequestLimitExceeded", (Throttled, Again::Yes, OfKind)),
    ("TooManyRequestsException", (Throttled, Again::Yes, OfKind)),
    ("BandwidthLimitExceeded", (Throttled, Again::Yes, OfKind)),
    ("InternalError", (Server, Again::Yes, OfKind)),
    ("RequestTimeout", (Server, Again::Yes, Known("the network is slow or broken: try again, with less concurrency"))),
    // what was sent
    ("BadDigest", (Damaged, Again::Yes, OfKind)),
    ("IncompleteBody", (Damaged, Again::Yes, OfKind)),
    ("InvalidDigest", (Damaged, Again::No, OTHER_SERVER)),
    ("XAmzContentSHA256Mismatch", (Damaged, Again::Yes, OfKind)),
    ("XAmzContentChecksumMismatch", (Damaged, Again::Yes, OfKind)),
    ("EntityTooLarge", (TooLarge, Again::No, Unknown)),
    ("EntityTooSmall", (Invalid, Again::No, OTHER_SERVER)),
    ("InvalidPart", (Invalid, Again::No, Known("parts of the upload are gone: run it again"))),
    ("InvalidPartOrder", (Invalid, Again::No, OTHER_SERVER)),
    ("InvalidRange", (Invalid, Again::No, Unknown)),
    ("KeyTooLongError", (Invalid, Again::No, Known("keys have at most 1024 bytes: give a shorter output path"))),
    ("MetadataTooLarge", (Invalid, Again::No, Unknown)),
    ("InvalidStorageClass", (Invalid, Again::No, OTHER_SERVER)),
    ("NotImplemented", (Invalid, Again::No, OTHER_SERVER)),
    ("MissingContentLength", (Invalid, Again::No, OTHER_SERVER)),
    ("MalformedXML", (Invalid, Again::No, OTHER_SERVER)),
    // encryption
    ("InvalidEncryptionAlgorithmError", (Invalid, Again::No, ENCRYPTION)),
    ("KMS.ThrottlingException", (Throttled, Again::Yes, OfKind)),
    ("KMS.InternalException", (Server, Again::Yes, OfKind)),
    ("KMS.KMSInternalException", (Server, Again::Yes, OfKind)),
    ("QuotaExceeded", (Invalid, Again::No, Known("there is no space left for this bucket: delete something, or ask for more"))),
];

/// What an answer means: by its code, or by its status where it has none (to HEAD) or one that says no
/// more.
pub(super) fn meaning(status: u16, code: Option<&str>) -> Classified {
    let code = code.unwrap_or_default();
    let mut codes = CODES.into_iter();
    if let Some((_, meaning)) = codes.find(|(name, _)| *name == code) {
        return meaning;
    }
    if code.starts_with("KMS.") {
        return (AccessDenied, Again::No, ENCRYPTION);
    }
    match status {
        301 => (WrongRegion, Again::No, OfKind),
        401 | 403 => (AccessDenied, Again::No, OfKind),
        404 => (NotFound, Again::No, OfKind),
        412 => (AlreadyExists, Again::No, OfKind),
        429 | 503 => (Throttled, Again::Yes, OfKind),
        409 | 500.. => (Server, Again::Yes, OfKind),
        // S3 tells the reason of a 400 in a body, which answers to HEAD do not have
        400 if code.is_empty() => (
            Invalid,
            Again::No,
            Known(
                "if the credentials are temporary they may have run out: log in again (aws sso login)",
            ),
        ),
        _ => (Invalid, Again::No, Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(status: u16, code: &str) -> Option<&'static str> {
        let (kind, _, remedy) = meaning(status, Some(code).filter(|c| !c.is_empty()));
        remedy.of(kind)
    }

    #[test]
    fn each_code_has_its_own_hint_or_none() {
        let about = |status, code, words: &str| {
            let hint = hint(status, code).unwrap_or_default();
            assert!(hint.contains(words), "{code}: {hint}");
        };
        about(403, "RequestTimeTooSkewed", "clock");
        about(403, "AccessDenied", "s3:GetObject");
        about(403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID");
        about(403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY");
        about(400, "ExpiredToken", "log in again");
        about(400, "InvalidToken", "log in again");
        about(403, "InvalidObjectState", "archive");
        about(403, "AccountProblem", "account");
        about(400, "KMS.DisabledException", "kms:Decrypt");
        about(301, "PermanentRedirect", "AWS_REGION");
        about(400, "", "run out");
        for code in [
            "InvalidArgument",
            "NoSuchKey",
            "InternalError",
            "InvalidRange",
            "Custom",
        ] {
            assert_eq!(hint(400, code), None, "{code}");
        }
        let denied = hint(403, "AccessDenied");
        for code in [
            "RequestTimeTooSkewed",
            "InvalidObjectState",
            "AllAccessDisabled",
        ] {
            assert_ne!(hint(403, code), denied, "{code}");
        }
    }

    #[test]
    fn no_code_is_there_twice() {
        for (place, (code, _)) in CODES.iter().enumerate() {
            let first = CODES.iter().position(|(name, _)| name == code);
            assert_eq!(first, Some(place), "{code}");
        }
    }
}

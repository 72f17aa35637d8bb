//! Where things are: `s3://bucket/key` and `file:directory`, parsed once and printed as given.
//!
//! Only the syntax is checked here; whether a bucket or directory exists is found out by
//! the code that uses it.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hint::Hint;
use crate::home;

/// The longest key S3 accepts, in bytes of UTF-8.
const MAX_KEY_BYTES: usize = 1024;

/// A bucket and a key or key prefix in it.
///
/// The key has no leading or trailing slash and no empty, `.` or `..` parts, so it can be joined
/// and turned into a path without surprises. It is empty for a whole bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct S3Uri {
    bucket: String,
    key: String,
}

/// A place that inputs come from or results go to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// `file:<directory>`, relative or absolute.
    Dir(PathBuf),
    /// `s3://bucket/prefix`.
    S3(S3Uri),
}

/// Why a text is not a location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} is not {expected}: {reason}")]
pub struct UriError {
    input: String,
    expected: &'static str,
    reason: &'static str,
    hint: &'static str,
}

impl Hint for UriError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.hint))
    }
}

const S3_HINT: &str = "write s3://bucket or s3://bucket/some/prefix";
const LOCATION_HINT: &str = "write file:directory or s3://bucket/prefix";

impl UriError {
    pub(crate) fn input(&self) -> &str {
        &self.input
    }

    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }
}

impl S3Uri {
    /// A URI of its parts; slashes at the ends of `key` are dropped.
    ///
    /// # Errors
    /// When `bucket` breaks S3's naming rules or `key` has an empty, `.` or `..` part, a control
    /// character, or is longer than 1024 bytes.
    pub fn new(bucket: &str, key: &str) -> Result<Self, UriError> {
        let error = |reason| UriError {
            input: format!("s3://{bucket}/{key}"),
            expected: "an S3 location",
            reason,
            hint: S3_HINT,
        };
        check_bucket(bucket).map_err(error)?;
        let key = key.trim_matches('/');
        if !key.is_empty() {
            check_key(key).map_err(error)?;
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key or prefix, without slashes at its ends; empty for the whole bucket.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The URI of `relative` below this one.
    ///
    /// # Errors
    /// As for [`S3Uri::new`], for the joined key; `relative` must be a key itself, with no slash
    /// at its ends.
    pub fn join(&self, relative: &str) -> Result<Self, UriError> {
        check_key(relative).map_err(|reason| UriError {
            input: relative.to_owned(),
            expected: "a key",
            reason,
            hint: "write some/name, without a slash at either end",
        })?;
        if self.key.is_empty() {
            Self::new(&self.bucket, relative)
        } else {
            Self::new(&self.bucket, &format!("{}/{relative}", self.key))
        }
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.key.is_empty() {
            write!(f, "/{}", self.key)?;
        }
        Ok(())
    }
}

impl FromStr for S3Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| UriError {
            input: text.to_owned(),
            expected: "an S3 location",
            reason: "it does not start with s3://",
            hint: S3_HINT,
        })?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        Self::new(bucket, key)
    }
}

impl TryFrom<String> for S3Uri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, UriError> {
        text.parse()
    }
}

impl From<S3Uri> for String {
    fn from(uri: S3Uri) -> Self {
        uri.to_string()
    }
}

impl Location {
    /// The directory, if this is one.
    pub fn dir(&self) -> Option<&Path> {
        match self {
            Self::Dir(path) => Some(path),
            Self::S3(_) => None,
        }
    }

    /// The bucket, if this is on S3.
    pub fn bucket(&self) -> Option<&str> {
        match self {
            Self::Dir(_) => None,
            Self::S3(uri) => Some(uri.bucket()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(path) => write!(f, "file:{}", path.display()),
            Self::S3(uri) => uri.fmt(f),
        }
    }
}

impl FromStr for Location {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.starts_with("s3://") {
            return text.parse().map(Self::S3);
        }
        let error = |reason| UriError {
            input: text.to_owned(),
            expected: "a location",
            reason,
            hint: LOCATION_HINT,
        };
        let dir = text
            .strip_prefix("file:")
            .ok_or_else(|| error("it starts with neither s3:// nor file:, as in file:results"))?;
        // `file:` alone has always meant the current directory.
        let dir = if dir.is_empty() { "." } else { dir };
        // `file:///abs` and `file://./rel` are written by habit; `//` at the start means nothing here.
        let dir = dir.strip_prefix("//").unwrap_or(dir);
        if dir.is_empty() {
            return Err(error("the directory is missing"));
        }
        if dir.contains('\0') {
            return Err(error("the directory has a NUL character"));
        }
        home::path(dir)
            .map(Self::Dir)
            .map_err(|problem| error(problem.reason()))
    }
}

/// The rules of the S3 user guide, "General purpose bucket naming rules", without its list of
/// reserved prefixes and suffixes.
fn check_bucket(bucket: &str) -> Result<(), &'static str> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    let end = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = bucket.as_bytes();
    if bucket.is_empty() {
        Err("the bucket is missing")
    } else if !(3..=63).contains(&bytes.len()) {
        Err("a bucket's name has 3 to 63 characters")
    } else if !bucket.bytes().all(inner) {
        Err("a bucket's name has only lower-case letters, digits, '.' and '-'")
    } else if !end(bytes.first()) || !end(bytes.last()) {
        Err("a bucket's name starts and ends with a letter or digit")
    } else if bucket.contains("..") {
        Err("a bucket's name has no two dots side by side")
    } else if bucket.parse::<std::net::Ipv4Addr>().is_ok() {
        Err("a bucket's name is not an IP address")
    } else {
        Ok(())
    }
}

/// What both kinds of store ask of a key.
pub(crate) fn check_key(key: &str) -> Result<(), &'static str> {
    if key.len() > MAX_KEY_BYTES {
        Err("a key has at most 1024 bytes")
    } else if key.chars().any(char::is_control) {
        Err("a key has no control characters")
    } else if key.split('/').any(str::is_empty) {
        Err("a key has no empty parts ('//')")
    } else if key.split('/').any(|part| part == "." || part == "..") {
        Err("a key has no '.' or '..' parts")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uri_has_a_bucket_and_a_key() {
        let uri: S3Uri = "s3://hst-out/data/batch-1/".parse().unwrap();
        assert_eq!((uri.bucket(), uri.key()), ("hst-out", "data/batch-1"));
        assert_eq!(uri.to_string(), "s3://hst-out/data/batch-1");
        let bucket: S3Uri = "s3://hst-out".parse().unwrap();
        assert_eq!(bucket.key(), "");
        assert_eq!(bucket.join("a/b").unwrap().to_string(), "s3://hst-out/a/b");
        assert_eq!(
            uri.join("x").unwrap().to_string(),
            "s3://hst-out/data/batch-1/x"
        );
    }

    #[test]
    fn a_bucket_keeps_to_the_rules() {
        for bad in [
            "s3://",
            "s3:///x",
            "s3://ab",
            "s3://Upper",
            "s3://under_score",
            "s3://-abc",
            "s3://abc-",
            "s3://a..b",
            "s3://10.0.0.1",
            "s3://a b c",
            "http://x/y",
            "hst-out/data",
            "",
        ] {
            let error = bad.parse::<S3Uri>().unwrap_err();
            assert_eq!(error.hint().as_deref(), Some(S3_HINT), "{error}");
        }
        assert!(format!("s3://{}", "a".repeat(63)).parse::<S3Uri>().is_ok());
        assert!(format!("s3://{}", "a".repeat(64)).parse::<S3Uri>().is_err());
    }

    #[test]
    fn a_key_cannot_climb_or_hide() {
        for bad in ["a//b", "../a", "a/..", "a/./b", "a\nb", "a\0"] {
            assert!(S3Uri::new("bucket", bad).is_err(), "{bad:?}");
        }
        let base = S3Uri::new("bucket", "a").unwrap();
        for bad in ["../b", "", "/b", "b/"] {
            assert!(base.join(bad).is_err(), "{bad:?}");
        }
        assert!(S3Uri::new("bucket", &"k".repeat(1025)).is_err());
    }

    #[test]
    fn a_location_is_a_directory_or_s3() {
        assert_eq!(
            "file:.".parse::<Location>().unwrap().dir(),
            Some(Path::new("."))
        );
        assert_eq!("file:".parse::<Location>().unwrap().to_string(), "file:.");
        assert_eq!(
            "file:///data/out".parse::<Location>().unwrap().dir(),
            Some(Path::new("/data/out"))
        );
        assert!(matches!(
            "s3://bucket/x".parse::<Location>().unwrap(),
            Location::S3(_)
        ));
        let home = std::env::home_dir().unwrap();
        assert_eq!(
            "file:~/out".parse::<Location>().unwrap().dir(),
            Some(home.join("out").as_path())
        );
        for bad in [
            "",
            "file://",
            "data/out",
            "ftp://x",
            "file:a\0",
            "file:~x/out",
        ] {
            let error = bad.parse::<Location>().unwrap_err();
            assert_eq!(error.hint().as_deref(), Some(LOCATION_HINT), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(
            bucket in "[a-z0-9][a-z0-9-]{1,20}[a-z0-9]",
            key in "([a-zA-Z0-9_=+ é-]{1,8}(/[a-zA-Z0-9_.-]{0,3}[a-z]){0,3})?",
        ) {
            let uri = S3Uri::new(&bucket, &key).unwrap();
            prop_assert_eq!(&uri.to_string().parse::<S3Uri>().unwrap(), &uri);
            let location = Location::S3(uri);
            prop_assert_eq!(&location.to_string().parse::<Location>().unwrap(), &location);
        }

        #[test]
        fn directories_round_trip(dir in "[a-zA-Z0-9_.-]{1,8}(/[a-z0-9]{1,5}){0,3}|/[a-z]{1,8}(/[a-z]{1,5}){0,3}") {
            let location = Location::Dir(PathBuf::from(dir));
            prop_assert_eq!(&location.to_string().parse::<Location>().unwrap(), &location);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Location>();
            let _ = format!("s3://{text}").parse::<S3Uri>();
        }
    }
}

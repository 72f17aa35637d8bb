//! What is said of objects and files, and asked of them, whatever store they are in.

use bytes::Bytes;

use crate::checksum::Sha1Sum;

/// What tells one content of a key from another: on S3 the `ETag`, with its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(crate) String);

impl Version {
    /// As the store spells it, for keeping and comparing.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When something may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Always.
    None,
    /// Only if nothing is there.
    IfAbsent,
    /// Only if what is there is of this version.
    IfVersion(Version),
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// Which content it has, if that is known without reading it.
    pub version: Option<Version>,
    /// When it was written, if that is known.
    pub modified: Option<jiff::Timestamp>,
}

/// One listed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key: of a store relative to the root, of a bucket the whole.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Which content it has, if that is known without reading it.
    pub version: Option<Version>,
    /// When it was written, if that is known.
    pub modified: Option<jiff::Timestamp>,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// Which content it has now, if that is known.
    pub version: Option<Version>,
}

/// Objects of at most this size, in bytes, are downloaded with one request, through memory; larger ones in
/// ranges.
pub const SMALL: u64 = 512 * 1024;

/// A finished download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes.
    pub size: u64,
    /// The SHA-1, if one was expected and no CRC-64 instead of it.
    pub sha1: Option<Sha1Sum>,
    /// The version that was downloaded, if that is known.
    pub version: Option<Version>,
    /// Whether the store gave a checksum of its own with the content, which then has been compared. S3
    /// does for objects that were put with one and are read with one request.
    pub checked_by_store: bool,
}

/// A whole content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// All of it.
    pub bytes: Bytes,
    /// Which content it is, if that is known.
    pub version: Option<Version>,
    /// As of a [`Downloaded`].
    pub checked_by_store: bool,
}

/// A part of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What was asked for, as far as the content goes.
    pub bytes: Bytes,
    /// Bytes of the whole content.
    pub size: u64,
    /// Which content it is a part of, if that is known.
    pub version: Option<Version>,
}

/// Told how many more bytes have arrived, while a download is under way.
pub type OnBytes<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// How much a reader gives, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// As much as this.
    Exactly(u64),
    /// Not more than this: what is compressed on its way is known no better.
    AtMost(u64),
}

impl Length {
    pub(crate) fn most(self) -> u64 {
        match self {
            Self::Exactly(size) | Self::AtMost(size) => size,
        }
    }

    /// Whether what came was as long as was said; if not, a sentence about it.
    pub(crate) fn check(self, size: u64) -> Result<(), String> {
        let (holds, said) = match self {
            Self::Exactly(expected) => (size == expected, format!("not {expected}")),
            Self::AtMost(most) => (size <= most, format!("more than the {most} there could be")),
        };
        if holds {
            Ok(())
        } else {
            Err(format!(
                "it changed while it was read: {size} bytes came, {said}"
            ))
        }
    }
}

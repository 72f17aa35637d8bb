//! What is said of references that are brought into the cache: before, meanwhile, and after.

use std::path::PathBuf;
use std::time::Duration;

use storage::checksum::Sha1Sum;

#[cfg(doc)]
use super::Client;
use crate::names::FileName;

/// A reference that is in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedReference {
    /// Its name.
    pub name: FileName,
    /// Where it is.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// As the catalogue has it; old files have none.
    pub sha1: Option<Sha1Sum>,
    /// How it came there.
    pub origin: ReferenceOrigin,
}

/// How a reference came into the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceOrigin {
    /// It was there, or another process brought it meanwhile.
    Cached,
    /// It was copied from those that processes of this machine [share](Client::sharing).
    Shared,
    /// It was fetched now.
    Fetched {
        /// From where, as path or URI.
        location: String,
        /// How long that took.
        elapsed: Duration,
    },
}

/// Where a reference can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceLocation {
    /// In the cache.
    Path(PathBuf),
    /// Where it came from, or would.
    Uri(String),
}

/// Is told how fetching goes on; from several tasks at once. `()` ignores it.
pub trait Progress: Send + Sync {
    /// So many files, of so many bytes as far as known, are to be fetched.
    fn begin(&self, files: usize, bytes: u64) {
        let _ = (files, bytes);
    }

    /// This file is being fetched, the n-th (from 1) of those to be fetched.
    fn file(&self, name: &FileName, size: Option<u64>, number: usize) {
        let _ = (name, size, number);
    }

    /// So many more bytes have come.
    fn bytes(&self, count: u64) {
        let _ = count;
    }

    /// This file is complete.
    fn done(&self, name: &FileName) {
        let _ = name;
    }
}

impl Progress for () {}

/// Whether a file that the cache has will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// It will, if it has the size that CRDS says.
    Cached,
    /// It will, whatever it is.
    Whatever,
    /// It is fetched again, and replaced when that is done.
    Nothing,
}

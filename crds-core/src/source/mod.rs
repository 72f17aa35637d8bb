//! Where files come from: folders, object storage, web servers, and programs that fetch.
//!
//! A [`Source`] gives files by their plain names: small ones into memory, large ones to a path,
//! where they appear complete and checked or not at all. Which file is wanted, where the cache
//! puts it, and who else is fetching it, is for others.

mod connections;
mod error;
mod http;
mod plugin;
pub(crate) mod server;
mod stored;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use storage::object::OnBytes;

pub(crate) use connections::Connections;
pub use error::{RetryStats, SourceError, StoreError};
pub(crate) use plugin::Plugin;

use crate::cache::verified_file::Expected;
use crate::config::FileUri;
use crate::names::FileName;

/// The most that is read into memory: `server_config`, rules, pickles. The largest real one has
/// 6 MB.
const MAX_IN_MEMORY: u64 = 256 << 20;

/// A place that gives files by name.
pub(crate) trait Source: fmt::Debug + Send + Sync {
    /// The path or URI of a file, whether or not it exists.
    fn location(&self, name: &FileName) -> String;

    /// The whole content of a file of moderate size.
    fn read<'a>(&'a self, name: &'a FileName) -> BoxFuture<'a, Result<Bytes, SourceError>>;

    /// Puts a file at `target`, in a folder that exists. It appears there complete and as
    /// expected, or not at all. Gives its size in bytes.
    fn fetch<'a>(
        &'a self,
        name: &'a FileName,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> BoxFuture<'a, Result<u64, SourceError>>;
}

/// The source that a setting names.
pub(crate) fn open(uri: &FileUri, connections: &Arc<Connections>) -> Arc<dyn Source> {
    let connections = Arc::clone(connections);
    match uri {
        FileUri::Dir(path) => Arc::new(stored::Stored::dir(path)),
        FileUri::Http(url) => Arc::new(http::Http::new(url.clone(), connections)),
        FileUri::S3(uri) => Arc::new(stored::Stored::s3(uri.clone(), connections)),
    }
}

#[cfg(test)]
mod conformance;

//! Where rule files are read from.

use std::collections::HashMap;
use std::path::PathBuf;

use bytes::Bytes;

use crate::names::MappingName;
use storage::bounded;

/// Gives the bytes of rule files by name.
///
/// Reading is synchronous: a caller whose rules are far away finds out with
/// [`super::mappings_named_in`] which files it needs, fetches them, and hands them over in memory.
pub trait MappingSource {
    /// The whole content of the rule file.
    fn read(&self, name: &MappingName) -> std::io::Result<Bytes>;
}

/// Rule files in one directory.
#[derive(Debug, Clone)]
pub struct MappingDirectory(PathBuf);

impl MappingDirectory {
    /// Rule files in `path`, as `mappings/hst` of a cache.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl MappingSource for MappingDirectory {
    fn read(&self, name: &MappingName) -> std::io::Result<Bytes> {
        let path = self.0.join(name.as_str());
        let content = bounded::read(&path, crate::literal::MAX_BYTES);
        content.map(Bytes::from).map_err(|error| {
            std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })
    }
}

impl<S: std::hash::BuildHasher> MappingSource for HashMap<MappingName, Bytes, S> {
    fn read(&self, name: &MappingName) -> std::io::Result<Bytes> {
        self.get(name).cloned().ok_or_else(|| {
            std::io::Error::new(
                std::io::ErrorKind::NotFound,
                "it is not among the rule files at hand",
            )
        })
    }
}

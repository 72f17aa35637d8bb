//! Files in a folder, such as a mounted cache or bucket.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{MAX_IN_MEMORY, OnBytes, Source, SourceError};
use crate::cache::FileName;
use crate::cache::place::{Expected, PlaceError, Placement};

const PIECE: usize = 256 * 1024;

/// A folder, its files directly in it.
#[derive(Debug)]
pub(super) struct Dir {
    path: PathBuf,
}

impl Dir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn open(&self, name: &FileName) -> Result<File, SourceError> {
        File::open(self.path.join(name.as_str())).map_err(|error| self.failed(name, error))
    }

    fn failed(&self, name: &FileName, error: io::Error) -> SourceError {
        let location = self.location(name);
        match error.kind() {
            io::ErrorKind::NotFound => SourceError::NotFound { location },
            _ => SourceError::Read {
                location,
                source: error,
            },
        }
    }

    fn content(&self, name: &FileName) -> Result<Bytes, SourceError> {
        let mut content = Vec::new();
        self.open(name)?
            .take(MAX_IN_MEMORY + 1)
            .read_to_end(&mut content)
            .map_err(|error| self.failed(name, error))?;
        if u64::try_from(content.len()).is_ok_and(|size| size > MAX_IN_MEMORY) {
            return Err(SourceError::TooLarge {
                location: self.location(name),
                limit: MAX_IN_MEMORY,
            });
        }
        Ok(content.into())
    }

    fn copy(
        &self,
        name: &FileName,
        target: &Path,
        expected: Expected,
        on_bytes: OnBytes<'_>,
    ) -> Result<u64, SourceError> {
        let mut file = self.open(name)?;
        let place = |problem: PlaceError| SourceError::Place {
            location: self.location(name),
            problem,
        };
        let mut placement = Placement::begin(target, expected).map_err(place)?;
        let mut piece = vec![0; PIECE];
        let mut total = 0;
        loop {
            let size = match file.read(&mut piece) {
                Ok(0) => return placement.finish().map(|()| total).map_err(place),
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.failed(name, error)),
            };
            placement
                .write(piece.get(..size).unwrap_or_default())
                .map_err(place)?;
            total += size as u64;
            on_bytes(size as u64);
        }
    }
}

impl Source for Dir {
    fn location(&self, name: &FileName) -> String {
        self.path.join(name.as_str()).display().to_string()
    }

    fn read<'a>(&'a self, name: &'a FileName) -> BoxFuture<'a, Result<Bytes, SourceError>> {
        Box::pin(async move { self.content(name) })
    }

    fn fetch<'a>(
        &'a self,
        name: &'a FileName,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        Box::pin(async move { self.copy(name, target, expected, on_bytes) })
    }
}

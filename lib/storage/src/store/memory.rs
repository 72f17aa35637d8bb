//! A store in this process, for tests and examples.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use super::{Answer, ErrorKind, Listing, Place, Reader, Store, StoreError, refused};
use crate::atomic::CheckedWriter;
use crate::checksum::{Expected, Sha1Sum};
use crate::error::AttemptError;
use crate::object::{
    Downloaded, Head, Length, Object, OnBytes, Part, Precondition, Stored, Version,
};
use crate::uri::check_key;

/// A store that is gone with the process.
#[derive(Debug, Default)]
pub struct Memory {
    contents: Mutex<BTreeMap<String, Content>>,
}

#[derive(Debug, Clone)]
struct Content {
    body: Bytes,
    modified: jiff::Timestamp,
}

impl Content {
    fn size(&self) -> u64 {
        self.body.len() as u64
    }

    fn version(&self) -> Version {
        Version(Sha1Sum::of(&self.body).to_string())
    }
}

impl Memory {
    /// With nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    fn contents(&self) -> MutexGuard<'_, BTreeMap<String, Content>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, action: &'static str, key: &str) -> Result<Content, StoreError> {
        let place = self.place(key)?;
        let found = self.contents().get(key).cloned();
        found.ok_or_else(|| StoreError::new(action, place, AttemptError::missing()))
    }

    fn put(
        &self,
        key: &str,
        body: Bytes,
        precondition: &Precondition,
    ) -> Result<Stored, StoreError> {
        let place = self.place(key)?;
        let mut contents = self.contents();
        let refused = match (precondition, contents.get(key)) {
            (Precondition::IfAbsent, Some(_)) => Some(AttemptError::exists()),
            (Precondition::IfVersion(wanted), found)
                if found.map(Content::version).as_ref() != Some(wanted) =>
            {
                Some(AttemptError::other_version())
            }
            _ => None,
        };
        if let Some(refused) = refused {
            return Err(StoreError::new("write", place, refused));
        }
        let modified = jiff::Timestamp::now();
        let content = Content { body, modified };
        let stored = Stored {
            size: content.size(),
            version: Some(content.version()),
        };
        contents.insert(key.to_owned(), content);
        Ok(stored)
    }

    fn listed(&self, prefix: &str) -> Vec<Object> {
        let contents = self.contents();
        let from = contents.range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, content)| Object {
                key: key.clone(),
                size: content.size(),
                version: Some(content.version()),
                modified: Some(content.modified),
            })
            .collect()
    }

    async fn copy(
        &self,
        key: &str,
        target: &Path,
        expected: Expected,
        on_bytes: OnBytes<'_>,
    ) -> Result<Downloaded, StoreError> {
        let content = self.find("copy", key)?;
        let file = CheckedWriter::start(target, expected);
        file.write(content.body.clone()).await;
        let size = file.commit().await.map_err(|error| {
            let attempt = AttemptError::of_target(target, error);
            StoreError::new("copy", Place::Memory(key.to_owned()), attempt)
        })?;
        on_bytes(size);
        Ok(Downloaded {
            size,
            // None is computed where the other is.
            sha1: expected.sha1.filter(|_| expected.crc64.is_none()),
            version: Some(content.version()),
            checked_by_store: false,
        })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory:")
    }
}

impl Store for Memory {
    fn place(&self, key: &str) -> Result<Place, StoreError> {
        check_key(key).map_err(|reason| refused(key, reason))?;
        Ok(Place::Memory(key.to_owned()))
    }

    fn put_bytes<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        precondition: &'a Precondition,
    ) -> Answer<'a, Stored> {
        Box::pin(async move { self.put(key, body, precondition) })
    }

    fn put_file<'a>(&'a self, key: &'a str, path: &'a Path) -> Answer<'a, Stored> {
        Box::pin(async move {
            let body = tokio::fs::read(path).await.map_err(|error| {
                let what = format!("reading {} failed", path.display());
                StoreError::new("write", key, AttemptError::local(what, error))
            })?;
            self.put(key, body.into(), &Precondition::None)
        })
    }

    fn put_stream<'a>(
        &'a self,
        key: &'a str,
        reader: Reader<'a>,
        length: Length,
    ) -> Answer<'a, Stored> {
        Box::pin(async move {
            let failed = |attempt| StoreError::new("write", key, attempt);
            let mut body = Vec::new();
            let read = reader.read_to_end(&mut body).await;
            read.map_err(|error| failed(AttemptError::because(ErrorKind::LocalFile, error)))?;
            length
                .check(body.len() as u64)
                .map_err(|detail| failed(AttemptError::new(ErrorKind::LocalFile, detail)))?;
            self.put(key, body.into(), &Precondition::None)
        })
    }

    fn get_bytes<'a>(&'a self, key: &'a str, max: usize) -> Answer<'a, (Bytes, Option<Version>)> {
        Box::pin(async move {
            let content = self.find("read", key)?;
            if content.body.len() > max {
                let place = Place::Memory(key.to_owned());
                return Err(StoreError::new("read", place, AttemptError::too_large(max)));
            }
            let version = content.version();
            Ok((content.body, Some(version)))
        })
    }

    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> Answer<'a, Part> {
        Box::pin(async move {
            let content = self.find("read", key)?;
            let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
            let end = at(range.end).min(content.body.len());
            Ok(Part {
                bytes: content.body.slice(at(range.start).min(end)..end),
                size: content.size(),
                version: Some(content.version()),
            })
        })
    }

    fn get_to_file<'a>(
        &'a self,
        key: &'a str,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> Answer<'a, Downloaded> {
        Box::pin(self.copy(key, target, expected, on_bytes))
    }

    fn head<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Head>> {
        Box::pin(async move {
            super::found(self.find("look at", key).map(|content| Head {
                size: content.size(),
                version: Some(content.version()),
                modified: Some(content.modified),
            }))
        })
    }

    fn list(&self, prefix: &str) -> Listing<'_> {
        let listed = self.listed(prefix);
        Listing::once(async move { Ok(listed) })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.place(key)?;
            self.contents().remove(key);
            Ok(())
        })
    }
}

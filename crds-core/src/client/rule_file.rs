//! One rule file: the cache's, judged by the catalogue before anything in it is believed, or else
//! fetched, once a run.
//!
//! Which files are wanted is for [`super::rule_files`] and [`super::rules`].

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use storage::hint::with_causes;

use bytes::Bytes;

use super::{Client, ClientError, FileKind, Reuse};
use crate::cache::inventory::Depth;
use crate::cache::verified_file::{self, Expected, Sha1Sum, Sum, VerifyError};
use crate::literal;
use crate::names::MappingName;
use crate::source::Source;
use storage::bounded;

/// How many bytes of fetched rules are kept in memory where the cache does not take them: all rules
/// of a hundred contexts. Beyond that a file is fetched again when it is needed again.
const MAX_HELD: usize = 256 << 20;

/// Whether rule files that were fetched are put into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storing {
    /// They are used and forgotten.
    Nothing,
    /// They are, where that is possible.
    IfPossible,
    /// They are, unless the cache may not be written to.
    Missing,
}

/// How closely rule files of the cache are compared with the catalogue, and what is done about
/// wrong ones. Those that the catalogue does not know are taken as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// How closely.
    pub depth: Depth,
    /// Whether wrong ones are fetched anew; else they stay.
    pub replacing: bool,
}

/// How rule files are had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Whether those in the cache will do.
    pub reuse: Reuse,
    /// Whether the cache gets what it lacks.
    pub storing: Storing,
    /// How those in the cache are judged; nothing to believe them.
    pub judgement: Option<Judgement>,
}

/// Whether what was fetched goes into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    No,
    /// If that is possible; the rules are needed whether or not.
    IfPossible,
    /// That is what it is fetched for.
    Yes,
}

/// Rule files that were fetched and that the cache does not take.
#[derive(Debug, Default)]
pub(super) struct Held {
    files: HashMap<MappingName, Bytes>,
    bytes: usize,
}

/// One rule file, and what was wrong with the cache's.
pub(super) struct ReadFile {
    pub(super) bytes: Bytes,
    pub(super) problem: Option<VerifyError>,
}

impl Client {
    /// The content of one rule file: the cache's, else what was or is fetched, and not stored.
    pub async fn rule_text(&self, name: &MappingName) -> Result<Bytes, ClientError> {
        self.had(name, Reuse::Cached, Keep::No, None)
            .await
            .map(|read| read.bytes)
    }

    pub(super) async fn rule_file(
        &self,
        name: &MappingName,
        reading: Reading,
    ) -> Result<ReadFile, ClientError> {
        let keep = self.keeping(reading.storing);
        self.had(name, reading.reuse, keep, reading.judgement).await
    }

    pub(super) fn keeping(&self, storing: Storing) -> Keep {
        match storing {
            Storing::Missing if !self.config.readonly_cache => Keep::Yes,
            Storing::IfPossible if !self.config.readonly_cache => Keep::IfPossible,
            _ => Keep::No,
        }
    }

    /// One rule file: the cache's, or else the source's. Of many processes one fetches it.
    pub(super) async fn had(
        &self,
        name: &MappingName,
        reuse: Reuse,
        keep: Keep,
        judgement: Option<Judgement>,
    ) -> Result<ReadFile, ClientError> {
        let path = self.layout.mapping(name.as_str());
        let mut problem = None;
        let mut cached = || -> Result<Option<Bytes>, ClientError> {
            if reuse == Reuse::Nothing {
                return Ok(None);
            }
            let Some(bytes) = if_there(&path, literal::MAX_BYTES)? else {
                return Ok(None);
            };
            problem = judgement.and_then(|judgement| self.judged(name, &path, &bytes, judgement));
            let is_right = problem.is_none() || judgement.is_none_or(|it| !it.replacing);
            Ok(is_right.then(|| bytes.into()))
        };
        if let Some(bytes) = cached()? {
            return Ok(ReadFile { bytes, problem });
        }
        let source = self.mapping_source(name)?;
        let file = name.as_file();
        if keep == Keep::No {
            let bytes = match self.held(name) {
                Some(bytes) => bytes,
                None => self.hold(name, source.read(file).await?),
            };
            return Ok(ReadFile { bytes, problem });
        }
        let _lock = self.lock(file).await?;
        // Whoever had the lock before may have brought it.
        if let Some(bytes) = cached()? {
            return Ok(ReadFile { bytes, problem });
        }
        let bytes = source.read(file).await?;
        self.keep(&path, &bytes, keep)?;
        Ok(ReadFile { bytes, problem })
    }

    /// What is wrong with a rule file of the cache.
    fn judged(
        &self,
        name: &MappingName,
        path: &Path,
        bytes: &[u8],
        judgement: Judgement,
    ) -> Option<VerifyError> {
        let expected = self.known(name.as_str());
        let sum = expected.sha1.filter(|_| judgement.depth == Depth::Sums);
        let sum = sum.map(|_| Sum::Sha1(Sha1Sum::of(bytes)));
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mismatch = expected.check(size, sum).err()?;
        Some(VerifyError::new(path, mismatch))
    }

    /// What the catalogue, if there is one at hand, says of a file.
    fn known(&self, name: &str) -> Expected {
        let catalogue = self.server_config.get().and_then(|c| c.catalogue().ok());
        catalogue
            .and_then(|catalogue| catalogue.expected(name))
            .unwrap_or_default()
    }

    fn mapping_source(&self, name: &MappingName) -> Result<Arc<dyn Source>, ClientError> {
        self.source(FileKind::Mapping)
            .ok_or_else(|| ClientError::NoRules {
                name: name.clone(),
                folder: self.layout.mappings.display().to_string(),
            })
    }

    fn held(&self, name: &MappingName) -> Option<Bytes> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.files.get(name).cloned()
    }

    fn hold(&self, name: &MappingName, bytes: Bytes) -> Bytes {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.bytes + bytes.len() <= MAX_HELD {
            held.bytes += bytes.len();
            held.files.insert(name.clone(), bytes.clone());
        }
        bytes
    }

    /// Puts a file into the cache. One that is not what CRDS knows is refused in any case.
    pub(super) fn keep(&self, path: &Path, bytes: &[u8], keep: Keep) -> Result<(), ClientError> {
        let name = path.file_name().and_then(std::ffi::OsStr::to_str);
        let expected = name.map(|name| self.known(name)).unwrap_or_default();
        let expected = verified_file::as_configured(expected, &self.config);
        match verified_file::write(path, expected, bytes) {
            Err(error) if keep == Keep::Yes || error.is_mismatch() => Err(error.into()),
            Err(error) => {
                tracing::debug!("not kept in the cache: {}", with_causes(&error));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Reading {
    pub(super) fn replaces(self) -> bool {
        self.judgement.is_some_and(|judgement| judgement.replacing)
    }
}

/// The content of a file of the cache, if it is there.
pub(super) fn if_there(path: &Path, most: usize) -> Result<Option<Vec<u8>>, ClientError> {
    match bounded::read(path, most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ClientError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

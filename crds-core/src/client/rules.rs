//! Loading the rules of a context: from the cache, else from a pickle, else from far away.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use storage::hint::with_causes;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Client, ClientError, FileKind, Reuse, file_name};
use crate::cache::verified_file;
use crate::config::CacheMode;
use crate::literal;
use crate::names::{MappingKind, MappingName};
use crate::rules::{
    Checksums, Context, LoadError, MAX_PICKLE, MappingDirectory, MappingSource, Scope,
    mappings_named_in,
};
use crate::source::Source;
use storage::bounded;

/// How many rule files are fetched at once.
const RULES_AT_ONCE: usize = 16;

/// Whether rule files that were fetched are put into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storing {
    /// They are used and forgotten.
    Nothing,
    /// They are, unless the cache may not be written to.
    Missing,
}

/// Whether what was fetched goes into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    No,
    /// If that is possible; the rules are needed whether or not.
    IfPossible,
    /// That is what it is fetched for.
    Yes,
}

/// Rule files at hand.
type Files = HashMap<MappingName, Bytes>;

/// A cache's rules, but the first file is from elsewhere.
struct Overlaid {
    first: (MappingName, PathBuf),
    rest: MappingDirectory,
}

impl MappingSource for Overlaid {
    fn read(&self, name: &MappingName) -> io::Result<Bytes> {
        let (first, path) = &self.first;
        if name == first {
            return bounded::read(path, literal::MAX_BYTES).map(Bytes::from);
        }
        self.rest.read(name)
    }
}

impl Client {
    /// The rules in `file`, a name in the cache or a path; those of one instrument (any case) or
    /// all.
    ///
    /// They come from the cache; if it lacks any, from the pickle (in the cache, or at
    /// `CRDS_PICKLE_URI`); if there is none, from `CRDS_MAPPING_URI` or the server. With
    /// `CRDS_USE_PICKLED_CONTEXTS` the pickle is looked for first.
    pub async fn rules(
        &self,
        file: &str,
        instrument: Option<&str>,
    ) -> Result<Arc<Context>, ClientError> {
        let plain = file.rsplit('/').next().unwrap_or(file);
        let name: MappingName = plain.parse()?;
        let instrument = instrument
            .filter(|_| !self.config.force_complete_load && name.kind() == MappingKind::Pipeline)
            .map(str::to_lowercase);
        let key = (name.clone(), instrument.clone());
        let known = || self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if plain == file
            && let Some(context) = known().get(&key)
        {
            return Ok(Arc::clone(context));
        }
        let scope = match &instrument {
            Some(name) => Scope::Instrument(name),
            None => Scope::All,
        };
        let context = if plain == file {
            self.load_by_name(&name, scope).await?
        } else {
            let source = Overlaid {
                first: (name.clone(), file.into()),
                rest: MappingDirectory::new(&self.layout.mappings),
            };
            Context::load(&source, &name, scope, self.checksums())?
        };
        let context = Arc::new(context);
        known().insert(key, Arc::clone(&context));
        Ok(context)
    }

    /// The rules in `file`, all of them, from rule files; those the cache lacks are put into it if
    /// asked to.
    pub async fn stored_rules(
        &self,
        file: &str,
        storing: Storing,
    ) -> Result<Arc<Context>, ClientError> {
        let name: MappingName = file.parse()?;
        let in_cache = MappingDirectory::new(&self.layout.mappings);
        if let Ok(context) = Context::load(&in_cache, &name, Scope::All, self.checksums())
            && context.broken().next().is_none()
        {
            return Ok(Arc::new(context));
        }
        let source = self.mapping_source(&name)?;
        self.server_config().await?;
        let keep = if storing == Storing::Nothing || self.config.readonly_cache {
            Keep::No
        } else {
            Keep::Yes
        };
        let files = self
            .gather(source.as_ref(), &name, Scope::All, keep)
            .await?;
        let context = Context::load(&files, &name, Scope::All, self.checksums())?;
        self.rules_have_come();
        Ok(Arc::new(context))
    }

    /// Puts rule files into the cache, these alone: those it lacks, or all. One that cannot be had
    /// does not keep the others from coming.
    pub async fn store_mappings<'n>(
        &self,
        reuse: Reuse,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), ClientError> {
        let mut missing = Vec::new();
        for name in names {
            let name: MappingName = name.parse()?;
            if reuse == Reuse::Nothing || !self.layout.mapping(name.as_str()).exists() {
                missing.push(name);
            }
        }
        let Some(first) = missing.first() else {
            return Ok(());
        };
        if self.config.readonly_cache {
            let names = missing.iter().map(ToString::to_string).collect();
            return Err(ClientError::ReadOnly { names });
        }
        let source = self.mapping_source(first)?;
        self.server_config().await?;
        let results: Vec<Result<_, ClientError>> = stream::iter(missing)
            .map(|name| self.rule_file(source.as_ref(), name, reuse, Keep::Yes))
            .buffer_unordered(RULES_AT_ONCE)
            .map(|result| result.map(drop))
            .collect()
            .await;
        self.rules_have_come();
        ClientError::of_all(results).map(drop)
    }

    fn mapping_source(&self, name: &MappingName) -> Result<Arc<dyn Source>, ClientError> {
        self.source(FileKind::Mapping)
            .ok_or_else(|| ClientError::NoRules {
                name: name.clone(),
                folder: self.layout.mappings.display().to_string(),
            })
    }

    /// The name of an instrument's map in a pipeline map.
    pub(super) async fn instrument_map(
        &self,
        name: &MappingName,
        instrument: &str,
    ) -> Result<String, ClientError> {
        let context = self.rules(name.as_str(), Some(instrument)).await?;
        let files = context.mappings_of(instrument).unwrap_or_default();
        let map = files
            .into_iter()
            .find(|file| file.kind() == MappingKind::Instrument);
        map.map(|map| map.as_str().to_owned())
            .ok_or_else(|| ClientError::NoInstrument {
                context: name.clone(),
                instrument: instrument.to_owned(),
            })
    }

    pub(super) fn checksums(&self) -> Checksums {
        if self.config.ignore_mapping_checksum {
            Checksums::Ignore
        } else {
            Checksums::Verify
        }
    }

    async fn load_by_name(
        &self,
        name: &MappingName,
        scope: Scope<'_>,
    ) -> Result<Context, ClientError> {
        let pickled = name.kind() == MappingKind::Pipeline;
        if pickled
            && self.config.use_pickled_contexts
            && let Some(context) = self.pickled(name, scope).await?
        {
            return Ok(context);
        }
        let in_cache = MappingDirectory::new(&self.layout.mappings);
        match Context::load(&in_cache, name, scope, self.checksums()) {
            Ok(context) if !context.broken().any(|(_, error)| is_missing(error)) => {
                return Ok(context);
            }
            Err(error) if !is_missing(&error) => return Err(error.into()),
            _ => {}
        }
        if pickled
            && !self.config.use_pickled_contexts
            && let Some(context) = self.pickled(name, scope).await?
        {
            return Ok(context);
        }
        let source = self.mapping_source(name)?;
        let streamed = self.config.s3_enabled || self.config.mode == CacheMode::S3;
        let keep = if streamed || self.config.readonly_cache {
            Keep::No
        } else {
            Keep::IfPossible
        };
        let files = self.gather(source.as_ref(), name, scope, keep).await?;
        let context = Context::load(&files, name, scope, self.checksums())?;
        self.rules_have_come();
        Ok(context)
    }

    /// The context's pickle, if there is one that can be had.
    async fn pickled(
        &self,
        name: &MappingName,
        scope: Scope<'_>,
    ) -> Result<Option<Context>, ClientError> {
        let path = self.layout.pickle(name.as_str());
        if let Some(bytes) = if_there(&path, MAX_PICKLE)? {
            return Ok(Some(Context::from_pickle(name, &bytes, scope)?));
        }
        // A server has no pickles; only a URI says where there are some.
        let Some(source) = self
            .config
            .pickle_uri
            .as_ref()
            .and_then(|_| self.source(FileKind::Pickle))
        else {
            return Ok(None);
        };
        let file = file_name(&format!("{name}.pkl"))?;
        let _lock = self.lock(&file).await?;
        // Whoever had the lock before may have brought it.
        if let Some(bytes) = if_there(&path, MAX_PICKLE)? {
            return Ok(Some(Context::from_pickle(name, &bytes, scope)?));
        }
        let bytes = match source.read(&file).await {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let context = Context::from_pickle(name, &bytes, scope)?;
        if !self.config.readonly_cache {
            self.keep(&path, &bytes, Keep::IfPossible)?;
        }
        Ok(Some(context))
    }

    /// Puts a file into the cache. One that is not what CRDS knows is refused in any case.
    fn keep(&self, path: &Path, bytes: &[u8], keep: Keep) -> Result<(), ClientError> {
        let known = path.file_name().and_then(std::ffi::OsStr::to_str);
        let expected = known
            .and_then(|name| self.server_config.get()?.catalogue().ok()?.expected(name))
            .unwrap_or_default();
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

    /// All rule files that `name` leads to: what the cache has from there, the rest from `source`.
    async fn gather(
        &self,
        source: &dyn Source,
        name: &MappingName,
        scope: Scope<'_>,
        keep: Keep,
    ) -> Result<Files, ClientError> {
        let mut files = Files::new();
        let mut wanted = vec![name.clone()];
        while !wanted.is_empty() {
            let fetched: Vec<(MappingName, Bytes)> = stream::iter(wanted.drain(..))
                .map(|name| self.rule_file(source, name, Reuse::Cached, keep))
                .buffer_unordered(RULES_AT_ONCE)
                .try_collect()
                .await?;
            for (name, bytes) in fetched {
                for (key, target) in mappings_named_in(&name, &bytes, self.checksums())? {
                    let is_other = matches!(scope, Scope::Instrument(only) if only != key);
                    let left_out = name.kind() == MappingKind::Pipeline && is_other;
                    if !left_out && !files.contains_key(&target) {
                        wanted.push(target);
                    }
                }
                files.insert(name, bytes);
            }
            wanted.sort_unstable();
            wanted.dedup();
        }
        Ok(files)
    }

    /// One rule file: the cache's, or else the source's. Of many processes one fetches it.
    async fn rule_file(
        &self,
        source: &dyn Source,
        name: MappingName,
        reuse: Reuse,
        keep: Keep,
    ) -> Result<(MappingName, Bytes), ClientError> {
        let path = self.layout.mapping(name.as_str());
        let cached = || match reuse {
            Reuse::Cached => if_there(&path, literal::MAX_BYTES),
            Reuse::Nothing => Ok(None),
        };
        if let Some(bytes) = cached()? {
            return Ok((name, bytes.into()));
        }
        let file = file_name(name.as_str())?;
        if keep == Keep::No {
            return Ok((name, source.read(&file).await?));
        }
        let _lock = self.lock(&file).await?;
        // Whoever had the lock before may have brought it.
        if let Some(bytes) = cached()? {
            return Ok((name, bytes.into()));
        }
        let bytes = source.read(&file).await?;
        self.keep(&path, &bytes, keep)?;
        Ok((name, bytes))
    }
}

/// The content of a file of the cache, if it is there.
fn if_there(path: &Path, most: usize) -> Result<Option<Vec<u8>>, ClientError> {
    match bounded::read(path, most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ClientError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Whether rules could not be loaded because a file is not there.
fn is_missing(error: &LoadError) -> bool {
    matches!(error, LoadError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

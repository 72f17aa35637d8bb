//! Loading the rules of a context: from the cache, else from a pickle, else from far away.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use super::rule_file::{Keep, if_there};
use super::{Client, ClientError, FileKind, file_name};
use crate::config::CacheMode;
use crate::literal;
use crate::names::{MappingKind, MappingName};
use crate::rules::{
    Checksums, Context, LoadError, MAX_PICKLE, MappingDirectory, MappingSource, Scope,
    named_by_path,
};
use storage::bounded;

/// A cache's rules, but some files are from elsewhere.
struct Overlaid {
    paths: HashMap<MappingName, PathBuf>,
    rest: MappingDirectory,
}

impl Overlaid {
    /// The file at the path, and those that it and they name by their paths. The cache's own rules
    /// name nothing outside of it, whatever they say. What cannot be read here is told by whoever
    /// loads the rules.
    fn new(first: &MappingName, path: &str, rest: MappingDirectory) -> Self {
        let mut paths = HashMap::from([(first.clone(), PathBuf::from(path))]);
        let mut new = vec![first.clone()];
        while let Some(name) = new.pop() {
            let bytes = paths.get(&name).and_then(|path| read_rules(path).ok());
            let named = bytes.and_then(|bytes| named_by_path(&name, &bytes));
            for (name, path) in named.unwrap_or_default() {
                if paths.insert(name.clone(), path).is_none() {
                    new.push(name);
                }
            }
        }
        Self { paths, rest }
    }
}

impl MappingSource for Overlaid {
    fn read(&self, name: &MappingName) -> io::Result<Bytes> {
        match self.paths.get(name) {
            Some(path) => read_rules(path),
            None => self.rest.read(name),
        }
    }
}

fn read_rules(path: &Path) -> io::Result<Bytes> {
    bounded::read(path, literal::MAX_BYTES).map(Bytes::from)
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
        let context = Arc::new(self.load(file, &name, scope).await?);
        known().insert(key, Arc::clone(&context));
        Ok(context)
    }

    /// Like [`Client::rules`] of all instruments, but not kept: for those who look at many contexts.
    pub async fn rules_for_once(&self, file: &str) -> Result<Arc<Context>, ClientError> {
        let plain = file.rsplit('/').next().unwrap_or(file);
        let context = self.load(file, &plain.parse()?, Scope::All).await?;
        Ok(Arc::new(context))
    }

    async fn load(
        &self,
        file: &str,
        name: &MappingName,
        scope: Scope<'_>,
    ) -> Result<Context, ClientError> {
        if name.as_str() == file {
            return self.load_by_name(name, scope).await;
        }
        let rest = MappingDirectory::new(&self.layout.mappings);
        let source = Overlaid::new(name, file, rest);
        Ok(Context::load(&source, name, scope, self.checksums())?)
    }

    /// The name of an instrument's map in a pipeline map, or of the table of one of its types.
    pub(super) async fn part_of(
        &self,
        name: &MappingName,
        instrument: &str,
        reference_type: Option<&str>,
    ) -> Result<String, ClientError> {
        let context = self.rules(name.as_str(), Some(instrument)).await?;
        let file = match reference_type {
            None => {
                let mut files = context
                    .mappings_of(instrument)
                    .unwrap_or_default()
                    .into_iter();
                files.find(|file| file.kind() == MappingKind::Instrument)
            }
            Some(reference_type) => context.table_of(instrument, reference_type),
        };
        let part = [instrument].into_iter().chain(reference_type);
        file.map(|file| file.as_str().to_owned())
            .ok_or_else(|| ClientError::NoInstrument {
                context: name.clone(),
                instrument: part.collect::<Vec<_>>().join(" "),
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
        let streamed = self.config.s3_enabled || self.config.mode == CacheMode::S3;
        let keep = if streamed || self.config.readonly_cache {
            Keep::No
        } else {
            Keep::IfPossible
        };
        let files = self.gather(name, scope, keep).await?;
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
}

/// Whether rules could not be loaded because a file is not there.
fn is_missing(error: &LoadError) -> bool {
    matches!(error, LoadError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

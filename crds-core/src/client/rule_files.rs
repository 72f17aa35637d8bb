//! All rule files that contexts lead to, each read once.
//!
//! How one is had is for [`super::rule_file`], what rules answer for [`super::rules`].

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::rule_file::{Keep, ReadFile, Reading, Storing};
use super::{Client, ClientError, Reuse};
use crate::cache::verified_file::VerifyError;
use crate::names::{MappingKind, MappingName};
use crate::rules::{Contents, Scope, contents, mappings_named_in};

/// How many rule files are fetched at once.
const RULES_AT_ONCE: usize = 16;

/// A rule file of the cache that is not as the catalogue says.
#[derive(Debug)]
pub struct WrongRules {
    /// The file.
    pub name: MappingName,
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: VerifyError,
    /// Whether the cache has the right one now.
    pub replaced: bool,
}

/// All that some contexts lead to.
#[derive(Debug, Default)]
pub struct RuleFiles {
    /// The contexts, and the rule files that they name.
    pub mappings: BTreeSet<MappingName>,
    /// The references that those can choose.
    pub references: BTreeSet<String>,
    /// Rule files that were not as the catalogue says.
    pub wrong: Vec<WrongRules>,
    /// Rule files that cannot be had or read, and why; what they lead to is missing here. One that
    /// is among the wrong ones is not told again.
    pub failures: Vec<(MappingName, ClientError)>,
    /// Whether all was read.
    pub complete: bool,
}

/// Rule files at hand.
type Files = HashMap<MappingName, Bytes>;

impl RuleFiles {
    /// These, if nothing failed; else all that did.
    pub fn all(mut self) -> Result<Self, ClientError> {
        let failures = std::mem::take(&mut self.failures);
        let failures = failures.into_iter().map(|(_, error)| Err::<(), _>(error));
        ClientError::of_all(failures.collect()).map(|_| self)
    }
}

impl Client {
    /// Follows contexts to all rule files that they lead to, and reads each once.
    ///
    /// One that cannot be had does not keep the others from being read. Fails if the server's
    /// catalogue is needed and cannot be had.
    pub async fn rule_files<'n>(
        &self,
        contexts: impl IntoIterator<Item = &'n str>,
        reading: Reading,
    ) -> Result<RuleFiles, ClientError> {
        let mut wanted: BTreeSet<MappingName> = BTreeSet::new();
        for name in contexts {
            wanted.insert(name.parse()?);
        }
        if reading.judgement.is_some() {
            self.server_config().await?.catalogue()?;
        }
        let mut found = RuleFiles {
            complete: true,
            ..RuleFiles::default()
        };
        while !wanted.is_empty() {
            let mut reads = stream::iter(std::mem::take(&mut wanted))
                .map(|name| async move {
                    let read = self.rule_file(&name, reading).await;
                    (name, read)
                })
                .buffer_unordered(RULES_AT_ONCE);
            while let Some((name, read)) = reads.next().await {
                let named = self.named(&name, read, reading, &mut found);
                found.mappings.insert(name);
                let Some(named) = named else {
                    found.complete = false;
                    continue;
                };
                found.references.extend(named.references);
                let new = named.mappings.into_iter();
                wanted.extend(new.filter(|name| !found.mappings.contains(name)));
            }
            // Some of them are among those that came in the same round.
            wanted.retain(|name| !found.mappings.contains(name));
        }
        if reading.storing != Storing::Nothing {
            self.rules_have_come();
        }
        Ok(found)
    }

    /// What a rule file names, if that could be found out.
    fn named(
        &self,
        name: &MappingName,
        read: Result<ReadFile, ClientError>,
        reading: Reading,
        found: &mut RuleFiles,
    ) -> Option<Contents> {
        let (named, is_known) = match read {
            Ok(ReadFile { bytes, problem }) => {
                let is_known = problem.is_some();
                found.wrong.extend(problem.map(|problem| WrongRules {
                    name: name.clone(),
                    path: self.layout.mapping(name.as_str()),
                    problem,
                    replaced: reading.replaces() && self.keeping(reading.storing) == Keep::Yes,
                }));
                let named = contents(name, &bytes, self.checksums());
                // What stayed as it was is told already.
                (
                    named.map_err(ClientError::from),
                    is_known && !reading.replaces(),
                )
            }
            Err(error) => (Err(error), false),
        };
        match named {
            Ok(named) => Some(named),
            Err(error) => {
                if !is_known {
                    found.failures.push((name.clone(), error));
                }
                None
            }
        }
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
        if missing.is_empty() {
            return Ok(());
        }
        if self.config.readonly_cache {
            let names = missing.iter().map(ToString::to_string).collect();
            return Err(ClientError::ReadOnly { names });
        }
        self.server_config().await?;
        let reading = Reading {
            reuse,
            storing: Storing::Missing,
            judgement: None,
        };
        let results: Vec<Result<_, ClientError>> = stream::iter(missing)
            .map(|name| async move { self.rule_file(&name, reading).await })
            .buffer_unordered(RULES_AT_ONCE)
            .map(|result| result.map(drop))
            .collect()
            .await;
        self.rules_have_come();
        ClientError::of_all(results).map(drop)
    }

    /// All rule files that `name` leads to: what the cache has from there, the rest from where
    /// rules come from.
    pub(super) async fn gather(
        &self,
        name: &MappingName,
        scope: Scope<'_>,
        keep: Keep,
    ) -> Result<Files, ClientError> {
        let mut files = Files::new();
        let mut wanted = vec![name.clone()];
        while !wanted.is_empty() {
            let fetched: Vec<(MappingName, Bytes)> = stream::iter(wanted.drain(..))
                .map(|name| async move {
                    let read = self.had(&name, Reuse::Cached, keep, None).await?;
                    Ok::<_, ClientError>((name, read.bytes))
                })
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
}

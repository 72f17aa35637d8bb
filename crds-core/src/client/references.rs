//! Bringing references into the cache: many at once, each by one process only, complete and
//! checked.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use storage::blocking;
use storage::unfinished;

use super::{
    Client, ClientError, FetchedReference, FileKind, Progress, ReferenceLocation, ReferenceOrigin,
    Reuse,
};
use crate::cache::layout::References;
use crate::cache::lock::{Lock, Locks};
use crate::cache::shared::Taken;
use crate::cache::verified_file::{self, Expected};
use crate::names::FileName;
use crate::source::{Plugin, Source, SourceError};

/// How many references are fetched at once. Each may use several connections.
const DOWNLOADS_AT_ONCE: usize = 8;
/// After so many failures the rest is not tried: the source is likely gone.
const MAX_FAILURES: usize = 20;

/// One reference, and what is known before it is fetched.
struct Wanted {
    name: FileName,
    path: PathBuf,
    expected: Expected,
    /// As in the catalogue, whatever is checked.
    known: Option<Expected>,
    reuse: Reuse,
}

/// References by where they are.
#[derive(Default)]
struct SortedOut {
    present: Vec<FetchedReference>,
    missing: Vec<Wanted>,
    /// Why others have no place in the cache.
    failed: Vec<ClientError>,
}

/// What fetches the references that are missing.
enum Fetcher {
    Source(Arc<dyn Source>),
    Plugin(Plugin, Arc<dyn Source>),
}

impl Client {
    /// Where references are in the cache.
    pub fn references(&self) -> Result<References, ClientError> {
        let variables = |name: &str| std::env::var_os(name).map(PathBuf::from);
        Ok(References::open(&self.layout, &self.config, variables)?)
    }

    /// Makes sure that the cache has these references; gives them in the order of their names.
    ///
    /// What is there already, with the size CRDS says, is left alone. What is missing is fetched
    /// from `CRDS_REFERENCE_URI` or the server, by `CRDS_DOWNLOAD_PLUGIN` if that is the mode.
    /// One that cannot be had does not keep the others from coming; the failures of all are given
    /// together, and what was fetched stays. Fails in a read-only cache if anything is missing.
    pub async fn fetch_references<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        progress: &dyn Progress,
    ) -> Result<Vec<FetchedReference>, ClientError> {
        self.fetch_unless(Reuse::Cached, names, progress).await
    }

    /// Where references can be read, in the order of their names: in the cache, into which they are
    /// fetched if need be; with `CRDS_S3_RETURN_URI` where they are fetched from, and nothing is.
    ///
    /// ```no_run
    /// # async fn run(client: crds_core::Client) -> Result<(), crds_core::ClientError> {
    /// use crds_core::ReferenceLocation;
    ///
    /// for (name, location) in client.locate_references(["zz900001j_ccd.fits"], &()).await? {
    ///     match location {
    ///         ReferenceLocation::Path(path) => println!("{name}: {}", path.display()),
    ///         ReferenceLocation::Uri(uri) => println!("{name}: {uri}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn locate_references<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        progress: &dyn Progress,
    ) -> Result<Vec<(FileName, ReferenceLocation)>, ClientError> {
        if !self.config.s3_return_uri {
            let fetched = self.fetch_references(names, progress).await?;
            let located = |file: FetchedReference| (file.name, ReferenceLocation::Path(file.path));
            return Ok(fetched.into_iter().map(located).collect());
        }
        let source = self.reference_source()?;
        let names: BTreeSet<String> = companions(names);
        let located = |name: &String| -> Result<_, ClientError> {
            let name: FileName = name.parse()?;
            let uri = source.location(&name);
            Ok((name, ReferenceLocation::Uri(uri)))
        };
        names.iter().map(located).collect()
    }

    /// Like [`Client::fetch_references`], with a say in what need not be fetched.
    pub async fn fetch_unless<'n>(
        &self,
        reuse: Reuse,
        names: impl IntoIterator<Item = &'n str>,
        progress: &dyn Progress,
    ) -> Result<Vec<FetchedReference>, ClientError> {
        let folders = self.references()?;
        let sorted = self.sorted_out(&folders, reuse, names).await?;
        let mut references = sorted.present;
        if !sorted.missing.is_empty() || !sorted.failed.is_empty() {
            let fetching = self.fetch_missing(&folders, sorted.missing, sorted.failed, progress);
            references.extend(fetching.await?);
            references.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(references)
    }

    /// Divides references into those that are in the cache, those that are not, and those that
    /// cannot be.
    async fn sorted_out<'n>(
        &self,
        folders: &References,
        reuse: Reuse,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<SortedOut, ClientError> {
        let names = companions(names);
        let mut sorted = SortedOut::default();
        if names.is_empty() {
            return Ok(sorted);
        }
        let catalogue = self.server_config().await?.catalogue()?;
        for name in &names {
            let name: FileName = name.parse()?;
            let known = catalogue.expected(name.as_str());
            let path = match folders.path(&name) {
                Ok(path) => path,
                // What nobody knows needs no place.
                Err(_) if known.is_none() => {
                    sorted.failed.push(unknown(&name, self.asks_anew()));
                    continue;
                }
                Err(error) => {
                    sorted.failed.push(error.into());
                    continue;
                }
            };
            let wanted = Wanted {
                path,
                expected: verified_file::as_configured(known.unwrap_or_default(), &self.config),
                name,
                known,
                reuse,
            };
            match wanted.cached()? {
                Some(reference) => sorted.present.push(reference),
                None => sorted.missing.push(wanted),
            }
        }
        Ok(sorted)
    }

    async fn fetch_missing(
        &self,
        folders: &References,
        missing: Vec<Wanted>,
        failed: Vec<ClientError>,
        progress: &dyn Progress,
    ) -> Result<Vec<FetchedReference>, ClientError> {
        if self.config.readonly_cache && !missing.is_empty() {
            let names = missing.iter().map(|wanted| wanted.name.to_string());
            return Err(ClientError::ReadOnly {
                names: names.collect(),
            });
        }
        let (missing, unknown): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .partition(|wanted| wanted.known.is_some());
        let unknown = unknown
            .iter()
            .map(|wanted| self::unknown(&wanted.name, self.asks_anew()));
        let mut results: Vec<_> = failed.into_iter().chain(unknown).map(Err).collect();
        if missing.is_empty() {
            return ClientError::of_all(results);
        }
        let fetcher = self.fetcher()?;
        clear_folders(&missing);
        let bytes = missing.iter().filter_map(|wanted| wanted.known?.size).sum();
        progress.begin(missing.len(), bytes);
        let failures = AtomicUsize::new(0);
        let fetching = stream::iter(missing.into_iter().zip(1..)).map(|(wanted, number)| {
            let (failures, fetcher) = (&failures, &fetcher);
            async move {
                if failures.load(Ordering::Relaxed) >= MAX_FAILURES {
                    return Err(ClientError::NotTried { name: wanted.name });
                }
                let result = self
                    .fetch_one(folders, fetcher, wanted, number, progress)
                    .await;
                failures.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
                result
            }
        });
        let mut fetching = fetching.buffer_unordered(DOWNLOADS_AT_ONCE);
        while let Some(fetched) = fetching.next().await {
            results.push(fetched);
        }
        ClientError::of_all(results)
    }

    fn reference_source(&self) -> Result<Arc<dyn Source>, ClientError> {
        let serverless = || SourceError::Serverless {
            what: "fetching references".to_owned(),
        };
        Ok(self.source(FileKind::Reference).ok_or_else(serverless)?)
    }

    fn fetcher(&self) -> Result<Fetcher, ClientError> {
        let source = self.reference_source()?;
        Ok(match self.config.plugin() {
            Some(template) if !Plugin::is_built_in(template) => {
                Fetcher::Plugin(Plugin::new(template), source)
            }
            _ => Fetcher::Source(source),
        })
    }

    async fn fetch_one(
        &self,
        folders: &References,
        fetcher: &Fetcher,
        wanted: Wanted,
        number: usize,
        progress: &dyn Progress,
    ) -> Result<FetchedReference, ClientError> {
        let path = folders.prepare(&wanted.name)?;
        let _lock = self.lock(&wanted.name).await?;
        // Whoever had the lock before may have brought it.
        if let Some(reference) = wanted.cached()? {
            progress.bytes(reference.size);
            progress.done(&wanted.name);
            return Ok(reference);
        }
        progress.file(&wanted.name, wanted.expected.size, number);
        let start = Instant::now();
        // What is fetched again is not what others fetched before.
        let known = wanted.known.filter(|_| wanted.reuse == Reuse::Cached);
        let place = match self.taken(&wanted.name, known, &path).await {
            Taken::Nothing(place) => place,
            Taken::Copied(size) => {
                progress.bytes(size);
                progress.done(&wanted.name);
                return Ok(wanted.fetched(ReferenceOrigin::Shared, size));
            }
        };
        let on_bytes = |count| progress.bytes(count);
        let (location, size) = match fetcher {
            Fetcher::Source(source) => {
                let fetch = source.fetch(&wanted.name, &path, wanted.expected, &on_bytes);
                (source.location(&wanted.name), fetch.await?)
            }
            Fetcher::Plugin(plugin, source) => {
                let location = source.location(&wanted.name);
                let fetch =
                    plugin.fetch(&wanted.name, &location, &path, wanted.expected, &on_bytes);
                let size = fetch.await?;
                (location, size)
            }
        };
        progress.done(&wanted.name);
        let elapsed = start.elapsed();
        self.offer(place, &wanted.name, known, &path).await;
        Ok(wanted.fetched(ReferenceOrigin::Fetched { location, elapsed }, size))
    }

    /// Waits until no other process is fetching this file.
    pub(super) async fn lock(&self, name: &FileName) -> Result<Lock, ClientError> {
        let locks = Locks::new(&self.layout, &self.config);
        if let Some(lock) = locks.try_acquire(name) {
            return Ok(lock);
        }
        let (name, patience) = (name.clone(), self.config.timeout);
        Ok(blocking::run(move || locks.acquire(&name, patience)).await?)
    }
}

/// The failure of a reference that CRDS does not know, as the server said now or earlier.
fn unknown(name: &FileName, is_new: bool) -> ClientError {
    ClientError::Unknown {
        name: name.to_string(),
        hint: if is_new {
            "is the name right? The server was asked now"
        } else {
            "the configuration may be older than the context; `crds sync` renews it"
        },
    }
}

impl Wanted {
    /// The reference, if it is there, will do, and is not of another size than it should be.
    ///
    /// Where nobody can look, nothing can be fetched to either: that is an error.
    fn cached(&self) -> Result<Option<FetchedReference>, ClientError> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                let path = self.path.clone();
                return Err(ClientError::Io { path, source });
            }
        };
        let size = metadata.len();
        let other_size = self.expected.size.is_some_and(|expected| expected != size);
        let will_do = match self.reuse {
            Reuse::Cached => !other_size,
            Reuse::Whatever => true,
            Reuse::Nothing => false,
        };
        if !metadata.is_file() || !will_do {
            return Ok(None);
        }
        Ok(Some(self.fetched(ReferenceOrigin::Cached, size)))
    }

    fn fetched(&self, origin: ReferenceOrigin, size: u64) -> FetchedReference {
        FetchedReference {
            name: self.name.clone(),
            path: self.path.clone(),
            size,
            sha1: self.known.and_then(|known| known.sha1),
            origin,
        }
    }
}

/// Removes what killed processes left where files are going to be written.
fn clear_folders(missing: &[Wanted]) {
    let folders: BTreeSet<_> = missing.iter().map(|wanted| wanted.path.parent()).collect();
    for folder in folders.into_iter().flatten() {
        if let Err(error) = unfinished::remove_abandoned(folder) {
            tracing::debug!("{} cannot be cleared: {error}", folder.display());
        }
    }
}

/// The names of files as they are stored, each once, with those that go with them.
fn companions<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
    let names = names.into_iter().map(str::to_ascii_lowercase);
    names.flat_map(with_companion).collect()
}

/// A GEIS header `x.r4h` is of no use without its data `x.r4d`.
fn with_companion(name: String) -> Vec<String> {
    let is_geis_header =
        |suffix: &str| matches!(suffix.as_bytes(), [b'r', digit, b'h'] if digit.is_ascii_digit());
    match name.rsplit_once('.') {
        Some((stem, suffix)) if is_geis_header(suffix) => {
            let data = format!("{stem}.{}d", suffix.trim_end_matches('h'));
            vec![name, data]
        }
        _ => vec![name],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geis_headers_bring_their_data() {
        assert_eq!(with_companion("e1b.r4h".into()), ["e1b.r4h", "e1b.r4d"]);
        assert_eq!(with_companion("x.fits".into()), ["x.fits"]);
        assert_eq!(with_companion("x.rxh".into()), ["x.rxh"]);
    }
}

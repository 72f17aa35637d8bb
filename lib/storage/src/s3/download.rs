//! Downloading an object into a file: parallel ranges, checked, complete or not at all.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::S3;
use super::classify::classify;
use super::range::{no_ranges, total};
use super::range_writer::{Broken, RangeWriter};
use crate::atomic::{CheckedFile, Existing, Pending};
use crate::blocking;
use crate::checksum::{Expected, Mismatch, Sum, Summing};
use crate::error::{AttemptError, ErrorKind, StoreError};
use crate::object::{Downloaded, OnBytes, SMALL, Version};
use crate::retry::Failure;
use crate::uri::S3Uri;

/// The size of the ranges asked for, in bytes.
const RANGE: u64 = 8 * 1024 * 1024;

/// How many ranges are under way at once, over all downloads of a client.
pub(super) const RANGES_IN_FLIGHT: usize = 16;

/// How much of a range is gathered before it is written, in bytes. With the number of ranges it
/// bounds the memory of a download.
const WRITE: usize = 256 * 1024;

/// A size, if what has it is small.
fn small(size: u64) -> Option<usize> {
    usize::try_from(size).ok().filter(|_| size <= SMALL)
}

/// One of the downloads of a client that are under way.
struct Downloading<'a>(&'a AtomicUsize);

impl<'a> Downloading<'a> {
    fn begin(downloads: &'a Arc<AtomicUsize>) -> Self {
        downloads.fetch_add(1, Ordering::Relaxed);
        Self(downloads)
    }

    /// How many of its ranges are to be under way at once now: the fewer, the more of them come in order.
    fn share(&self) -> usize {
        RANGES_IN_FLIGHT.div_ceil(self.0.load(Ordering::Relaxed).max(1))
    }
}

impl Drop for Downloading<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the first answer says of the whole.
struct Whole {
    size: u64,
    /// How much of it came with the first answer.
    arrived: u64,
    version: Option<Version>,
}

impl S3 {
    /// Downloads an object to `target`, which appears complete, checked and durable or not at all.
    /// Directories above it are made; what was there is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] when the object is overwritten meanwhile, [`ErrorKind::Damaged`] when it is not
    /// what is expected, [`ErrorKind::LocalFile`] when it cannot be written, others as they come.
    pub async fn get_to_file(
        &self,
        uri: &S3Uri,
        target: &Path,
        expected: &Expected,
    ) -> Result<Downloaded, StoreError> {
        self.download(uri, target, expected, &|_| {}).await
    }

    /// As [`S3::get_to_file`], telling how much has arrived whenever a range is complete.
    ///
    /// # Errors
    /// As for [`S3::get_to_file`].
    pub async fn download(
        &self,
        uri: &S3Uri,
        target: &Path,
        expected: &Expected,
        on_bytes: OnBytes<'_>,
    ) -> Result<Downloaded, StoreError> {
        let failed = |attempt| StoreError::new("download", uri, attempt);
        if let Some(size) = expected.size.and_then(small) {
            return self
                .download_small(uri, target, expected, size, on_bytes)
                .await;
        }
        let path = target.to_owned();
        let (pending, file) = off_thread("create", target, move || {
            let pending = Pending::create(&path)?;
            let file = pending.file().try_clone()?;
            Ok((pending, file))
        })
        .await
        .map_err(failed)?;
        let file = RangeWriter::start(file, Summing::begin(expected));
        let fetched = self.fetch(uri, &file, expected, on_bytes).await;
        // Why a file cannot be written is known here alone.
        let sum = file.finish().await;
        let sum = sum.map_err(|error| failed(AttemptError::local("writing it failed", error)))?;
        let whole = fetched?;
        expected
            .check(whole.size, sum)
            .map_err(|mismatch| failed(mismatch.into()))?;
        off_thread("write", target, move || pending.commit(Existing::Replace))
            .await
            .map_err(failed)?;
        Ok(Downloaded {
            size: whole.size,
            sha1: sum.and_then(Sum::sha1),
            version: whole.version,
            checked_by_store: false,
        })
    }

    /// Downloads a small object through memory, with the checksum that S3 has of it.
    async fn download_small(
        &self,
        uri: &S3Uri,
        target: &Path,
        expected: &Expected,
        size: usize,
        on_bytes: OnBytes<'_>,
    ) -> Result<Downloaded, StoreError> {
        let failed = |attempt| StoreError::new("download", uri, attempt);
        let got = self
            .retry("download", uri.bucket(), uri, |_| {
                self.try_get_content(uri, size)
            })
            .await;
        let got = got.map_err(|error| match error.kind() {
            ErrorKind::TooLarge => failed(
                Mismatch::Size {
                    expected: size as u64,
                    found: size as u64 + 1,
                }
                .into(),
            ),
            _ => error,
        })?;
        on_bytes(got.bytes.len() as u64);
        let (path, expected) = (target.to_owned(), *expected);
        let written = blocking::run(move || {
            let mut file = CheckedFile::create(&path, expected)?;
            file.write(&got.bytes)?;
            file.commit()
        });
        let (size, sum) = written
            .await
            .map_err(|error| failed(AttemptError::of_target(target, error)))?;
        Ok(Downloaded {
            size,
            sha1: sum.and_then(Sum::sha1),
            version: got.version,
            checked_by_store: got.checked_by_store,
        })
    }

    /// Fetches everything into the file, in whatever order it comes.
    async fn fetch(
        &self,
        uri: &S3Uri,
        file: &RangeWriter,
        expected: &Expected,
        on_bytes: OnBytes<'_>,
    ) -> Result<Whole, StoreError> {
        let failed = |attempt| StoreError::new("download", uri, attempt);
        let downloading = Downloading::begin(&self.downloads);
        let first = self.fetch_range(uri, file, 0, None).await;
        let whole = match first {
            // no range of an empty object can be had
            Err(error) if error.kind() == ErrorKind::Invalid => {
                let head = self.head(uri).await?;
                if head.size > 0 {
                    return Err(error);
                }
                Whole {
                    size: 0,
                    arrived: 0,
                    version: head.version,
                }
            }
            other => other?,
        };
        expected
            .check(whole.size, None)
            .map_err(|mismatch| failed(mismatch.into()))?;
        on_bytes(whole.arrived);
        let mut starts =
            (whole.arrived.div_ceil(RANGE)..whole.size.div_ceil(RANGE)).map(|n| n * RANGE);
        let fetch = |start| {
            let whole = &whole;
            async move {
                self.fetch_range(uri, file, start, Some(whole)).await?;
                on_bytes(whole.size.min(start + RANGE) - start);
                Ok::<_, StoreError>(())
            }
        };
        {
            let mut fetching = FuturesUnordered::new();
            loop {
                while fetching.len() < downloading.share()
                    && let Some(start) = starts.next()
                {
                    fetching.push(fetch(start));
                }
                if fetching.try_next().await?.is_none() {
                    break;
                }
            }
        }
        Ok(whole)
    }

    /// Fetches the range at `start`; the first tells what the whole is, the others must agree.
    async fn fetch_range(
        &self,
        uri: &S3Uri,
        file: &RangeWriter,
        start: u64,
        whole: Option<&Whole>,
    ) -> Result<Whole, StoreError> {
        self.retry("download", uri.bucket(), uri, |_| {
            self.try_fetch_range(uri, file, start, whole)
        })
        .await
    }

    async fn try_fetch_range(
        &self,
        uri: &S3Uri,
        file: &RangeWriter,
        start: u64,
        whole: Option<&Whole>,
    ) -> Result<Whole, Failure<AttemptError>> {
        let _permit = self.ranges.acquire().await;
        let version = whole.and_then(|whole| whole.version.clone());
        let answer = self
            .client(uri.bucket())
            .get_object()
            .bucket(uri.bucket())
            .key(uri.key())
            .range(format!("bytes={start}-{}", start + RANGE - 1))
            .set_if_match(version.map(|version| version.0))
            .send()
            .await
            .map_err(|error| changed(classify(error)))?;
        let length = super::size(answer.content_length)?;
        let found = Whole {
            size: match answer.content_range.as_deref() {
                Some(range) => total(range, start..start + RANGE, length)?,
                // a server without ranges sends everything, which will do for the first
                None if start == 0 => length,
                None => return Err(no_ranges()),
            },
            arrived: length,
            version: answer.e_tag.map(Version),
        };
        if whole.is_some_and(|whole| whole.size != found.size) {
            return Err(overwritten());
        }
        let mut body = answer.body;
        let mut gathered = Vec::new();
        let (mut offset, mut size) = (start, 0);
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            size += chunk.len();
            gathered.push(chunk);
            if size >= WRITE {
                let pieces = std::mem::take(&mut gathered);
                file.write(start, offset, pieces).await.map_err(broken)?;
                offset += size as u64;
                size = 0;
            }
        }
        if offset + size as u64 != start + length {
            return Err(AttemptError::unreachable("the answer broke off"));
        }
        let written = file.complete(start, offset, gathered).await;
        written.map_err(broken)?;
        Ok(found)
    }
}

/// A precondition of a read fails when the object is no longer the one begun with.
fn changed(failure: Failure<AttemptError>) -> Failure<AttemptError> {
    match failure {
        Failure::Permanent(attempt) if attempt.kind == ErrorKind::AlreadyExists => overwritten(),
        other => other,
    }
}

fn overwritten() -> Failure<AttemptError> {
    let detail = "it changed while it was read";
    Failure::Permanent(AttemptError::new(ErrorKind::Changed, detail))
}

/// What stands for the reason that [`RangeWriter::finish`] gives.
fn unwritten() -> AttemptError {
    AttemptError::new(ErrorKind::LocalFile, "it cannot be written any more")
}

fn broken(Broken: Broken) -> Failure<AttemptError> {
    Failure::Permanent(unwritten())
}

async fn off_thread<T: Send + 'static>(
    action: &str,
    path: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, AttemptError> {
    blocking::run(work)
        .await
        .map_err(|error| AttemptError::local(format!("cannot {action} {}", path.display()), error))
}

//! Downloading an object into a file: parallel ranges, checked, complete or not at all.

use std::path::Path;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::error::{Trouble, judge};
use super::growing::{Broken, Growing, Sum};
use super::{ErrorKind, S3, S3Error, Version};
use crate::atomic::{Existing, Pending};
use crate::blocking;
use crate::checksum::Sha1Sum;
use crate::retry::Failure;
use crate::uri::S3Uri;

/// The size of the ranges asked for, in bytes.
const RANGE: u64 = 8 * 1024 * 1024;

/// How many ranges are under way at once, over all downloads of a client.
pub(super) const RANGES_IN_FLIGHT: usize = 16;

/// How much of a range is gathered before it is written, in bytes. With the number of ranges it
/// bounds the memory of a download.
const WRITE: usize = 512 * 1024;

/// What a download must turn out to be.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// What is done about its SHA-1.
    pub sha1: Sha1Check,
}

impl Expected {
    /// Compares with what was found; a sum that is not known yet is not compared.
    pub(crate) fn check(&self, size: u64, sha1: Option<Sha1Sum>) -> Result<(), String> {
        if let Some(wanted) = self.size
            && wanted != size
        {
            return Err(format!("it has {size} bytes, it should have {wanted}"));
        }
        match (self.sha1, sha1) {
            (Sha1Check::Equals(wanted), Some(found)) if wanted != found => {
                Err(format!("its SHA-1 is {found}, it should be {wanted}"))
            }
            _ => Ok(()),
        }
    }
}

/// What is done about the SHA-1 of a download.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sha1Check {
    /// Nothing.
    #[default]
    Skip,
    /// It is computed, while the download goes on.
    Compute,
    /// It is computed and must be this.
    Equals(Sha1Sum),
}

/// A finished download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes.
    pub size: u64,
    /// The SHA-1, if it was asked for.
    pub sha1: Option<Sha1Sum>,
    /// The version that was downloaded, if the server says.
    pub version: Option<Version>,
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
    ) -> Result<Downloaded, S3Error> {
        let failed = |trouble| S3Error::new("download", uri, trouble);
        let path = target.to_owned();
        let (pending, file) = off_thread("create", target, move || {
            let pending = Pending::create(&path)?;
            let file = pending.file().try_clone()?;
            Ok((pending, file))
        })
        .await
        .map_err(failed)?;
        let sum = match expected.sha1 {
            Sha1Check::Skip => Sum::Unwanted,
            Sha1Check::Compute | Sha1Check::Equals(_) => Sum::Wanted,
        };
        let file = Growing::start(file, sum);
        let fetched = self.fetch(uri, &file, expected).await;
        // Why a file cannot be written is known here alone.
        let sha1 = file.finish().await;
        let sha1 = sha1.map_err(|error| failed(Trouble::local("writing it failed", &error)))?;
        let whole = fetched?;
        expected
            .check(whole.size, sha1)
            .map_err(|detail| failed(Trouble::new(ErrorKind::Damaged, detail)))?;
        off_thread("write", target, move || pending.commit(Existing::Replace))
            .await
            .map_err(failed)?;
        Ok(Downloaded {
            size: whole.size,
            sha1,
            version: whole.version,
        })
    }

    /// Fetches everything into the file, in whatever order it comes.
    async fn fetch(
        &self,
        uri: &S3Uri,
        file: &Growing,
        expected: &Expected,
    ) -> Result<Whole, S3Error> {
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
        expected.check(whole.size, None).map_err(|detail| {
            let trouble = Trouble::new(ErrorKind::Damaged, detail);
            S3Error::new("download", uri, trouble)
        })?;
        let unwritten = |Broken| S3Error::new("download", uri, unwritten());
        file.complete(0..whole.arrived).await.map_err(unwritten)?;
        let starts = (whole.arrived.div_ceil(RANGE)..whole.size.div_ceil(RANGE)).map(|n| n * RANGE);
        stream::iter(starts)
            .map(|start| {
                let whole = &whole;
                async move {
                    self.fetch_range(uri, file, start, Some(whole)).await?;
                    let range = start..whole.size.min(start + RANGE);
                    file.complete(range).await.map_err(unwritten)
                }
            })
            .buffer_unordered(RANGES_IN_FLIGHT)
            .try_collect::<()>()
            .await?;
        Ok(whole)
    }

    /// Fetches the range at `start`; the first tells what the whole is, the others must agree.
    async fn fetch_range(
        &self,
        uri: &S3Uri,
        file: &Growing,
        start: u64,
        whole: Option<&Whole>,
    ) -> Result<Whole, S3Error> {
        self.retry("download", uri, |_| {
            self.try_fetch_range(uri, file, start, whole)
        })
        .await
    }

    async fn try_fetch_range(
        &self,
        uri: &S3Uri,
        file: &Growing,
        start: u64,
        whole: Option<&Whole>,
    ) -> Result<Whole, Failure<Trouble>> {
        let _permit = self.ranges.acquire().await;
        let version = whole.and_then(|whole| whole.version.clone());
        let answer = self
            .client
            .get_object()
            .bucket(uri.bucket())
            .key(uri.key())
            .range(format!("bytes={start}-{}", start + RANGE - 1))
            .set_if_match(version.map(|version| version.0))
            .send()
            .await
            .map_err(|error| changed(judge(error)))?;
        let length = super::size(answer.content_length)?;
        let found = Whole {
            size: match answer.content_range.as_deref() {
                Some(range) => total(range, start, length)?,
                // a server without ranges sends everything, which will do for the first
                None if start == 0 => length,
                None => return Err(Trouble::damaged("the server ignores ranges")),
            },
            arrived: length,
            version: answer.e_tag.map(Version),
        };
        if whole.is_some_and(|whole| whole.size != found.size) {
            let trouble = Trouble::new(ErrorKind::Changed, "it changed while it was read");
            return Err(Failure::Permanent(trouble));
        }
        let mut body = answer.body;
        let mut gathered = Vec::new();
        let (mut offset, mut size) = (start, 0);
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            size += chunk.len();
            gathered.push(chunk);
            if size >= WRITE {
                let pieces = std::mem::take(&mut gathered);
                file.write(offset, pieces).await.map_err(broken)?;
                offset += size as u64;
                size = 0;
            }
        }
        file.write(offset, gathered).await.map_err(broken)?;
        if offset + size as u64 == start + length {
            Ok(found)
        } else {
            Err(Trouble::unreachable("the answer broke off"))
        }
    }
}

/// A precondition of a read fails when the object is no longer the one begun with.
fn changed(failure: Failure<Trouble>) -> Failure<Trouble> {
    match failure {
        Failure::Permanent(trouble) if trouble.kind == ErrorKind::AlreadyExists => {
            let trouble = Trouble::new(ErrorKind::Changed, "it changed while it was read");
            Failure::Permanent(trouble)
        }
        other => other,
    }
}

/// The size of the whole from `bytes <start>-<end>/<size>`, which must be the range asked for.
fn total(content_range: &str, start: u64, length: u64) -> Result<u64, Failure<Trouble>> {
    let parse = || {
        let (range, total) = content_range.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let total: u64 = total.parse().ok()?;
        let rest = total.checked_sub(start)?.min(RANGE);
        let right = first == start && length == rest && last.checked_sub(first)? + 1 == length;
        right.then_some(total)
    };
    parse().ok_or_else(|| Trouble::damaged("the server sent another range than it was asked for"))
}

/// What stands for the reason that [`Growing::finish`] gives.
fn unwritten() -> Trouble {
    let reason = std::io::Error::other("it cannot be written any more");
    Trouble::local("writing it failed", &reason)
}

fn broken(Broken: Broken) -> Failure<Trouble> {
    Failure::Permanent(unwritten())
}

async fn off_thread<T: Send + 'static>(
    action: &str,
    path: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Trouble> {
    blocking::run(work)
        .await
        .map_err(|error| Trouble::local(&format!("cannot {action} {}", path.display()), &error))
}

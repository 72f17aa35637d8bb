//! Downloading an object into a file: parallel ranges, checked, complete or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinHandle;

use super::error::{Trouble, judge};
use super::{ErrorKind, S3, S3Error, Version};
use crate::atomic::{Existing, Pending};
use crate::checksum::{Sha1, Sha1Sum};
use crate::retry::Failure;
use crate::uri::S3Uri;

/// The size of the ranges asked for, in bytes.
const RANGE: u64 = 8 * 1024 * 1024;

/// How many ranges are under way at once, over all downloads of a client.
pub(super) const RANGES_IN_FLIGHT: usize = 16;

/// How much of a range is gathered before it is written, in bytes. With the number of ranges it
/// bounds the memory of a download.
const WRITE: usize = 1024 * 1024;

/// How much is hashed at a time, in bytes.
const HASH: usize = 1024 * 1024;

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
        let (pending, file) = blocking("create", target, move || {
            let pending = Pending::create(&path)?;
            let file = Arc::new(pending.file().try_clone()?);
            Ok((pending, file))
        })
        .await
        .map_err(failed)?;
        let hasher = match expected.sha1 {
            Sha1Check::Skip => None,
            Sha1Check::Compute | Sha1Check::Equals(_) => Some(Follower::start(&file)),
        };
        let whole = self.fetch(uri, &file, hasher.as_ref(), expected).await?;
        let sha1 = match hasher {
            Some(hasher) => Some(hasher.finish().await.map_err(failed)?),
            None => None,
        };
        expected
            .check(whole.size, sha1)
            .map_err(|detail| failed(Trouble::new(ErrorKind::Damaged, detail)))?;
        blocking("write", target, move || pending.commit(Existing::Replace))
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
        file: &Arc<File>,
        hasher: Option<&Follower>,
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
        if let Some(hasher) = hasher {
            hasher.arrived(0..whole.arrived);
        }
        let starts = (whole.arrived.div_ceil(RANGE)..whole.size.div_ceil(RANGE)).map(|n| n * RANGE);
        stream::iter(starts)
            .map(|start| {
                let whole = &whole;
                async move {
                    self.fetch_range(uri, file, start, Some(whole)).await?;
                    if let Some(hasher) = hasher {
                        hasher.arrived(start..whole.size.min(start + RANGE));
                    }
                    Ok(())
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
        file: &Arc<File>,
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
        file: &Arc<File>,
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
                write(file, offset, std::mem::take(&mut gathered)).await?;
                offset += size as u64;
                size = 0;
            }
        }
        write(file, offset, gathered).await?;
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

/// Writes pieces one after another at `offset`, off the asynchronous threads.
async fn write(file: &Arc<File>, offset: u64, pieces: Vec<Bytes>) -> Result<(), Failure<Trouble>> {
    let file = Arc::clone(file);
    let written = tokio::task::spawn_blocking(move || {
        let mut offset = offset;
        for piece in pieces {
            file.write_all_at(&piece, offset)?;
            offset += piece.len() as u64;
        }
        Ok(())
    });
    joined(written)
        .await
        .map_err(|error| Failure::Permanent(Trouble::local("writing it failed", &error)))
}

async fn blocking<T: Send + 'static>(
    action: &str,
    path: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Trouble> {
    joined(tokio::task::spawn_blocking(work))
        .await
        .map_err(|error| Trouble::local(&format!("cannot {action} {}", path.display()), &error))
}

async fn joined<T>(handle: JoinHandle<std::io::Result<T>>) -> std::io::Result<T> {
    handle.await.map_err(std::io::Error::other)?
}

/// Hashes the file in order while its ranges arrive out of order, reading back what is complete
/// from the start. What it reads was written a moment before and is still in the page cache.
struct Follower {
    arrivals: mpsc::Sender<Range<u64>>,
    hashing: JoinHandle<std::io::Result<Sha1>>,
}

impl Follower {
    fn start(file: &Arc<File>) -> Self {
        let file = Arc::clone(file);
        let (arrivals, arrived) = mpsc::channel::<Range<u64>>();
        let hashing = tokio::task::spawn_blocking(move || {
            let mut hasher = Sha1::new();
            let mut buffer = vec![0; HASH];
            let (mut waiting, mut position) = (BTreeMap::new(), 0);
            while let Ok(range) = arrived.recv() {
                waiting.insert(range.start, range.end);
                while let Some(end) = waiting.remove(&position) {
                    hash(&file, &mut hasher, &mut buffer, position..end)?;
                    position = end;
                }
            }
            Ok(hasher)
        });
        Self { arrivals, hashing }
    }

    /// A range is complete in the file.
    fn arrived(&self, range: Range<u64>) {
        // Fails only when hashing failed, which is found out at the end.
        let _ = self.arrivals.send(range);
    }

    /// The sum, all ranges having arrived.
    async fn finish(self) -> Result<Sha1Sum, Trouble> {
        drop(self.arrivals);
        let hasher = joined(self.hashing).await;
        hasher
            .map(Sha1::finish)
            .map_err(|error| Trouble::local("reading it back failed", &error))
    }
}

fn hash(
    file: &File,
    hasher: &mut Sha1,
    buffer: &mut [u8],
    mut range: Range<u64>,
) -> std::io::Result<()> {
    while !range.is_empty() {
        let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let piece = buffer.get_mut(..length).unwrap_or_default();
        file.read_exact_at(piece, range.start)?;
        hasher.update(piece);
        range.start += length as u64;
    }
    Ok(())
}

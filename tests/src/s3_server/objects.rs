//! What the server stores: immutable blobs, an index of keys that is changed under one lock.
//!
//! A reader keeps the blobs it began with, whatever is written meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::StreamingBlob;
use tempfile::TempDir;

use crate::http::lock;

/// So many bytes are read at once.
const READ_CHUNK: u64 = 256 * 1024;

/// Bodies up to this size stay in memory.
const IN_MEMORY: usize = 256 * 1024;

/// Bytes that never change, in memory or in a file that goes with the last user.
#[derive(Debug)]
pub(super) enum Blob {
    Memory(Bytes),
    File(PathBuf, u64),
}

impl Blob {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, len) => *len,
        }
    }

    /// `length` bytes at `offset`, both within the blob.
    pub(super) fn read(&self, offset: u64, length: usize) -> std::io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(std::io::Error::other)?;
                Ok(bytes.slice(start..start + length))
            }
            Self::File(path, _) => {
                let mut file = std::fs::File::open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                let mut buffer = vec![0; length];
                file.read_exact(&mut buffer)?;
                Ok(buffer.into())
            }
        }
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if let Self::File(path, _) = self {
            // At the end the whole directory goes.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) segments: Arc<[Arc<Blob>]>,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified: SystemTime,
    pub(super) metadata: Option<HashMap<String, String>>,
    pub(super) content_type: Option<String>,
    /// The CRC64NVME or CRC32 it came with, to be given back.
    pub(super) checksum: s3s::dto::Checksum,
}

#[derive(Debug, Default)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) content_type: Option<String>,
    pub(super) metadata: Option<HashMap<String, String>>,
    /// Whether it was said at the start that parts would come with checksums.
    pub(super) with_checksums: bool,
    pub(super) parts: BTreeMap<i32, (Arc<Blob>, String)>,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) buckets: BTreeMap<String, BTreeMap<String, Object>>,
    pub(super) uploads: HashMap<String, Upload>,
}

#[derive(Debug)]
pub(super) struct Objects {
    root: TempDir,
    next: AtomicU64,
    pub(super) index: Mutex<Index>,
}

impl Objects {
    pub(super) fn new(buckets: &[&str]) -> Self {
        let buckets = buckets
            .iter()
            .map(|name| ((*name).to_owned(), BTreeMap::new()))
            .collect();
        Self {
            root: tempfile::tempdir().expect("a temporary directory"),
            next: AtomicU64::new(0),
            index: Mutex::new(Index {
                buckets,
                ..Index::default()
            }),
        }
    }

    /// A number no other upload or blob has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn writer(&self) -> BlobWriter {
        BlobWriter {
            path: self.root.path().join(self.number().to_string()),
            buffer: Vec::new(),
            file: None,
            size: 0,
        }
    }

    pub(super) fn put_bytes(&self, bucket: &str, key: &str, body: Bytes) {
        let mut md5 = Md5::new();
        md5.update(&body);
        let object = Object {
            size: body.len() as u64,
            segments: Arc::from([Arc::new(Blob::Memory(body))]),
            etag: hex::encode(md5.finalize()),
            modified: SystemTime::now(),
            metadata: None,
            content_type: None,
            checksum: s3s::dto::Checksum::default(),
        };
        lock(&self.index)
            .buckets
            .get_mut(bucket)
            .unwrap_or_else(|| panic!("no bucket {bucket}"))
            .insert(key.to_owned(), object);
    }

    pub(super) fn remove(&self, bucket: &str, key: &str) {
        let mut index = lock(&self.index);
        let keys = index.buckets.get_mut(bucket);
        keys.unwrap_or_else(|| panic!("no bucket {bucket}"))
            .remove(key);
    }

    pub(super) fn read(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let object = lock(&self.index).buckets.get(bucket)?.get(key)?.clone();
        let mut body = Vec::new();
        for blob in object.segments.iter() {
            let len = usize::try_from(blob.len()).expect("a test object fits memory");
            body.extend_from_slice(&blob.read(0, len).expect("a stored blob can be read"));
        }
        Some(body.into())
    }

    pub(super) fn keys(&self, bucket: &str) -> Vec<String> {
        lock(&self.index)
            .buckets
            .get(bucket)
            .map(|keys| keys.keys().cloned().collect())
            .unwrap_or_default()
    }

    pub(super) fn open_uploads(&self) -> usize {
        lock(&self.index).uploads.len()
    }
}

/// The bytes of an object in a range, piece by piece.
pub(super) fn body(object: Object, range: std::ops::Range<u64>) -> StreamingBlob {
    let stream = futures_util::stream::try_unfold(
        (object.segments, range),
        |(segments, range)| async move {
            if range.is_empty() {
                return Ok(None);
            }
            let mut start = 0;
            for blob in segments.iter() {
                let end = start + blob.len();
                if range.start < end {
                    let length = (end.min(range.end) - range.start).min(READ_CHUNK);
                    let offset = range.start - start;
                    let blob = Arc::clone(blob);
                    let chunk: Bytes = tokio::task::spawn_blocking(move || {
                        let length = usize::try_from(length).map_err(std::io::Error::other)?;
                        blob.read(offset, length)
                    })
                    .await
                    .map_err(std::io::Error::other)??;
                    let next = range.start + length..range.end;
                    return Ok(Some((chunk, (segments, next))));
                }
                start = end;
            }
            Err(std::io::Error::other("a range beyond the object"))
        },
    );
    StreamingBlob::wrap(stream)
}

/// Takes a body as it comes; what is not finished leaves nothing behind.
pub(super) struct BlobWriter {
    path: PathBuf,
    buffer: Vec<u8>,
    file: Option<tokio::fs::File>,
    size: u64,
}

impl BlobWriter {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        use tokio::io::AsyncWriteExt;
        self.size += bytes.len() as u64;
        if let Some(file) = &mut self.file {
            return file.write_all(bytes).await;
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > IN_MEMORY {
            let mut file = tokio::fs::File::create(&self.path).await?;
            file.write_all(&std::mem::take(&mut self.buffer)).await?;
            self.file = Some(file);
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> std::io::Result<Blob> {
        use tokio::io::AsyncWriteExt;
        match self.file.take() {
            Some(mut file) => {
                file.flush().await?;
                Ok(Blob::File(std::mem::take(&mut self.path), self.size))
            }
            None => Ok(Blob::Memory(std::mem::take(&mut self.buffer).into())),
        }
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

//! Uploading: one request for what is small, parallel parts for what is not.
//!
//! Every body carries a checksum the server verifies (the SDK's default, CRC32), so what is
//! reported as stored is what was sent. The checksum is signed; the body itself is not, because a
//! second, cryptographic sum of everything would cost more than sending it, and TLS protects it
//! already. A multipart upload that fails, or whose future is dropped, is aborted; one whose process
//! dies is left to the bucket's lifecycle rules.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::task::{JoinError, JoinSet};

use super::S3;
use super::classify::classify;
use super::media_type;
use super::parts::{MAX_PARTS, UploadPart};
use crate::error::{AttemptError, ErrorKind, StoreError};
use crate::hint::explain;
use crate::object::{Length, Precondition, Stored, Version};
use crate::retry::Failure;
use crate::uri::S3Uri;

/// What parts are summed with. It is named when an upload begins, which the SDK does not do by itself:
/// S3 refuses sums of parts that were not announced (400 `InvalidPart`).
const CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Crc32;

impl S3 {
    /// Stores some bytes.
    ///
    /// With a precondition, an answer that got lost is made up for by comparing contents: a
    /// writer whose bytes are there already has won. Writers competing for a key therefore
    /// write different bytes.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] or [`ErrorKind::Changed`] when the precondition fails,
    /// others as they come.
    pub async fn put_bytes(
        &self,
        uri: &S3Uri,
        body: Bytes,
        precondition: &Precondition,
    ) -> Result<Stored, StoreError> {
        let result = self
            .retry("write", uri.bucket(), uri, |_| {
                self.try_put(uri, body.clone(), precondition)
            })
            .await;
        match result {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && error.stats().tries > 1 => {
                match self.get_bytes(uri, body.len()).await {
                    Ok((found, version)) if found == body => Ok(Stored {
                        size: body.len() as u64,
                        version,
                    }),
                    _ => Err(error.of_precondition(precondition)),
                }
            }
            other => other.map_err(|error| error.of_precondition(precondition)),
        }
    }

    async fn try_put(
        &self,
        uri: &S3Uri,
        body: Bytes,
        precondition: &Precondition,
    ) -> Result<Stored, Failure<AttemptError>> {
        let size = body.len() as u64;
        let request = self
            .client(uri.bucket())
            .put_object()
            .bucket(uri.bucket())
            .key(uri.key())
            .set_content_type(media_type::of(uri.key()).map(str::to_owned))
            .body(ByteStream::from(body));
        let request = match precondition {
            Precondition::None => request,
            Precondition::IfAbsent => request.if_none_match("*"),
            Precondition::IfVersion(version) => request.if_match(&version.0),
        };
        let request = request.customize().disable_payload_signing();
        let answer = request.send().await.map_err(classify)?;
        Ok(Stored {
            size,
            version: answer.e_tag.map(Version),
        })
    }

    /// Stores a file.
    ///
    /// # Errors
    /// [`ErrorKind::LocalFile`] when it cannot be read or changes meanwhile, others as they come.
    pub async fn put_file(&self, uri: &S3Uri, path: &Path) -> Result<Stored, StoreError> {
        let failed = |error| {
            let what = format!("reading {} failed", path.display());
            StoreError::new("upload", uri, AttemptError::local(what, error))
        };
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let size = file.metadata().await.map_err(failed)?.len();
        let stored = self.put_stream(uri, file, Length::Exactly(size)).await?;
        if stored.size == size {
            Ok(stored)
        } else {
            Err(failed(std::io::Error::other(
                "it changed while it was read",
            )))
        }
    }

    /// Stores what a reader gives; how much that is decides the size of the parts.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for more than S3 takes, [`ErrorKind::LocalFile`] when reading fails or
    /// gives another length, others as they come. The object appears whole or not at all.
    pub async fn put_stream(
        &self,
        uri: &S3Uri,
        mut reader: impl AsyncRead + Unpin + Send,
        length: Length,
    ) -> Result<Stored, StoreError> {
        let failed = |attempt| StoreError::new("upload", uri, attempt);
        let part = length.part().map_err(failed)?;
        let first = self.fill(&mut reader, part).await.map_err(failed)?;
        if first.size() < part {
            check(length, first.size()).map_err(failed)?;
            return self
                .put_bytes(uri, first.body.clone(), &Precondition::None)
                .await;
        }
        let mut upload = Upload::create(self, uri).await?;
        match upload.send(first, reader, part, length).await {
            Ok(stored) => {
                upload.id = None;
                Ok(stored)
            }
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }
}

impl StoreError {
    /// What a failed precondition means depends on the precondition.
    fn of_precondition(self, precondition: &Precondition) -> Self {
        match (self.kind(), precondition) {
            // not found: deleted since
            (ErrorKind::AlreadyExists | ErrorKind::NotFound, Precondition::IfVersion(_)) => {
                self.told_as(AttemptError::other_version())
            }
            (ErrorKind::AlreadyExists, _) => self.told_as(AttemptError::exists()),
            _ => self,
        }
    }
}

/// A multipart upload that is open on the server until completed or aborted.
struct Upload {
    s3: S3,
    uri: S3Uri,
    id: Option<String>,
}

impl Upload {
    async fn create(s3: &S3, uri: &S3Uri) -> Result<Self, StoreError> {
        // A lost answer leaves an upload behind that nobody knows; lifecycle rules end it.
        let id = s3
            .retry("upload", uri.bucket(), uri, |_| async move {
                let answer = s3
                    .client(uri.bucket())
                    .create_multipart_upload()
                    .bucket(uri.bucket())
                    .key(uri.key())
                    .set_content_type(media_type::of(uri.key()).map(str::to_owned))
                    .checksum_algorithm(CHECKSUM)
                    .send()
                    .await
                    .map_err(classify)?;
                let nameless = || AttemptError::damaged("the server gave the upload no id");
                answer.upload_id.ok_or_else(nameless)
            })
            .await?;
        Ok(Self {
            s3: s3.clone(),
            uri: uri.clone(),
            id: Some(id),
        })
    }

    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Sends all parts and completes the upload.
    async fn send(
        &self,
        first: UploadPart,
        mut reader: impl AsyncRead + Unpin + Send,
        part: u64,
        length: Length,
    ) -> Result<Stored, StoreError> {
        let failed = |attempt| StoreError::new("upload", &self.uri, attempt);
        let mut sending = JoinSet::new();
        let mut done = Vec::new();
        let mut next = first;
        let (mut number, mut size) = (0, 0);
        while next.size() > 0 {
            number += 1;
            if number > MAX_PARTS {
                let detail = format!("it is longer than {MAX_PARTS} parts of {part} bytes");
                return Err(failed(AttemptError::new(ErrorKind::TooLarge, detail)));
            }
            size += next.size();
            let last = next.size() < part;
            let (s3, uri, id) = (self.s3.clone(), self.uri.clone(), self.id().to_owned());
            sending.spawn(send_part(s3, uri, id, number, next));
            while let Some(sent) = sending.try_join_next() {
                done.push(part_sent(&self.uri, sent)?);
            }
            if last {
                break;
            }
            next = self.s3.fill(&mut reader, part).await.map_err(failed)?;
        }
        while let Some(sent) = sending.join_next().await {
            done.push(part_sent(&self.uri, sent)?);
        }
        check(length, size).map_err(failed)?;
        done.sort_by_key(CompletedPart::part_number);
        self.complete(done, size).await
    }

    async fn complete(&self, parts: Vec<CompletedPart>, size: u64) -> Result<Stored, StoreError> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let parts = &parts;
        self.s3
            .retry("upload", self.uri.bucket(), &self.uri, |tries| async move {
                let request = self
                    .s3
                    .client(self.uri.bucket())
                    .complete_multipart_upload();
                let answer = request
                    .bucket(self.uri.bucket())
                    .key(self.uri.key())
                    .upload_id(self.id())
                    .multipart_upload(parts.clone())
                    .send()
                    .await
                    .map_err(classify);
                match answer {
                    Ok(answer) => Ok(Stored {
                        size,
                        version: answer.e_tag.map(Version),
                    }),
                    // An earlier try may have completed it and its answer got lost.
                    Err(Failure::Permanent(attempt))
                        if tries > 1 && attempt.kind == ErrorKind::NotFound =>
                    {
                        match self.s3.head(&self.uri).await {
                            Ok(head) if head.size == size => Ok(Stored {
                                size,
                                version: head.version,
                            }),
                            _ => Err(Failure::Permanent(attempt)),
                        }
                    }
                    Err(failure) => Err(failure),
                }
            })
            .await
    }

    /// Ends a failed upload; best effort, the failure itself is what is reported.
    async fn abort(mut self) {
        if let Some(id) = self.id.take() {
            abort(self.s3.clone(), self.uri.clone(), id).await;
        }
    }
}

impl Drop for Upload {
    /// Of an upload given up by dropping its future.
    fn drop(&mut self) {
        if let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(abort(self.s3.clone(), self.uri.clone(), id));
        }
    }
}

async fn abort(s3: S3, uri: S3Uri, id: String) {
    let aborted = s3
        .retry("abort the upload of", uri.bucket(), &uri, |_| {
            let request = s3.client(uri.bucket()).abort_multipart_upload();
            let request = request.bucket(uri.bucket()).key(uri.key()).upload_id(&id);
            async move { request.send().await.map(drop).map_err(classify) }
        })
        .await;
    if let Err(error) = aborted
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!("{}", explain(&error));
    }
}

async fn send_part(
    s3: S3,
    uri: S3Uri,
    id: String,
    number: u64,
    part: UploadPart,
) -> Result<CompletedPart, StoreError> {
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    s3.retry("upload", uri.bucket(), &uri, |_| {
        let request = s3.client(uri.bucket()).upload_part();
        let request = request
            .bucket(uri.bucket())
            .key(uri.key())
            .upload_id(&id)
            .part_number(number)
            .checksum_algorithm(CHECKSUM)
            .body(ByteStream::from(part.body.clone()))
            .customize()
            .disable_payload_signing();
        async move {
            let answer = request.send().await.map_err(classify)?;
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(answer.e_tag)
                .set_checksum_crc32(answer.checksum_crc32)
                .build())
        }
    })
    .await
}

fn check(length: Length, size: u64) -> Result<(), AttemptError> {
    let checked = length.check(size);
    checked.map_err(|detail| AttemptError::new(ErrorKind::LocalFile, detail))
}

/// What became of a part; its panic is ours.
fn part_sent(
    uri: &S3Uri,
    sent: Result<Result<CompletedPart, StoreError>, JoinError>,
) -> Result<CompletedPart, StoreError> {
    sent.unwrap_or_else(|error| {
        if error.is_panic() {
            std::panic::resume_unwind(error.into_panic());
        }
        let ending = AttemptError::new(ErrorKind::LocalFile, "the program is ending");
        Err(StoreError::new("upload", uri, ending))
    })
}

//! Documents of this system on S3: typed, read with a bound, written under a condition.

use std::sync::Arc;

use bytes::Bytes;
use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Layout, REFUSED_SUFFIX};
use caldp_core::messages::Messages;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::s3::{ErrorKind, Precondition, S3, Version};
use storage::store::{S3Prefix, StoreError};
use storage::uri::S3Uri;

use super::attempts::Record;
use crate::error::TriggerError;
use crate::output_root::OutputRoot;

/// The largest document of this system that is read back, in bytes.
pub const MAX_DOCUMENT: usize = 32 << 20;

/// Documents in the bucket of a deployment; cheap to clone.
#[derive(Debug, Clone)]
pub struct Documents {
    s3: S3,
    bucket: String,
}

/// A record as it was read or written.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionedRecord {
    /// The record.
    pub record: Record,
    /// The version that a change of it replaces.
    pub version: Version,
}

impl Documents {
    /// The documents in a bucket.
    pub const fn new(s3: S3, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// The client, for what is no document: listings and deletions.
    pub const fn s3(&self) -> &S3 {
        &self.s3
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// A document, if it is there.
    ///
    /// # Errors
    /// [`TriggerError::Document`] for one that is not as this system writes it.
    pub async fn read<T: DeserializeOwned>(
        &self,
        uri: &S3Uri,
    ) -> Result<Option<(T, Version)>, TriggerError> {
        let (bytes, version) = match self.s3.get_bytes(uri, MAX_DOCUMENT).await {
            Ok(found) => found,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let value = serde_json::from_slice(&bytes).map_err(|e| unreadable(uri, e.to_string()))?;
        let version = version.ok_or_else(|| without_version(uri))?;
        Ok(Some((value, version)))
    }

    /// Writes a document; none when the precondition fails.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn write<T: Serialize>(
        &self,
        uri: &S3Uri,
        value: &T,
        precondition: &Precondition,
    ) -> Result<Option<Version>, TriggerError> {
        let bytes = to_bytes(uri, value)?;
        match self.s3.put_bytes(uri, bytes, precondition).await {
            Ok(stored) => stored.version.map(Some).ok_or_else(|| without_version(uri)),
            Err(e) if lost(&e) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Writes a document, whatever is there.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn put<T: Serialize>(&self, uri: &S3Uri, value: &T) -> Result<(), TriggerError> {
        let bytes = to_bytes(uri, value)?;
        self.put_bytes(uri, bytes).await
    }

    /// Writes bytes, whatever is there.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn put_bytes(&self, uri: &S3Uri, bytes: Bytes) -> Result<(), TriggerError> {
        let stored = self.s3.put_bytes(uri, bytes, &Precondition::None).await;
        Ok(stored.map(drop)?)
    }

    /// The bytes of an object of at most `max`, if it is there.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails or the object is larger.
    pub async fn bytes(&self, uri: &S3Uri, max: usize) -> Result<Option<Bytes>, TriggerError> {
        match self.s3.get_bytes(uri, max).await {
            Ok((bytes, _)) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn exists(&self, uri: &S3Uri) -> Result<bool, TriggerError> {
        match self.s3.head(uri).await {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether a dataset has a record, a state or inputs.
    pub(crate) async fn knows(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
    ) -> Result<bool, TriggerError> {
        let seen = self.messages(root).look(dataset).await?;
        Ok(seen.current().is_some()
            || self.exists(&root.record(dataset)?).await?
            || self
                .exists(&root.join(&root.layout.inputs(dataset))?)
                .await?)
    }

    /// Deletes an object; that it is not there is no error.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn delete(&self, uri: &S3Uri) -> Result<(), TriggerError> {
        Ok(self.s3.delete(uri).await?)
    }

    /// Deletes a request that was carried out, with the refusal of an earlier one in its place.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn delete_answered(&self, uri: &S3Uri) -> Result<(), TriggerError> {
        let refusal = format!("{}{REFUSED_SUFFIX}", uri.key());
        // the request last: without it nothing is taken up again
        for key in [refusal.as_str(), uri.key()] {
            self.s3.delete(&S3Uri::new(uri.bucket(), key)?).await?;
        }
        Ok(())
    }

    /// A dataset's record.
    ///
    /// # Errors
    /// [`TriggerError::Document`] for one of another dataset or version.
    pub async fn record(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
    ) -> Result<Option<VersionedRecord>, TriggerError> {
        let uri = root.record(dataset)?;
        match self.read::<Record>(&uri).await? {
            Some((record, _)) if record.dataset != *dataset => {
                Err(unreadable(&uri, format!("it is of {}", record.dataset)))
            }
            found => Ok(found.map(|(record, version)| VersionedRecord { record, version })),
        }
    }

    /// The messages below a root.
    pub fn messages(&self, root: &OutputRoot) -> Messages {
        let store = S3Prefix::new(self.s3.clone(), root.uri.clone());
        Messages::new(Arc::new(store), root.layout)
    }

    /// A file kept for a submission, at the bucket's root.
    ///
    /// # Errors
    /// When the key is too long for S3.
    pub fn submission_file(&self, id: &BatchName, file: &str) -> Result<S3Uri, TriggerError> {
        let key = Layout::Tree.batch_control(id, file);
        Ok(S3Uri::new(&self.bucket, &key)?)
    }

    /// What an earlier run of a dataset measured, kept at the bucket's root for later batches.
    ///
    /// # Errors
    /// When the key is too long for S3.
    pub fn measured_file(&self, dataset: &Dataset) -> Result<S3Uri, TriggerError> {
        let key = Layout::Tree.control(dataset, "measured.json");
        Ok(S3Uri::new(&self.bucket, &key)?)
    }

    /// Refuses whatever is in another deployment's bucket.
    ///
    /// # Errors
    /// [`TriggerError::Foreign`]
    pub fn check_bucket(&self, bucket: &str) -> Result<(), TriggerError> {
        if bucket == self.bucket {
            return Ok(());
        }
        Err(TriggerError::Foreign {
            what: format!("bucket {bucket}"),
            ours: self.bucket.clone(),
        })
    }
}

fn to_bytes<T: Serialize>(uri: &S3Uri, value: &T) -> Result<Bytes, TriggerError> {
    let bytes = serde_json::to_vec(value).map_err(|e| unreadable(uri, e.to_string()))?;
    Ok(bytes.into())
}

/// A document that is not as this system writes it.
pub(crate) fn unreadable(uri: &S3Uri, reason: String) -> TriggerError {
    let uri = uri.clone();
    TriggerError::Document { uri, reason }
}

fn without_version(uri: &S3Uri) -> TriggerError {
    unreadable(uri, "the server gives it no ETag".to_owned())
}

/// A document that others kept changing.
pub(crate) fn contended(uri: &S3Uri) -> TriggerError {
    TriggerError::Contended { uri: uri.clone() }
}

/// Whether a conditional write lost against another. S3 answers 404 when the object that was to
/// be of a version is gone, and 409 while two conditional writes race.
fn lost(error: &StoreError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AlreadyExists | ErrorKind::Changed | ErrorKind::NotFound
    )
}

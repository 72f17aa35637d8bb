//! Deleting objects, one or many.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::S3;
use super::classify::{self, classify};
use crate::error::{AttemptError, ErrorKind, StoreError};
use crate::retry::Failure;
use crate::uri::S3Uri;

/// The most keys S3 deletes in one request.
const DELETE_BATCH: usize = 1000;

impl S3 {
    /// Deletes an object; that there is none is no error.
    ///
    /// # Errors
    /// As they come.
    pub async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError> {
        self.retry("delete", uri.bucket(), uri, |_| async move {
            self.client(uri.bucket())
                .delete_object()
                .bucket(uri.bucket())
                .key(uri.key())
                .send()
                .await
                .map_err(classify)?;
            Ok(())
        })
        .await
    }

    /// Deletes any number of objects of a bucket, a thousand with each request.
    ///
    /// # Errors
    /// The first failure; what was deleted before stays deleted.
    pub async fn delete_many(&self, bucket: &str, keys: &[String]) -> Result<(), StoreError> {
        for batch in keys.chunks(DELETE_BATCH) {
            let place = format!("{} objects of s3://{bucket}", batch.len());
            self.retry("delete", bucket, &place, |_| {
                self.try_delete_batch(bucket, batch)
            })
            .await?;
        }
        Ok(())
    }

    async fn try_delete_batch(
        &self,
        bucket: &str,
        keys: &[String],
    ) -> Result<(), Failure<AttemptError>> {
        let invalid = |error: aws_sdk_s3::error::BuildError| {
            Failure::Permanent(AttemptError::because(ErrorKind::Invalid, error))
        };
        let mut delete = Delete::builder().quiet(true);
        for key in keys {
            delete = delete.objects(
                ObjectIdentifier::builder()
                    .key(key)
                    .build()
                    .map_err(invalid)?,
            );
        }
        let answer = self
            .client(bucket)
            .delete_objects()
            .bucket(bucket)
            .delete(delete.build().map_err(invalid)?)
            .send()
            .await
            .map_err(classify)?;
        match answer.errors().first() {
            None => Ok(()),
            Some(error) => Err(classify::deletion(
                error.key().unwrap_or_default(),
                error.code(),
                error.message(),
            )),
        }
    }
}

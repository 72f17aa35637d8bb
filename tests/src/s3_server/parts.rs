//! An object made of the parts of a multipart upload.

use std::sync::Arc;
use std::time::SystemTime;

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, CompletedPart, ETag};
use s3s::{S3Result, s3_error};

use super::objects::{Object, Upload};

/// No part of a multipart upload but the last may be smaller.
const MIN_PART: u64 = 5 * 1024 * 1024;

impl Upload {
    /// The object of the listed parts, if they are as they were uploaded.
    pub(super) fn assemble(&mut self, listed: &[CompletedPart]) -> S3Result<Object> {
        let mut segments = Vec::new();
        let mut md5 = Md5::new();
        let mut last = 0;
        for (position, part) in listed.iter().enumerate() {
            let number = part.part_number.unwrap_or_default();
            if number <= last {
                return Err(s3_error!(InvalidPartOrder));
            }
            last = number;
            let (blob, etag) = self
                .parts
                .get(&number)
                .ok_or_else(|| s3_error!(InvalidPart))?;
            if part.e_tag.as_ref().map(ETag::value) != Some(etag) {
                return Err(s3_error!(InvalidPart));
            }
            if !self.with_checksums && has_checksum(part) {
                return Err(s3_error!(
                    InvalidPart,
                    "the upload was begun without checksums"
                ));
            }
            if position + 1 < listed.len() && blob.len() < MIN_PART {
                return Err(s3_error!(EntityTooSmall));
            }
            md5.update(etag.as_bytes());
            segments.push(Arc::clone(blob));
        }
        if segments.is_empty() {
            return Err(s3_error!(MalformedXML, "no parts"));
        }
        Ok(Object {
            size: segments.iter().map(|blob| blob.len()).sum(),
            etag: format!("{}-{}", hex::encode(md5.finalize()), segments.len()),
            segments: segments.into(),
            modified: SystemTime::now(),
            metadata: self.metadata.take(),
            content_type: self.content_type.take(),
            checksum: Checksum::default(),
        })
    }
}

fn has_checksum(part: &CompletedPart) -> bool {
    part.checksum_crc32.is_some()
        || part.checksum_crc32c.is_some()
        || part.checksum_crc64nvme.is_some()
        || part.checksum_sha1.is_some()
        || part.checksum_sha256.is_some()
}

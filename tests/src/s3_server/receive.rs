//! Taking the body of a request: whole, with the checksum it claims, or not at all.

use futures_util::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, ChecksumAlgorithm, StreamingBlob};
use s3s::{S3Result, TrailingHeaders, s3_error};

use super::internal;
use super::objects::{Blob, Objects};

/// What a request says of its body.
pub(super) struct Claimed {
    pub(super) checksum: Checksum,
    pub(super) algorithm: Option<ChecksumAlgorithm>,
    pub(super) length: Option<i64>,
}

pub(super) struct Received {
    pub(super) blob: Blob,
    pub(super) md5: String,
    pub(super) checksum: Checksum,
}

impl Objects {
    /// Takes a body whole and checks it; nothing is kept of one that is short or damaged.
    pub(super) async fn receive(
        &self,
        body: Option<StreamingBlob>,
        mut claimed: Claimed,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<Received> {
        let algorithm = claimed.algorithm.as_ref().map(ChecksumAlgorithm::as_str);
        let wanted =
            |field: &Option<String>, name: &str| field.is_some() || algorithm == Some(name);
        let mut hasher = ChecksumHasher {
            crc32: wanted(&claimed.checksum.checksum_crc32, "CRC32").then(Default::default),
            crc32c: wanted(&claimed.checksum.checksum_crc32c, "CRC32C").then(Default::default),
            crc64nvme: wanted(&claimed.checksum.checksum_crc64nvme, "CRC64NVME")
                .then(Default::default),
            sha1: wanted(&claimed.checksum.checksum_sha1, "SHA1").then(Default::default),
            sha256: wanted(&claimed.checksum.checksum_sha256, "SHA256").then(Default::default),
        };
        let mut md5 = Md5::new();
        let mut writer = self.writer();
        if let Some(mut body) = body {
            while let Some(chunk) = body.next().await {
                let chunk = chunk.map_err(|_| s3_error!(IncompleteBody))?;
                md5.update(&chunk);
                hasher.update(&chunk);
                writer.write(&chunk).await.map_err(internal)?;
            }
        }
        let blob = writer.finish().await.map_err(internal)?;
        if claimed
            .length
            .is_some_and(|length| u64::try_from(length) != Ok(blob.len()))
        {
            return Err(s3_error!(IncompleteBody));
        }
        if let Some(headers) = trailers.and_then(|trailers| trailers.take()) {
            let get = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
            let sums = &mut claimed.checksum;
            for (field, name) in [
                (&mut sums.checksum_crc32, "x-amz-checksum-crc32"),
                (&mut sums.checksum_crc32c, "x-amz-checksum-crc32c"),
                (&mut sums.checksum_crc64nvme, "x-amz-checksum-crc64nvme"),
                (&mut sums.checksum_sha1, "x-amz-checksum-sha1"),
                (&mut sums.checksum_sha256, "x-amz-checksum-sha256"),
            ] {
                *field = get(name).or(field.take());
            }
        }
        let found = hasher.finalize();
        if found != claimed.checksum {
            return Err(s3_error!(BadDigest, "the body has another checksum"));
        }
        Ok(Received {
            blob,
            md5: hex::encode(md5.finalize()),
            checksum: found,
        })
    }
}

//! The S3 operations, each as the API reference describes it.

use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Checksum, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::conditions::{check_read, check_write};
use super::listing::list;
use super::objects::{Index, Object, Objects, Upload, body};
use super::receive::Claimed;
use super::{Backend, internal, lock};

const MAX_PARTS: i32 = 10_000;
const MAX_DELETES: usize = 1000;

/// What a request for a body says of it.
macro_rules! claimed {
    ($input:ident) => {
        Claimed {
            checksum: Checksum {
                checksum_crc32: $input.checksum_crc32,
                checksum_crc32c: $input.checksum_crc32c,
                checksum_crc64nvme: $input.checksum_crc64nvme,
                checksum_sha1: $input.checksum_sha1,
                checksum_sha256: $input.checksum_sha256,
                ..Checksum::default()
            },
            algorithm: $input.checksum_algorithm,
            length: $input.content_length,
        }
    };
}

#[async_trait::async_trait]
impl S3 for Backend {
    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        bucket(&mut lock(&self.index), &req.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let object = self.find(&input.bucket, &input.key)?;
        check_read(
            &object,
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        let (range, content_range) = match input.range {
            None => (0..object.size, None),
            Some(range) => {
                let range = range.check(object.size)?;
                let text = format!("bytes {}-{}/{}", range.start, range.end - 1, object.size);
                (range, Some(text))
            }
        };
        let length = i64::try_from(range.end - range.start).map_err(internal)?;
        let checksum = if content_range.is_none() && input.checksum_mode.is_some() {
            object.checksum.clone()
        } else {
            Checksum::default()
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(length),
            content_range,
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            metadata: object.metadata.clone(),
            content_type: object.content_type.clone(),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            body: Some(body(object, range)),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let object = self.find(&input.bucket, &input.key)?;
        check_read(
            &object,
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(i64::try_from(object.size).map_err(internal)?),
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(object.modified.into()),
            metadata: object.metadata,
            content_type: object.content_type,
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let trailers = req.trailing_headers;
        let input = req.input;
        bucket(&mut lock(&self.index), &input.bucket)?;
        let claimed = claimed!(input);
        let received = self.receive(input.body, claimed, trailers).await?;
        let object = Object {
            size: received.blob.len(),
            segments: Arc::from([Arc::new(received.blob)]),
            etag: received.md5,
            modified: SystemTime::now(),
            metadata: input.metadata,
            content_type: input.content_type,
            checksum: received.checksum.clone(),
        };
        let etag = object.etag.clone();
        {
            let mut index = lock(&self.index);
            let keys = bucket(&mut index, &input.bucket)?;
            let old = keys.get(&input.key);
            check_write(old, input.if_match.as_ref(), input.if_none_match.as_ref())?;
            keys.insert(input.key, object);
        }
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            checksum_crc32: received.checksum.checksum_crc32,
            checksum_crc64nvme: received.checksum.checksum_crc64nvme,
            ..PutObjectOutput::default()
        }))
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        let CopySource::Bucket {
            bucket: from, key, ..
        } = &input.copy_source
        else {
            return Err(s3_error!(NotImplemented));
        };
        let object = Object {
            modified: SystemTime::now(),
            ..self.find(from, key)?
        };
        let result = CopyObjectResult {
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            ..CopyObjectResult::default()
        };
        bucket(&mut lock(&self.index), &input.bucket)?.insert(input.key, object);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            ..CopyObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        bucket(&mut lock(&self.index), &req.input.bucket)?.remove(&req.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let objects = req.input.delete.objects;
        if objects.len() > MAX_DELETES {
            return Err(s3_error!(MalformedXML, "more than 1000 keys"));
        }
        let mut index = lock(&self.index);
        let keys = bucket(&mut index, &req.input.bucket)?;
        let mut deleted = Vec::new();
        for object in objects {
            keys.remove(&object.key);
            deleted.push(DeletedObject {
                key: Some(object.key),
                ..DeletedObject::default()
            });
        }
        let quiet = req.input.delete.quiet.unwrap_or_default();
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let mut index = lock(&self.index);
        let keys = bucket(&mut index, &input.bucket)?;
        Ok(S3Response::new(list(keys, input)))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        let id = format!("upload-{}", self.number());
        let mut index = lock(&self.index);
        bucket(&mut index, &input.bucket)?;
        let upload = Upload {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            content_type: input.content_type,
            metadata: input.metadata,
            with_checksums: input.checksum_algorithm.is_some(),
            ..Upload::default()
        };
        index.uploads.insert(id.clone(), upload);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let trailers = req.trailing_headers;
        let input = req.input;
        if !(1..=MAX_PARTS).contains(&input.part_number) {
            return Err(s3_error!(InvalidArgument, "part numbers are 1 to 10000"));
        }
        upload(&mut lock(&self.index), &input.upload_id)?;
        let claimed = claimed!(input);
        let received = self.receive(input.body, claimed, trailers).await?;
        let part = (Arc::new(received.blob), received.md5.clone());
        upload(&mut lock(&self.index), &input.upload_id)?
            .parts
            .insert(input.part_number, part);
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(received.md5)),
            checksum_crc32: received.checksum.checksum_crc32,
            checksum_crc64nvme: received.checksum.checksum_crc64nvme,
            ..UploadPartOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let mut index = lock(&self.index);
        let upload = upload(&mut index, &input.upload_id)?;
        let parts = input.multipart_upload.and_then(|listed| listed.parts);
        let object = upload.assemble(&parts.unwrap_or_default())?;
        let (name, key) = (upload.bucket.clone(), upload.key.clone());
        let keys = bucket(&mut index, &name)?;
        check_write(
            keys.get(&key),
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        let etag = object.etag.clone();
        keys.insert(key.clone(), object);
        index.uploads.remove(&input.upload_id);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(name),
            key: Some(key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let mut index = lock(&self.index);
        upload(&mut index, &req.input.upload_id)?;
        index.uploads.remove(&req.input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

impl Objects {
    fn find(&self, name: &str, key: &str) -> S3Result<Object> {
        bucket(&mut lock(&self.index), name)?
            .get(key)
            .cloned()
            .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }
}

fn bucket<'a>(
    index: &'a mut Index,
    name: &str,
) -> S3Result<&'a mut std::collections::BTreeMap<String, Object>> {
    index
        .buckets
        .get_mut(name)
        .ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
}

fn upload<'a>(index: &'a mut Index, id: &str) -> S3Result<&'a mut Upload> {
    index
        .uploads
        .get_mut(id)
        .ok_or_else(|| s3_error!(NoSuchUpload))
}

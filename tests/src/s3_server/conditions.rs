//! Conditions on the `ETag` of an object: `If-Match` and `If-None-Match` of reads and writes.

use s3s::dto::ETagCondition;
use s3s::{S3Result, s3_error};

use super::objects::Object;

fn matches(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

pub(super) fn check_read(
    object: &Object,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if if_match.is_some_and(|condition| !matches(condition, object)) {
        return Err(s3_error!(PreconditionFailed));
    }
    if if_none_match.is_some_and(|condition| matches(condition, object)) {
        return Err(s3_error!(NotModified));
    }
    Ok(())
}

pub(super) fn check_write(
    old: Option<&Object>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    match (old, if_match) {
        (None, Some(_)) => return Err(s3_error!(NoSuchKey)),
        (Some(old), Some(condition)) if !matches(condition, old) => {
            return Err(s3_error!(PreconditionFailed));
        }
        _ => {}
    }
    match (old, if_none_match) {
        (Some(old), Some(condition)) if matches(condition, old) => {
            Err(s3_error!(PreconditionFailed))
        }
        _ => Ok(()),
    }
}

//! Objects that were created, as S3 notifications and as `EventBridge` tell of them.

use serde_json::Value;

use super::{EventError, RecordFields, quoted};

/// An object that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The same for every delivery of the same creation and no other.
    pub origin: String,
}

/// A record of an S3 notification. Only what is needed is read: emulators of S3, and S3 itself in
/// tests of a notification, leave out fields that AWS documents.
pub(super) fn notified_object(record: &Value) -> Result<Created, EventError> {
    let malformed = |reason: String| EventError::Malformed { kind: "S3", reason };
    let fields = RecordFields { kind: "S3", record };
    let name = fields.text("/eventName").unwrap_or_default();
    if !name.starts_with("ObjectCreated:") && !name.starts_with("s3:ObjectCreated:") {
        return Err(malformed(format!(
            "it reports {:?}, only ObjectCreated is acted on",
            quoted(name)
        )));
    }
    let bucket = fields.required("/s3/bucket/name")?;
    let encoded = fields.required("/s3/object/key")?;
    let key = decode_key(encoded).ok_or_else(|| {
        malformed(format!(
            "its key {:?} is not URL-encoded UTF-8",
            quoted(encoded)
        ))
    })?;
    // The sequencer is unique among the creations of one key; the rest stands in where it is absent.
    let mark = fields
        .text("/s3/object/sequencer")
        .or_else(|| fields.text("/s3/object/versionId"))
        .map(str::to_owned);
    let mark = if let Some(mark) = mark {
        mark
    } else {
        let tag = fields.text("/s3/object/eTag").unwrap_or_default();
        format!("{}-{tag}", fields.required("/eventTime")?)
    };
    Ok(created(bucket, &key, &mark))
}

/// The S3 event `EventBridge` delivers: keys are not encoded there.
pub(super) fn bridged_object(event: &Value) -> Result<Created, EventError> {
    let fields = RecordFields {
        kind: "S3 Object Created",
        record: event,
    };
    let bucket = fields.required("/detail/bucket/name")?;
    let key = fields.required("/detail/object/key")?;
    let mark = fields
        .text("/detail/object/sequencer")
        .or_else(|| fields.text("/detail/object/version-id"));
    let mark = mark.map_or_else(|| fields.required("/id"), Ok)?;
    Ok(created(bucket, key, mark))
}

fn created(bucket: &str, key: &str, mark: &str) -> Created {
    Created {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        origin: format!("{bucket}/{key}#{mark}"),
    }
}

/// A key as S3 notifications encode it: `+` for space, `%XX` for bytes.
pub(super) fn decode_key(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

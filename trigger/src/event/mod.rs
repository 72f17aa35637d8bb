//! What is this? One event of AWS Lambda, told apart by its own shape.
//!
//! Nothing is done here and nothing is guessed: an event of no known shape is an error that says
//! what was looked for. What the parts mean is for [`job_event`] (job state changes), `order` (direct
//! invocations) and the layout (keys).

pub(crate) mod detail;
pub mod evidence;
pub mod job_event;

mod reasons;

use std::borrow::Cow;

use serde_json::Value;
use storage::hint::Hint;

/// One event, classified.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A direct invocation with the order of a batch.
    Direct(Value),
    /// Objects were created.
    Objects(Vec<Created>),
    /// A job changed its state: the event's whole document, for [`job_event`].
    Job(Value),
    /// The clock.
    Schedule,
    /// Messages of a queue, each wrapping an event.
    Queue(Vec<Queued>),
    /// S3 tried out a new notification.
    Test,
}

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

/// A message of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The id the queue knows it by.
    pub id: String,
    /// The wrapped event.
    pub body: String,
}

/// An event that is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// No known shape.
    #[error("the event is of no known kind: {0}")]
    Unknown(String),
    /// A known shape with a part missing or wrong.
    #[error("the {kind} event cannot be read: {reason}")]
    Malformed {
        /// What it looked like.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Hint for EventError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Unknown(_) => Some(
                "known are {\"datasets\": ...}, S3 object created, Batch Job State Change, a schedule, \
                 and SQS messages with one of these"
                    .into(),
            ),
            Self::Malformed { .. } => None,
        }
    }
}

/// The longest list of keys an error repeats.
const QUOTED: usize = 200;

/// Tells an event by its shape.
///
/// # Errors
/// [`EventError`] for anything that is not one of the kinds of [`Event`].
pub fn classify(event: Value) -> Result<Event, EventError> {
    let Value::Object(fields) = &event else {
        return Err(EventError::Unknown("it is not a JSON object".to_owned()));
    };
    if let Some(records) = fields.get("Records") {
        return classify_records(records);
    }
    if fields.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Event::Test);
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    match (text("source"), text("detail-type")) {
        (Some("aws.batch"), Some("Batch Job State Change")) => Ok(Event::Job(event)),
        (Some("aws.s3"), Some("Object Created")) => {
            bridged_object(&event).map(|created| Event::Objects(vec![created]))
        }
        (Some("aws.events" | "aws.scheduler"), Some("Scheduled Event")) => Ok(Event::Schedule),
        (Some(source), Some(kind)) => Err(EventError::Unknown(quoted(&format!(
            "source {source:?}, detail-type {kind:?}"
        )))),
        _ if fields.contains_key("datasets") => Ok(Event::Direct(event)),
        _ => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            Err(EventError::Unknown(quoted(&format!(
                "its fields are {names:?}"
            ))))
        }
    }
}

fn classify_records(records: &Value) -> Result<Event, EventError> {
    let malformed = |reason: &str| EventError::Malformed {
        kind: "Records",
        reason: reason.to_owned(),
    };
    let records = records
        .as_array()
        .filter(|r| !r.is_empty())
        .ok_or_else(|| malformed("Records is not a list of at least one record"))?;
    let source = |record: &Value| {
        record
            .get("eventSource")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let first = records.first().and_then(source);
    if records.iter().any(|r| source(r) != first) {
        return Err(malformed("its records come from different sources"));
    }
    match first.as_deref() {
        Some("aws:s3") => records
            .iter()
            .map(notified_object)
            .collect::<Result<_, _>>()
            .map(Event::Objects),
        Some("aws:sqs") => records
            .iter()
            .map(queued)
            .collect::<Result<_, _>>()
            .map(Event::Queue),
        other => Err(EventError::Unknown(quoted(&format!(
            "its records have eventSource {other:?}"
        )))),
    }
}

/// A record of an S3 notification. Only what is needed is read: emulators of S3, and S3 itself in
/// tests of a notification, leave out fields that AWS documents.
fn notified_object(record: &Value) -> Result<Created, EventError> {
    let malformed = |reason: String| EventError::Malformed { kind: "S3", reason };
    let fields = Record { kind: "S3", record };
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
fn bridged_object(event: &Value) -> Result<Created, EventError> {
    let fields = Record {
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

/// A record of which parts are read, by their JSON pointers.
struct Record<'a> {
    kind: &'static str,
    record: &'a Value,
}

impl<'a> Record<'a> {
    /// A text; an empty one is as good as none.
    fn text(&self, pointer: &str) -> Option<&'a str> {
        let text = self.record.pointer(pointer).and_then(Value::as_str);
        text.filter(|t| !t.is_empty())
    }

    fn required(&self, pointer: &str) -> Result<&'a str, EventError> {
        self.text(pointer).ok_or_else(|| EventError::Malformed {
            kind: self.kind,
            reason: format!("it has no {pointer}"),
        })
    }
}

fn queued(record: &Value) -> Result<Queued, EventError> {
    let fields = Record {
        kind: "SQS",
        record,
    };
    Ok(Queued {
        id: fields.required("/messageId")?.to_owned(),
        // A message without a body fails alone, later: the others are still worth their while.
        body: fields.text("/body").unwrap_or_default().to_owned(),
    })
}

/// A key as S3 notifications encode it: `+` for space, `%XX` for bytes.
fn decode_key(encoded: &str) -> Option<String> {
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

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn s3_record(key: &str) -> Value {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventTime": "2026-03-01T00:00:00.000Z",
            "eventName": "ObjectCreated:Put", "userIdentity": {}, "requestParameters": {},
            "s3": {"bucket": {"name": "hst-out"}, "object": {"key": key, "size": 1, "sequencer": "0A"}},
        })
    }

    #[test]
    fn keys_arrive_encoded_from_s3_and_plain_from_eventbridge() {
        let event = json!({"Records": [s3_record("batches/spring+2026%28a%29.ids")]});
        let Event::Objects(objects) = classify(event).unwrap() else {
            unreachable!()
        };
        let created = objects.first().unwrap();
        assert_eq!(created.key, "batches/spring 2026(a).ids");
        assert_eq!(created.origin, "hst-out/batches/spring 2026(a).ids#0A");
        let event = json!({
            "source": "aws.s3", "detail-type": "Object Created", "id": "1",
            "detail": {"bucket": {"name": "hst-out"}, "object": {"key": "batches/a+b.ids", "sequencer": "0B"}},
        });
        let Event::Objects(objects) = classify(event).unwrap() else {
            unreachable!()
        };
        assert_eq!(objects.first().unwrap().key, "batches/a+b.ids");
    }

    /// What moto and `LocalStack` send: no identity, no request parameters, no sequencer.
    #[test]
    fn a_notification_needs_only_what_is_used() {
        let record = |time: &str| {
            json!({"Records": [{
                "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                "eventTime": time, "eventName": "ObjectCreated:Put",
                "s3": {
                    "s3SchemaVersion": "1.0", "configurationId": "batches",
                    "bucket": {"name": "hst-out", "arn": "arn:aws:s3:::hst-out"},
                    "object": {"key": "batches/a.ids", "eTag": "0cc1", "size": 10},
                },
            }]})
        };
        let origin = |event: Value| match classify(event).unwrap() {
            Event::Objects(objects) => objects.first().unwrap().origin.clone(),
            other => unreachable!("{other:?}"),
        };
        let first = origin(record("2026-03-01T00:00:00.000Z"));
        assert_eq!(first, origin(record("2026-03-01T00:00:00.000Z")));
        assert_ne!(first, origin(record("2026-03-01T00:00:01.000Z")));
    }

    #[test]
    fn an_event_that_does_not_say_what_it_is_about_names_what_is_missing() {
        for (pointer, missing) in [
            ("/s3/bucket/name", "bucket"),
            ("/s3/object/key", "key"),
            ("/eventName", "ObjectCreated"),
        ] {
            let mut record = s3_record("batches/a.ids");
            *record.pointer_mut(pointer).unwrap() = json!(7);
            let error = classify(json!({"Records": [record]})).unwrap_err();
            assert!(error.to_string().contains(missing), "{error}");
        }
        let mut record = s3_record("batches/a.ids");
        *record.pointer_mut("/s3/object/sequencer").unwrap() = json!(null);
        *record.get_mut("eventTime").unwrap() = json!(null);
        let error = classify(json!({"Records": [record]})).unwrap_err();
        assert!(error.to_string().contains("eventTime"), "{error}");
    }

    #[test]
    fn every_kind_is_told() {
        let kinds = [
            (json!({"datasets": "j8cb010b0"}), "direct"),
            (
                json!({"source": "aws.batch", "detail-type": "Batch Job State Change"}),
                "job",
            ),
            (
                json!({"source": "aws.events", "detail-type": "Scheduled Event"}),
                "schedule",
            ),
            (
                json!({"source": "aws.scheduler", "detail-type": "Scheduled Event"}),
                "schedule",
            ),
            (
                json!({"Service": "Amazon S3", "Event": "s3:TestEvent"}),
                "test",
            ),
            (
                json!({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": "{}"}]}),
                "queue",
            ),
        ];
        for (event, kind) in kinds {
            let told = match classify(event).unwrap() {
                Event::Direct(_) => "direct",
                Event::Objects(_) => "objects",
                Event::Job(_) => "job",
                Event::Schedule => "schedule",
                Event::Queue(_) => "queue",
                Event::Test => "test",
            };
            assert_eq!(told, kind);
        }
    }

    #[test]
    fn anything_else_is_a_clear_error() {
        let mut removed = s3_record("x");
        *removed.get_mut("eventName").unwrap() = json!("ObjectRemoved:Delete");
        for event in [
            json!(null),
            json!([1]),
            json!({}),
            json!({"Records": []}),
            json!({"Records": 3}),
            json!({"Records": [{"eventSource": "aws:sns"}]}),
            json!({"Records": [{}]}),
            json!({"Records": [s3_record("a"), {"eventSource": "aws:sqs"}]}),
            json!({"Records": [removed]}),
            json!({"Records": [s3_record("%zz")]}),
            json!({"Records": [s3_record("%ff")]}),
            json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"}),
            json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {}}),
            json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}),
        ] {
            let text = classify(event.clone()).unwrap_err().to_string();
            assert!(text.contains("event"), "{event}: {text}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_key_decodes_to_itself(key in "[ -~é]{0,40}") {
            let encoded: String = key.bytes().map(|b| match b {
                b' ' => "+".to_owned(),
                b if b.is_ascii_alphanumeric() || b"/-_.".contains(&b) => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            }).collect();
            prop_assert_eq!(decode_key(&encoded).unwrap(), key);
        }
    }
}

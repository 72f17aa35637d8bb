//! What is this? One event of AWS Lambda, told apart by its own shape.
//!
//! Nothing is done here and nothing is guessed: an event of no known shape is an error that says
//! what was looked for. What the parts mean is for [`job_event`] (job state changes), `order` (direct
//! invocations) and the layout (keys).

pub mod detail;
pub mod evidence;
pub mod job_event;
pub mod objects;

mod reasons;

use std::borrow::Cow;

use serde_json::Value;
use storage::hint::Hint;

use objects::{Created, bridged_object, notified_object};

/// One event, classified.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A direct invocation with the order of a batch.
    Direct(Value),
    /// Objects were created; each record is one, or makes no sense by itself.
    Objects(Vec<Result<Created, EventError>>),
    /// A job changed its state: the event's whole document, for [`job_event`].
    Job(Value),
    /// The clock.
    Schedule,
    /// Messages of a queue, each wrapping an event.
    Queue(Vec<Queued>),
    /// S3 tried out a new notification.
    Test,
}

/// A message of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The id the queue knows it by.
    pub id: String,
    /// The wrapped event.
    pub body: String,
    /// What the queue knows this delivery of it by.
    pub receipt: Option<String>,
    /// The ARN of the queue.
    pub queue: Option<String>,
    /// How often it was delivered, this time included.
    pub received: u32,
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
            Ok(Event::Objects(vec![bridged_object(&event)]))
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
        Some("aws:s3") => Ok(Event::Objects(
            records.iter().map(notified_object).collect(),
        )),
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

/// A record of which parts are read, by their JSON pointers.
struct RecordFields<'a> {
    kind: &'static str,
    record: &'a Value,
}

impl<'a> RecordFields<'a> {
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
    let fields = RecordFields {
        kind: "SQS",
        record,
    };
    let received = fields.text("/attributes/ApproximateReceiveCount");
    Ok(Queued {
        id: fields.required("/messageId")?.to_owned(),
        receipt: fields.text("/receiptHandle").map(str::to_owned),
        queue: fields.text("/eventSourceARN").map(str::to_owned),
        received: received.and_then(|n| n.parse().ok()).unwrap_or(1),
        // A message without a body fails alone, later: the others are still worth their while.
        body: fields.text("/body").unwrap_or_default().to_owned(),
    })
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;

//! Every kind of event is told, and what is none is a clear error.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;

use super::objects::decode_key;
use super::*;

fn s3_record(key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventTime": "2026-03-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put", "userIdentity": {}, "requestParameters": {},
        "s3": {"bucket": {"name": "hst-out"}, "object": {"key": key, "size": 1, "sequencer": "0A"}},
    })
}

/// Why an event, or its first object, makes no sense.
fn first_error(event: Value) -> EventError {
    match classify(event) {
        Err(error) => error,
        Ok(Event::Objects(objects)) => objects.into_iter().find_map(Result::err).unwrap(),
        Ok(other) => unreachable!("{other:?}"),
    }
}

#[test]
fn keys_arrive_encoded_from_s3_and_plain_from_eventbridge() {
    let event = json!({"Records": [s3_record("batches/spring+2026%28a%29.ids")]});
    let Event::Objects(objects) = classify(event).unwrap() else {
        unreachable!()
    };
    let created = objects.first().unwrap().as_ref().unwrap();
    assert_eq!(created.key, "batches/spring 2026(a).ids");
    assert_eq!(created.origin, "hst-out/batches/spring 2026(a).ids#0A");
    let event = json!({
        "source": "aws.s3", "detail-type": "Object Created", "id": "1",
        "detail": {"bucket": {"name": "hst-out"}, "object": {"key": "batches/a+b.ids", "sequencer": "0B"}},
    });
    let Event::Objects(objects) = classify(event).unwrap() else {
        unreachable!()
    };
    let created = objects.first().unwrap().as_ref().unwrap();
    assert_eq!(created.key, "batches/a+b.ids");
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
        Event::Objects(objects) => objects.first().unwrap().as_ref().unwrap().origin.clone(),
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
        let error = first_error(json!({"Records": [record]}));
        assert!(error.to_string().contains(missing), "{error}");
    }
    let mut record = s3_record("batches/a.ids");
    *record.pointer_mut("/s3/object/sequencer").unwrap() = json!(null);
    *record.get_mut("eventTime").unwrap() = json!(null);
    let error = first_error(json!({"Records": [record]}));
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
        let text = first_error(event.clone()).to_string();
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

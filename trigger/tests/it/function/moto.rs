//! Batches of every size against S3 and AWS Batch as somebody else wrote them.

use std::time::Instant;

use caldp_core::dataset::Dataset;
use caldp_tests::{
    BatchFault, BatchServer, DEFINITIONS, LambdaFunction, Moto, QUEUES, external_data,
    long_variants,
};
use serde_json::json;

use super::function;
use crate::world::{BUCKET, FannedOut, created, lines, names};

fn deployed() -> (Moto, LambdaFunction) {
    let moto = Moto::start();
    moto.create_bucket(BUCKET);
    moto.create_batch(&QUEUES, &DEFINITIONS);
    let function = function(moto.environment(), &[]);
    (moto, function)
}

/// The list is put into the bucket, its notification delivered twice.
fn submit(moto: &Moto, function: &LambdaFunction, list: &str, expected: &[Dataset]) {
    let count = expected.len();
    let key = format!("batches/list-of-{count}.ids");
    moto.put(BUCKET, &key, list);
    let begin = Instant::now();
    let answer = function
        .invoke(&format!("one {count}"), created(&key, "1"))
        .answer();
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!(answer["submitted"], count, "{answer}");
    let batch = answer["batch"].as_str().unwrap();
    let root = format!("data/{batch}/");
    let seen = FannedOut::of_moto(moto, &root);
    seen.assert_fanned_out(&root, batch, expected);
    let jobs = seen.job_count();
    eprintln!("{count} datasets against moto: {seconds:.1} s, {jobs} jobs");
    let again = function
        .invoke(&format!("two {count}"), created(&key, "1"))
        .answer();
    assert_eq!(again, answer);
    assert_eq!(FannedOut::of_moto(moto, &root).job_count(), jobs);
}

/// Small batches become single jobs, large ones an array for each memory bin.
#[test]
fn batches_of_every_size_fan_out() {
    let (moto, function) = deployed();
    for count in [12, 250] {
        submit(&moto, &function, &lines(&names(count)), &names(count));
    }
    for count in [8, 100, 1000, 10_000] {
        let what = format!("the real list of {count} against moto");
        if count > 1000 && !long_variants(&what) {
            continue;
        }
        if let Some(path) = external_data(&format!("data/batches/mvp-{count}.ids"), &what) {
            let list = std::fs::read_to_string(path).unwrap();
            let datasets = caldp_trigger::order::dataset_list::from_text(&list).unwrap();
            assert_eq!(datasets.len(), count);
            submit(&moto, &function, &list, &datasets);
        }
    }
}

/// A message that failed is not left to the queue's visibility timeout of hours.
#[test]
fn a_message_that_failed_comes_back_soon() {
    let moto = Moto::start();
    moto.create_bucket(BUCKET);
    moto.put(BUCKET, "batches/list.ids", "j8cb010b0\n");
    let batch = BatchServer::start();
    batch.set_faults(1, &[BatchFault::InternalError], 1);
    let mut aws = moto.environment();
    aws.push(("AWS_ENDPOINT_URL_BATCH", batch.endpoint()));
    let function = function(aws, &[("CALDP_LEASE_SECONDS", "5")]);
    let event = created("batches/list.ids", "1").to_string();
    let receipt = moto.queue_and_receive("events", &event);
    let message = json!({"Records": [{
        "messageId": "m1", "receiptHandle": receipt, "body": event, "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:events",
        "attributes": {"ApproximateReceiveCount": "2"},
    }]});
    let answer = function.invoke("queue", message).answer();
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "m1");
    let log = function.log();
    let comes_back = r#""message":"the message comes back","seconds":180"#;
    assert!(log.contains(comes_back), "{log}");
}

#[test]
fn lists_are_as_people_write_them() {
    let (moto, function) = deployed();
    let list = "# visits 01 to 03\r\n\r\nJ8CB010B0\r\n  j8cb010b1  # again\r\nj8CB010B0\r\n\nLCYID1030\n\n# end";
    let expected = ["j8cb010b0", "j8cb010b1", "lcyid1030"].map(|n| n.parse().unwrap());
    submit(&moto, &function, list, &expected);
}

#[test]
fn one_bad_name_and_nothing_is_submitted() {
    let (moto, function) = deployed();
    moto.put(
        BUCKET,
        "batches/bad.ids",
        "j8cb010b0\n# fine so far\nj8cb\nlcyid1030\nu2ab0101t\n",
    );
    let (kind, message) = function
        .invoke("a", created("batches/bad.ids", "1"))
        .error();
    assert_eq!(kind, "Order");
    for part in ["line 3", "j8cb", "line 5", "u2ab0101t"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(QUEUES.iter().all(|queue| moto.jobs(queue).is_empty()));
    let answered = ["batches/bad.ids", "batches/bad.ids.refused"];
    assert_eq!(moto.keys(BUCKET, ""), answered);
}

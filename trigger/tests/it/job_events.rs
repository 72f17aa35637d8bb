//! Jobs end: what becomes of datasets, on S3 and at AWS Batch.

use caldp_tests::World;
use std::sync::Arc;
use std::time::Duration;

use crate::world::story::{
    EXITED, OOM, ask, attempts, job_of, last_job, state, submitted, worker_says,
};
use crate::world::{
    BUCKET, all_jobs, call, client, created, fail_one_in, job_event, names, service, service_with,
};
use caldp_core::layout::Layout;
use caldp_core::messages::Messages;
use caldp_core::state::State;
use serde_json::json;
use storage::store::S3Prefix;

#[tokio::test]
async fn out_of_memory_goes_up_to_the_last_memory_bin() {
    let (world, service) = submitted("o8l7sws8q", &[]).await;
    for bin in 0..4 {
        let job = last_job(&world);
        assert_eq!(job.new.queue, ["q2", "q8", "q16", "q64"][bin]);
        let event = job_event(&job, None, "FAILED", Some(OOM), EXITED);
        for id in ["a", "b"] {
            service.handle(event.clone(), &call(id)).await.unwrap();
        }
        let expected = if bin < 3 { "submitted" } else { "error" };
        assert_eq!(state(&world, "o8l7sws8q"), [expected]);
    }
    assert_eq!(all_jobs(&world).len(), 4);
    assert_eq!(
        attempts(&world, "o8l7sws8q")["attempts"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    let message = world.json("o/messages/dataset-error/o8l7sws8q");
    assert_eq!(message["cause"], "memory");
    assert!(
        message["explanation"]
            .as_str()
            .unwrap()
            .contains("last memory bin")
    );
}

#[tokio::test]
async fn success_needs_the_products() {
    let (world, service) = submitted("j8cb010b0 lcyid1030", &[]).await;
    let jobs = all_jobs(&world);
    worker_says(&world, "processing", "j8cb010b0");
    worker_says(&world, "processed", "j8cb010b0");
    world.put("o/data/acs/j8cb010b0/logs/provenance.json",
        r#"{"dataset": "j8cb010b0", "state": "processed", "programs": [{"peak_memory_kib": 3000000}], "steps": [{"seconds": 1000.0}]}"#,
    );
    for job in &jobs {
        let event = job_event(job, None, "SUCCEEDED", Some(0), EXITED);
        service.handle(event, &call("a")).await.unwrap();
    }
    assert_eq!(state(&world, "j8cb010b0"), ["processed"]);
    assert_eq!(state(&world, "lcyid1030"), ["error"]);
    let explanation = world.json("o/messages/dataset-error/lcyid1030");
    assert!(
        explanation["explanation"]
            .as_str()
            .unwrap()
            .contains("reported success")
    );
    // what was measured decides about the next run
    let order = json!({"datasets": "j8cb010b0", "dry_run": true});
    let plan = service.handle(order, &call("b")).await.unwrap();
    assert_eq!(plan["rungs"][0]["timeout_seconds"], 6000);
}

#[tokio::test]
async fn jobs_under_way_and_arrays_themselves_are_left_alone() {
    let (world, service) = submitted(
        "j8cb010b0 lcyid1030 o8l7sws8q",
        &[("CALDP_ARRAY_THRESHOLD", "1")],
    )
    .await;
    let before = world.keys();
    let array = all_jobs(&world)
        .into_iter()
        .find(|j| j.new.array_size.is_some())
        .unwrap();
    let mut event = job_event(&array, None, "FAILED", None, "Array Child Job failed");
    event["detail"]["arrayProperties"] = json!({"size": 2});
    service.handle(event, &call("a")).await.unwrap();
    for status in ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"] {
        let event = job_event(&array, Some(0), status, None, "");
        service.handle(event, &call("a")).await.unwrap();
    }
    assert_eq!(world.keys(), before);
}

#[tokio::test]
async fn a_child_that_fails_is_tried_again_alone() {
    let (world, service) = submitted(
        "o8l7sws8q o8l7sws9q octka6010",
        &[("CALDP_ARRAY_THRESHOLD", "1")],
    )
    .await;
    let array = last_job(&world);
    assert_eq!(array.new.array_size, Some(3));
    let event = job_event(&array, Some(1), "FAILED", Some(OOM), EXITED);
    service.handle(event, &call("a")).await.unwrap();
    let again = last_job(&world);
    assert_eq!(again.new.command[2], "o8l7sws9q");
    assert_eq!(again.new.queue, "q8");
    let error = job_event(&array, Some(9), "FAILED", Some(1), EXITED);
    let text = service
        .handle(error, &call("a"))
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("no line 9"), "{text}");
}

#[tokio::test]
async fn another_environment_is_refused() {
    let (world, service) = submitted("j8cb010b0", &[]).await;
    let job = last_job(&world);
    let mut event = job_event(&job, None, "FAILED", Some(OOM), EXITED);
    event["detail"]["jobQueue"] = json!("arn:aws:batch:us-east-1:1:job-queue/hst-queue-02g-test");
    let text = service
        .handle(event, &call("a"))
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("hst-queue-02g-test"), "{text}");
    let mut event = job_event(&job, None, "FAILED", Some(OOM), EXITED);
    event["detail"]["container"]["command"][1] = json!("s3://somebody-elses/o");
    assert!(service.handle(event, &call("a")).await.is_err());
    assert_eq!(all_jobs(&world).len(), 1);
}

/// What may succeed later comes back; what never will is counted and gone.
#[tokio::test]
async fn a_queue_gets_back_only_what_may_succeed_later() {
    let (world, _) = submitted("j8cb010b0 j8ne53znq", &[]).await;
    let lease = Duration::from_secs(4);
    let service = service_with(&world, &[], |config| config.lease = lease).await;
    let good = job_event(
        &job_of(&world, "j8cb010b0"),
        None,
        "FAILED",
        Some(23),
        EXITED,
    );
    let starved = job_event(
        &job_of(&world, "j8ne53znq"),
        None,
        "FAILED",
        Some(OOM),
        EXITED,
    );
    world.put("o/messages/request-rescue/j8cb010b0", "memory_bin: [");
    let typo = created("o/messages/request-rescue/j8cb010b0", "1");
    let record =
        |id: &str, body: &str| json!({"eventSource": "aws:sqs", "messageId": id, "body": body});
    let queue = json!({"Records": [
        record("starved", &starved.to_string()),
        record("good", &good.to_string()), record("bad", "{}"), record("torn", "{"),
        record("nested", &json!({"Records": [record("x", "{}")]}).to_string()),
        record("typo", &typo.to_string()),
    ]});
    fail_one_in(&world, 1, 7);
    let answer = service.handle(queue, &call("a")).await.unwrap();
    fail_one_in(&world, 0, 0);
    let failed: Vec<&str> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["itemIdentifier"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["starved"]);
    assert_eq!(state(&world, "j8cb010b0"), ["error"]);
    let answer = world.json("o/messages/request-rescue/j8cb010b0.refused");
    assert!(
        answer["error"].as_str().unwrap().contains("YAML"),
        "{answer}"
    );
    // a good request takes the answer to the bad one with it
    ask(
        &world,
        &service,
        "o/messages/request-rescue/j8cb010b0",
        "memory_bin: 3",
        "2",
    )
    .await;
    let keys = world.keys();
    assert!(
        !keys.iter().any(|key| key.contains("request-rescue")),
        "{keys:?}"
    );
}

#[tokio::test]
async fn the_clock_counts_states_and_takes_up_what_was_abandoned() {
    let world = World::new();
    let service = service_with(&world, &[], |config| config.lease = Duration::from_secs(4)).await;
    let list: String = names(60)
        .iter()
        .map(|d| format!("{d}\n"))
        .collect::<Vec<_>>()
        .concat();
    world.put("batches/list.ids", list);
    let event = created("batches/list.ids", "1");
    let dead = call("dead");
    let _ = tokio::time::timeout(Duration::from_millis(40), service.handle(event, &dead)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let clock = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    service.handle(clock.clone(), &call("clock")).await.unwrap();
    let keys = world.keys();
    if let Some(next) = keys.iter().find(|k| k.starts_with("batches/continue-")) {
        service
            .handle(created(next, "1"), &call("next"))
            .await
            .unwrap();
    }
    service.handle(clock, &call("clock")).await.unwrap();
    let overview = world.json("blackboard/overview.json");
    let batches = overview["batches"].as_object().unwrap();
    assert!(batches.values().all(|b| b["submitted"] == 60), "{overview}");
}

/// What the states of one dataset cost, from its submission to the end of its job.
#[tokio::test]
async fn a_look_at_the_states_is_taken_once_by_each() {
    let world = World::new();
    let service = service(&world, &[]).await;
    let root = format!("s3://{BUCKET}/o");
    world.s3.reset_counts();
    let order = json!({"datasets": "j8cb010b0", "batch_name": "b", "s3_output_bucket": root});
    service.handle(order, &call("order")).await.unwrap();
    assert_eq!(
        world.s3.count("HeadObject"),
        1,
        "only the same order of a moment ago is looked for"
    );
    world.s3.reset_counts();
    let dataset = "j8cb010b0".parse().unwrap();
    let store = S3Prefix::new(client(&world).await, root.parse().unwrap());
    let worker = Messages::new(Arc::new(store), Layout::Tree);
    let (begun, done) = (State::Processing, State::Processed);
    worker.enter(&dataset, begun, b"").await.unwrap();
    assert_eq!(world.s3.count("HeadObject"), 8, "the worker looks once");
    worker.advance(&dataset, begun, done, b"").await.unwrap();
    assert_eq!(
        world.s3.count("HeadObject"),
        12,
        "it knows the state it left"
    );
    let event = job_event(&last_job(&world), None, "SUCCEEDED", Some(0), EXITED);
    service.handle(event, &call("event")).await.unwrap();
    assert_eq!(world.s3.count("HeadObject"), 20, "the trigger looks once");
    assert_eq!(state(&world, "j8cb010b0"), ["processed"]);
    eprintln!("requests for one dataset: {:?}", world.s3.requests());
}

//! Jobs end, operators ask: what becomes of datasets, on S3 and at AWS Batch.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "tests"
)]

mod support;

use std::time::Duration;

use caldp_core::dataset::Dataset;
use caldp_trigger::desk::Desk;
use caldp_trigger::pace::Budget;
use serde_json::{Value, json};
use support::{BUCKET, Job, StandIn, World, call, created, job_event, names};

const EXITED: &str = "Essential container in task exited";
const OOM: i64 = 33;

/// A world with some datasets submitted below `o/`.
async fn submitted(names: &str, variables: &[(&str, &str)]) -> (World, Desk<StandIn>) {
    let world = World::new();
    let desk = world.desk(variables).await;
    let order = json!({"datasets": names, "batch_name": "b", "s3_output_bucket": format!("s3://{BUCKET}/o")});
    desk.handle(order, &call("order")).await.unwrap();
    (world, desk)
}

fn last_job(world: &World) -> Job {
    world.batch.jobs().last().unwrap().clone()
}

/// The first job of a dataset; jobs are not submitted in the order of the list.
fn job_of(world: &World, dataset: &str) -> Job {
    let jobs = world.batch.jobs();
    jobs.into_iter()
        .find(|j| j.new.command[2] == dataset)
        .unwrap()
}

fn state(world: &World, dataset: &str) -> Vec<String> {
    world.states("o/").remove(dataset).unwrap_or_default()
}

fn attempts(world: &World, dataset: &str) -> Value {
    world.json(&format!("o/control/{dataset}/attempts.json"))
}

/// The worker moves a dataset to a state, as it does.
fn worker_says(world: &World, state: &str, dataset: &str) {
    world
        .s3
        .put(BUCKET, &format!("o/messages/dataset-{state}/{dataset}"), "");
}

async fn ask(world: &World, desk: &Desk<StandIn>, key: &str, body: &str, mark: &str) -> Value {
    world.s3.put(BUCKET, key, body.to_owned());
    desk.handle(created(key, mark), &call(mark)).await.unwrap()
}

#[tokio::test]
async fn out_of_memory_climbs_the_ladder_to_its_end() {
    let (world, desk) = submitted("j8ne53znq", &[]).await;
    for rung in 0..4 {
        let job = last_job(&world);
        assert_eq!(job.new.queue, ["q2", "q8", "q16", "q64"][rung]);
        let event = job_event(&job, None, "FAILED", Some(OOM), EXITED);
        for id in ["a", "b"] {
            desk.handle(event.clone(), &call(id)).await.unwrap();
        }
        let expected = if rung < 3 { "submitted" } else { "error" };
        assert_eq!(state(&world, "j8ne53znq"), [expected]);
    }
    assert_eq!(world.batch.jobs().len(), 4);
    assert_eq!(
        attempts(&world, "j8ne53znq")["attempts"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    let message = world.json("o/messages/dataset-error/j8ne53znq");
    assert_eq!(message["cause"], "memory");
    assert!(
        message["explanation"]
            .as_str()
            .unwrap()
            .contains("last rung")
    );
}

#[tokio::test]
async fn success_needs_the_products() {
    let (world, desk) = submitted("j8cb010b0 lcyid1030", &[]).await;
    let jobs = world.batch.jobs();
    worker_says(&world, "processing", "j8cb010b0");
    worker_says(&world, "processed", "j8cb010b0");
    world.s3.put(
        BUCKET,
        "o/data/acs/j8cb010b0/logs/provenance.json",
        r#"{"programs": [{"peak_memory_kib": 3000000}], "steps": [{"seconds": 100.0}]}"#,
    );
    for job in &jobs {
        let event = job_event(job, None, "SUCCEEDED", Some(0), EXITED);
        desk.handle(event, &call("a")).await.unwrap();
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
    let plan = desk.handle(order, &call("b")).await.unwrap();
    assert_eq!(plan["rungs"][0]["timeout_seconds"], 600);
}

#[tokio::test]
async fn jobs_under_way_and_arrays_themselves_are_left_alone() {
    let (world, desk) = submitted(
        "j8cb010b0 lcyid1030 j8ne53znq",
        &[("CALDP_ARRAY_THRESHOLD", "1")],
    )
    .await;
    let before = world.s3.keys(BUCKET);
    let array = world
        .batch
        .jobs()
        .into_iter()
        .find(|j| j.new.array_size.is_some())
        .unwrap();
    let mut event = job_event(&array, None, "FAILED", None, "Array Child Job failed");
    event["detail"]["arrayProperties"] = json!({"size": 2});
    desk.handle(event, &call("a")).await.unwrap();
    for status in ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"] {
        let event = job_event(&array, Some(0), status, None, "");
        desk.handle(event, &call("a")).await.unwrap();
    }
    assert_eq!(world.s3.keys(BUCKET), before);
}

#[tokio::test]
async fn a_child_that_fails_is_tried_again_alone() {
    let (world, desk) = submitted(
        "j8ne53znq o8l7sws9q octka6010",
        &[("CALDP_ARRAY_THRESHOLD", "1")],
    )
    .await;
    let array = last_job(&world);
    assert_eq!(array.new.array_size, Some(3));
    let event = job_event(&array, Some(1), "FAILED", Some(OOM), EXITED);
    desk.handle(event, &call("a")).await.unwrap();
    let again = last_job(&world);
    assert_eq!(again.new.command[2], "o8l7sws9q");
    assert_eq!(again.new.queue, "q8");
    let error = job_event(&array, Some(9), "FAILED", Some(1), EXITED);
    let text = desk
        .handle(error, &call("a"))
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("no line 9"), "{text}");
}

#[tokio::test]
async fn another_environment_is_refused() {
    let (world, desk) = submitted("j8cb010b0", &[]).await;
    let job = last_job(&world);
    let mut event = job_event(&job, None, "FAILED", Some(OOM), EXITED);
    event["detail"]["jobQueue"] = json!("arn:aws:batch:us-east-1:1:job-queue/hst-queue-02g-test");
    let text = desk
        .handle(event, &call("a"))
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("hst-queue-02g-test"), "{text}");
    let mut event = job_event(&job, None, "FAILED", Some(OOM), EXITED);
    event["detail"]["container"]["command"][1] = json!("s3://somebody-elses/o");
    assert!(desk.handle(event, &call("a")).await.is_err());
    assert_eq!(world.batch.jobs().len(), 1);
}

#[tokio::test]
async fn the_real_request_is_about_no_dataset() {
    let Some(path) =
        caldp_tests::external_data("data/events/generic-message-event.json", "a real S3 event")
    else {
        return;
    };
    let world = World::new();
    let desk = world.desk(&[("BUCKET", "calcloud-processing-moto")]).await;
    let event: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = desk
        .handle(event, &call("a"))
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("clean-ipppssoot"), "{text}");
}

#[tokio::test]
async fn cancel_stops_the_job_and_late_news_changes_nothing() {
    let (world, desk) = submitted("j8cb010b0", &[]).await;
    worker_says(&world, "processing", "j8cb010b0");
    ask(
        &world,
        &desk,
        "o/messages/request-cancel/j8cb010b0",
        "",
        "1",
    )
    .await;
    let job = last_job(&world);
    assert!(
        job.terminated
            .clone()
            .unwrap()
            .starts_with("Operator cancelled")
    );
    assert_eq!(state(&world, "j8cb010b0"), ["terminated"]);
    for (exit, reason) in [
        (Some(OOM), EXITED),
        (Some(137), "Operator cancelled"),
        (Some(35), EXITED),
    ] {
        let event = job_event(&job, None, "FAILED", exit, reason);
        desk.handle(event, &call("a")).await.unwrap();
        assert_eq!(state(&world, "j8cb010b0"), ["terminated"]);
    }
    assert_eq!(world.batch.jobs().len(), 1);
    // until somebody wants it again
    ask(
        &world,
        &desk,
        "o/messages/request-rescue/j8cb010b0",
        "memory_bin: 2\n",
        "2",
    )
    .await;
    assert_eq!(state(&world, "j8cb010b0"), ["submitted"]);
    assert_eq!(last_job(&world).new.queue, "q16");
}

#[tokio::test]
async fn cancel_by_job_id_finds_the_datasets() {
    let (world, desk) = submitted(
        "j8ne53znq o8l7sws9q octka6010",
        &[("CALDP_ARRAY_THRESHOLD", "1")],
    )
    .await;
    let array = last_job(&world);
    let child = format!("{}:1", array.id);
    ask(
        &world,
        &desk,
        &format!("o/messages/request-cancel/{child}"),
        "",
        "1",
    )
    .await;
    assert_eq!(state(&world, "o8l7sws9q"), ["terminated"]);
    assert_eq!(state(&world, "j8ne53znq"), ["submitted"]);
    let underscored = array.id.to_string().replace('-', "_");
    ask(
        &world,
        &desk,
        &format!("messages/cancel-{underscored}"),
        "",
        "2",
    )
    .await;
    for dataset in ["j8ne53znq", "o8l7sws9q", "octka6010"] {
        assert_eq!(state(&world, dataset), ["terminated"], "{dataset}");
    }
    assert!(last_job(&world).terminated.is_some());
}

#[tokio::test]
async fn rescue_takes_its_fields_and_refuses_others() {
    let (world, desk) = submitted("j8cb010b0", &[]).await;
    let event = job_event(&last_job(&world), None, "FAILED", Some(23), EXITED);
    desk.handle(event, &call("a")).await.unwrap();
    let key = "o/messages/request-rescue/j8cb010b0";
    world.s3.put(BUCKET, key, "memory_bins: 2");
    let error = desk
        .handle(created(key, "1"), &call("1"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("allowed are memory_bin"),
        "{error}"
    );
    assert_eq!(world.batch.jobs().len(), 1);
    let answer = ask(&world, &desk, key, "dry_run: true\nmemory_bin: 3", "2").await;
    assert!(
        answer["result"].as_str().unwrap().contains("would"),
        "{answer}"
    );
    assert_eq!(world.batch.jobs().len(), 1);
    let limit = last_job(&world).new.timeout;
    ask(
        &world,
        &desk,
        key,
        r#"{"memory_bin": 3, "timeout_scale": 2}"#,
        "3",
    )
    .await;
    let job = last_job(&world);
    assert_eq!(
        (job.new.queue.as_str(), job.new.timeout),
        ("q64", limit * 2)
    );
    assert!(world.s3.get(BUCKET, key).is_none(), "the request is gone");
    // delivered again, even with its object still there, it does nothing
    ask(&world, &desk, key, "", "3").await;
    assert_eq!(world.batch.jobs().len(), 2);
    // a rescue while a job is pending is no second job
    ask(&world, &desk, key, "", "4").await;
    assert_eq!(world.batch.jobs().len(), 2);
    let first = attempts(&world, "j8cb010b0")["attempts"][0]["outcome"].clone();
    assert_eq!(first["exit_code"], 23, "the history is kept");
}

#[tokio::test]
async fn clean_takes_one_dataset_and_no_other() {
    let (world, desk) = submitted("j8cb010b0 j8cb010b1", &[]).await;
    for dataset in ["j8cb010b0", "j8cb010b1"] {
        for key in [
            "data/acs/D/D_raw.fits",
            "data/acs/D/logs/process.txt",
            "inputs/D.tar.gz",
            "messages/dataset-error/D",
        ] {
            world
                .s3
                .put(BUCKET, &format!("o/{}", key.replace('D', dataset)), "x");
        }
    }
    let others = |world: &World| -> Vec<String> {
        let keys = world.s3.keys(BUCKET);
        keys.into_iter()
            .filter(|k| !k.contains("j8cb010b0"))
            .collect()
    };
    let before = others(&world);
    let pending = job_of(&world, "j8cb010b0");
    ask(&world, &desk, "o/messages/request-clean/j8cb010b0", "", "1").await;
    assert_eq!(world.s3.keys(BUCKET), before, "all of it and nothing else");
    // the news of its job, stopped meanwhile, does not bring it back
    assert!(job_of(&world, "j8cb010b0").terminated.is_some());
    let event = job_event(&pending, None, "FAILED", Some(OOM), EXITED);
    desk.handle(event, &call("a")).await.unwrap();
    assert_eq!(others(&world), world.s3.keys(BUCKET));
}

#[tokio::test]
async fn the_calcloud_layout_has_its_own_words() {
    let world = World::new();
    let desk = world.desk(&[("CALDP_LAYOUT", "calcloud")]).await;
    world.s3.put(BUCKET, "inputs/j8cb010b0.tar.gz", "x");
    ask(&world, &desk, "messages/placed-j8cb010b0", "", "1").await;
    let job = last_job(&world);
    let inputs = format!("s3://{BUCKET}/inputs");
    let root = format!("s3://{BUCKET}");
    assert_eq!(
        job.new.command,
        [
            "caldp-process",
            "j8cb010b0",
            &inputs,
            &root,
            "caldp-config-aws"
        ]
    );
    assert_eq!(
        job.new.environment,
        [("CALDP_LAYOUT".to_owned(), "calcloud".to_owned())]
    );
    assert!(world.s3.get(BUCKET, "messages/submit-j8cb010b0").is_some());
    let event = job_event(&job, None, "FAILED", Some(1), EXITED);
    desk.handle(event, &call("a")).await.unwrap();
    assert!(world.s3.get(BUCKET, "messages/error-j8cb010b0").is_some());
    assert!(world.s3.get(BUCKET, "messages/submit-j8cb010b0").is_none());
    ask(&world, &desk, "messages/clean-j8cb010b0", "", "2").await;
    assert!(
        world.s3.keys(BUCKET).is_empty(),
        "{:?}",
        world.s3.keys(BUCKET)
    );
}

#[tokio::test]
async fn rescue_all_is_for_those_who_failed() {
    let (world, desk) = submitted("j8cb010b0 lcyid1030 octka6010", &[]).await;
    let job = job_of(&world, "j8cb010b0");
    let event = job_event(&job, None, "FAILED", Some(23), EXITED);
    desk.handle(event, &call("a")).await.unwrap();
    ask(
        &world,
        &desk,
        "o/messages/request-cancel/lcyid1030",
        "",
        "1",
    )
    .await;
    let answer = ask(&world, &desk, "o/messages/request-rescue/all", "", "2").await;
    assert_eq!(answer["result"]["carried_out"], 2, "{answer}");
    for dataset in ["j8cb010b0", "lcyid1030", "octka6010"] {
        assert_eq!(state(&world, dataset), ["submitted"], "{dataset}");
    }
    assert_eq!(world.batch.jobs().len(), 5);
}

#[tokio::test]
async fn a_kill_message_stops_fan_outs() {
    let (world, desk) = submitted("j8cb010b0 lcyid1030", &[]).await;
    world.s3.put(BUCKET, "o/messages/broadcast/kill", "");
    let answer = ask(&world, &desk, "o/messages/request-cancel/all", "", "1").await;
    assert!(
        answer["result"]
            .as_str()
            .unwrap()
            .contains("broadcast-kill"),
        "{answer}"
    );
    assert_eq!(state(&world, "j8cb010b0"), ["submitted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_out_that_does_not_fit_is_handed_on() {
    let list: Vec<String> = names(40).iter().map(ToString::to_string).collect();
    let (world, desk) = submitted(&list.join(" "), &[("CALDP_CONCURRENCY", "2")]).await;
    world.s3.put(BUCKET, "o/messages/request-cancel/all", "");
    let mut event = created("o/messages/request-cancel/all", "1");
    for invocation in 1.. {
        assert!(invocation < 60);
        let mut call = call(&format!("{invocation}"));
        call.budget = Budget::within(
            Duration::from_millis(60 << invocation.min(8)),
            Duration::from_millis(10),
        );
        desk.handle(event, &call).await.unwrap();
        let keys = world.s3.keys(BUCKET);
        let rest: Vec<_> = keys.iter().filter(|k| k.contains("/broadcast/")).collect();
        assert!(rest.len() <= 1, "{rest:?}");
        let Some(next) = rest.first() else {
            break;
        };
        event = created(next, "1");
    }
    assert!(
        world
            .states("o/")
            .values()
            .all(|states| states == &["terminated"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_all_deletes_in_batches() {
    let world = World::new();
    let desk = world.desk(&[]).await;
    let datasets: Vec<Dataset> = names(2000);
    for dataset in &datasets {
        let folder = dataset.folder();
        for key in [
            format!("o/data/{folder}/{dataset}/{dataset}_raw.fits"),
            format!("o/data/{folder}/{dataset}/logs/process.txt"),
            format!("o/control/{dataset}/attempts.json"),
            format!("o/messages/dataset-processed/{dataset}"),
        ] {
            world.s3.put(BUCKET, &key, "x");
        }
    }
    world.s3.put(BUCKET, "o/messages/batch-new/b.json", "{}");
    world.s3.put(BUCKET, "o/data/notes.txt", "x");
    world.s3.reset_counts();
    let answer = ask(&world, &desk, "o/messages/request-clean/all", "", "1").await;
    assert_eq!(answer["result"]["datasets"], 2000, "{answer}");
    assert_eq!(
        world.s3.keys(BUCKET),
        ["o/data/notes.txt", "o/messages/batch-new/b.json"]
    );
    let deletes = world.s3.count("DeleteObjects");
    assert!((8..=16).contains(&deletes), "{:?}", world.s3.requests());
    assert!(
        world.s3.requests().values().sum::<u64>() < 60,
        "{:?}",
        world.s3.requests()
    );
}

#[tokio::test]
async fn a_queue_gets_back_only_what_failed() {
    let (world, desk) = submitted("j8cb010b0", &[]).await;
    let good = job_event(&last_job(&world), None, "FAILED", Some(23), EXITED);
    let record =
        |id: &str, body: &str| json!({"eventSource": "aws:sqs", "messageId": id, "body": body});
    let queue = json!({"Records": [
        record("good", &good.to_string()), record("bad", "{}"), record("torn", "{"),
        record("nested", &json!({"Records": [record("x", "{}")]}).to_string()),
    ]});
    let answer = desk.handle(queue, &call("a")).await.unwrap();
    let failed: Vec<&str> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["itemIdentifier"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["bad", "torn", "nested"]);
    assert_eq!(state(&world, "j8cb010b0"), ["error"]);
}

#[tokio::test]
async fn the_clock_counts_states_and_takes_up_what_was_abandoned() {
    let world = World::new();
    let desk = world.desk_with_lease(&[], Duration::from_millis(300)).await;
    let list: String = names(60)
        .iter()
        .map(|d| format!("{d}\n"))
        .collect::<Vec<_>>()
        .concat();
    world.s3.put(BUCKET, "batches/list.ids", list);
    let event = created("batches/list.ids", "1");
    let dead = call("dead");
    let _ = tokio::time::timeout(Duration::from_millis(40), desk.handle(event, &dead)).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let clock = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    desk.handle(clock.clone(), &call("clock")).await.unwrap();
    let keys = world.s3.keys(BUCKET);
    if let Some(next) = keys.iter().find(|k| k.starts_with("batches/continue-")) {
        desk.handle(created(next, "1"), &call("next"))
            .await
            .unwrap();
    }
    desk.handle(clock, &call("clock")).await.unwrap();
    let overview = world.json("blackboard/overview.json");
    let batches = overview["batches"].as_object().unwrap();
    assert!(batches.values().all(|b| b["submitted"] == 60), "{overview}");
}

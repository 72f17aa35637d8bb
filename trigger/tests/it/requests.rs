//! Operators ask something of a dataset or a job, in both layouts.

use crate::world::story::{
    EXITED, OOM, ask, attempts, job_of, last_job, state, submitted, worker_says,
};
use crate::world::{BUCKET, all_jobs, call, created, job_event, service};
use caldp_tests::World;
use serde_json::Value;
use storage::hint::explain;

#[tokio::test]
async fn the_real_request_is_about_no_dataset() {
    let Some(path) =
        caldp_tests::external_data("data/events/generic-message-event.json", "a real S3 event")
    else {
        return;
    };
    let world = World::new();
    let service = service(&world, &[("BUCKET", "calcloud-processing-moto")]).await;
    let event: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = service
        .handle(event, &call("a"))
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("clean-ipppssoot"), "{text}");
}

#[tokio::test]
async fn cancel_stops_the_job_and_late_news_changes_nothing() {
    let (world, service) = submitted("j8cb010b0", &[]).await;
    worker_says(&world, "processing", "j8cb010b0");
    ask(
        &world,
        &service,
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
        service.handle(event, &call("a")).await.unwrap();
        assert_eq!(state(&world, "j8cb010b0"), ["terminated"]);
    }
    assert_eq!(all_jobs(&world).len(), 1);
    // until somebody wants it again
    ask(
        &world,
        &service,
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
    let (world, service) = submitted(
        "o8l7sws8q o8l7sws9q octka6010",
        &[("CALDP_ARRAY_THRESHOLD", "1")],
    )
    .await;
    let array = last_job(&world);
    let child = format!("{}:1", array.id);
    ask(
        &world,
        &service,
        &format!("o/messages/request-cancel/{child}"),
        "",
        "1",
    )
    .await;
    assert_eq!(state(&world, "o8l7sws9q"), ["terminated"]);
    assert_eq!(state(&world, "o8l7sws8q"), ["submitted"]);
    let underscored = array.id.to_string().replace('-', "_");
    ask(
        &world,
        &service,
        &format!("messages/cancel-{underscored}"),
        "",
        "2",
    )
    .await;
    for dataset in ["o8l7sws8q", "o8l7sws9q", "octka6010"] {
        assert_eq!(state(&world, dataset), ["terminated"], "{dataset}");
    }
    assert!(last_job(&world).terminated.is_some());
}

#[tokio::test]
async fn rescue_takes_its_fields_and_refuses_others() {
    let (world, service) = submitted("j8cb010b0", &[]).await;
    let event = job_event(&last_job(&world), None, "FAILED", Some(23), EXITED);
    service.handle(event, &call("a")).await.unwrap();
    let key = "o/messages/request-rescue/j8cb010b0";
    world.put(key, "memory_bins: 2");
    let error = service
        .handle(created(key, "1"), &call("1"))
        .await
        .unwrap_err();
    let text = explain(&error).to_string();
    assert!(text.contains("allowed are memory_bin"), "{text}");
    assert_eq!(all_jobs(&world).len(), 1);
    let answer = ask(&world, &service, key, "dry_run: true\nmemory_bin: 3", "2").await;
    assert!(
        answer["result"].as_str().unwrap().contains("would"),
        "{answer}"
    );
    assert_eq!(all_jobs(&world).len(), 1);
    let limit = last_job(&world).new.timeout;
    ask(
        &world,
        &service,
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
    assert!(world.get(key).is_none(), "the request is gone");
    // delivered again, even with its object still there, it does nothing
    ask(&world, &service, key, "", "3").await;
    assert_eq!(all_jobs(&world).len(), 2);
    // a rescue while a job is pending is no second job
    ask(&world, &service, key, "", "4").await;
    assert_eq!(all_jobs(&world).len(), 2);
    let first = attempts(&world, "j8cb010b0")["attempts"][0]["outcome"].clone();
    assert_eq!(first["exit_code"], 23, "the history is kept");
}

#[tokio::test]
async fn clean_takes_one_dataset_and_no_other() {
    let (world, service) = submitted("j8cb010b0 j8cb010b1", &[]).await;
    for dataset in ["j8cb010b0", "j8cb010b1"] {
        for key in [
            "data/acs/D/D_raw.fits",
            "data/acs/D/logs/process.txt",
            "inputs/D.tar.gz",
            "messages/dataset-error/D",
        ] {
            world.put(&format!("o/{}", key.replace('D', dataset)), "x");
        }
    }
    let others = |world: &World| -> Vec<String> {
        let keys = world.keys();
        keys.into_iter()
            .filter(|k| !k.contains("j8cb010b0"))
            .collect()
    };
    let before = others(&world);
    let pending = job_of(&world, "j8cb010b0");
    ask(
        &world,
        &service,
        "o/messages/request-clean/j8cb010b0",
        "",
        "1",
    )
    .await;
    assert_eq!(world.keys(), before, "all of it and nothing else");
    // the news of its job, stopped meanwhile, does not bring it back
    assert!(job_of(&world, "j8cb010b0").terminated.is_some());
    let event = job_event(&pending, None, "FAILED", Some(OOM), EXITED);
    service.handle(event, &call("a")).await.unwrap();
    assert_eq!(others(&world), world.keys());
}

#[tokio::test]
async fn the_calcloud_layout_has_its_own_words() {
    let world = World::new();
    let service = service(&world, &[("CALDP_LAYOUT", "calcloud")]).await;
    world.put("inputs/j8cb010b0.tar.gz", "x");
    ask(&world, &service, "messages/placed-j8cb010b0", "", "1").await;
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
    assert!(world.get("messages/submit-j8cb010b0").is_some());
    let event = job_event(&job, None, "FAILED", Some(1), EXITED);
    service.handle(event, &call("a")).await.unwrap();
    assert!(world.get("messages/error-j8cb010b0").is_some());
    assert!(world.get("messages/submit-j8cb010b0").is_none());
    ask(&world, &service, "messages/clean-j8cb010b0", "", "2").await;
    assert_eq!(world.keys(), ["control/batches.json"]);
}

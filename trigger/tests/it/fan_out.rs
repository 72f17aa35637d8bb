//! Batches of all sizes become jobs, exactly one for every dataset, whatever happens.

use std::time::Duration;

use crate::world::{
    BUCKET, all_jobs, assert_submitted, call, created, created_in, fail_one_in, lines, names,
    service, service_with,
};
use caldp_core::dataset::Dataset;
use caldp_tests::{Fault, Faults, World};
use serde_json::json;
use storage::hint::explain;

async fn submit_list(world: &World, list: &str, variables: &[(&str, &str)]) -> serde_json::Value {
    world.put("batches/list.ids", list.to_owned());
    let service = service(world, variables).await;
    let event = created("batches/list.ids", "1");
    service.handle(event, &call("one")).await.unwrap()
}

fn root(answer: &serde_json::Value) -> (String, String) {
    let batch = answer["batch"].as_str().unwrap().to_owned();
    (format!("data/{batch}/"), batch)
}

#[tokio::test]
async fn a_small_list_becomes_single_jobs() {
    let world = World::new();
    let list = "# ACS\nJ8CB010B0\n\nj8ne53znq # a comment\nJ8cb010b0\r\nLCYID1030\n";
    let answer = submit_list(&world, list, &[]).await;
    assert_eq!(answer["submitted"], 3);
    assert_eq!(answer["jobs"], 3);
    let (root, batch) = root(&answer);
    let expected: Vec<Dataset> = ["j8cb010b0", "j8ne53znq", "lcyid1030"]
        .map(|n| n.parse().unwrap())
        .to_vec();
    assert_submitted(&world, &root, &batch, &expected);
    let message = world.json(&format!("{root}messages/dataset-submitted/j8cb010b0"));
    assert_eq!(message["attempt"], 1);
    assert_eq!(message["rung"], 1, "an ACS association");
    for field in ["job_id", "job_name", "submitted_at"] {
        assert!(message[field].is_string(), "{message}");
    }
    let record = world.json(&format!("{root}control/j8cb010b0/attempts.json"));
    assert_eq!(record["attempts"][0]["job_id"], message["job_id"]);
    let batch = world.json(&format!("{root}messages/batch-new/{batch}.json"));
    assert_eq!(
        batch["s3_output_path"],
        format!("s3://{BUCKET}/{}", root.trim_end_matches('/'))
    );
    assert_eq!(batch["jobs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_large_list_becomes_one_array_per_memory_bin() {
    let world = World::new();
    let datasets = names(900);
    let answer = submit_list(&world, &lines(&datasets), &[]).await;
    assert_eq!(answer["submitted"], 900);
    assert_eq!(all_jobs(&world).len(), 2, "{:?}", answer["rungs"]);
    let (root, batch) = root(&answer);
    assert_submitted(&world, &root, &batch, &datasets);
    let parent = all_jobs(&world)[0].clone();
    let message = world.json(&format!("{root}messages/dataset-submitted/{}", datasets[0]));
    assert_eq!(message["job_id"], format!("{}:0", parent.id));
}

#[tokio::test]
async fn one_bad_name_and_nothing_is_submitted() {
    let world = World::new();
    world.put(
        "batches/list.ids",
        "j8cb010b0\nnope\nlcyid1030\nu2ab0101t\n",
    );
    let service = service(&world, &[]).await;
    let error = service
        .handle(created("batches/list.ids", "1"), &call("a"))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("line 2") && text.contains("line 4"), "{text}");
    assert!(all_jobs(&world).is_empty());
    // its author finds the answer beside it, until the list is good
    let refused = "batches/list.ids.refused";
    assert_eq!(world.keys(), ["batches/list.ids", refused]);
    let answer = world.json(refused);
    let told = answer["error"].as_str().unwrap();
    assert!(told.contains("line 2") && told.contains("line 4"), "{told}");
    assert_eq!(answer["kind"], "Order");
    // and the answer itself is nobody's order
    let event = created(refused, "1");
    service.handle(event, &call("b")).await.unwrap();
    world.put("batches/list.ids", "j8cb010b0\n");
    let event = created("batches/list.ids", "2");
    service.handle(event, &call("c")).await.unwrap();
    assert!(world.get(refused).is_none());
}

/// One record after another, whatever is wrong with some.
#[tokio::test]
async fn a_record_that_concerns_nobody_does_not_keep_the_next_from_being_handled() {
    let world = World::new();
    let service = service(&world, &[]).await;
    world.put("batches/good.ids", "j8cb010b0\n");
    world.put("batches/bad.ids", "nope\n");
    let mut event = created("somewhere/else.txt", "1");
    let mut removed = created("batches/gone.ids", "1")["Records"][0].clone();
    removed["eventName"] = json!("ObjectRemoved:Delete");
    let others = ["batches/bad.ids", "batches/good.ids"];
    let others = others.map(|key| created(key, "1")["Records"][0].clone());
    let records = event["Records"].as_array_mut().unwrap();
    records.extend(others);
    let answer = service.handle(event.clone(), &call("a")).await;
    assert!(answer.unwrap_err().to_string().contains("line 1"));
    assert_eq!(all_jobs(&world).len(), 1);
    // what is not ours is no error
    let mut event = created("somewhere/else.txt", "1");
    let records = event["Records"].as_array_mut().unwrap();
    records.push(created("batches/good.ids", "1")["Records"][0].clone());
    service.handle(event, &call("b")).await.unwrap();
    world.put("batches/better.ids", "j8cb010b1 lcyid1030\n");
    let mut event = created("batches/better.ids", "2");
    event["Records"].as_array_mut().unwrap().insert(0, removed);
    assert!(service.handle(event, &call("c")).await.is_err());
    assert_eq!(all_jobs(&world).len(), 3);
}

/// As the AWS command line does when it gives up waiting.
#[tokio::test]
async fn the_same_order_under_another_request_id_is_the_same_order() {
    let world = World::new();
    let service = service(&world, &[]).await;
    let order = json!({"datasets": "j8cb010b0 lcyid1030"});
    let first = service.handle(order.clone(), &call("one")).await.unwrap();
    let again = service.handle(order, &call("two")).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(all_jobs(&world).len(), 2);
    let other = json!({"datasets": "j8cb010b0 lcyid1030", "batch_name": "other"});
    let other = service.handle(other, &call("three")).await.unwrap();
    assert_eq!(other["batch"], "other");
    assert_eq!(all_jobs(&world).len(), 4);
}

#[tokio::test]
async fn what_this_deployment_does_not_have_is_refused_with_what_it_has() {
    let world = World::new();
    let nothing = [
        ("CALDP_ALLOWED_QUEUES", ""),
        ("CALDP_ALLOWED_DEFINITIONS", ""),
        ("CALDP_ALLOWED_OUTPUTS", ""),
    ];
    let service = service(&world, &nothing).await;
    for (field, value, listed) in [
        ("job_queue", "mine".to_owned(), "q2, q8, q16, q64"),
        ("job_definition", "mine:3".to_owned(), "d2, d8, d16, d64"),
        (
            "s3_output_bucket",
            format!("s3://{BUCKET}/o"),
            "s3://hst-out/data/",
        ),
    ] {
        let order = json!({"datasets": "j8cb010b0", field: value});
        world.put("batches/list.json", order.to_string());
        let list = created("batches/list.json", field);
        for event in [order, list] {
            let error = service.handle(event, &call(field)).await.unwrap_err();
            assert_eq!(error.kind(), "NotOffered");
            let text = explain(&error).to_string();
            assert!(
                text.contains(listed) && text.contains("CALDP_ALLOWED"),
                "{text}"
            );
        }
        let answer = world.json("batches/list.json.refused");
        assert!(
            answer["hint"].as_str().unwrap().contains(listed),
            "{answer}"
        );
    }
    assert!(all_jobs(&world).is_empty());
}

#[tokio::test]
async fn a_direct_invocation_decides_everything() {
    let world = World::new();
    let service = service(&world, &[]).await;
    let order = json!({
        "datasets": "j8cb010b0 lcyid1030", "s3_output_bucket": format!("s3://{BUCKET}/elsewhere"),
        "batch_name": "mine", "job_queue": "own", "job_definition": "own", "context": "hst_9000.pmap",
        "overrides": {"memory_bin": 3, "timeout_scale": 0.0001},
    });
    service.handle(order, &call("a")).await.unwrap();
    let datasets = ["j8cb010b0", "lcyid1030"].map(|n| n.parse().unwrap());
    assert_submitted(&world, "elsewhere/", "mine", &datasets);
    for job in all_jobs(&world) {
        assert_eq!(
            (job.new.queue.as_str(), job.new.definition.as_str()),
            ("own", "own")
        );
        assert_eq!(job.new.memory_mib, Some(57344));
        assert_eq!(job.new.timeout, Duration::from_mins(1));
        assert_eq!(
            job.new.environment,
            [("CRDS_CONTEXT".to_owned(), "hst_9000.pmap".to_owned())]
        );
    }
}

#[tokio::test]
async fn other_buckets_are_refused() {
    let world = World::new();
    let service = service(&world, &[]).await;
    let foreign = created_in("somebody-elses", "batches/list.ids", "1");
    let text = service
        .handle(foreign, &call("a"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("refused") && text.contains("somebody-elses"),
        "{text}"
    );
    let order = json!({"datasets": "j8cb010b0", "s3_output_bucket": "s3://somebody-elses/x"});
    assert!(service.handle(order, &call("a")).await.is_err());
    assert!(all_jobs(&world).is_empty());
}

#[tokio::test]
async fn a_second_order_leaves_alone_what_has_a_job() {
    let world = World::new();
    let service = service(&world, &[]).await;
    let order = |names: &str| json!({"datasets": names, "batch_name": "b", "s3_output_bucket": format!("s3://{BUCKET}/o")});
    service
        .handle(order("j8cb010b0 lcyid1030"), &call("a"))
        .await
        .unwrap();
    let answer = service
        .handle(order("lcyid1030 j8ne53znq"), &call("b"))
        .await
        .unwrap();
    assert_eq!(answer["left_alone"], json!(["lcyid1030"]));
    let datasets = ["j8cb010b0", "j8ne53znq", "lcyid1030"].map(|n| n.parse().unwrap());
    assert_submitted(&world, "o/", "b", &datasets);
}

#[tokio::test]
async fn a_dry_run_tells_and_does_nothing() {
    for (count, jobs) in [(12, 12), (900, 2)] {
        let world = World::new();
        let service = service(&world, &[]).await;
        let order = json!({"datasets": lines(&names(count)), "dry_run": true});
        let answer = service.handle(order, &call("a")).await.unwrap();
        assert_eq!(answer["jobs"], jobs);
        assert_eq!(answer["datasets"], count);
        assert!(answer["highest_cost"].as_f64() > answer["expected_cost"].as_f64());
        assert!(world.keys().is_empty());
        assert!(all_jobs(&world).is_empty());
        // and it told the truth
        let order = json!({"datasets": lines(&names(count))});
        service.handle(order, &call("b")).await.unwrap();
        let written = world.keys().len();
        assert_eq!(answer["objects_written"], written);
        assert_eq!(answer["jobs"], all_jobs(&world).len());
    }
}

/// The same event three times at once, S3 and AWS Batch failing a third of the time.
#[tokio::test(flavor = "multi_thread")]
async fn three_deliveries_at_once_make_one_job_each() {
    for (threshold, seed) in [("1000", 1), ("10", 2)] {
        let world = World::new();
        let datasets = names(60);
        world.put("batches/list.ids", lines(&datasets));
        world.s3.set_faults(
            Faults::one_in(
                3,
                &[Fault::InternalError, Fault::SlowDown, Fault::LostAnswer],
            )
            .seeded(seed),
        );
        fail_one_in(&world, 3, seed);
        let service = service(&world, &[("CALDP_ARRAY_THRESHOLD", threshold)]).await;
        let event = || created("batches/list.ids", "1");
        let (a, b, c) = (call("a"), call("b"), call("c"));
        let answers = tokio::join!(
            service.handle(event(), &a),
            service.handle(event(), &b),
            service.handle(event(), &c),
        );
        world.s3.set_faults(None);
        fail_one_in(&world, 0, 0);
        // whoever failed in the turmoil is delivered again
        for (answer, call) in [(answers.0, &a), (answers.1, &b), (answers.2, &c)] {
            if answer.is_err() {
                service.handle(event(), call).await.unwrap();
            }
        }
        let answer = service.handle(event(), &call("d")).await.unwrap();
        let (root, batch) = root(&answer);
        assert_submitted(&world, &root, &batch, &datasets);
    }
}

/// An invocation killed at thirty moments and retried, everything failing a third of the time.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_thirty_moments_every_dataset_has_one_job() {
    for (threshold, seed) in [("1000", 11), ("10", 12)] {
        let world = World::new();
        let datasets = names(100);
        world.put("batches/list.ids", lines(&datasets));
        world.s3.set_faults(
            Faults::one_in(
                3,
                &[
                    Fault::InternalError,
                    Fault::SlowDown,
                    Fault::Reset,
                    Fault::LostAnswer,
                ],
            )
            .seeded(seed),
        );
        fail_one_in(&world, 3, seed);
        let service = service(&world, &[("CALDP_ARRAY_THRESHOLD", threshold)]).await;
        let event = || created("batches/list.ids", "1");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut killed = 0;
        for _ in 0..30 {
            let moment = Duration::from_millis(random.u64(1..120));
            let again = call("the same");
            let work = service.handle(event(), &again);
            if tokio::time::timeout(moment, work).await.is_err() {
                killed += 1;
            }
        }
        world.s3.set_faults(None);
        fail_one_in(&world, 0, 0);
        let answer = service.handle(event(), &call("the same")).await.unwrap();
        assert!(killed >= 10, "killed {killed} times only");
        let (root, batch) = root(&answer);
        assert_submitted(&world, &root, &batch, &datasets);
    }
}

/// Killed between the batch's record and the note that all is done; by the time of the retry the
/// downloader may have taken the record up.
#[tokio::test]
async fn a_batch_is_recorded_once_wherever_its_record_is() {
    for state in ["new", "syncing", "done", "error"] {
        let world = World::new();
        let service = service(&world, &[]).await;
        let order = || json!({"datasets": "j8cb010b0 lcyid1030", "batch_name": "b"});
        let answer = service.handle(order(), &call("same")).await.unwrap();
        let key = |state: &str| format!("data/b/messages/batch-{state}/b.json");
        let record = world.get(&key("new")).unwrap();
        let keys = world.keys();
        let done = keys.iter().find(|k| k.ends_with("/done.json")).unwrap();
        world.remove(done);
        world.remove(&key("new"));
        world.put(&key(state), record.clone());
        let again = service.handle(order(), &call("same")).await.unwrap();
        assert_eq!(again, answer);
        assert_eq!(world.get(&key(state)).unwrap(), record);
        let records = world.keys();
        let records = records.iter().filter(|k| k.contains("/batch-"));
        assert_eq!(records.count(), 1, "{state}");
        // another order of the same name is news for the downloader
        let more = json!({"datasets": "j8ne53znq", "batch_name": "b"});
        service.handle(more, &call("more")).await.unwrap();
        let record = world.json(&key("new"));
        let expected = if state == "new" { 3 } else { 1 };
        assert_eq!(record["datasets"].as_array().unwrap().len(), expected);
    }
}

/// A dead invocation's work is taken over by another when its lease has run out.
#[tokio::test(flavor = "multi_thread")]
async fn another_invocation_takes_over() {
    let world = World::new();
    let datasets = names(60);
    world.put("batches/list.ids", lines(&datasets));
    let service = service_with(&world, &[], |config| config.lease = Duration::from_secs(4)).await;
    let event = || created("batches/list.ids", "1");
    let dead = call("dead");
    let moment = Duration::from_millis(60);
    let _ = tokio::time::timeout(moment, service.handle(event(), &dead)).await;
    let answer = service.handle(event(), &call("alive")).await.unwrap();
    let (root, batch) = root(&answer);
    assert_submitted(&world, &root, &batch, &datasets);
}

/// An invocation whose time is over leaves a message that makes another continue.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_does_not_fit_is_handed_on() {
    for threshold in ["1000", "10"] {
        let world = World::new();
        let datasets = names(200);
        world.put("batches/list.ids", lines(&datasets));
        let service = service(
            &world,
            &[
                ("CALDP_ARRAY_THRESHOLD", threshold),
                ("CALDP_CONCURRENCY", "4"),
            ],
        )
        .await;
        let mut event = created("batches/list.ids", "1");
        let mut invocations = 0;
        let answer = loop {
            invocations += 1;
            assert!(invocations < 200);
            let mut call = call(&format!("invocation {invocations}"));
            let left = Duration::from_millis(100 << invocations.min(10));
            call.budget =
                caldp_trigger::invocation::Budget::within(left, Duration::from_millis(50));
            let answer = service.handle(event, &call).await.unwrap();
            let keys = world.keys();
            let next: Vec<_> = keys
                .iter()
                .filter(|k| k.starts_with("batches/continue-"))
                .collect();
            if answer["continues"] == false {
                assert!(next.is_empty(), "{next:?}");
                break answer;
            }
            assert_eq!(next.len(), 1, "{keys:?}");
            event = created(next[0], "1");
        };
        assert!(invocations > 1);
        let (root, batch) = root(&answer);
        assert_submitted(&world, &root, &batch, &datasets);
    }
}

/// Real lists of names, from 8 to 10,000.
#[tokio::test(flavor = "multi_thread")]
async fn real_lists_fan_out() {
    for count in [8, 100, 1000, 10_000] {
        let what = format!("the real list of {count}");
        let Some(path) =
            caldp_tests::external_data(&format!("data/batches/mvp-{count}.ids"), &what)
        else {
            return;
        };
        let list = std::fs::read(path).unwrap();
        let datasets = caldp_trigger::order::dataset_list::from_bytes(&list).unwrap();
        assert_eq!(datasets.len(), count);
        let world = World::new();
        let text = String::from_utf8(list).unwrap();
        let answer = submit_list(&world, &text, &[]).await;
        let (root, batch) = root(&answer);
        assert_submitted(&world, &root, &batch, &datasets);
    }
}

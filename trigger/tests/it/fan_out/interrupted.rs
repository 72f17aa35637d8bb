//! Deliveries that come together, end early or fail on the way.

use std::time::Duration;

use super::root;
use crate::world::{
    assert_submitted, call, created, fail_one_in, lines, names, service, service_with,
};
use caldp_tests::{Fault, Faults, World};
use serde_json::json;

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

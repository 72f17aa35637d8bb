//! One dataset, and what was lost of it.

use caldp_tests::World;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::{VARIABLES, clock, jobs_of, leave, move_to, sweeping_function, swept_at_once};
use crate::world::story::{EXITED, OOM};
use crate::world::{all_jobs, call, end_job, job_event, service, service_with};

/// What was found stuck is counted, in the format that `CloudWatch` makes metrics of.
#[tokio::test]
async fn what_a_sweep_found_is_counted() {
    let world = World::new();
    let service = service(&world, &VARIABLES).await;
    let order = json!({"datasets": "j8cb010b0 lcyid1030", "batch_name": "b"});
    service.handle(order, &call("order")).await.unwrap();
    let jobs = jobs_of(&world);
    let (broken, gone) = (&jobs["j8cb010b0"].0, &jobs["lcyid1030"].0);
    end_job(&world, &job_event(broken, None, "FAILED", Some(23), EXITED));
    world.batch.forget(gone.id.as_str());
    let function = sweeping_function(&world);
    function.invoke("clock", clock()).answer();
    let log = function.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let swept: BTreeMap<String, Value> = lines
        .filter(|line| line["Swept"] == 1)
        .map(|line| (line["found"].as_str().unwrap().to_owned(), line))
        .collect();
    assert_eq!(swept.len(), 2, "{log}");
    for found in ["job-ended", "job-unknown"] {
        let line = &swept[found];
        let declared = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["result"], "settled", "{line}");
        assert_eq!(declared["Dimensions"], json!([["found", "result"]]));
        assert_eq!(declared["Metrics"][0]["Name"], "Swept");
    }
}

/// The invocation died between the claim and the job, or between the job and the record.
#[tokio::test]
async fn a_dataset_without_its_job_gets_it_once() {
    let world = World::new();
    let service = swept_at_once(&world).await;
    let order = json!({"datasets": "j8cb010b0 lcyid1030", "batch_name": "b"});
    service.handle(order, &call("order")).await.unwrap();
    for (job, _) in jobs_of(&world).values() {
        let event = job_event(job, None, "FAILED", Some(OOM), EXITED);
        service.handle(event, &call("oom")).await.unwrap();
    }
    assert_eq!(all_jobs(&world).len(), 4);
    for dataset in ["j8cb010b0", "lcyid1030"] {
        let key = format!("data/b/control/{dataset}/attempts.json");
        let mut record = world.json(&key);
        let attempt = record["attempts"][1].as_object_mut().unwrap();
        attempt.remove("job_id");
        if dataset == "lcyid1030" {
            // a name that no job has
            let name = attempt["job_name"].as_str().unwrap().to_owned();
            let id = all_jobs(&world)
                .into_iter()
                .find(|j| j.new.name == name)
                .unwrap()
                .id;
            world.batch.forget(id.as_str());
        }
        world.put(&key, record.to_string());
    }
    let answer = service.handle(clock(), &call("clock")).await.unwrap();
    assert_eq!(answer["sweep"]["settled"], 2, "{answer}");
    assert_eq!(all_jobs(&world).len(), 5, "one was found by its name");
    for dataset in ["j8cb010b0", "lcyid1030"] {
        let record = world.json(&format!("data/b/control/{dataset}/attempts.json"));
        assert!(record["attempts"][1]["job_id"].is_string(), "{record}");
    }
}

/// A young job is left alone: its event may be under way.
#[tokio::test]
async fn the_young_are_left_alone() {
    let world = World::new();
    let service = service(&world, &[]).await;
    let order = json!({"datasets": "j8cb010b0", "batch_name": "b"});
    service.handle(order, &call("order")).await.unwrap();
    let (job, _) = jobs_of(&world).remove("j8cb010b0").unwrap();
    end_job(&world, &job_event(&job, None, "FAILED", Some(23), EXITED));
    let before = world.batch.requests();
    let answer = service.handle(clock(), &call("clock")).await.unwrap();
    assert_eq!(answer["sweep"]["settled"], 0, "{answer}");
    assert_eq!(world.batch.requests(), before);
}

/// Who changed its state was killed between the new message and the deletion of the old one.
#[tokio::test]
async fn a_message_that_was_left_over_is_deleted() {
    let world = World::new();
    let service = swept_at_once(&world).await;
    let order = json!({"datasets": "j8cb010b0 lcyid1030", "batch_name": "b"});
    service.handle(order, &call("order")).await.unwrap();
    let root = "data/b/";
    for (dataset, (job, _)) in jobs_of(&world) {
        // of work, before the end is noticed
        move_to(&world, root, &dataset.parse().unwrap(), "processing");
        let event = job_event(&job, None, "FAILED", Some(23), EXITED);
        service.handle(event, &call("end")).await.unwrap();
    }
    // the second is run by hand: its message is newer than the end of its job
    let now = Timestamp::now();
    for (dataset, ended) in [("j8cb010b0", now), ("lcyid1030", now - 1.hour())] {
        let key = format!("{root}control/{dataset}/attempts.json");
        let mut record = world.json(&key);
        record["attempts"][0]["outcome"]["at"] = json!(ended);
        world.put(&key, record.to_string());
        let left = format!("{root}messages/dataset-processing/{dataset}");
        world.put(&left, "");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = service.handle(clock(), &call("clock")).await.unwrap();
    assert_eq!(answer["sweep"]["settled"], 1, "{answer}");
    assert_eq!(world.states(root)["j8cb010b0"], ["error"]);
    assert_eq!(world.states(root)["lcyid1030"], ["error", "processing"]);
}

/// AWS Batch knows fewer children of an array than it has: those that it forgot do not hide those that ended.
#[tokio::test]
async fn forgotten_children_hide_no_ended_ones() {
    let world = World::new();
    let variables = [("CALDP_ARRAY_THRESHOLD", "2")];
    let now = |config: &mut caldp_trigger::config::Config| config.grace = Duration::ZERO;
    let service = service_with(&world, &variables, now).await;
    let order = json!({"datasets": "j8cb010b0 j8cb010c0 j8cb010d0 j8cb010e0", "batch_name": "b"});
    service.handle(order, &call("order")).await.unwrap();
    let jobs = jobs_of(&world);
    let root = "data/b/";
    let lose = |dataset: &str| {
        let (job, child) = &jobs[dataset];
        let id = format!("{}:{}", job.id, child.unwrap());
        leave(&world, root, &dataset.parse().unwrap(), "error", 23, &id);
        end_job(&world, &job_event(job, *child, "FAILED", Some(23), EXITED));
        id
    };
    lose("j8cb010b0");
    let forgotten = lose("j8cb010c0");
    world.batch.forget(&forgotten);
    let answer = service.handle(clock(), &call("clock")).await.unwrap();
    assert_eq!(answer["sweep"]["settled"], 2, "{answer}");
    let found = |dataset: &str| {
        let all = answer["sweep"]["found"].as_array().unwrap().iter();
        let mut of = all.filter(|found| found["dataset"] == dataset);
        of.next().unwrap()["found"].as_str().unwrap().to_owned()
    };
    assert!(found("j8cb010b0").contains("ended"), "{answer}");
    assert!(found("j8cb010c0").contains("does not know"), "{answer}");
}

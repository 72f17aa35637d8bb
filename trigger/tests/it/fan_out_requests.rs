//! One request for many datasets: found, carried out, stopped, handed on.

use caldp_tests::World;
use std::time::Duration;

use crate::world::story::{EXITED, ask, job_of, state, submitted};
use crate::world::{all_jobs, call, created, job_event, names, service};
use caldp_core::dataset::Dataset;
use caldp_trigger::invocation::Budget;

/// The index of outputs, which outlives them.
const INDEX: &str = "control/batches.json";

#[tokio::test]
async fn rescue_all_is_for_those_who_failed() {
    let (world, service) = submitted("j8cb010b0 lcyid1030 octka6010", &[]).await;
    let job = job_of(&world, "j8cb010b0");
    let event = job_event(&job, None, "FAILED", Some(23), EXITED);
    service.handle(event, &call("a")).await.unwrap();
    ask(
        &world,
        &service,
        "o/messages/request-cancel/lcyid1030",
        "",
        "1",
    )
    .await;
    let answer = ask(&world, &service, "o/messages/request-rescue/all", "", "2").await;
    assert_eq!(answer["result"]["carried_out"], 2, "{answer}");
    for dataset in ["j8cb010b0", "lcyid1030", "octka6010"] {
        assert_eq!(state(&world, dataset), ["submitted"], "{dataset}");
    }
    assert_eq!(all_jobs(&world).len(), 5);
}

#[tokio::test]
async fn a_kill_message_stops_fan_outs() {
    let (world, service) = submitted("j8cb010b0 lcyid1030", &[]).await;
    world.put("o/messages/broadcast/kill", "");
    let answer = ask(&world, &service, "o/messages/request-cancel/all", "", "1").await;
    assert!(
        answer["result"]["stopped"]
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
    let (world, service) = submitted(&list.join(" "), &[("CALDP_CONCURRENCY", "2")]).await;
    world.put("o/messages/request-cancel/all", "");
    let mut event = created("o/messages/request-cancel/all", "1");
    for invocation in 1.. {
        assert!(invocation < 60);
        let mut call = call(&format!("{invocation}"));
        call.budget = Budget::within(
            Duration::from_millis(60 << invocation.min(8)),
            Duration::from_millis(10),
        );
        service.handle(event, &call).await.unwrap();
        let keys = world.keys();
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
    let service = service(&world, &[]).await;
    let datasets: Vec<Dataset> = names(10_000);
    for dataset in &datasets {
        let folder = dataset.folder();
        for key in [
            format!("o/data/{folder}/{dataset}/{dataset}_raw.fits"),
            format!("o/data/{folder}/{dataset}/logs/process.txt"),
            format!("o/control/{dataset}/attempts.json"),
            format!("o/messages/dataset-processed/{dataset}"),
        ] {
            world.put(&key, "x");
        }
    }
    world.put("o/messages/batch-new/b.json", "{}");
    world.put("o/data/notes.txt", "x");
    world.s3.reset_counts();
    let answer = ask(&world, &service, "o/messages/request-clean/all", "", "1").await;
    assert_eq!(answer["result"]["datasets"], 10_000, "{answer}");
    assert_eq!(
        world.keys(),
        [INDEX, "o/data/notes.txt", "o/messages/batch-new/b.json"]
    );
    let deletes = world.s3.count("DeleteObjects");
    assert!((40..=48).contains(&deletes), "{:?}", world.s3.requests());
    assert!(
        world.s3.requests().values().sum::<u64>() < 120,
        "{:?}",
        world.s3.requests()
    );
}

/// Ten thousand datasets and too little time: the rest is handed on until nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn clean_all_continues_when_its_time_is_over() {
    let world = World::new();
    let service = service(&world, &[]).await;
    for dataset in names(10_000) {
        let folder = dataset.folder();
        for key in [
            format!("o/data/{folder}/{dataset}/{dataset}_raw.fits"),
            format!("o/messages/dataset-processed/{dataset}"),
        ] {
            world.put(&key, "x");
        }
    }
    world.put("o/messages/request-clean/all", "");
    let mut event = created("o/messages/request-clean/all", "1");
    for invocation in 1.. {
        assert!(invocation < 20);
        let mut call = call(&format!("{invocation}"));
        call.budget = Budget::within(Duration::ZERO, Duration::ZERO);
        service.handle(event, &call).await.unwrap();
        let keys = world.keys();
        let Some(next) = keys.iter().find(|k| k.contains("/broadcast/")) else {
            assert_eq!(keys, [INDEX]);
            assert!(invocation > 1, "it was to take more than one invocation");
            break;
        };
        event = created(next, "1");
    }
}

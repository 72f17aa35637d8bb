//! Orders that say more than names: what they decide, and what is refused.

use std::time::Duration;

use crate::world::{
    BUCKET, all_jobs, assert_submitted, call, created, created_in, lines, names, service,
};
use caldp_tests::World;
use serde_json::json;
use storage::hint::explain;

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

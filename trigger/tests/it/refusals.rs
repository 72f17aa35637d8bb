//! What AWS Batch refuses for good is an error of the datasets, shown and open to a rescue, and not tried for ever;
//! what it is too busy for is tried again.

use caldp_tests::World;
use caldp_trigger::error::TriggerError;
use serde_json::{Value, json};

use crate::world::story::{EXITED, OOM, ask, attempts, job_of, last_job, state, submitted};
use crate::world::{BUCKET, all_jobs, call, created, job_event, service};

const NO_QUEUE: &str = "Job queue q8 does not exist";

fn refuse(world: &World) {
    world.batch.refuse(Some(NO_QUEUE));
}

async fn ordered(world: &World, threshold: &str, names: &str) -> Value {
    let service = service(world, &[("CALDP_ARRAY_THRESHOLD", threshold)]).await;
    let order = json!({"datasets": names, "batch_name": "b", "s3_output_bucket": format!("s3://{BUCKET}/o")});
    service.handle(order, &call("order")).await.unwrap()
}

fn assert_refused(world: &World, dataset: &str) {
    assert_eq!(state(world, dataset), ["error"]);
    let message = world.json(&format!("o/messages/dataset-error/{dataset}"));
    assert_eq!(message["cause"], "refused");
    assert_eq!(
        message["explanation"],
        format!("AWS Batch refused the job: ClientException: {NO_QUEUE}")
    );
    assert!(
        message["remedy"].as_str().unwrap().contains("job queue"),
        "{message}"
    );
}

#[tokio::test]
async fn refused_jobs_are_errors_and_may_be_rescued() {
    for (threshold, names) in [
        ("10", "j8cb010b0 lcyid1030"),
        ("1", "j8cb010b0 j8cb020b0 j8cb030b0"),
    ] {
        let world = World::new();
        refuse(&world);
        let answer = ordered(&world, threshold, names).await;
        let count = names.split(' ').count();
        assert_eq!(
            answer["refused"].as_array().unwrap().len(),
            count,
            "{answer}"
        );
        assert_eq!(
            (&answer["submitted"], &answer["continues"]),
            (&json!(0), &json!(false))
        );
        for dataset in names.split(' ') {
            assert_refused(&world, dataset);
        }
        // delivered again, and repaired meanwhile: nothing is submitted behind anybody's back
        world.batch.refuse(None);
        assert_eq!(
            ordered(&world, threshold, names).await["refused"],
            answer["refused"]
        );
        assert!(all_jobs(&world).is_empty());
        let service = service(&world, &[]).await;
        ask(
            &world,
            &service,
            "o/messages/request-rescue/j8cb010b0",
            "",
            "1",
        )
        .await;
        assert_eq!(state(&world, "j8cb010b0"), ["submitted"]);
        assert_eq!(all_jobs(&world).len(), 1);
    }
}

#[tokio::test]
async fn a_refused_retry_is_an_error_and_a_refused_rescue_is_answered() {
    let (world, service) = submitted("j8cb010b0", &[]).await;
    refuse(&world);
    let event = job_event(
        &job_of(&world, "j8cb010b0"),
        None,
        "FAILED",
        Some(OOM),
        EXITED,
    );
    for id in ["a", "b"] {
        service.handle(event.clone(), &call(id)).await.unwrap();
        assert_refused(&world, "j8cb010b0");
    }
    let key = "o/messages/request-rescue/j8cb010b0";
    world.put(key, "");
    let error = service
        .handle(created(key, "1"), &call("c"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TriggerError::Refused { .. }) && error.is_final(),
        "{error}"
    );
    let answer = world.json(&format!("{key}.refused"));
    assert!(
        answer["error"].as_str().unwrap().contains(NO_QUEUE),
        "{answer}"
    );
    assert_eq!(all_jobs(&world).len(), 1);
    world.batch.refuse(None);
    ask(&world, &service, key, "", "2").await;
    assert_eq!(state(&world, "j8cb010b0"), ["submitted"]);
    assert!(world.get(&format!("{key}.refused")).is_none());
    assert_eq!(
        attempts(&world, "j8cb010b0")["attempts"][3]["job_id"],
        last_job(&world).id.as_str()
    );
}

#[tokio::test]
async fn a_torn_part_of_a_fan_out_is_answered() {
    let (world, service) = submitted("j8cb010b0", &[]).await;
    for (body, part) in [
        ("{\"verb\": \"resc", "EOF"),
        ("{\"verb\": \"x\", \"origin\": \"\"}", "no request"),
    ] {
        let key = "o/messages/broadcast/rescue-1";
        world.put(key, body);
        let error = service
            .handle(created(key, "1"), &call("a"))
            .await
            .unwrap_err();
        assert!(error.is_final(), "{error}");
        let answer = world.json(&format!("{key}.refused"));
        assert!(answer["error"].as_str().unwrap().contains(part), "{answer}");
    }
}

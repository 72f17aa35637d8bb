//! Batches of all sizes become jobs, exactly one for every dataset, whatever happens.

mod interrupted;
mod orders;

use crate::world::{BUCKET, all_jobs, assert_submitted, call, created, lines, names, service};
use caldp_core::dataset::Dataset;
use caldp_tests::World;
use serde_json::json;

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

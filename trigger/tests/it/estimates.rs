//! What a dataset gets at first: from its own earlier run, from what is known of it, by the model that
//! is installed; at how many requests. And why it is run.

use caldp_tests::World;
use std::fmt::Write as _;

use caldp_core::resources::{Features, MODEL_KEY, Model};
use serde_json::{Value, json};

use crate::world::story::EXITED;
use crate::world::{Service, all_jobs, call, created, job_event, names, service};

/// An association of ACS of full frames, which needs 2.6 GiB.
const ASSOCIATION: &str = "jcnw14060";

/// As a table or a file of features knows one that needs less than a GiB.
const SMALL: &str =
    "n_files=5\ntotal_mb=17.0\nDETECTOR=WFC\nSUBARRAY=True\nDRIZCORR=PERFORM\nPCTECORR=PERFORM\n";

async fn forecast(service: &Service, datasets: Value) -> Value {
    let order = json!({"datasets": datasets, "dry_run": true});
    let answer = service.handle(order, &call("a")).await.unwrap();
    answer["rungs"][0].clone()
}

#[tokio::test]
async fn what_is_known_best_decides() {
    let world = World::new();
    let service = service(&world, &[]).await;
    let by_name = forecast(&service, json!([ASSOCIATION])).await;
    assert_eq!(by_name["rung"], 1);

    let large =
        json!([{"dataset": ASSOCIATION, "n_files": 61, "total_mb": 950, "subarray": false}]);
    assert_eq!(forecast(&service, large.clone()).await["rung"], 3);

    let control = format!("control/{ASSOCIATION}/");
    let file = format!("{control}{ASSOCIATION}_MemModelFeatures.txt");
    world.put(&file, SMALL);
    let by_file = forecast(&service, large.clone()).await;
    assert_eq!(by_file["rung"], 0);
    assert!(by_file["timeout_seconds"].as_u64() < by_name["timeout_seconds"].as_u64());

    let measured = r#"{"peak_memory": 9000000000, "seconds": 1000}"#;
    world.put(&format!("{control}measured.json"), measured);
    let by_run = forecast(&service, large).await;
    assert_eq!(
        (&by_run["rung"], &by_run["timeout_seconds"]),
        (&json!(2), &json!(6000))
    );
}

#[tokio::test]
async fn the_installed_model_is_read_once_and_a_broken_one_is_passed_over() {
    let shipped = Model::shipped().unwrap();
    let mut groups = shipped.groups.clone();
    for group in &mut groups {
        group.vcpus = Some(64.0);
    }
    let installed = shipped.with_groups(shipped.origin.clone(), groups);
    let limit = |model: &Model| {
        let features = Features::of_name("ieib04ylq".parse().unwrap());
        json!(model.estimate(&features).timeout_seconds.floor())
    };
    for (document, expected) in [
        (installed.to_json().unwrap(), limit(&installed)),
        ("{\"schema\": \"torn".to_owned(), limit(&shipped)),
    ] {
        let world = World::new();
        world.put(MODEL_KEY, document);
        let service = service(&world, &[]).await;
        for _ in 0..2 {
            let seen = forecast(&service, json!(["ieib04ylq"])).await;
            assert_eq!(seen["timeout_seconds"].as_f64(), expected.as_f64());
        }
        // an earlier run and a file of features each time, the model once
        assert_eq!(world.s3.count("GetObject"), 2 * 3 + 1);
    }
}

#[tokio::test]
async fn features_that_come_with_a_batch_cost_no_request() {
    for threshold in ["1000", "10"] {
        let requests = |list: String, name: &'static str| async move {
            let world = World::new();
            world.put(&format!("batches/{name}"), list);
            let service = service(&world, &[("CALDP_ARRAY_THRESHOLD", threshold)]).await;
            let event = created(&format!("batches/{name}"), "1");
            let answer = service.handle(event, &call("a")).await.unwrap();
            assert_eq!(answer["submitted"], 200, "{answer}");
            world.s3.requests()
        };
        let mut lines = String::new();
        let mut table = String::from(
            "dataset,n_files,total_mb,drizcorr,pctecorr,crsplit,subarray,large_detector\n",
        );
        for (n, dataset) in names(200).iter().enumerate() {
            writeln!(lines, "{dataset}").unwrap();
            writeln!(
                table,
                "{dataset},{},{},PERFORM,PERFORM,1,0,1",
                2 + n % 3,
                35 + n
            )
            .unwrap();
        }
        let with = requests(table, "list.csv").await;
        let without = requests(lines, "list.ids").await;
        // the lookup of a dataset's own file of features is saved, nothing is added
        let gets = |of: &std::collections::BTreeMap<String, u64>| of["GetObject"];
        assert_eq!(gets(&with) + 200, gets(&without), "{with:?} {without:?}");
        for (operation, count) in &with {
            assert!(*count <= without[operation], "{operation}: {with:?}");
        }
    }
}

#[tokio::test]
async fn a_list_says_why_and_records_and_messages_keep_it() {
    let world = World::new();
    let service = service(&world, &[]).await;
    let why = "DARKFILE a_drk.fits -> b_drk.fits";
    let list = format!("{ASSOCIATION} # {why}\nlcyid1030\n");
    world.put("batches/changed.ids", list);
    let event = created("batches/changed.ids", "1");
    let answer = service.handle(event, &call("a")).await.unwrap();
    let root = format!("data/{}/", answer["batch"].as_str().unwrap());
    let body = |key: &str| world.json(&format!("{root}{key}"));
    assert_eq!(
        body(&format!("messages/dataset-submitted/{ASSOCIATION}"))["why"],
        why
    );
    assert_eq!(
        body("messages/dataset-submitted/lcyid1030")["why"],
        Value::Null
    );
    let record = body(&format!("control/{ASSOCIATION}/attempts.json"));
    assert_eq!(record["settings"]["why"], why);

    let jobs = all_jobs(&world);
    let job = jobs
        .into_iter()
        .find(|j| j.new.command[2] == ASSOCIATION)
        .unwrap();
    let event = job_event(&job, None, "FAILED", Some(23), EXITED);
    service.handle(event, &call("b")).await.unwrap();
    assert_eq!(
        body(&format!("messages/dataset-error/{ASSOCIATION}"))["why"],
        why
    );
}

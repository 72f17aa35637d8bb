//! The catalogue of a CRDS server as a source.

use std::collections::BTreeMap;

use caldp_tests::{CrdsServer, Run, fixtures};
use serde_json::{Value, json};

use super::{CHANGES, NEW, OLD, PlanDirectory, header, lines};

#[test]
fn the_catalogue_of_a_server_is_read_page_by_page() {
    let directory = PlanDirectory::new();
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let mut catalogue: BTreeMap<String, Value> = (0..7)
        .map(|n| (format!("J8CB0{n}U4Q:J8CB0{n}U4Q"), header("2017-01-15")))
        .collect();
    catalogue.insert("J8CB010B0:J8CB01U2Q".to_owned(), header("2016-01-15"));
    catalogue.insert("LBGU17QNQ:LBGU17QNQ".to_owned(), json!({"INSTRUME": "COS"}));
    server.set_datasets(catalogue);
    let from = format!("--from={}", server.url());
    let ask = |words: &[&str]| {
        let words = [&[&from, OLD, NEW, "--json"], words].concat();
        // The rules come from the server as well.
        let output = Run::of(
            directory
                .command(&words)
                .env_remove("CRDS_MAPPING_URI")
                .env_remove("CRDS_CONFIG_URI"),
        );
        assert_eq!(output.code, CHANGES, "{output:?}");
        lines(&output)
    };
    let (found, summary) = ask(&[]);
    assert_eq!(
        (&summary["asked"], &summary["affected"]),
        (&json!(9), &json!(7))
    );
    assert_eq!(found[0]["dataset"], "j8cb00u4q");
    assert_eq!(found[0]["id"], "J8CB00U4Q:J8CB00U4Q");
    // Two at once are all that this server gives: eight of ACS, one of COS.
    assert_eq!(server.count("get_dataset_headers_by_id"), 5);
    let (_, summary) = ask(&["--instrument=acs", "--since=2016-06-01"]);
    assert_eq!(summary["asked"], 7, "what is older does not come at all");

    let output = directory.plan(&[&from, NEW]);
    assert_eq!(output.code, 1);
    let said = &output.stderr;
    assert!(said.contains("--old-context names it"), "{said}");
    server.set_answer(
        "get_dataset_ids",
        json!(["J8CB00U4Q:J8CB00U4Q", "J8CB99U4Q"]),
    );
    let (found, _) = ask(&["--instrument=acs"]);
    let unknown = found
        .iter()
        .find(|line| line["dataset"] == "j8cb99u4q")
        .unwrap();
    assert!(
        unknown["unknown"]
            .as_str()
            .unwrap()
            .contains("says nothing of it"),
        "{found:?}"
    );
    let nowhere = directory.plan(&["--from=http://127.0.0.1:9", OLD, NEW]);
    assert_eq!(nowhere.code, 1, "{nowhere:?}");
}

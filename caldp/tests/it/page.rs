//! `caldp page`: the built binary against outputs on S3, in both layouts, with and without the right to write there.

use std::fs;

use caldp_core::layout::Layout;
use caldp_tests::S3Server;
use serde_json::{Value, json};

use crate::status::{BUCKET, caldp, output};

/// Two batches in a bucket.
fn world() -> S3Server {
    let server = S3Server::start(&[BUCKET]);
    for batch in ["spring", "summer"] {
        for (key, body) in output(Layout::Tree) {
            server.put(BUCKET, &format!("data/{batch}/{key}"), body);
        }
    }
    server
}

fn states() -> Value {
    json!({"submitted": 2, "processing": 2, "processed": 2, "error": 2, "syncing": 1, "synced": 1,
        "archived": 1, "terminated": 1})
}

#[test]
fn the_page_of_an_output_on_s3_is_written_into_it_in_both_layouts() {
    for layout in Layout::ALL {
        let server = S3Server::start(&[BUCKET]);
        for (key, body) in output(layout) {
            server.put(BUCKET, &format!("o/{key}"), body);
        }
        let words = ["page", "s3://hst-out/o", "--layout", layout.name()];
        let said = caldp(&server.environment(), &words);
        assert_eq!(said.code, 0, "{said:?}");
        let page = "s3://hst-out/o/blackboard/o/index.html\n";
        assert_eq!(said.stdout, page, "{layout}");
        let text = |file: &str| {
            let bytes = server.get(BUCKET, &format!("o/blackboard/{file}")).unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let lines: Value = serde_json::from_str(&text("batches.json")).unwrap();
        assert_eq!(lines["batches"][0]["states"], states(), "{layout}");
        let page = text("o/index.html");
        assert!(page.contains("j8cb01030") && page.contains("Content-Security-Policy"));
        assert!(text("index.html").contains("s3://hst-out/o"));
        let directory = match layout {
            Layout::Tree => "hst-out/o/data/acs/j8cb01000/",
            Layout::Calcloud => "hst-out/o/outputs/j8cb01000/",
        };
        let table = text("blackboardAWS.snapshot");
        let paths: Vec<&str> = table
            .lines()
            .filter_map(|line| line.rsplit('|').next())
            .collect();
        assert_eq!(paths.len(), 13);
        assert!(paths.contains(&directory), "{table}");
    }
}

#[test]
fn with_a_policy_that_only_allows_reading_what_cannot_be_written_is_said_once() {
    let server = world();
    server.allow_reading_only();
    let environment = server.environment();
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().to_str().unwrap();
    let explain = [
        "explain",
        "j8cb01030",
        "--output",
        "s3://hst-out/data/spring",
    ];
    let before = server.keys(BUCKET);
    for (words, status, notes) in [
        (&["status", "s3://hst-out"][..], 3, 1),
        (&["status", "s3://hst-out", "--failed"], 3, 1),
        (&["status", "s3://hst-out/data/spring", "--json"], 3, 1),
        (&explain, 4, 0),
        (&["page", "s3://hst-out", "--to", to], 0, 1),
    ] {
        let said = caldp(&environment, words);
        assert_eq!(said.code, status, "{words:?}: {said:?}");
        assert!(!said.stdout.is_empty());
        let err = said.stderr;
        let found = err
            .matches("cannot be remembered for the next time")
            .count();
        assert_eq!(
            (err.lines().count(), found),
            (notes, notes),
            "{words:?}: {err}"
        );
    }
    assert_eq!(server.keys(BUCKET), before);
    let lines = fs::read(directory.path().join("batches.json")).unwrap();
    let lines: Value = serde_json::from_slice(&lines).unwrap();
    for (number, batch) in ["spring", "summer"].into_iter().enumerate() {
        assert!(directory.path().join(batch).join("index.html").is_file());
        assert_eq!(lines["batches"][number]["states"], states());
    }
    // what was asked to be written there is an error, and what to do is said
    let said = caldp(&environment, &["page", "s3://hst-out/data/spring"]);
    assert_eq!(said.code, 1, "{said:?}");
    let err = said.stderr;
    assert!(err.contains("hint: ") && err.contains("--to"), "{err}");
}

/// Deletes a batch, but not what is remembered of it.
fn clean_summer(server: &S3Server) {
    for key in server.keys(BUCKET) {
        let own = key.strip_prefix("data/summer/");
        if own.is_some_and(|own| !own.starts_with("blackboard/")) {
            server.remove(BUCKET, &key);
        }
    }
}

#[test]
fn the_page_of_a_batch_that_was_cleaned_stays_where_it_may_not_be_deleted() {
    let server = world();
    let environment = server.environment();
    let page = || caldp(&environment, &["page", "s3://hst-out"]);
    assert_eq!(page().code, 0);
    clean_summer(&server);
    server.allow_no_deleting();
    let said = page();
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        said.stderr,
        "caldp: blackboard/summer/index.html shows a batch that is gone, and deleting it is not allowed\n"
    );
    let said = page();
    assert_eq!((said.code, &*said.stderr), (0, ""));
}

#[test]
fn a_batch_that_was_cleaned_goes_from_the_pages() {
    let server = world();
    let environment = server.environment();
    let page = |output: &str| caldp(&environment, &["page", output]);
    assert_eq!(page("s3://hst-out").code, 0);
    assert!(server.get(BUCKET, "blackboard/summer/index.html").is_some());
    clean_summer(&server);
    let said = page("s3://hst-out");
    let only = "s3://hst-out/blackboard/spring/index.html\n";
    assert_eq!(said.stdout, only);
    assert!(server.get(BUCKET, "blackboard/summer/index.html").is_none());
    for file in ["index.html", "batches.json", "blackboardAWS.snapshot"] {
        let bytes = server.get(BUCKET, &format!("blackboard/{file}")).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(
            text.contains("spring") && !text.contains("summer"),
            "{file}: {text}"
        );
    }
    let nothing = page("s3://hst-out/data/summer");
    assert_eq!(nothing.code, 1);
    assert!(nothing.stderr.contains("there are no datasets in"));
}

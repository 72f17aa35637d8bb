//! What is judged not to count, and what is said to be wrong on one side.

use std::fs;

use caldp_tests::{CrdsServer, Run, publish_other_table};
use serde_json::json;

use super::{CHANGES, NEW, NOTHING, OLD, PlanDirectory, UNKNOWN, header, line, lines};

#[test]
fn a_type_that_is_switched_off_counts_only_if_all_are_asked_for() {
    let directory = PlanDirectory::new();
    let mut off = header("2017-01-15");
    off["DARKCORR"] = json!("OMIT");
    directory.write("headers.jsonl", &line("j8cb02u4q", &off));
    // Real rules of many types leave it to the switch; the bundled ones say it twice.
    let rules = directory.path().join("mappings");
    publish_other_table(&rules);
    for serial in [9000, 9001] {
        let path = rules.join(format!("hst_acs_darkfile_{serial}.rmap"));
        let text = fs::read_to_string(&path).unwrap();
        let relevance = text.lines().find(|line| line.contains("rmap_relevance"));
        let text = text.replace(relevance.unwrap(), "");
        fs::write(&path, text).unwrap();
    }
    let ask = |words: &[&str], status| {
        let words = [&["--from=headers.jsonl", OLD, NEW, "--json"], words].concat();
        let output = Run::of(
            directory
                .command(&words)
                .env("CRDS_MAPPING_URI", &rules)
                .env("CRDS_IGNORE_MAPPING_CHECKSUM", "1")
                .env("CRDS_DOWNLOAD_LENGTHS", "0")
                .env("CRDS_DOWNLOAD_CHECKSUMS", "0"),
        );
        assert_eq!(output.code, status, "{output:?}");
        lines(&output)
    };
    let (found, summary) = ask(&[], NOTHING);
    assert_eq!(found[0]["changes"][0]["note"], "DARKCORR is OMIT");
    assert_eq!(summary["not_counted"]["switched_off"], 1);
    let (found, _) = ask(&["--all-types"], CHANGES);
    assert_eq!(found[0]["changes"][0]["counts"], true);
}

#[test]
fn a_file_that_has_only_another_name_does_not_count() {
    let directory = PlanDirectory::new();
    directory.write("headers.jsonl", &line("j8cb02u4q", &header("2017-01-15")));
    let root = directory.path().join("published");
    publish_other_table(&root.join("mappings/hst"));
    let references = root.join("references/hst");
    fs::create_dir_all(&references).unwrap();
    let ask = |new: &str, status| {
        fs::write(references.join("zz900097j_drk.fits"), "a dark").unwrap();
        fs::write(references.join("zz900006j_drk.fits"), new).unwrap();
        let server = CrdsServer::start(&root, "hst_9001.pmap", "hst_9002.pmap");
        let output = Run::of(
            directory
                .command(&["--from=headers.jsonl", OLD, NEW, "--json"])
                .env_remove("CRDS_CONFIG_URI")
                .env_remove("CRDS_MAPPING_URI")
                .env("CRDS_PATH", directory.path().join(format!("cache-{new}")))
                .env("CRDS_SERVER_URL", server.url()),
        );
        assert_eq!(output.code, status, "{output:?}");
        lines(&output)
    };
    let (found, summary) = ask("a dark", NOTHING);
    assert_eq!(
        found[0]["changes"][0]["note"],
        "the same file by another name"
    );
    assert_eq!(summary["not_counted"]["renamed"], 1);
    ask("another", CHANGES);
}

#[test]
fn what_fails_is_told_for_each_side_and_is_no_change() {
    let directory = PlanDirectory::new();
    let mut dateless = header("2017-01-15");
    dateless["DATE-OBS"] = json!("UNDEFINED");
    directory.write("headers.jsonl", &line("j8cb02u4q", &dateless));
    let ask = ["--from=headers.jsonl", OLD, NEW, "--types=darkfile"];
    let (found, summary) = directory.json(&ask, UNKNOWN);
    let sides: Vec<_> = found[0]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["rules"])
        .collect();
    assert_eq!(sides, ["old", "new"]);
    assert_eq!(
        (&summary["errors"], &summary["affected"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn a_day_of_no_calendar_and_a_context_of_no_form_are_refused() {
    let directory = PlanDirectory::new();
    directory.write("headers.jsonl", &line("j8cb02u4q", &header("2017-01-15")));
    for (words, said) in [
        ("--since=2017-13-01", "a day of the calendar is YYYY-MM-DD"),
        ("--since=2017-02-30", "a day of the calendar is YYYY-MM-DD"),
        (
            "--old-context=bad",
            "hint: write a rules file such as hst_1008.pmap",
        ),
    ] {
        let run = directory
            .plan(&["--from=headers.jsonl", NEW, words])
            .ended(2);
        assert!(run.stderr.contains(said), "{words}: {}", run.stderr);
    }
}

#[test]
fn raw_files_whose_keyword_is_empty_name_no_context() {
    let directory = PlanDirectory::new();
    caldp_tests::unpack_fixture("lbgu17qnq", directory.path());
    let (found, _) = directory.json(&["--from=.", NEW], UNKNOWN);
    let reason = "nothing says which context it was processed with; --old-context does";
    assert_eq!(found[0]["unknown"], reason, "{found:?}");
}

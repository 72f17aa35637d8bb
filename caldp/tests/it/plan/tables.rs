//! Tables that were delivered anew, with and without a change in the rows of a dataset.

use std::fs;
use std::path::Path;

use caldp_tests::{Run, fixtures, publish_other_table};
use serde_json::json;

use super::{CHANGES, NOTHING, OLD, PlanDirectory, line, lines};

fn find(directory: &Path, name: &str) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            find(&path, name)
        } else {
            (entry.file_name() == name).then_some(path)
        }
    })
}

#[test]
fn a_table_delivered_anew_counts_where_a_row_of_the_dataset_changed() {
    let directory = PlanDirectory::new();
    publish_other_table(&directory.path().join("mappings"));
    let header = |cenwave: u32| {
        json!({"INSTRUME": "COS", "DETECTOR": "NUV", "OBSTYPE": "SPECTROSCOPIC", "LIFE_ADJ": 1.0,
            "DATE-OBS": "2017-01-15", "TIME-OBS": "00:00:00", "OPT_ELEM": "G230L", "CENWAVE": cenwave, "APERTURE": "PSA"})
    };
    let text = line("lbgu17qnq", &header(2950)) + &line("lbgu18qnq", &header(3000));
    directory.write("headers.jsonl", &text);
    let ask = |words: &[&str], status| {
        let words = [
            &[
                "--from=headers.jsonl",
                OLD,
                "--new-context=hst_9003.pmap",
                "--json",
            ],
            words,
        ];
        let output = Run::of(
            directory
                .command(&words.concat())
                .env("CRDS_MAPPING_URI", directory.path().join("mappings"))
                .env("CRDS_REFERENCE_URI", fixtures().join("crds/references/hst"))
                .env("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
        );
        assert_eq!(output.code, status, "{output:?}");
        let (found, summary) = lines(&output);
        let affected = found.iter().filter(|line| line["affected"] == true);
        let affected: Vec<String> = affected
            .map(|line| line["dataset"].as_str().unwrap().to_owned())
            .collect();
        (affected, found, summary)
    };
    // Without the tables nothing can be ruled out.
    let (affected, found, summary) = ask(&["--ids=list.ids"], CHANGES);
    assert_eq!(affected, ["lbgu17qnq", "lbgu18qnq"]);
    let note = found[0]["changes"][0]["note"].as_str().unwrap();
    assert_eq!(
        note,
        "rows not compared: zz900004l_1dx.fits is not in the cache"
    );
    assert_eq!(summary["rows_not_compared"], 2);
    let list = fs::read_to_string(directory.path().join("list.ids")).unwrap();
    assert!(
        list.contains("zz900104l_1dx.fits (rows not compared)\n"),
        "{list}"
    );

    let (affected, ..) = ask(&["--fetch-tables"], CHANGES);
    assert_eq!(
        affected,
        ["lbgu17qnq"],
        "neither table has a row of the other"
    );

    let old = find(directory.path(), "zz900004l_1dx.fits").unwrap();
    let new = find(directory.path(), "zz900104l_1dx.fits").unwrap();
    let mut table = fs::read(&old).unwrap();
    fs::write(&new, &table).unwrap();
    let (affected, found, summary) = ask(&[], NOTHING);
    assert_eq!(affected, [""; 0]);
    assert_eq!(found[0]["changes"][0]["counts"], false);
    assert_eq!(summary["not_counted"]["same_rows"], 2);

    // The slope of the first row, of CENWAVE 2950.
    let data = table.len() - 2880;
    table[data + 4 + 8 + 4 + 4 + 7] ^= 1;
    fs::write(&new, &table).unwrap();
    assert_eq!(ask(&[], CHANGES).0, ["lbgu17qnq"]);

    fs::write(&new, "torn").unwrap();
    let (affected, found, _) = ask(&[], CHANGES);
    assert_eq!(affected, ["lbgu17qnq", "lbgu18qnq"]);
    assert!(
        found[0]["changes"][0]["note"]
            .as_str()
            .unwrap()
            .contains("cannot be read")
    );
}

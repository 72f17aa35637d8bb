//! Every answer of Python CRDS that is on record, asked again.
//!
//! The records and the real rules are not part of this repository: `CALDP_TEST_DATA` names the
//! directory that has them. Python CRDS itself, for the pickles it makes of those rules, is asked
//! only where `CRDS_TEST_PYTHON` names a Python that has it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::answers::{self, class, header_of, test_data};
use crds_core::bestrefs::{LookupPath, Lookups, Types};
use crds_core::rules::{Checksums, Context, MappingDirectory, Scope};
use serde_json::Value;

/// What was compared.
#[derive(Debug, Default)]
struct Count {
    lines: usize,
    failed_calls: usize,
    values: usize,
    differences: Vec<String>,
}

fn compare_line(line: &Value, lookups: &mut Lookups<'_>, count: &mut Count) {
    let path = match line["path"].as_str() {
        Some("std") => LookupPath::Conditioned,
        _ => LookupPath::AsGiven,
    };
    let header = header_of(&line["header"]);
    let answer = lookups.best_references(&header, path, Types::All);
    count.lines += 1;
    let id = &line["id"];
    if let Some(error) = line.get("error") {
        count.failed_calls += 1;
        if let Ok(found) = answer {
            count
                .differences
                .push(format!("{id}: found {found:?}, expected {error}"));
        }
        return;
    }
    let found = match answer {
        Ok(found) => found,
        Err(error) => {
            count.differences.push(format!("{id}: {error}"));
            return;
        }
    };
    let expected = line["bestrefs"].as_object().unwrap();
    count.values += expected.len();
    for (name, value) in expected {
        let class_found = found.get(name).map_or("omitted".to_owned(), class);
        let class_expected = answers::class_of_record(value);
        if class_found != class_expected {
            count.differences.push(format!(
                "{id} {name}: found {class_found} ({:?}), expected {class_expected} ({value}) tags {}",
                found.get(name).map(ToString::to_string), line["tags"]
            ));
        }
    }
    for (name, _) in found.iter() {
        if !expected.contains_key(name.as_str()) {
            count.differences.push(format!("{id} {name}: not omitted"));
        }
    }
}

/// One file of records, and the cache and observatory whose rules it is about.
struct Records {
    file: &'static str,
    cache: &'static str,
    observatory: &'static str,
}

const RECORDS: [Records; 4] = [
    Records {
        file: "hst_bestrefs_dev.jsonl.gz",
        cache: "crds-cache",
        observatory: "hst",
    },
    Records {
        file: "jwst_bestrefs_dev.jsonl.gz",
        cache: "crds-cache",
        observatory: "jwst",
    },
    Records {
        file: "roman_bestrefs_dev.jsonl.gz",
        cache: "crds-cache",
        observatory: "roman",
    },
    Records {
        file: "synthetic_bestrefs_dev.jsonl.gz",
        cache: "crds-cache-synthetic",
        observatory: "hst",
    },
];

fn compare_file(data: &Path, records: &Records, load: &dyn Fn(&str) -> Context) -> usize {
    let file = std::fs::File::open(data.join("oracle").join(records.file)).unwrap();
    let lines: Vec<Value> = BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    let mut contexts: BTreeMap<&str, Context> = BTreeMap::new();
    for line in &lines {
        let name = line["context"].as_str().unwrap();
        contexts.entry(name).or_insert_with(|| load(name));
    }
    let mut lookups: BTreeMap<&str, Lookups<'_>> = contexts
        .iter()
        .map(|(name, context)| (*name, context.lookups()))
        .collect();
    let mut count = Count::default();
    for line in &lines {
        let lookups = lookups.get_mut(line["context"].as_str().unwrap()).unwrap();
        compare_line(line, lookups, &mut count);
    }
    println!(
        "{}: {} lines, {} of them failures as a whole, {} values, {} differences",
        records.file,
        count.lines,
        count.failed_calls,
        count.values,
        count.differences.len()
    );
    for difference in count.differences.iter().take(40) {
        println!("  {difference}");
    }
    assert!(
        count.differences.is_empty(),
        "{}: answers differ",
        records.file
    );
    count.values
}

#[test]
fn every_recorded_answer_is_given() {
    let Some(data) = test_data("every_recorded_answer_is_given") else {
        return;
    };
    let values = RECORDS.iter().map(|records| {
        let cache = data.join(records.cache).join("mappings");
        let rules = MappingDirectory::new(cache.join(records.observatory));
        compare_file(&data, records, &|name| {
            Context::load(
                &rules,
                &name.parse().unwrap(),
                Scope::All,
                Checksums::Verify,
            )
            .unwrap()
        })
    });
    println!("{} values agree", values.sum::<usize>());
}

#[test]
fn pickled_rules_give_the_same_answers() {
    let Some(data) = test_data("pickled_rules_give_the_same_answers") else {
        return;
    };
    let Some(python) = std::env::var_os("CRDS_TEST_PYTHON") else {
        eprintln!(
            "left out: pickled_rules_give_the_same_answers needs CRDS_TEST_PYTHON, a Python that has crds"
        );
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/make_pickles.py");
    let values = RECORDS.iter().map(|records| {
        let pickles = tempfile::tempdir().unwrap();
        compare_file(&data, records, &|name| {
            let status = std::process::Command::new(&python)
                .arg(script)
                .arg(data.join(records.cache))
                .arg(records.observatory)
                .arg(pickles.path())
                .arg(name)
                .status()
                .unwrap();
            assert!(status.success());
            let pickle = std::fs::read(pickles.path().join(format!("{name}.pkl"))).unwrap();
            Context::from_pickle(&name.parse().unwrap(), &pickle, Scope::All).unwrap()
        })
    });
    println!("{} values agree with pickled rules", values.sum::<usize>());
}

//! Every answer of Python CRDS that is on record, asked again.
//!
//! The records and the real rules are not part of this repository: `CALDP_TEST_DATA` names the
//! directory that has them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod shared;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crds_core::bestrefs::{LookupPath, Lookups, Types};
use crds_core::rules::{Checksums, Context, MappingDirectory, Scope};
use serde_json::Value;
use shared::{class, header_of, test_data};

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
        let class_expected = shared::class_of_record(value);
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

fn compare_file(data: &Path, file: &str, mappings: &str) -> usize {
    let records = std::fs::File::open(data.join("oracle").join(file)).unwrap();
    let records = BufReader::new(flate2::read::GzDecoder::new(records));
    let rules = MappingDirectory::new(data.join(mappings));
    let mut contexts: BTreeMap<String, Context> = BTreeMap::new();
    let lines: Vec<Value> = records
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    for line in &lines {
        let name = line["context"].as_str().unwrap();
        contexts.entry(name.to_owned()).or_insert_with(|| {
            Context::load(
                &rules,
                &name.parse().unwrap(),
                Scope::All,
                Checksums::Verify,
            )
            .unwrap()
        });
    }
    let mut lookups: BTreeMap<&str, Lookups<'_>> = contexts
        .iter()
        .map(|(name, context)| (name.as_str(), context.lookups()))
        .collect();
    let mut count = Count::default();
    for line in &lines {
        let lookups = lookups.get_mut(line["context"].as_str().unwrap()).unwrap();
        compare_line(line, lookups, &mut count);
    }
    println!(
        "{file}: {} lines, {} of them failures as a whole, {} values, {} differences",
        count.lines,
        count.failed_calls,
        count.values,
        count.differences.len()
    );
    for difference in count.differences.iter().take(40) {
        println!("  {difference}");
    }
    assert!(count.differences.is_empty(), "{file}: answers differ");
    count.values
}

#[test]
fn every_recorded_answer_is_given() {
    let Some(data) = test_data("every_recorded_answer_is_given") else {
        return;
    };
    let values: usize = [
        ("hst_bestrefs_dev.jsonl.gz", "crds-cache/mappings/hst"),
        ("jwst_bestrefs_dev.jsonl.gz", "crds-cache/mappings/jwst"),
        ("roman_bestrefs_dev.jsonl.gz", "crds-cache/mappings/roman"),
        (
            "synthetic_bestrefs_dev.jsonl.gz",
            "crds-cache-synthetic/mappings/hst",
        ),
    ]
    .into_iter()
    .map(|(file, mappings)| compare_file(&data, file, mappings))
    .sum();
    println!("{values} values agree");
}

//! What several tests need: the outside test data, and how answers are compared.

use std::path::PathBuf;

use crds_core::bestrefs::Outcome;
use crds_core::header::{Header, float_text};
use crds_core::rules::Context;
use serde_json::Value;

/// The directory of test data that is not part of the repository, or a note on stderr.
pub(crate) fn test_data(test: &str) -> Option<PathBuf> {
    let data = std::env::var_os("CALDP_TEST_DATA").map(PathBuf::from);
    if data.is_none() {
        eprintln!("left out: {test} needs CALDP_TEST_DATA, the directory of rules and records");
    }
    data
}

/// The bundled cache.
pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// A header from JSON, values as Python's `str()` writes them.
pub(crate) fn header_of(json: &Value) -> Header {
    let pairs = json.as_object().unwrap();
    pairs
        .iter()
        .map(|(key, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Null => "None".into(),
                Value::Bool(true) => "True".into(),
                Value::Bool(false) => "False".into(),
                Value::Number(number) if number.is_f64() => float_text(number.as_f64().unwrap()),
                other => other.to_string(),
            };
            (key.clone(), text)
        })
        .collect()
}

/// What has to agree of an outcome.
pub(crate) fn class(outcome: &Outcome) -> String {
    match outcome {
        Outcome::File(name) => name.to_string(),
        Outcome::NotApplicable => "n/a".into(),
        Outcome::NoMatch => "no match".into(),
        Outcome::Ambiguous(_) => "ambiguous".into(),
        Outcome::Error(_) => "error".into(),
    }
}

/// What has to agree of a recorded answer.
pub(crate) fn class_of_record(value: &Value) -> String {
    match value {
        Value::Array(_) => "ambiguous".into(),
        other => match other.as_str().unwrap() {
            "NOT FOUND n/a" => "n/a".into(),
            "NOT FOUND No match found." => "no match".into(),
            text if text.starts_with("NOT FOUND") => "error".into(),
            file => file.into(),
        },
    }
}

/// Headers made from the rules: every value a column has, with every kind of date, and gaps.
pub(crate) fn headers_from_rules(context: &Context) -> Vec<Header> {
    let dates = [
        ("1990-01-01", "00:00:00"),
        ("2009-05-14", "00:00:00"),
        ("2017-03-05", "12:00:00.25"),
        ("2030-12-31", "23:59:59"),
        ("UNDEFINED", "UNDEFINED"),
    ];
    let mut headers = Vec::new();
    let mut row_number = 0;
    for file in context.references() {
        for row in context.rows_choosing(file) {
            for (number, (date, time)) in dates.iter().enumerate() {
                let mut header = Header::new();
                header.set("INSTRUME", row.instrument.to_uppercase());
                for (index, (key, cell)) in row.parameters.iter().enumerate() {
                    let value = cell.split('|').next().unwrap_or_default();
                    if (row_number + index) % 7 != number {
                        header.set(key, value);
                    }
                }
                header.set("DATE-OBS", *date);
                header.set("TIME-OBS", *time);
                headers.push(header);
            }
            row_number += 1;
        }
    }
    headers
}

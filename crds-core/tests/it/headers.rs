//! Headers as CRDS leaves them: what `crds bestrefs --update-bestrefs` of the Python client wrote
//! is what our update writes, card for card, and not a byte elsewhere changes.

use std::fs;
use std::path::Path;

use crate::answers::{fixtures, test_data};
use crds_core::bestrefs::{LookupPath, Types};
use crds_core::dataset::{self, fits};
use crds_core::dataset::{NoMatch, ReferenceCards};
use crds_core::rules::{Checksums, Context, MappingDirectory, Scope};
use flate2::read::GzDecoder;
use serde_json::Value;
use storage::checksum::Sha1Sum;

fn unpack(archive: &Path, into: &Path) {
    let file = fs::File::open(archive).unwrap();
    tar::Archive::new(GzDecoder::new(file))
        .unpack(into)
        .unwrap();
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The cards at `at` up to and with `END`, and the length of the header in bytes.
fn cards(bytes: &[u8], at: usize) -> (Vec<String>, usize) {
    let mut cards = Vec::new();
    for card in bytes[at..].chunks(80) {
        cards.push(String::from_utf8(card.to_vec()).unwrap());
        if card.trim_ascii_end() == b"END" {
            break;
        }
    }
    let length = (cards.len() * 80).next_multiple_of(2880);
    (cards, length)
}

/// The file in the form of the golden texts; lengths of data come from the golden text itself.
fn listing(bytes: &[u8], golden: &str) -> String {
    let mut text = String::new();
    let mut at = 0;
    for title in golden.lines().filter(|line| line.starts_with("### HDU")) {
        let words: Vec<&str> = title.split(' ').collect();
        let (number, data) = (words[2], words[words.len() - 3]);
        let (cards, length) = cards(bytes, at);
        let title = format!("### HDU {number} {length} bytes of header, {data} of data");
        text.push_str(&title);
        text.push('\n');
        for card in cards {
            text += card.trim_end();
            text.push('\n');
        }
        at += length + data.parse::<usize>().unwrap();
    }
    assert_eq!(at, bytes.len());
    text
}

/// Chooses and writes the references of one file; whether every type had an answer.
fn assign(path: &Path, context: &Context, version: &str) -> bool {
    let header = dataset::read(path).unwrap();
    let references = context
        .best_references(&header, LookupPath::Conditioned, Types::All)
        .unwrap();
    let instrument = header.get("INSTRUME").unwrap();
    let cards = ReferenceCards::new(
        instrument,
        context.name().as_str(),
        version,
        &references,
        NoMatch::NotApplicable,
    )
    .unwrap();
    ::fits::update_primary(path, &cards.updates).unwrap();
    assert!(
        !::fits::update_primary(path, &cards.updates)
            .unwrap()
            .changed
    );
    cards.failures.is_empty()
}

fn rules(mappings: &Path, context: &str) -> Context {
    let source = MappingDirectory::new(mappings);
    Context::load(
        &source,
        &context.parse().unwrap(),
        Scope::All,
        Checksums::Verify,
    )
    .unwrap()
}

/// The text Python wrote about itself.
fn version<'c>(mut cards: impl Iterator<Item = &'c str>) -> &'c str {
    let card = cards.find(|card| card.starts_with("CRDS_VER")).unwrap();
    card.split('\'').nth(1).unwrap()
}

#[test]
fn the_golden_headers_come_out() {
    let manifest = json(&fixtures().join("manifest.json"));
    let context = manifest["context"].as_str().unwrap();
    let context = rules(&fixtures().join("crds/mappings/hst"), context);
    let mut compared = 0;
    for (dataset, entry) in manifest["datasets"].as_object().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        unpack(
            &fixtures().join(format!("raw/{dataset}.tar.gz")),
            folder.path(),
        );
        for (name, bestrefs) in entry["bestrefs"].as_object().unwrap() {
            let golden = |when| {
                let path = fixtures().join(format!("golden/headers/{name}.{when}.txt"));
                fs::read_to_string(path).unwrap()
            };
            let path = folder.path().join(name);
            let before = fs::read(&path).unwrap();
            assert_eq!(
                listing(&before, &golden("before")),
                golden("before"),
                "{name}"
            );

            let after = golden("after");
            assert!(assign(&path, &context, version(after.lines())));
            let bytes = fs::read(&path).unwrap();
            assert_eq!(listing(&bytes, &after), after, "{name}");
            assert_eq!(
                bytes[cards(&bytes, 0).1..],
                before[cards(&before, 0).1..],
                "{name}"
            );

            let header = fits::read(&path).unwrap();
            for (keyword, value) in bestrefs.as_object().unwrap() {
                assert_eq!(header.get(keyword), value.as_str());
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 15);
}

#[test]
fn the_oracle_headers_come_out() {
    let Some(data) = test_data("the FITS update oracle") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    unpack(&data.join("oracle/fits_update_dev.tar.gz"), folder.path());
    let expected = json(&folder.path().join("expected.json"));
    let context = expected["context"].as_str().unwrap();
    let context = rules(&data.join("crds-cache/mappings/hst"), context);
    for (name, entry) in expected["files"].as_object().unwrap() {
        let path = folder.path().join("in").join(name);
        let wanted = entry["primary"].as_array().unwrap();
        let wanted: Vec<&str> = wanted.iter().map(|card| card.as_str().unwrap()).collect();
        let complete = assign(&path, &context, version(wanted.iter().copied()));
        assert_eq!(entry["exit"], i32::from(!complete), "{name}");
        let bytes = fs::read(&path).unwrap();
        let (mut got, length) = cards(&bytes, 0);
        got.pop();
        assert_eq!(got.len(), wanted.len(), "{name}");
        for (got, wanted) in got.iter().zip(&wanted) {
            // Python leaves CHECKSUM stale; ours is right.
            if !wanted.starts_with("CHECKSUM") {
                assert_eq!(got, wanted, "{name}");
            }
        }
        let rest = Sha1Sum::of(&bytes[length..]).to_string();
        assert_eq!(rest, entry["rest_sha1"], "{name}");
    }
}

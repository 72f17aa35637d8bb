//! The bundled cache: its rules and its pickles say the same, and what the tables say about
//! themselves is right.

use std::collections::{BTreeSet, HashMap};

use crate::answers::{self, class, fixtures, headers_from_rules};
use bytes::Bytes;
use crds_core::bestrefs::{LookupError, LookupPath, Outcome, Types};
use crds_core::header::Header;
use crds_core::names::{MappingKind, MappingName};
use crds_core::rules::{
    Checksums, Context, LoadError, MappingDirectory, MappingSource, Scope, mappings_named_in,
};
use storage::hint::with_causes;

const CONTEXTS: [&str; 3] = ["hst_9000.pmap", "hst_9001.pmap", "hst_9002.pmap"];

fn rules() -> MappingDirectory {
    MappingDirectory::new(fixtures().join("crds/mappings/hst"))
}

fn load(name: &str) -> Context {
    Context::load(
        &rules(),
        &name.parse().unwrap(),
        Scope::All,
        Checksums::Verify,
    )
    .unwrap()
}

fn pickled(name: &str) -> Context {
    let path = fixtures().join(format!("crds/pickles/hst/{name}.pkl"));
    Context::from_pickle(
        &name.parse().unwrap(),
        &std::fs::read(path).unwrap(),
        Scope::All,
    )
    .unwrap()
}

#[test]
fn rules_and_pickles_answer_alike() {
    let mut values = 0;
    for name in CONTEXTS {
        let (from_rules, from_pickle) = (load(name), pickled(name));
        assert_eq!(from_rules.mappings(), from_pickle.mappings());
        assert_eq!(from_rules.references(), from_pickle.references());
        let headers = headers_from_rules(&from_rules);
        assert!(headers.len() > 100);
        let (mut a, mut b) = (from_rules.lookups(), from_pickle.lookups());
        for header in &headers {
            for path in [LookupPath::Conditioned, LookupPath::AsGiven] {
                let answer = a.best_references(header, path, Types::All).unwrap();
                let other = b.best_references(header, path, Types::All).unwrap();
                assert_eq!(answer, other, "{name} {header:?}");
                // What was remembered must not change an answer.
                let fresh = from_rules
                    .best_references(header, path, Types::All)
                    .unwrap();
                assert_eq!(answer, fresh, "{name} {header:?}");
                values += answer.len();
            }
        }
    }
    println!("{values} values agree between rules, pickles, and lookups with and without memory");
}

#[test]
fn fixture_headers_get_the_recorded_references() {
    let manifest = std::fs::read_to_string(fixtures().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let context = load(manifest["context"].as_str().unwrap());
    let mut values = 0;
    for dataset in manifest["datasets"].as_object().unwrap().values() {
        for (file, expected) in dataset["bestrefs"].as_object().unwrap() {
            let dump = fixtures().join(format!("golden/headers/{file}.before.txt"));
            let Ok(dump) = std::fs::read_to_string(dump) else {
                continue;
            };
            let header = header_of_dump(&dump);
            let answer = context
                .best_references(&header, LookupPath::Conditioned, Types::All)
                .unwrap();
            for (name, value) in expected.as_object().unwrap() {
                let value = value.as_str().unwrap();
                let value = value.split_once('$').map_or(value, |(_, file)| file);
                let found = answer
                    .get(&name.to_lowercase())
                    .map_or("omitted".into(), class);
                let agrees = match value {
                    "N/A" => found == "n/a" || found == "no match",
                    file => found == file,
                };
                assert!(agrees, "{file} {name}: found {found}, expected {value}");
                values += 1;
            }
        }
    }
    println!("{values} recorded references agree");
    assert!(values > 100);
}

/// A header from the dump of a FITS file's cards; the first card of a keyword counts.
fn header_of_dump(dump: &str) -> Header {
    let mut header = Header::new();
    for line in dump.lines() {
        let Some((key, rest)) = line.split_once('=') else {
            continue;
        };
        let key = key.trim();
        let value = rest.trim();
        let value = match value.strip_prefix('\'') {
            Some(text) => text.split('\'').next().unwrap_or_default().trim_end(),
            None => match value.split('/').next().unwrap_or_default().trim() {
                "T" => "True",
                "F" => "False",
                number => number,
            },
        };
        if header.get(key).is_none() {
            header.push(key, value);
        }
    }
    header
}

#[test]
fn rules_can_be_fetched_step_by_step() {
    let source = rules();
    let pmap: MappingName = "hst_9001.pmap".parse().unwrap();
    let mut at_hand: HashMap<MappingName, Bytes> = HashMap::new();
    let fetch = |name: &MappingName, at_hand: &mut HashMap<MappingName, Bytes>| {
        let bytes = source.read(name).unwrap();
        at_hand.insert(name.clone(), bytes.clone());
        mappings_named_in(name, &bytes, Checksums::Verify).unwrap()
    };
    let imaps = fetch(&pmap, &mut at_hand);
    let (_, imap) = imaps.iter().find(|(name, _)| name == "acs").unwrap();
    for (_, table) in fetch(imap, &mut at_hand) {
        assert_eq!(table.kind(), MappingKind::Reference);
        assert!(fetch(&table, &mut at_hand).is_empty());
    }
    let scope = Scope::Instrument("ACS");
    let context = Context::load(&at_hand, &pmap, scope, Checksums::Verify).unwrap();
    let header = |instrument: &str| {
        let mut header = Header::new();
        header.push("INSTRUME", instrument);
        header
    };
    let ask = |instrument: &str| {
        context.best_references(&header(instrument), LookupPath::Conditioned, Types::All)
    };
    assert!(ask("ACS").is_ok());
    assert!(matches!(ask("COS"), Err(LookupError::NotLoaded { .. })));
    assert!(matches!(
        ask("FOS"),
        Err(LookupError::UnknownInstrument { .. })
    ));

    // Without a table, the instrument is broken and says which file is missing.
    at_hand.remove(&"hst_acs_biasfile_9000.rmap".parse().unwrap());
    let context = Context::load(&at_hand, &pmap, scope, Checksums::Verify).unwrap();
    let error = context
        .best_references(&header("ACS"), LookupPath::Conditioned, Types::All)
        .unwrap_err();
    assert!(
        with_causes(&error)
            .to_string()
            .contains("hst_acs_biasfile_9000.rmap"),
        "{error}"
    );
    assert_eq!(context.broken().count(), 1);
}

#[test]
fn an_instrument_map_or_a_table_can_be_the_context() {
    let mut header = Header::new();
    for (key, value) in [
        ("DETECTOR", "WFC"),
        ("DATE-OBS", "2017-03-05"),
        ("TIME-OBS", "12:00:00"),
    ] {
        header.push(key, value);
    }
    let imap = load("hst_acs_9001.imap");
    assert_eq!(imap.instruments().collect::<Vec<_>>(), ["acs"]);
    let all = imap
        .best_references(&header, LookupPath::Conditioned, Types::All)
        .unwrap();
    assert!(all.get("darkfile").is_some());
    let table = load("hst_acs_darkfile_9001.rmap");
    let one = table
        .best_references(&header, LookupPath::Conditioned, Types::All)
        .unwrap();
    assert_eq!(
        one.iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["darkfile"]
    );
    let other = table.best_references(&header, LookupPath::Conditioned, Types::Only(&["biasfile"]));
    assert!(matches!(other, Err(LookupError::OtherType { .. })));
    let asked = imap
        .best_references(
            &header,
            LookupPath::Conditioned,
            Types::Only(&["DARKFILE", "nonsense"]),
        )
        .unwrap();
    assert_eq!(asked.len(), 2);
    assert!(matches!(asked.get("nonsense"), Some(Outcome::Error(_))));
}

#[test]
fn rules_tell_about_themselves() {
    let context = load("hst_9001.pmap");
    assert_eq!(
        context.instruments().collect::<Vec<_>>(),
        ["acs", "cos", "stis", "wfc3"]
    );
    let keys = context.needed_keys("ACS").unwrap();
    for key in ["DATE-OBS", "DETECTOR", "INSTRUME", "REFTYPE"] {
        assert!(keys.contains(&key), "{key}");
    }
    assert!(keys.is_sorted());
    let types = context.reference_types("acs").unwrap();
    assert!(types.iter().any(|name| name.as_str() == "darkfile"));
    let mappings = context.mappings_of("acs").unwrap();
    let has = |wanted: &str| mappings.iter().any(|name| name.as_str() == wanted);
    assert!(has("hst_acs_9001.imap") && !has("hst_9001.pmap"));
    assert!(context.mappings().len() > mappings.len());
    assert!(context.reference_types("fos").is_none());
    let file = context
        .references()
        .into_iter()
        .find(|name| name.ends_with("_drk.fits"))
        .unwrap();
    let rows = context.rows_choosing(file);
    assert!(!rows.is_empty());
    let keys: BTreeSet<&str> = rows[0].parameters.iter().map(|(key, _)| *key).collect();
    assert!(
        keys.contains("DETECTOR") && keys.contains("TIME-OBS"),
        "{keys:?}"
    );
    assert!(context.rows_choosing("no_such_file.fits").is_empty());
}

#[test]
fn changed_rules_are_noticed() {
    let name: MappingName = "hst_acs_darkfile_9001.rmap".parse().unwrap();
    let bytes = rules().read(&name).unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let load = |text: String, checksums| {
        let source: HashMap<MappingName, Bytes> = HashMap::from([(name.clone(), text.into())]);
        Context::load(&source, &name, Scope::All, checksums)
    };
    let changed = text.replace("_drk.fits", "_drx.fits");
    assert!(matches!(
        load(changed.clone(), Checksums::Verify),
        Err(LoadError::WrongChecksum { .. })
    ));
    assert!(load(changed, Checksums::Ignore).is_ok());
    let without: String = text
        .lines()
        .filter(|line| !line.contains("sha1sum"))
        .fold(String::new(), |text, line| text + line + "\n");
    assert!(matches!(
        load(without, Checksums::Verify),
        Err(LoadError::NoChecksum { .. })
    ));
    assert!(load(text.replace('\n', "\r\n"), Checksums::Verify).is_ok());
}

#[test]
fn every_real_rule_file_loads_or_is_refused_for_its_checksum() {
    let test = "every_real_rule_file_loads_or_is_refused_for_its_checksum";
    let Some(data) = answers::test_data(test) else {
        return;
    };
    let mut counts = std::collections::BTreeMap::new();
    for (cache, observatory) in [
        ("crds-cache", "hst"),
        ("crds-cache", "jwst"),
        ("crds-cache", "roman"),
        ("crds-cache-synthetic", "hst"),
    ] {
        let directory = data.join(cache).join("mappings").join(observatory);
        let source = MappingDirectory::new(&directory);
        for entry in std::fs::read_dir(directory).unwrap() {
            let file = entry.unwrap().file_name();
            let name: MappingName = file.to_str().unwrap().parse().unwrap();
            let verdict = match name.kind() {
                // A table is compiled as a context of its own; a map is read on its own.
                MappingKind::Reference => {
                    Context::load(&source, &name, Scope::All, Checksums::Verify).map(|_| ())
                }
                _ => mappings_named_in(&name, &source.read(&name).unwrap(), Checksums::Verify)
                    .map(|_| ()),
            };
            let verdict = match verdict {
                Ok(()) => "loads",
                Err(LoadError::WrongChecksum { .. }) => {
                    assert_eq!(name.as_str(), "roman_wfi_epsf_0001.rmap");
                    let ignored = Context::load(&source, &name, Scope::All, Checksums::Ignore);
                    assert!(ignored.is_ok(), "{ignored:?}");
                    "has another checksum"
                }
                Err(error) => panic!("{error}"),
            };
            *counts.entry((cache, observatory, verdict)).or_insert(0) += 1;
        }
    }
    for ((cache, observatory, verdict), count) in counts {
        println!("{cache}/{observatory}: {count} rule files: {verdict}");
    }
}

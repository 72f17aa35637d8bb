//! A batch in all its states, followed as an operator follows it: `status`, `status --failed`, `explain`, `page`,
//! `sync` and the archive's acknowledgements, from S3. Every count is compared with what was put there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, BatchState, Layout};
use caldp_core::provenance::{FileRecord, Provenance};
use caldp_core::state::State;
use caldp_tests::{Run, World, long_variants};
use serde_json::{Value, json};
use storage::checksum::{Crc64Sum, Sha1Sum};

use crate::CALDP;

const BATCH: &str = "spring";
const OUTPUT: &str = "s3://hst-out/data/spring";
const LAYOUT: Layout = Layout::Tree;

/// How jobs fail: the cause in the record and the exit code, if there is one.
const KINDS: [(&str, Option<i64>); 12] = [
    ("memory", Some(32)),
    ("timeout", None),
    ("infrastructure", None),
    ("refused", None),
    ("capacity", None),
    ("misconfiguration", None),
    ("other", Some(1)),
    ("other", Some(21)),
    ("other", Some(22)),
    ("other", Some(23)),
    ("other", Some(24)),
    ("other", Some(139)),
];

/// How many datasets are in a state, of ten thousand.
const STATES: [(State, usize); 8] = [
    (State::Submitted, 1_500),
    (State::Processing, 500),
    (State::Processed, 2_000),
    (State::Error, 300),
    (State::Syncing, 100),
    (State::Synced, 3_500),
    (State::Archived, 2_000),
    (State::Terminated, 100),
];

/// Of these, one in so many, unless `CALDP_TEST_LONG` is set.
const ONE_IN: usize = 25;

/// The files of a processed dataset, by their names below its directory, and their sizes.
const FILES: [(&str, usize); 3] = [
    ("x_flt.fits", 20_000),
    ("previews/x_flt_thumb.jpg", 2_000),
    ("logs/process.txt", 500),
];

/// A batch with datasets of every state.
struct Batch {
    world: World,
    states: BTreeMap<Dataset, State>,
    /// One failed dataset of each kind.
    examples: Vec<Dataset>,
}

/// How many datasets of a state there are here.
fn share(of_all: usize) -> usize {
    static LONG: LazyLock<bool> = LazyLock::new(|| long_variants("a batch of ten thousand"));
    if *LONG { of_all } else { of_all / ONE_IN }
}

fn count(state: State) -> usize {
    let found = STATES.iter().find(|(of, _)| *of == state);
    share(found.unwrap().1)
}

impl Batch {
    fn new() -> Self {
        let mut batch = Self {
            world: World::new(),
            states: BTreeMap::new(),
            examples: vec![],
        };
        let instruments = ["j", "i", "l", "o"];
        for (state, of_all) in STATES {
            for number in 0..share(of_all) {
                let letter = instruments[number % instruments.len()];
                let name = format!("{letter}8{:07}", batch.states.len());
                batch.add(name.parse().unwrap(), state, number);
            }
        }
        let names: Vec<&Dataset> = batch.states.keys().collect();
        let record = json!({"batch": BATCH, "s3_output_path": OUTPUT, "layout": LAYOUT, "submissions": ["1"],
            "jobs": [], "datasets": names});
        let key = LAYOUT.batch_message(BatchState::New, &BATCH.parse().unwrap());
        batch.put(&key, record.to_string());
        batch
    }

    fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        self.world.put(&format!("data/{BATCH}/{key}"), body.into());
    }

    /// A dataset as the trigger, the worker and an earlier sync leave it.
    fn add(&mut self, dataset: Dataset, state: State, number: usize) {
        let kind = KINDS[number % KINDS.len()];
        if state == State::Error && number < KINDS.len() {
            self.examples.push(dataset.clone());
        }
        let message = match state {
            State::Syncing => json!({"site": "another", "host": "elsewhere", "directory": "/data",
                "since": "2026-03-01T02:00:00Z", "processed": ""})
            .to_string(),
            _ => String::new(),
        };
        self.put(&LAYOUT.message(state, &dataset), message);
        let record = attempts(&dataset, state, number, kind);
        self.put(&LAYOUT.attempts(&dataset), record.to_string());
        if state == State::Processed {
            self.deliver(&dataset);
        }
        self.states.insert(dataset, state);
    }

    fn deliver(&self, dataset: &Dataset) {
        let mut record = Provenance::begin(dataset.clone(), LAYOUT);
        record.state = State::Processed;
        for (name, size) in FILES {
            let body = content(dataset, name, size);
            if !name.starts_with("logs/") {
                record.outputs.push(FileRecord {
                    name: name.to_owned(),
                    size: size as u64,
                    sha1: Sha1Sum::of(&body).to_string(),
                    crc64: Some(Crc64Sum::of(&body).to_string()),
                    archive: None,
                });
            }
            self.put(&format!("{}{name}", LAYOUT.data_dir(dataset)), body);
        }
        let key = LAYOUT.file(dataset, Area::Logs, "provenance.json");
        self.put(&key, serde_json::to_vec(&record).unwrap());
    }

    fn said(&self, words: &[&str], status: i32) -> String {
        let mut command = self.world.command(CALDP, words);
        Run::of(&mut command).ended(status).stdout
    }

    fn json(&self, words: &[&str], status: i32) -> Value {
        serde_json::from_str(&self.said(words, status)).unwrap()
    }

    /// How many datasets are in each state, as `--json` has it.
    fn expected(&self) -> Value {
        let mut counts = BTreeMap::new();
        for state in self.states.values() {
            *counts.entry(state.to_string()).or_insert(0) += 1;
        }
        json!(counts)
    }
}

fn content(dataset: &Dataset, name: &str, size: usize) -> Vec<u8> {
    let mut content = format!("{dataset}/{name}\n").into_bytes();
    content.resize(size, b'.');
    content
}

fn attempts(
    dataset: &Dataset,
    state: State,
    number: usize,
    (cause, code): (&str, Option<i64>),
) -> Value {
    let outcome = |result: Value, code: Option<i64>| {
        json!({"result": result, "explanation": format!("what became of {dataset}"), "exit_code": code,
            "ran_seconds": 3600, "at": "2026-03-01T01:00:00Z"})
    };
    let outcome = match state {
        State::Submitted | State::Processing => Value::Null,
        State::Error => outcome(json!({"failed": cause}), code),
        State::Terminated => outcome(json!({"failed": "terminated"}), None),
        _ => outcome(json!("succeeded"), Some(0)),
    };
    let mut attempt = json!({"number": 1, "reason": "batch", "origin": "o", "rung": number % 4,
        "timeout_seconds": 7200, "job_name": "n", "job_id": format!("11111111-2222-3333-4444-{number:012}"),
        "claimed_at": "2026-03-01T00:00:00Z"});
    if !outcome.is_null() {
        attempt["outcome"] = outcome;
    }
    json!({"dataset": dataset, "terminated": state == State::Terminated, "settings": {"layout": "tree"},
        "attempts": [attempt]})
}

#[test]
fn a_batch_is_followed_from_its_states_to_the_archive() {
    let mut batch = Batch::new();
    status_counts_everything(&batch);
    every_kind_of_failure_is_explained(&batch);
    the_page_counts_the_same(&batch);
    let site = tempfile::tempdir().unwrap();
    what_is_processed_comes_on_site(&mut batch, site.path());
    what_the_archive_says_is_carried_up(&mut batch, site.path());
    the_page_counts_the_same(&batch);
}

fn status_counts_everything(batch: &Batch) {
    // the second time from what is remembered
    for _ in 0..2 {
        let seen = batch.json(&["status", OUTPUT, "--json", "--failed"], 3);
        assert_eq!(seen["datasets"], batch.states.len());
        assert_eq!(seen["states"], batch.expected());
        let failures = seen["failures"].as_array().unwrap();
        let mut counts: Vec<u64> = failures
            .iter()
            .map(|f| f["datasets"].as_u64().unwrap())
            .collect();
        counts.sort_unstable();
        let of_each = (count(State::Error) / KINDS.len()) as u64;
        let mut expected = vec![of_each; KINDS.len()];
        expected.push(count(State::Terminated) as u64);
        expected.sort_unstable();
        assert_eq!(counts, expected, "{failures:?}");
        let failed = seen["failed"].as_array().unwrap().len();
        assert_eq!(failed, count(State::Error) + count(State::Terminated));
        let bins = seen["memory_bins"].as_array().unwrap();
        let in_bins: u64 = bins.iter().map(|bin| bin.as_u64().unwrap()).sum();
        assert_eq!(in_bins, batch.states.len() as u64);
        // every job that ended ran for an hour
        let rates = [0.0385, 0.086, 0.113, 0.452];
        let ended = STATES
            .iter()
            .filter(|(state, _)| !matches!(state, State::Submitted | State::Processing));
        let hours = ended.flat_map(|(_, of_all)| (0..share(*of_all)).map(|n| rates[n % 4]));
        let cost: f64 = hours.sum();
        let said = seen["cost_so_far"].as_f64().unwrap();
        assert!((said - cost).abs() < 1e-6, "{said} {cost}");
    }
    let table = batch.said(&["status", OUTPUT, "--failed"], 3);
    let pasted = table.matches("caldp rescue ").count();
    assert_eq!(
        pasted,
        count(State::Error) + count(State::Terminated),
        "{table}"
    );
}

fn every_kind_of_failure_is_explained(batch: &Batch) {
    let mut reasons = BTreeSet::new();
    for (dataset, (cause, code)) in batch.examples.iter().zip(KINDS) {
        let words = ["explain", dataset.name(), "--output", OUTPUT];
        let story = batch.json(&[&words[..], &["--json"]].concat(), 4);
        assert_eq!(story["exit_code"], json!(code), "{story}");
        let failed = json!({"failed": cause});
        assert_eq!(story["record"]["attempts"][0]["outcome"]["result"], failed);
        let reason = story["failure"]["reason"].as_str().unwrap().to_owned();
        let text = batch.said(&words, 4);
        for part in [
            &reason,
            &format!("what became of {dataset}"),
            "next: ",
            &format!("caldp rescue {dataset} --output={OUTPUT}"),
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        reasons.insert(reason);
    }
    assert_eq!(reasons.len(), KINDS.len(), "{reasons:?}");
    for (state, status) in [
        (State::Processed, 0),
        (State::Processing, 3),
        (State::Terminated, 4),
    ] {
        let of = batch.states.iter().find(|(_, of)| **of == state);
        let dataset = of.unwrap().0;
        let text = batch.said(&["explain", dataset.name(), "--output", OUTPUT], status);
        assert!(text.starts_with(&format!("{dataset}: {state}")), "{text}");
        let results = format!("results: {OUTPUT}/{}", LAYOUT.data_dir(dataset));
        assert!(text.contains(results.trim_end_matches('/')), "{text}");
    }
}

fn the_page_counts_the_same(batch: &Batch) {
    let path = batch.said(&["page", OUTPUT], 0);
    assert_eq!(
        path.trim(),
        format!("{OUTPUT}/blackboard/{BATCH}/index.html")
    );
    let of = |file: &str| {
        let key = format!("data/{BATCH}/blackboard/{file}");
        batch.world.stored(&key)
    };
    let page = of(&format!("{BATCH}/index.html"));
    assert!(page.len() <= 3_000_000, "{}", page.len());
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(
        batch
            .states
            .keys()
            .all(|dataset| page.contains(dataset.name()))
    );
    let lines: Value = serde_json::from_slice(&of("batches.json")).unwrap();
    assert_eq!(lines["batches"][0]["states"], batch.expected(), "{lines}");
    let table = String::from_utf8(of("blackboardAWS.snapshot").to_vec()).unwrap();
    assert_eq!(table.lines().count(), batch.states.len() + 1);
    let is = |state: &str| table.matches(&format!("|{state}|")).count();
    assert_eq!(is("SUBMITTED"), count(State::Submitted));
    assert_eq!(is("RUNNING"), count(State::Processing));
    assert_eq!(is("FAILED"), count(State::Error) + count(State::Terminated));
}

fn what_is_processed_comes_on_site(batch: &mut Batch, site: &Path) {
    let site = site.to_str().unwrap();
    // what another site brings is not waited for and not touched
    let report = batch.json(&["sync", OUTPUT, site, "--json"], 3);
    let processed = count(State::Processed);
    assert_eq!(report["synced"], processed, "{}", report["failures"]);
    assert_eq!(report["failures"], json!([]));
    assert_eq!(
        report["elsewhere"].as_array().unwrap().len(),
        count(State::Syncing)
    );
    let files = &report["files"];
    assert_eq!(files["fetched"], processed * (FILES.len() + 1));
    assert_eq!(files["checked"]["recorded"], processed * 2);
    for (dataset, state) in &mut batch.states {
        if *state != State::Processed {
            continue;
        }
        *state = State::Synced;
        let directory = Path::new(site).join(BATCH);
        let announced = directory.join(LAYOUT.message(State::Synced, dataset));
        let announced = fs::read_to_string(announced).unwrap();
        assert_eq!(announced.lines().count(), FILES.len() + 1);
        for (name, size) in FILES {
            let path = directory.join(LAYOUT.data_dir(dataset)).join(name);
            assert!(announced.lines().any(|line| Path::new(line) == path));
            assert!(fs::read(path).unwrap() == content(dataset, name, size));
        }
    }
    assert_eq!(report["states"], batch.expected());
    let seen = batch.json(&["status", OUTPUT, "--json"], 3);
    assert_eq!(seen["states"], batch.expected());
}

fn what_the_archive_says_is_carried_up(batch: &mut Batch, site: &Path) {
    let directory = site.join(BATCH).join("messages/dataset-archived");
    fs::create_dir_all(&directory).unwrap();
    let here = site.join(BATCH).join("messages/dataset-synced");
    let brought: Vec<Dataset> = fs::read_dir(&here)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(brought.len(), count(State::Processed));
    let acknowledged = &brought[..brought.len() / 2];
    for dataset in acknowledged {
        let path = directory.join(dataset.name());
        fs::write(path, format!("{dataset} is in the archive")).unwrap();
        batch.states.insert(dataset.clone(), State::Archived);
    }
    let site = site.to_str().unwrap();
    let report = batch.json(&["sync", OUTPUT, site, "--json"], 3);
    assert_eq!(report["archived"], acknowledged.len());
    assert_eq!(report["states"], batch.expected());
    for dataset in acknowledged {
        let key = format!("data/{BATCH}/{}", LAYOUT.message(State::Archived, dataset));
        let body = batch.world.get(&key).unwrap();
        assert_eq!(body, format!("{dataset} is in the archive").into_bytes());
        assert!(!here.join(dataset.name()).exists());
    }
    let seen = batch.json(&["status", OUTPUT, "--json"], 3);
    assert_eq!(seen["states"], batch.expected());
}

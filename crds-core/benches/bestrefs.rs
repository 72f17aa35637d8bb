//! How long rules take to load, and how many headers are looked up in a second.
//!
//! With `CALDP_TEST_DATA`, the directory of real rules and records, this measures `hst_0729.pmap`
//! and the recorded headers; without it, the bundled rules and headers made from them. For the
//! pickle of `hst_0729.pmap`, `CRDS_TEST_PICKLES` names the directory that `tests/make_pickles.py`
//! wrote it to.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where a test would")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/it/answers.rs"]
mod answers;

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use crds_core::bestrefs::{LookupPath, Types};
use crds_core::header::Header;
use crds_core::names::MappingName;
use crds_core::rules::{Checksums, Context, MappingDirectory, Scope};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

struct Data {
    name: MappingName,
    rules: MappingDirectory,
    pickle: Option<PathBuf>,
    headers: Vec<Header>,
}

fn data() -> Data {
    let Some(data) = answers::test_data("the measurement of real rules") else {
        let name: MappingName = "hst_9001.pmap".parse().unwrap();
        let cache = answers::fixtures().join("crds");
        let rules = MappingDirectory::new(cache.join("mappings/hst"));
        let context = Context::load(&rules, &name, Scope::All, Checksums::Verify).unwrap();
        return Data {
            headers: answers::headers_from_rules(&context),
            pickle: Some(cache.join("pickles/hst/hst_9001.pmap.pkl")),
            name,
            rules,
        };
    };
    let records = std::fs::File::open(data.join("oracle/hst_bestrefs_dev.jsonl.gz")).unwrap();
    let lines = BufReader::new(flate2::read::GzDecoder::new(records)).lines();
    let headers = lines.filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let is_wanted = line["path"] == "std"
            && line["context"] == "hst_0729.pmap"
            && line.get("error").is_none();
        is_wanted.then(|| answers::header_of(&line["header"]))
    });
    let pickles = std::env::var_os("CRDS_TEST_PICKLES").map(PathBuf::from);
    Data {
        name: "hst_0729.pmap".parse().unwrap(),
        rules: MappingDirectory::new(data.join("crds-cache/mappings/hst")),
        pickle: pickles.map(|pickles| pickles.join("hst_0729.pmap.pkl")),
        headers: headers.collect(),
    }
}

/// Every header with many dates, so that no header comes twice.
fn with_dates(headers: &[Header]) -> Vec<Header> {
    let mut state: u32 = 1;
    let mut next = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let mut dated = Vec::new();
    for _ in 0..16 {
        for header in headers {
            let mut header = header.clone();
            let (year, month, day) = (1992 + next(32), 1 + next(12), 1 + next(28));
            header.set("DATE-OBS", format!("{year}-{month:02}-{day:02}"));
            let (hour, minute, second) = (next(24), next(60), next(60));
            header.set("TIME-OBS", format!("{hour:02}:{minute:02}:{second:02}"));
            dated.push(header);
        }
    }
    dated
}

fn measure(criterion: &mut Criterion) {
    let data = data();
    let load = || Context::load(&data.rules, &data.name, Scope::All, Checksums::Verify).unwrap();
    let mut group = criterion.benchmark_group(data.name.to_string());
    group.bench_function("load from rules", |b| b.iter(|| black_box(load())));
    match &data.pickle {
        None => eprintln!("left out: loading the pickle needs CRDS_TEST_PICKLES"),
        Some(path) => {
            group.bench_function("load from the pickle", |b| {
                b.iter(|| {
                    let bytes = std::fs::read(path).unwrap();
                    black_box(Context::from_pickle(&data.name, &bytes, Scope::All).unwrap())
                });
            });
        }
    }
    let context = load();
    let headers = with_dates(&data.headers);
    let look_up = |lookups: &mut crds_core::bestrefs::Lookups<'_>, header| {
        black_box(lookups.best_references(header, LookupPath::Conditioned, Types::All)).unwrap();
    };
    group.throughput(Throughput::Elements(headers.len() as u64));
    group.bench_function("all types, from nothing", |b| {
        b.iter(|| {
            let mut lookups = context.lookups();
            for header in &headers {
                look_up(&mut lookups, header);
            }
        });
    });
    let mut lookups = context.lookups();
    group.bench_function("all types, warm", |b| {
        b.iter(|| {
            for header in &headers {
                look_up(&mut lookups, header);
            }
        });
    });
    group.throughput(Throughput::Elements(1));
    let one = data.headers.first().unwrap();
    group.bench_function("one header, from nothing", |b| {
        b.iter(|| look_up(&mut context.lookups(), one));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = measure
}
criterion_main!(benches);

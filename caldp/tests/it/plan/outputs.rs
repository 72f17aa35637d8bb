//! Outputs as a source: what records have, and what older ones lack.

use std::collections::BTreeMap;
use std::fs;

use caldp_tests::{Run, S3Server, unpack_fixture};
use serde_json::{Value, json};

use super::{CHANGES, NEW, PlanDirectory, header, lines};

/// The record of a processed dataset, as the worker writes it.
pub(super) fn record(dataset: &str, date: &str) -> Value {
    let header = header(date);
    let values = header.as_object().unwrap().iter();
    let mut parkeys: BTreeMap<String, Value> = values
        .map(|(key, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (key.clone(), json!({"raw": text, "conditioned": text}))
        })
        .collect();
    for key in KEYS.split_whitespace() {
        let absent = json!({"raw": null, "conditioned": "UNDEFINED"});
        parkeys.entry(key.to_owned()).or_insert(absent);
    }
    json!({
        "dataset": dataset, "state": "processed", "context": "hst_9000.pmap",
        "headers": [{"file": format!("{dataset}_raw.fits"), "keywords": {}, "parkeys": parkeys}],
        "inputs": [{"name": "a", "size": 9_000_000}], "steps": [{"step": "all", "seconds": 100.0}],
        "programs": [{"peak_memory_kib": 900_000}],
    })
}

/// What the rules of ACS in the bundled contexts look at besides.
const KEYS: &str = "RPTCORR BIASCORR CRCORR DQICORR FLATCORR REFTYPE SHADCORR FILTER1 FILTER2 OBSTYPE FW1OFFST \
    FW2OFFST FWSOFFST APERTURE NAXIS1 NAXIS2 LTV1 LTV2 XCORNER YCORNER CCDCHIP NUMCOLS NUMROWS";

#[test]
fn records_of_an_output_are_enough_and_every_other_dataset_has_its_reason() {
    let directory = PlanDirectory::new();
    let put = |dataset: &str, text: &str| {
        directory.write(
            &format!("out/data/acs/{dataset}/logs/provenance.json"),
            text,
        );
    };
    put("j8cb010b0", &record("j8cb010b0", "2017-01-15").to_string());
    put("j8cb020b0", &record("j8cb020b0", "2016-01-15").to_string());
    put("j8cb030b0", "{\"dataset\": \"j8cb030b0\", \"sta");
    let mut older = record("j8cb040b0", "2017-01-15");
    older["headers"][0]["parkeys"] = json!({});
    put("j8cb040b0", &older.to_string());
    let mut less = record("j8cb050b0", "2017-01-15");
    less["headers"][0]["parkeys"]
        .as_object_mut()
        .unwrap()
        .remove("CCDAMP");
    put("j8cb050b0", &less.to_string());
    directory.write("out/data/acs/j8cb060b0/j8cb060b0_drz.fits", "");
    let mut beside = older.clone();
    beside["dataset"] = json!("j8cb010b1");
    beside["headers"][0]["file"] = json!("j8cb01u2q_raw.fits");
    put("j8cb010b1", &beside.to_string());
    unpack_fixture(
        "j8cb010b0",
        &directory.path().join("out/data/acs/j8cb010b1"),
    );
    let mut failed = record("j8cb070b0", "2017-01-15");
    failed["state"] = json!("error");
    put("j8cb070b0", &failed.to_string());

    let (found, summary) = directory.json(&["--from=out", NEW, "--ids=list.ids"], CHANGES);
    let by_name: BTreeMap<&str, &Value> = found
        .iter()
        .map(|line| (line["dataset"].as_str().unwrap(), line))
        .collect();
    assert_eq!(by_name["j8cb010b0"]["affected"], true);
    assert_eq!(
        by_name["j8cb010b0"]["expected_seconds"], 100.0,
        "as its own run took"
    );
    assert!(!by_name.contains_key("j8cb020b0"), "its dark file stays");
    assert_eq!(
        by_name["j8cb010b1"]["affected"], true,
        "an older record, and the raw file beside it"
    );
    for (dataset, reason) in [
        ("j8cb030b0", "cannot be read"),
        ("j8cb040b0", "is older"),
        ("j8cb040b0", "j8cb040b0_raw.fits is gone"),
        ("j8cb050b0", "CCDAMP, which the new rules look at"),
        ("j8cb060b0", "no provenance.json"),
        ("j8cb070b0", "its last run failed"),
    ] {
        let unknown = by_name[dataset]["unknown"].as_str().unwrap();
        assert!(unknown.contains(reason), "{dataset}: {unknown}");
    }
    assert_eq!(
        (&summary["asked"], &summary["unknown"]),
        (&json!(8), &json!(5))
    );
    let list = fs::read_to_string(directory.path().join("list.ids")).unwrap();
    assert!(list.contains("j8cb010b0 # DARKFILE"), "{list}");
}

#[test]
fn an_output_on_s3_is_read_record_by_record() {
    let directory = PlanDirectory::new();
    let s3 = S3Server::start(&["hst-out"]);
    for n in 0..300 {
        let dataset = format!("j8c{n:03}010");
        let date = if n % 3 == 0 {
            "2017-01-15"
        } else {
            "2016-01-15"
        };
        let key = format!("batch/data/acs/{dataset}/logs/provenance.json");
        s3.put("hst-out", &key, record(&dataset, date).to_string());
        let product = format!("batch/data/acs/{dataset}/{dataset}_drz.fits");
        s3.put("hst-out", &product, "");
    }
    s3.reset_counts();
    let output = Run::of(
        directory
            .command(&["--from=s3://hst-out/batch", NEW, "--json"])
            .envs(s3.environment()),
    );
    assert_eq!(output.code, CHANGES, "{output:?}");
    let (found, summary) = lines(&output);
    assert_eq!(found.len(), 100);
    assert_eq!(
        (&summary["asked"], &summary["affected"]),
        (&json!(300), &json!(100))
    );
    assert_eq!(s3.count("GetObject"), 300, "nothing is read twice");
}

/// A record of the time before header values were recorded, of one raw file.
fn older_record(dataset: &str, file: &str) -> Value {
    let mut older = record(dataset, "2017-01-15");
    older["headers"][0] = json!({"file": file, "keywords": {}});
    older
}

#[test]
fn older_records_on_s3_bring_the_first_blocks_of_raw_files() {
    let directory = PlanDirectory::new();
    let raw = directory.path().join("raw");
    fs::create_dir(&raw).unwrap();
    unpack_fixture("j8cb010b0", &raw);
    let file = "j8cb01u2q_raw.fits";
    let content = fs::read(raw.join(file)).unwrap();
    let s3 = S3Server::start(&["hst-out"]);
    let put = |dataset: &str, record: &Value| {
        let key = format!("data/acs/{dataset}/logs/provenance.json");
        s3.put("hst-out", &key, record.to_string());
    };
    put("j8cb010b0", &older_record("j8cb010b0", file));
    s3.put(
        "hst-out",
        &format!("data/acs/j8cb010b0/{file}"),
        content.clone(),
    );
    put("j8cb020b0", &older_record("j8cb020b0", file));
    put("j8cb030b0", &older_record("j8cb030b0", file));
    s3.put(
        "hst-out",
        &format!("data/acs/j8cb030b0/{file}"),
        content[..9000].to_vec(),
    );

    // As CALCLOUD delivers: everything in one archive, whose record says what is where.
    let packed = |sizes: [u64; 2]| {
        let mut older = older_record("j8cb040b0", file);
        older["layout"] = json!("calcloud");
        older["outputs"] = json!([
            {"name": "j8cb040b0.tar.gz", "size": 1},
            {"name": "j8cb01u2q_flt.fits", "size": sizes[0], "archive": "j8cb040b0.tar.gz"},
            {"name": file, "size": sizes[1], "archive": "j8cb040b0.tar.gz"},
        ]);
        older
    };
    let archive = |dataset: &str| {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (name, content) in [("j8cb01u2q_flt.fits", &b"product"[..]), (file, &content)] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            let name = format!("{dataset}/{name}");
            tar.append_data(&mut header, name, content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    };
    for (dataset, size) in [("j8cb040b0", 7), ("j8cb050b0", 300 << 20), ("j8cb060b0", 7)] {
        let mut older = packed([size, content.len() as u64]);
        older["dataset"] = json!(dataset);
        for output in older["outputs"].as_array_mut().unwrap() {
            for text in ["name", "archive"] {
                if output[text] == "j8cb040b0.tar.gz" {
                    output[text] = json!(format!("{dataset}.tar.gz"));
                }
            }
        }
        s3.put(
            "hst-out",
            &format!("outputs/{dataset}/provenance.json"),
            older.to_string(),
        );
        if dataset != "j8cb060b0" {
            s3.put(
                "hst-out",
                &format!("outputs/{dataset}/{dataset}.tar.gz"),
                archive(dataset),
            );
        }
    }
    let output = Run::of(
        directory
            .command(&["--from=s3://hst-out", NEW, "--json"])
            .envs(s3.environment()),
    );
    assert_eq!(output.code, CHANGES, "{output:?}");
    let (found, summary) = lines(&output);
    let by_name: BTreeMap<&str, &Value> = found
        .iter()
        .map(|line| (line["dataset"].as_str().unwrap(), line))
        .collect();
    for dataset in ["j8cb010b0", "j8cb040b0"] {
        assert_eq!(by_name[dataset]["affected"], true, "{:?}", by_name[dataset]);
    }
    for (dataset, reason) in [
        ("j8cb020b0", "j8cb01u2q_raw.fits is gone"),
        ("j8cb030b0", "truncated"),
        ("j8cb050b0", "300 MB deep in j8cb050b0.tar.gz"),
        ("j8cb060b0", "j8cb060b0.tar.gz is gone"),
    ] {
        let unknown = by_name[dataset]["unknown"].as_str().unwrap();
        assert!(
            unknown.contains(reason) && unknown.contains("is older"),
            "{dataset}: {unknown}"
        );
    }
    assert_eq!(
        (&summary["asked"], &summary["affected"], &summary["unknown"]),
        (&json!(6), &json!(2), &json!(4))
    );
}

//! Plans for the bundled datasets, against what the real programs left of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::calibrate::products::ProductError;
use std::os::unix::process::ExitStatusExt as _;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

fn unpacked(dataset: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let archive = fixtures().join(format!("raw/{dataset}.tar.gz"));
    let archive = flate2::read::MultiGzDecoder::new(std::fs::File::open(archive).unwrap());
    tar::Archive::new(archive).unpack(folder.path()).unwrap();
    folder
}

fn texts(value: &serde_json::Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn plan(dataset: &str, folder: &Path) -> Plan {
    Plan::new(&Dataset::parse(dataset).unwrap(), folder).unwrap()
}

fn call(step: &ProgramCall) -> Vec<String> {
    let arguments = step.arguments.iter().map(|a| a.to_str().unwrap());
    [step.program]
        .into_iter()
        .chain(arguments)
        .map(str::to_owned)
        .collect()
}

/// Files that come along but prove nothing: logs, headerlets, partial sums.
fn incidental(name: &str) -> bool {
    Path::new(name).extension() == Some("tra".as_ref())
        || name.ends_with("_hlet.fits")
        || name.ends_with("_x1dsum3.fits")
}

#[test]
fn every_bundled_dataset_is_called_and_proven_as_its_manifest_says() {
    let text = std::fs::read_to_string(fixtures().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let datasets = manifest["datasets"].as_object().unwrap();
    assert_eq!(datasets.len(), 11);
    for (dataset, facts) in datasets {
        let folder = unpacked(dataset);
        let plan = plan(dataset, folder.path());
        let commands: Vec<_> = ["command", "stage2_command"]
            .map(|key| texts(&facts[key]))
            .into_iter()
            .filter(|command| !command.is_empty())
            .collect();
        assert_eq!(plan.steps.iter().map(call).collect::<Vec<_>>(), commands);

        let status = i32::try_from(facts["exit_status"].as_i64().unwrap()).unwrap();
        let verdict = plan.steps[0].verdict(ExitStatus::from_raw(status << 8));
        assert_ne!(verdict, Verdict::Failed, "{dataset}");

        for (step, key) in plan.steps.iter().zip(["products", "stage2_products"]) {
            let products = texts(&facts[key]);
            let mut promised = Vec::new();
            for expected in &step.expected {
                let ExpectedProduct::OneOf(names) = expected else {
                    unreachable!("only mosaics expect others")
                };
                assert!(
                    names.iter().any(|name| products.contains(name)),
                    "{dataset}: {expected} is expected but not made"
                );
                promised.extend(names.clone());
            }
            assert!(!step.expected.is_empty(), "{dataset}: nothing is expected");
            for product in products.iter().filter(|name| !incidental(name)) {
                assert!(
                    promised.contains(product),
                    "{dataset}: {product} could be lost"
                );
            }
        }
    }
}

#[test]
fn products_missing_or_cut_short_are_found() {
    let folder = unpacked("j8cb010b0");
    let path = folder.path();
    let plan = plan("j8cb010b0", path);
    let step = &plan.steps[0];
    assert_eq!(step.expected.len(), 3);
    let raw = std::fs::read(path.join("j8cb01u2q_raw.fits")).unwrap();
    for name in [
        "j8cb01u2q_flt.fits",
        "j8cb01u3q_flt.fits",
        "j8cb010b1_crj.fits",
    ] {
        assert!(
            step.expected.iter().any(|e| e.check(path).is_err()),
            "{name}"
        );
        std::fs::write(path.join(name), &raw).unwrap();
    }
    for expected in &step.expected {
        expected.check(path).unwrap();
    }
    std::fs::write(path.join("j8cb01u3q_flt.fits"), &raw[..raw.len() - 2881]).unwrap();
    let errors: Vec<_> = step
        .expected
        .iter()
        .filter_map(|e| e.check(path).err())
        .collect();
    assert!(
        matches!(&errors[..], [ProductError::Incomplete { name, .. }] if name == "j8cb01u3q_flt.fits"),
        "{errors:?}"
    );
    std::fs::write(path.join("j8cb01u3q_flt.fits"), "").unwrap();
    assert!(step.expected.iter().any(|e| e.check(path).is_err()));
}

#[test]
fn a_product_with_something_behind_it_or_without_its_last_fill_is_complete() {
    let folder = unpacked("lbgu17qnq");
    let raw = std::fs::read(folder.path().join("lbgu17qnq_rawtag.fits")).unwrap();
    let filled = raw.iter().rev().take_while(|byte| **byte == 0).count();
    assert!(filled > 1000, "the file ends with fill");
    let product = ExpectedProduct::OneOf(vec!["x.fits".into()]);
    for (bytes, complete) in [
        ([&raw[..], &[0; 2880]].concat(), true),
        ([&raw[..], b"x"].concat(), true),
        (raw[..raw.len() - 1].to_vec(), true),
        (raw[..raw.len() - 2881].to_vec(), false),
    ] {
        std::fs::write(folder.path().join("x.fits"), &bytes).unwrap();
        let check = product.check(folder.path());
        assert_eq!(check.is_ok(), complete, "{} bytes: {check:?}", bytes.len());
    }
}

#[test]
fn a_member_without_a_file_is_refused_before_anything_runs() {
    for (dataset, member) in [("lbgu18010", "lbgu18q2q"), ("ib8t01010", "ib8t01a1q")] {
        let folder = unpacked(dataset);
        for suffix in ["raw", "rawtag"] {
            let _ = std::fs::remove_file(folder.path().join(format!("{member}_{suffix}.fits")));
        }
        let error = Plan::new(&Dataset::parse(dataset).unwrap(), folder.path()).unwrap_err();
        assert!(error.to_string().contains(member), "{error}");
        assert!(matches!(error, PlanError::MemberMissing { .. }));
    }
}

#[test]
fn every_raw_file_that_came_with_the_dataset_is_calibrated() {
    let calls = |dataset: &str, folder: &Path| -> Vec<String> {
        let plan = plan(dataset, folder);
        for step in &plan.steps {
            assert!(!step.expected.is_empty(), "{:?}", call(step));
        }
        plan.steps.iter().map(|step| call(step).join(" ")).collect()
    };
    let folder = unpacked("octka6030");
    let path = folder.path();
    let raw = path.join("octka6030_raw.fits");
    std::fs::copy(&raw, path.join("octka5010_raw.fits")).unwrap();
    // A wavecal beside its raw file belongs to that; on its own it is calibrated too.
    std::fs::copy(&raw, path.join("octka6030_wav.fits")).unwrap();
    std::fs::copy(&raw, path.join("octka7040_wav.fits")).unwrap();
    assert_eq!(
        calls("octka6030", path),
        [
            "cs0.e -tv octka6030_raw.fits",
            "cs0.e -tv octka5010_raw.fits",
            "cs0.e -tv octka7040_wav.fits"
        ]
    );

    let folder = unpacked("j8cb010b0");
    let path = folder.path();
    let member = path.join("j8cb01u2q_raw.fits");
    std::fs::copy(&member, path.join("j8cb01u9q_raw.fits")).unwrap();
    assert_eq!(
        calls("j8cb010b0", path),
        [
            "calacs.e j8cb010b0_asn.fits",
            "calacs.e j8cb01u9q_raw.fits",
            "runastrodriz -n 1 j8cb010b0_asn.fits",
            "runastrodriz -n 1 j8cb01u9q_raw.fits"
        ]
    );

    let folder = unpacked("lcxv13040");
    let path = folder.path();
    for segment in ["a", "b"] {
        let member = path.join(format!("lcxv13f1q_rawtag_{segment}.fits"));
        std::fs::copy(
            member,
            path.join(format!("lcxv13f2q_rawtag_{segment}.fits")),
        )
        .unwrap();
    }
    assert_eq!(
        calls("lcxv13040", path),
        [
            "calcos lcxv13040_asn.fits",
            "calcos lcxv13f2q_rawtag_a.fits"
        ]
    );
}

#[test]
fn a_raw_file_that_no_program_takes_is_an_error() {
    let folder = unpacked("octka6030");
    let raw = folder.path().join("octka6030_raw.fits");
    std::fs::copy(&raw, folder.path().join("octka6030_tag.fits")).unwrap();
    assert_eq!(plan("octka6030", folder.path()).steps.len(), 1);
    std::fs::copy(&raw, folder.path().join("octka7040_tag.fits")).unwrap();
    let dataset = Dataset::parse("octka6030").unwrap();
    let error = Plan::new(&dataset, folder.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "octka7040_tag.fits cannot be calibrated: its exposure has no _raw.fits or _wav.fits file"
    );
}

#[test]
fn a_member_that_its_association_calls_absent_is_calibrated_by_itself() {
    let folder = unpacked("j8cb010b0");
    let path = folder.path();
    let table = path.join("j8cb010b0_asn.fits");
    let mut bytes = std::fs::read(&table).unwrap();
    let at = bytes
        .windows(9)
        .position(|w| w.eq_ignore_ascii_case(b"J8CB01U3Q"))
        .unwrap();
    let present = bytes[at..].iter().position(|byte| *byte == b'T').unwrap();
    bytes[at + present] = b'F';
    std::fs::write(&table, bytes).unwrap();
    let plan = plan("j8cb010b0", path);
    let inputs: Vec<_> = plan
        .steps
        .iter()
        .map(|step| call(step).pop().unwrap())
        .collect();
    assert_eq!(inputs[..2], ["j8cb010b0_asn.fits", "j8cb01u3q_raw.fits"]);
}

#[test]
fn an_empty_folder_says_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (dataset, wanted) in [
        ("octka6030", "_raw.fits or _wav.fits"),
        ("acs_8ph_01", "poller"),
    ] {
        let error = Plan::new(&Dataset::parse(dataset).unwrap(), folder.path()).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[test]
fn mosaics_prove_themselves_by_their_manifest() {
    let folder = unpacked("j8cb02u4q");
    let path = folder.path();
    std::fs::write(path.join("acs_8ph_01_input.out"), "").unwrap();
    let plan = plan("acs_8ph_01", path);
    let step = &plan.steps[0];
    assert_eq!(call(step), ["runsinglehap", "acs_8ph_01_input.out"]);
    assert!(step.expected.iter().all(|e| e.check(path).is_err()));
    let drizzled = "hst_1_01_acs_wfc_f606w_j8ph01_drc.fits";
    std::fs::copy(path.join("j8cb02u4q_raw.fits"), path.join(drizzled)).unwrap();
    let manifest = path.join("acs_8ph_01_manifest.txt");
    std::fs::write(&manifest, format!("{drizzled}\nsome_trl.txt\n")).unwrap();
    assert!(step.expected.iter().all(|e| e.check(path).is_ok()));
    std::fs::write(&manifest, format!("{drizzled}\nhst_lost_j8ph01_drc.fits\n")).unwrap();
    assert!(step.expected.iter().any(|e| e.check(path).is_err()));
    for status in [55, 65] {
        let verdict = step.verdict(ExitStatus::from_raw(status << 8));
        assert!(matches!(verdict, Verdict::NothingToDo(_)));
    }
    let failed = step.verdict(ExitStatus::from_raw(1 << 8));
    assert_eq!(failed, Verdict::Failed);
    let killed = step.verdict(ExitStatus::from_raw(9));
    assert_eq!(killed, Verdict::Failed);
}

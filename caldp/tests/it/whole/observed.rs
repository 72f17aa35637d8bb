//! How the real programs were seen to end, and what the worker makes of each: a status is no
//! proof of products, and no failure may leave a dataset that looks processed.

use super::host::{Host, Origin, assert_code};
use caldp_tests::{switch_off, unpack_fixture};
use std::fs;
use std::path::Path;

/// Something that happens to a program, and how it and the run end.
struct Case {
    program: &'static str,
    dataset: &'static str,
    /// Lines of shell before the program starts.
    before: &'static str,
    /// What the log says of the program's end.
    ends: &'static str,
    /// The exit code of the run.
    code: i32,
}

const fn case(
    (program, dataset): (&'static str, &'static str),
    before: &'static str,
    ends: &'static str,
) -> Case {
    let code = match program.as_bytes() {
        b"runastrodriz" => 24,
        _ => 23,
    };
    Case {
        program,
        dataset,
        before,
        ends,
        code,
    }
}

const CALACS: (&str, &str) = ("calacs.e", "j8cb010b0");
const CALWF3: (&str, &str) = ("calwf3.e", "ib8t01010");
const CS0: (&str, &str) = ("cs0.e", "octka7040");
const CALCOS: (&str, &str) = ("calcos", "lbgu18010");
const DRIZZLE: (&str, &str) = ("runastrodriz", "j8cb010b0");
const ACQUISITION: (&str, &str) = ("calcos", "lbgu19qaq");

/// Runs every case; HSTCAL alone is stood in for.
fn check(cases: &[Case]) {
    let host = Host::new().drizzling_for_real();
    for case in cases {
        host.add(case.dataset);
        host.programs.before(case.program, case.before);
        fails(&host, case);
        host.programs.before(case.program, "");
    }
}

fn fails(host: &Host, case: &Case) {
    let Case {
        program, dataset, ..
    } = case;
    let about = format!("{program} after `{}`", case.before);
    let output = host.run(dataset);
    assert_eq!(output.status.code(), Some(case.code), "{about}");
    assert_eq!(host.state(dataset), "error", "{about}");
    let log = String::from_utf8_lossy(&host.log(dataset, "process.txt")).into_owned();
    let end = log
        .lines()
        .find(|line| line.starts_with(&format!("`{program} ")));
    assert!(
        end.is_some_and(|line| line.contains(case.ends)),
        "{about}: {log}"
    );
    assert_eq!(host.provenance(dataset)["exit_code"], case.code, "{about}");
    for key in host.keys(dataset) {
        let kept = key.starts_with("logs/") || key.starts_with("failed/");
        assert!(kept && !key.contains("_tmp"), "{about}: {key} was stored");
    }
    host.assert_clean();
}

#[test]
fn a_reference_that_the_program_does_not_find() {
    check(&[
        case(CALACS, "unset jref", "status 2 "),
        case(CALACS, "jref=${jref%/}", "status 2 "),
        case(CALACS, "jref=/nowhere/", "status 2 "),
        case(CALWF3, "unset iref", "status 115 "),
        case(CALWF3, "iref=${iref%/}", "status 115 "),
        case(CS0, "unset oref", "status 2 "),
        case(CS0, "oref=${oref%/}", "status 2 "),
        case(CALCOS, "unset lref", "status 1 "),
        case(DRIZZLE, "unset jref", "status 1 "),
    ]);
}

/// Two of the programs see nothing wrong with that.
#[test]
fn an_input_that_is_gone() {
    check(&[
        case(CALACS, "rm j8cb010b0_asn.fits", "status 2 "),
        case(CALWF3, "rm ib8t01010_asn.fits", "status 2 "),
        case(CS0, "rm octka7040_raw.fits", "signal 11 "),
        case(CALCOS, "rm lbgu18010_asn.fits", "succeeded"),
        case(ACQUISITION, "rm lbgu19qaq_rawacq.fits", "succeeded"),
        case(DRIZZLE, "rm j8cb010b0_asn.fits", "succeeded"),
    ]);
}

#[test]
fn a_member_that_is_gone() {
    check(&[
        case(CALACS, "rm j8cb01u3q_raw.fits", "status 2 "),
        case(CALWF3, "rm ib8t01a2q_raw.fits", "status 2 "),
        case(CALCOS, "rm lbgu18q2q_rawtag.fits", "succeeded"),
        case(DRIZZLE, "rm j8cb01u3q_*.fits", "status 1 "),
    ]);
}

#[test]
fn an_output_that_is_there_already() {
    check(&[
        case(
            CALACS,
            "cp j8cb01u2q_raw.fits j8cb01u2q_flt.fits",
            "status 2 ",
        ),
        case(
            CALWF3,
            "cp ib8t01a1q_raw.fits ib8t01a1q_flt.fits",
            "status 2 ",
        ),
        case(CS0, "cp octka7040_raw.fits octka7040_flt.fits", "status 2 "),
        case(CALCOS, "touch lbgu18q1q_flt.fits", "status 1 "),
    ]);
}

/// An archive of a dataset's raw files after something was done to them.
fn changed(dataset: &str, change: impl Fn(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    unpack_fixture(dataset, folder.path());
    change(folder.path());
    archive_of(folder.path())
}

fn archive_of(folder: &Path) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    archive.append_dir_all("", folder).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn switches_that_are_all_off_give_no_products_and_no_failure() {
    for dataset in ["j8cb02u4q", "ib8t02a3q", "octka7040", "lbgu17qnq"] {
        let host = Host::new().drizzling_for_real();
        host.put_archive(dataset, changed(dataset, all_switches_off));
        assert_code(&host.run(dataset), 0);
        assert_eq!(host.state(dataset), "processed");
        let products = host.delivered(dataset).into_keys();
        let made: Vec<String> = products
            .filter(|name| !name.contains("_raw") && !name.contains("_asn"))
            .filter(|name| !name.contains(".tra"))
            .collect();
        assert!(made.is_empty(), "{dataset}: {made:?}");
        let notes = host.provenance(dataset)["notes"].to_string();
        assert!(notes.contains("switches are off"), "{notes}");
    }
}

fn all_switches_off(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        switch_off(&entry.unwrap().path());
    }
}

/// For a single exposure `calacs.e` finds that well.
#[test]
fn switches_that_are_all_off_in_an_association_fail_where_the_program_fails() {
    let host = Host::new();
    host.put_archive("j8cb010b0", changed("j8cb010b0", all_switches_off));
    assert_code(&host.run("j8cb010b0"), 23);
    assert_eq!(host.state("j8cb010b0"), "error");
}

#[test]
fn acquisition_data_are_processed_though_calcos_ends_with_5() {
    let host = Host::with("lbgu19qaq");
    assert_code(&host.run("lbgu19qaq"), 0);
    assert_eq!(host.state("lbgu19qaq"), "processed");
    let log = String::from_utf8_lossy(&host.log("lbgu19qaq", "process.txt")).into_owned();
    assert!(log.contains("failed with status 5"), "{log}");
}

#[test]
fn a_member_that_was_never_there_is_named() {
    for (dataset, member, code) in [
        ("j8cb010b0", "j8cb01u3q", 23),
        ("ib8t01010", "ib8t01a2q", 23),
        ("lbgu18010", "lbgu18q2q", 23),
    ] {
        let host = Host::new();
        let suffix = if dataset.starts_with('l') {
            "rawtag"
        } else {
            "raw"
        };
        let archive = changed(dataset, |folder| {
            fs::remove_file(folder.join(format!("{member}_{suffix}.fits"))).unwrap();
        });
        host.put_archive(dataset, archive);
        let output = host.run(dataset);
        assert_code(&output, code);
        assert_eq!(host.state(dataset), "error");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(&format!("lists exposure {member}")), "{text}");
    }
}

#[test]
fn exposures_without_an_association_are_calibrated_one_by_one() {
    // Called with both, cs0.e would end well with the first one's data under the second's name.
    let host = Host::new();
    let folder = tempfile::tempdir().unwrap();
    for dataset in ["octka6030", "octka7040"] {
        unpack_fixture(dataset, folder.path());
    }
    host.put_archive("octka6030", archive_of(folder.path()));
    assert_code(&host.run("octka6030"), 0);
    let delivered = host.delivered("octka6030");
    for dataset in ["octka6030", "octka7040"] {
        let product = &delivered[&format!("{dataset}_flt.fits")];
        let raw = &delivered[&format!("{dataset}_raw.fits")];
        assert!(product == raw, "{dataset} has the data of another");
    }
}

#[test]
fn a_reference_path_too_long_for_hstcal_is_refused_before_it_aborts() {
    let host = Host::with("j8cb02u4q");
    let cache = host.world.path().join("c".repeat(200)).join("d".repeat(40));
    let mut command = host.command("j8cb02u4q", Origin::S3);
    let output = command.env("CRDS_PATH", &cache).output().unwrap();
    assert_code(&output, 27);
    assert_eq!(host.state("j8cb02u4q"), "error");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("hint: set CRDS_PATH"), "{text}");
}

/// The original went on, with exit code 23 or with products of it.
#[test]
fn a_reference_known_to_be_bad_ends_the_run_before_any_program() {
    let host = Host::with("j8cb02u4q");
    let mut command = host.command("j8cb02u4q", Origin::S3);
    let output = command.env("CRDS_CONTEXT", "hst_9002.pmap").output();
    let output = output.unwrap();
    assert_code(&output, 27);
    assert_eq!(host.state("j8cb02u4q"), "error");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("zz900098j_drk.fits"), "{text}");
    let log = String::from_utf8_lossy(&host.log("j8cb02u4q", "process.txt")).into_owned();
    assert!(!log.contains("running `"), "{log}");
}

#[test]
fn after_a_failure_the_next_run_starts_clean_and_leaves_no_trace_of_it() {
    let host = Host::with("j8cb010b0");
    host.programs.before("runastrodriz", "exit 1");
    assert_code(&host.run("j8cb010b0"), 24);
    assert_eq!(host.state("j8cb010b0"), "error");
    host.programs.before("runastrodriz", "");
    assert_code(&host.run("j8cb010b0"), 0);
    assert_eq!(host.state("j8cb010b0"), "processed");
    let keys = host.keys("j8cb010b0");
    assert!(
        !keys.iter().any(|key| key.starts_with("failed/")),
        "{keys:?}"
    );
}

#[test]
fn what_a_later_estimate_needs_is_recorded() {
    let dataset = "j8cb010b0";
    let host = Host::with(dataset);
    let mut command = host.command(dataset, Origin::S3);
    command
        .env("OMP_NUM_THREADS", "2")
        .env("CALDP_INSTANCE_TYPE", "m5.large");
    assert_code(&command.output().unwrap(), 0);
    let record = host.provenance(dataset);
    let needs = &record["needs"];
    assert_eq!(needs["vcpus"], 2.0, "{needs}");
    assert_eq!(needs["instance_type"], "m5.large");
    assert_eq!(needs["detector"], "WFC");
    for switch in ["drizzle", "cte", "subarray"] {
        assert!(needs[switch].is_boolean(), "{switch}: {needs}");
    }
    assert!(needs["crsplit"].is_u64(), "{needs}");
    let steps = record["steps"].as_array().unwrap().iter();
    let steps: f64 = steps.map(|step| step["seconds"].as_f64().unwrap()).sum();
    let wall = needs["wall_seconds"].as_f64().unwrap();
    assert!(wall >= steps * 0.99, "{wall} of {steps}");
}

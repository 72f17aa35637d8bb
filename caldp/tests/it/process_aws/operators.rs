//! What operators decide beside the command line: the context of a bucket, lists of array jobs,
//! a dataset's environment file, simulated errors.

use super::{BATCH, DATASET, assert_failed, command, host, keys, states};
use crate::whole::Host;
use std::process::Command;

/// A run without programs ends after references have been chosen, which is far enough here.
fn without_programs(host: &Host, dataset: &str) -> Command {
    let mut command = command(host, BATCH, dataset);
    command.env("PATH", "/nowhere");
    command
}

#[test]
fn the_context_is_the_one_that_operators_put_into_the_bucket() {
    let host = host();
    host.world.put("crds_env_vars/", "");
    host.world.put("crds_env_vars/hst_9000.pmap", "");
    host.world.put("crds_env_vars/old/hst_0001.pmap", "");
    let output = without_programs(&host, DATASET).output().unwrap();
    assert_failed(&output, 23, &["calcos"]);
    assert_eq!(host.provenance(DATASET)["context"], "hst_9000.pmap");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("s3://hst/crds_env_vars/hst_9000.pmap"),
        "{text}"
    );

    // Of several the first counts; what the run's own environment says counts before all.
    host.world.put("crds_env_vars/hst_9002.pmap", "");
    let output = without_programs(&host, DATASET).output().unwrap();
    assert_eq!(host.provenance(DATASET)["context"], "hst_9000.pmap");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("also has hst_9002.pmap"), "{text}");
    let mut command = without_programs(&host, DATASET);
    command
        .env("CRDS_CONTEXT", "hst_9001.pmap")
        .output()
        .unwrap();
    assert_eq!(host.provenance(DATASET)["context"], "hst_9001.pmap");
}

#[test]
fn a_name_that_is_no_context_is_an_error() {
    let host = host();
    host.world.put("crds_env_vars/x y.pmap", "");
    let output = without_programs(&host, DATASET).output().unwrap();
    assert_failed(&output, 27, &["CRDS_CONTEXT", "x y.pmap"]);
}

#[test]
fn a_child_of_an_array_takes_its_line() {
    let host = host();
    let list = "control/batch/b/list.ids";
    let lines = format!("j8cb010b0\n{DATASET}\n");
    host.world.put(list, lines);
    let child = |index: &str| {
        let mut command = without_programs(&host, &format!("@s3://hst/{list}"));
        command.env("AWS_BATCH_JOB_ARRAY_INDEX", index);
        command.output().unwrap()
    };
    assert_failed(&child("1"), 23, &["calcos"]);
    assert_eq!(states(&host), [format!("dataset-error/{DATASET}")]);
    assert_failed(&child("2"), 2, &["2 lines", list]);
    host.world.put(list, "../x\n");
    assert_failed(&child("0"), 2, &["line 1", list]);
    let nowhere = without_programs(&host, "@s3://hst/none")
        .env("AWS_BATCH_JOB_ARRAY_INDEX", "0")
        .output();
    let text = String::from_utf8(nowhere.unwrap().stderr).unwrap();
    assert!(text.contains("s3://hst/none"), "{text}");
    assert_eq!(states(&host).len(), 1);
}

#[test]
fn an_environment_file_beside_the_archive_is_applied_and_its_hostile_lines_are_not() {
    let host = host();
    let key = format!("inputs/{DATASET}_cal_env.txt");
    host.world
        .put(&key, "ASTROMETRY=off\nLD_PRELOAD=/x.so\nno pair\n");
    let output = without_programs(&host, DATASET).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cal_env.txt sets ASTROMETRY"), "{text}");
    assert!(text.contains("line 2: LD_PRELOAD is ignored"), "{text}");
    let record = host.provenance(DATASET);
    assert_eq!(record["warnings"].as_array().unwrap().len(), 2);
    let inputs = record["inputs"].as_array().unwrap();
    assert!(inputs.iter().any(|i| i["name"] == "lbgu17qnq_cal_env.txt"));
}

#[test]
fn loose_objects_bring_their_environment_file() {
    let host = host();
    let raw = tempfile::tempdir().unwrap();
    caldp_tests::unpack_fixture(DATASET, raw.path());
    std::fs::write(raw.path().join(format!("{DATASET}_cal_env.txt")), "A_B=1\n").unwrap();
    host.world.s3.put_directory("hst", "loose", raw.path());
    let output = without_programs(&host, DATASET)
        .env("CALDP_INPUT_URI", "s3://hst/loose")
        .output()
        .unwrap();
    assert_failed(&output, 23, &["calcos"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("cal_env.txt sets A_B"), "{text}");
}

#[test]
fn simulated_errors_end_in_the_code_and_state_of_real_ones() {
    let host = host();
    for code in [1, 21, 22, 23, 24, 26, 27, 31, 32, 33, 34, 35, 40, 41] {
        let output = command(&host, BATCH, DATASET)
            .env("CALDP_SIMULATE_ERROR", code.to_string())
            .output()
            .unwrap();
        assert_failed(&output, code, &[]);
        assert_eq!(states(&host), [format!("dataset-error/{DATASET}")]);
        assert_eq!(host.provenance(DATASET)["exit_code"], code);
        host.assert_clean();
    }
}

#[test]
fn an_unknown_simulated_error_is_refused_before_anything_is_written() {
    let host = host();
    for (value, code) in [("3", 2), ("stage1", 2)] {
        let mut command = command(&host, BATCH, DATASET);
        let output = command.env("CALDP_SIMULATE_ERROR", value).output().unwrap();
        assert_failed(&output, code, &["CALDP_SIMULATE_ERROR"]);
    }
    assert!(keys(&host).is_empty());
}

#[test]
fn a_program_that_takes_too_long_is_ended() {
    let host = host();
    let programs = host.world.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let program = programs.join("calcos");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).unwrap();
    let started = std::time::Instant::now();
    let output = command(&host, BATCH, DATASET)
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("CALDP_PROGRAM_TIMEOUT", "1")
        .output()
        .unwrap();
    assert_failed(&output, 23, &["calcos", "process.txt"]);
    assert!(started.elapsed().as_secs() < 60);
}

//! Filling a cache from object storage and from a CRDS server, and keeping it in order.

use std::fs;
use std::process::Command;

use crate::program::{CRDS, REFERENCE, raw_files, run, storage, with};
use caldp_tests::{CrdsServer, Run, fixtures};
use serde_json::{Value, json};

#[test]
fn the_documented_storage_set_ups_work() {
    let server = storage();
    let environment = server.environment();
    let uris = [
        ("CRDS_CONFIG_URI", "s3://hst-crds/config/hst/"),
        ("CRDS_REFERENCE_URI", "s3://hst-crds/references/hst/"),
        ("CRDS_SERVER_URL", "https://hst-crds-serverless.stsci.edu"),
        ("CRDS_DOWNLOAD_MODE", "plugin"),
    ];
    let plugin_of_hst = "/home/developer/crds_s3_get ${SOURCE_URL} ${OUTPUT_PATH} --file-size ${FILE_SIZE} --file-sha1sum ${FILE_SHA1SUM}";
    let plugin_of_roman =
        "crds_s3_get ${FILENAME} -d ${OUTPUT_PATH} -s ${FILE_SIZE} -c ${FILE_SHA1SUM}";
    for (requests, more) in [
        // server_config, the pickle, the reference
        (
            3,
            [
                ("CRDS_PICKLE_URI", "s3://hst-crds/pickles/hst/"),
                ("CRDS_DOWNLOAD_PLUGIN", plugin_of_hst),
            ],
        ),
        // server_config, the pipeline's, the instrument's and 18 tables' rules, the reference
        (
            22,
            [
                ("CRDS_MAPPING_URI", "s3://hst-crds/mappings/hst/"),
                ("CRDS_DOWNLOAD_PLUGIN", plugin_of_roman),
            ],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let file = raw_files("j8cb010b0", folder.path()).remove(0);
        let path = [
            ("CRDS_PATH", cache.to_str().unwrap()),
            ("CRDS_S3_ENABLED", "1"),
        ];
        let variables = with(&environment, &[uris.as_slice(), &more, &path].concat());
        server.reset_counts();
        let asked = [
            "bestrefs",
            "-f",
            file.to_str().unwrap(),
            "-u",
            "-s",
            "1",
            "-t",
            "ccdtab",
        ];
        let ran = run(&variables, &asked);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(cache.join("references/hst/acs").join(REFERENCE).exists());
        let asked = server.count("GetObject");
        assert!(asked <= requests, "{asked} requests");
        assert!(!cache.join("mappings").exists());
    }
}

#[test]
fn s3_get_speaks_both_dialects_and_its_exit_status_means_something() {
    let server = storage();
    let environment = server.environment();
    let folder = tempfile::tempdir().unwrap();
    let source = format!("s3://hst-crds/references/hst/{REFERENCE}");
    let original = fs::read(fixtures().join("crds/references/hst").join(REFERENCE)).unwrap();
    let size = original.len().to_string();
    let sum = storage::checksum::Sha1Sum::of(&original).to_string();
    let target = folder.path().join(REFERENCE);
    let target_text = target.to_str().unwrap();
    let program = folder.path().join("crds_s3_get");
    std::os::unix::fs::symlink(CRDS, &program).unwrap();
    let get = |arguments: &[&str]| {
        let output = Command::new(&program)
            .args(arguments)
            .env_clear()
            .envs(with(
                &environment,
                &[("CRDS_REFERENCE_URI", "s3://hst-crds/references/hst")],
            ))
            .output();
        Run::from(output.unwrap())
    };
    let right = |run: Run| {
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(fs::read(&target).unwrap(), original);
        fs::remove_file(&target).unwrap();
    };
    right(get(&[
        &source,
        target_text,
        "--file-size",
        &size,
        "--file-sha1sum",
        &sum,
    ]));
    right(get(&[
        REFERENCE,
        "-d",
        target_text,
        "-s",
        &size,
        "-c",
        &sum,
    ]));
    right(get(&[
        REFERENCE,
        "-d",
        folder.path().to_str().unwrap(),
        "-c",
        "none",
    ]));
    let wrong_sum = "0".repeat(40);
    for (code, arguments) in [
        (10, [source.as_str(), target_text, "-s", "1"]),
        (11, [source.as_str(), target_text, "-c", &wrong_sum]),
        (
            404 % 256,
            [
                "s3://hst-crds/none/zz900001j_ccd.fits",
                target_text,
                "-s",
                "1",
            ],
        ),
        (2, [source.as_str(), target_text, "-s", "one"]),
        (2, ["ftp://x/y.fits", target_text, "-s", "1"]),
    ] {
        let ran = get(&arguments);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(!target.exists() && !ran.stderr.is_empty());
    }
    // What is there is kept, unless it is to be fetched anew.
    fs::write(&target, "old").unwrap();
    assert_eq!(get(&[&source, target_text]).code, 0);
    assert_eq!(fs::read(&target).unwrap(), b"old");
    right(get(&[&source, target_text, "-I"]));
}

#[test]
fn sync_fills_checks_repairs_sorts_and_purges() {
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let variables = [
        ("CRDS_PATH", folder.path().to_str().unwrap()),
        ("CRDS_SERVER_URL", url.as_str()),
    ];
    let sync = |arguments: &[&str]| run(&variables, &[&["sync"], arguments].concat());
    let dry = sync(&["--contexts", "hst_9000.pmap", "--dry-run"]);
    assert_eq!(
        (dry.code, dry.stdout.lines().count() > 40),
        (0, true),
        "{}",
        dry.stderr
    );
    let all = sync(&["--all", "--fetch-references"]);
    assert_eq!(all.code, 0, "{}", all.stderr);
    let count = |part: &str| {
        let arguments = ["list", part];
        run(&variables, &arguments).stdout.lines().count()
    };
    let originals = |part: &str| {
        fs::read_dir(fixtures().join("crds").join(part))
            .unwrap()
            .count()
    };
    assert_eq!(count("--cached-mappings"), originals("mappings/hst"));
    let references = count("--cached-references");
    assert!(references > 40);
    // Damage is found, and repaired.
    let victim = folder.path().join("references/hst/acs").join(REFERENCE);
    let mut bytes = fs::read(&victim).unwrap();
    bytes[100] ^= 1;
    fs::write(&victim, bytes).unwrap();
    assert_eq!(sync(&["--check-files"]).code, 0);
    let found = sync(&["--check-sha1sum"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains(REFERENCE), "{}", found.stderr);
    let told = |arguments: &[&str]| -> Value {
        let done = sync(&[arguments, &["--json"]].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    };
    let repaired = told(&["--check-sha1sum", "--repair-files"]);
    assert_eq!(repaired["findings"][0]["path"], victim.to_str().unwrap());
    assert_eq!(repaired["findings"][0]["repaired"], true);
    assert_eq!(repaired["findings"].as_array().unwrap().len(), 1);
    assert_eq!(sync(&["--check-sha1sum"]).code, 0);
    // What is right is only fetched anew where that is asked.
    let asked = server.requests().len();
    let of_contexts = ["--contexts", "hst_9001.pmap", "--fetch-references"];
    assert_eq!(sync(&of_contexts).code, 0);
    assert_eq!(server.requests().len(), asked + 1);
    fs::write(
        &victim,
        vec![b' '; usize::try_from(fs::metadata(&victim).unwrap().len()).unwrap()],
    )
    .unwrap();
    let anew = sync(&[of_contexts.as_slice(), &["-I"]].concat());
    assert_eq!(anew.code, 0, "{}", anew.stderr);
    assert!(server.requests().len() > asked + 80);
    assert_eq!(sync(&["--check-sha1sum"]).code, 0);
    // Sorted anew, nothing is lost.
    assert_eq!(told(&["--organize=flat"])["organized"]["moved"], references);
    assert!(
        folder
            .path()
            .join("references/hst")
            .join(REFERENCE)
            .exists()
    );
    assert_eq!(count("--cached-references"), references);
    let purged = sync(&[
        "--contexts",
        "hst_9000.pmap",
        "--purge-references",
        "--purge-mappings",
    ]);
    assert_eq!(purged.code, 0, "{}", purged.stderr);
    assert!(count("--cached-references") < references);
    assert!(!folder.path().join("mappings/hst/hst_9002.pmap").exists());
    assert_eq!(sync(&["--purge-mappings"]).code, 2);
    assert_eq!(sync(&["--save-pickles"]).code, 2);
    assert!(told(&["--clear-locks"])["locks"].is_u64());
    let dry = told(&["--contexts", "hst_9002.pmap", "--dry-run"]);
    assert_eq!(dry["contexts"], json!(["hst_9002.pmap"]));
    assert!(!dry["missing"].as_array().unwrap().is_empty() && dry["missing_bytes"] != 0);
}

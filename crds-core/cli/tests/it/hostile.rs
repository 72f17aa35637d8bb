//! Files that are not what they should be, put where the program reads: it says what is wrong with
//! which file, executes nothing, and takes little memory and time to find out.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::program::{CRDS, REFERENCE, cache_copy, command, fits_file, offline, raw_files, run};
use caldp_tests::{CrdsServer, Run, fixtures};
use serde_json::Value;

const TWO_GB: u64 = 2 << 30;
/// More than any of these runs needs, less than half of what it is given to read.
const MEMORY_KIB: u32 = 900 << 10;
const CPU_SECONDS: u32 = 60;

/// Runs the program with the operating system as witness that it takes neither much memory nor
/// much time: exceeding either kills it.
fn run_bounded(variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let limits = format!("ulimit -v {MEMORY_KIB} && ulimit -t {CPU_SECONDS} && exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &limits, CRDS]).args(arguments);
    let asked = command(variables, &[]);
    shell.env_clear();
    shell.envs(
        asked
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    Run::of(&mut shell)
}

/// What is said of a failure: one or more whole lines, without anything a terminal would obey.
fn complaint(run: &Run) -> &str {
    assert!([1, 255].contains(&run.code), "{}: {}", run.code, run.stderr);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    let obeyed = |c: char| c.is_control() && c != '\n';
    assert!(!run.stderr.contains(obeyed), "{:?}", run.stderr);
    &run.stderr
}

/// Begins a file of two gigabytes with this; the rest is a hole.
fn two_gb(path: &Path, beginning: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = File::create(path).unwrap();
    file.write_all(beginning).unwrap();
    file.set_len(TWO_GB).unwrap();
}

#[test]
fn two_gigabytes_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = raw_files("j8cb010b0", folder.path()).remove(0);
    let dataset = dataset.to_str().unwrap();
    let bestrefs = ["bestrefs", "-f", dataset];
    let pickles = ("CRDS_USE_PICKLED_CONTEXTS", "1");
    for (number, (file, beginning, more)) in [
        ("mappings/hst/hst_9001.pmap", "header = {'mapping': '", None),
        ("mappings/hst/hst_acs_9001.imap", "header = {", None),
        (
            "mappings/hst/hst_acs_darkfile_9001.rmap",
            "header = (((",
            None,
        ),
        ("config/hst/server_config", "{'bad_files_list': '", None),
        ("config/hst/ref_cache_subdir_mode", "instrument", None),
        ("pickles/hst/hst_9001.pmap.pkl", "\u{2}]", Some(pickles)),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = folder.path().join(number.to_string());
        let cache = cache_copy(&folder);
        two_gb(&cache.join(file), beginning.as_bytes());
        let variables: Vec<_> = [("CRDS_PATH", cache.to_str().unwrap())]
            .into_iter()
            .chain(more)
            .collect();
        let asked = [bestrefs.as_slice(), &["-s", "1"]].concat();
        let refused = run_bounded(&variables, &asked);
        let name = file.rsplit('/').next().unwrap();
        let said = complaint(&refused);
        assert!(
            said.contains(name) && said.contains("bytes"),
            "{file}: {said}"
        );
    }
}

#[test]
fn two_gigabytes_of_input_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache_copy(folder.path());
    let cache = cache.to_str().unwrap();
    let huge = |name: &str, beginning: &str| {
        let path = folder.path().join(name);
        two_gb(&path, beginning.as_bytes());
        path.to_str().unwrap().to_owned()
    };
    let fits = format!("{:80}", "SIMPLE  =                    T");
    let list = format!("@{}", huge("names.lst", "x"));
    let lines = huge("x.jsonl", "{\"id\": 1, \"header\": {\"A\": \"");
    // To find the next line all of this one is read, though not kept: as little as tells that.
    let enough = u64::from(MEMORY_KIB + (100 << 10)) << 10;
    File::options()
        .write(true)
        .open(&lines)
        .unwrap()
        .set_len(enough)
        .unwrap();
    for (option, file) in [
        ("-f", huge("x_raw.fits", &fits)),
        (
            "-f",
            huge("x.asdf", "#ASDF 1.0.0\n%YAML 1.1\n---\nroman: \""),
        ),
        ("-f", list),
        ("-p", huge("x.json", "{\"id\": {\"INSTRUME\": \"")),
        ("--headers", lines),
    ] {
        let refused = run_bounded(&offline(cache), &["bestrefs", option, &file]);
        let said = format!("{}{}", complaint(&refused), refused.stdout);
        let limit = ["bytes", "16 MiB"];
        assert!(
            limit.iter().any(|text| said.contains(text)),
            "{file}: {said}"
        );
    }
    let config = folder.path().join("elsewhere");
    two_gb(&config.join("server_config"), b"{'observatory': '");
    let variables = [
        ("CRDS_PATH", cache),
        ("CRDS_CONFIG_URI", config.to_str().unwrap()),
    ];
    let refused = run_bounded(&variables, &["list", "--latest-context"]);
    assert!(
        complaint(&refused).contains("larger than"),
        "{}",
        refused.stderr
    );
}

#[test]
fn nothing_in_rules_or_pickles_is_executed() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = raw_files("j8cb010b0", folder.path()).remove(0);
    let dataset = dataset.to_str().unwrap();
    let trace = folder.path().join("executed");
    let trace_text = trace.to_str().unwrap();
    let cache = cache_copy(folder.path());
    let variables = [
        ("CRDS_PATH", cache.to_str().unwrap()),
        ("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
    ];
    let asked = ["bestrefs", "-f", dataset, "-t", "ccdtab"];
    assert_eq!(run(&variables, &asked).code, 0);
    let table = cache.join("mappings/hst/hst_acs_ccdtab_9000.rmap");
    let good = fs::read_to_string(&table).unwrap();
    let call = format!("__import__('os').system('touch {trace_text}')");
    for bad in [
        good.replacen("Match(", &format!("Match({call}, "), 1),
        good.replacen("selector = ", &format!("{call}\nselector = "), 1),
        good.replacen("'WFC'", &call, 1),
        good.replacen("'derived_from'", &format!("'x': {call}, 'derived_from'"), 1),
        format!("import os\n{good}"),
    ] {
        assert_ne!(bad, good);
        fs::write(&table, bad).unwrap();
        let refused = run(&variables, &asked);
        let said = complaint(&refused);
        assert!(said.contains("hst_acs_ccdtab_9000.rmap, line "), "{said}");
    }
    fs::write(&table, good).unwrap();
    // The same by a pickle: os.system("touch ...")
    let pickle = cache.join("pickles/hst/hst_9001.pmap.pkl");
    fs::create_dir_all(pickle.parent().unwrap()).unwrap();
    fs::write(&pickle, format!("cos\nsystem\n(S'touch {trace_text}'\ntR.")).unwrap();
    let pickled = [variables.as_slice(), &[("CRDS_USE_PICKLED_CONTEXTS", "1")]].concat();
    let refused = run(&pickled, &asked);
    let said = complaint(&refused);
    assert!(
        said.contains("hst_9001.pmap") && said.contains("os.system"),
        "{said}"
    );
    assert!(said.contains("hint: "), "{said}");
    assert!(!trace.exists());
}

#[test]
fn control_characters_reach_no_terminal_and_no_header() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache_copy(folder.path());
    let variables = offline(cache.to_str().unwrap());
    let file = folder.path().join("x_raw.fits");
    let with = |instrument: &str, detector: &str| {
        fits_file(
            &file,
            &[
                "SIMPLE  =                    T",
                "BITPIX  =                    8",
                "NAXIS   =                    0",
                &format!("INSTRUME= '{instrument}'"),
                &format!("DETECTOR= '{detector}'"),
                "DATE-OBS= '2010-01-01'",
                "TIME-OBS= '00:00:00'",
            ],
        );
        let before = fs::read(&file).unwrap();
        let asked = [
            "bestrefs",
            "-f",
            file.to_str().unwrap(),
            "-t",
            "ccdtab",
            "-u",
            "--json",
        ];
        let refused = run(&variables, &asked);
        complaint(&refused);
        assert!(fs::read(&file).unwrap() == before);
        let json: Value = serde_json::from_str(&refused.stdout).unwrap();
        assert_eq!(json["files"][0]["errors"].as_array().unwrap().len(), 1);
        refused.stderr
    };
    assert!(with("A\u{1b}[31mCS", "WFC").contains("\\u{1b}[31m"));
    assert!(with("ACS", "W\u{1b}]0;x\u{7}C").contains("\\u{1b}]0;"));
    assert!(with("ACS\0", "WFC").contains("\\0"));
    // Names of files and of ids are foreign, too.
    let strange = folder.path().join("\u{1b}[2Jx.fits");
    let refused = run(&variables, &["bestrefs", "-f", strange.to_str().unwrap()]);
    assert!(
        complaint(&refused).contains("\\u{1b}[2Jx.fits"),
        "{}",
        refused.stderr
    );
    let headers = folder.path().join("headers.json");
    fs::write(
        &headers,
        "{\"\\u001b[1mid\": {\"INSTRUME\": \"ACS\\u009b2J\"}}",
    )
    .unwrap();
    complaint(&run(
        &variables,
        &["bestrefs", "-p", headers.to_str().unwrap()],
    ));
    // Rules may choose what no header can say.
    let table = cache.join("mappings/hst/hst_acs_ccdtab_9000.rmap");
    let rules = fs::read_to_string(&table).unwrap();
    let evil = rules.replace(REFERENCE, "zz\\x1b[31m_ccd.fits");
    assert_ne!(evil, rules);
    fs::write(&table, evil).unwrap();
    let dataset = raw_files("j8cb010b0", folder.path()).remove(0);
    let before = fs::read(&dataset).unwrap();
    let asked = [
        "bestrefs",
        "-f",
        dataset.to_str().unwrap(),
        "-t",
        "ccdtab",
        "-u",
    ];
    let unchecked = [
        variables.as_slice(),
        &[("CRDS_IGNORE_MAPPING_CHECKSUM", "1")],
    ]
    .concat();
    let refused = run(&unchecked, &asked);
    assert!(
        complaint(&refused).contains("cannot be written"),
        "{}",
        refused.stderr
    );
    assert!(fs::read(&dataset).unwrap() == before);
}

#[test]
fn links_that_lead_in_a_circle_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = raw_files("j8cb010b0", folder.path()).remove(0);
    let dataset = dataset.to_str().unwrap();
    let asked = ["bestrefs", "-f", dataset, "-t", "ccdtab", "-s", "1"];
    let circle = |path: &Path| {
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.exists() {
            fs::remove_file(path).unwrap();
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(path.file_name().unwrap(), path).unwrap();
    };
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let url = server.url();
    for (number, place) in [
        "mappings/hst/hst_9001.pmap",
        "mappings/hst/hst_acs_9001.imap",
        "mappings/hst/hst_acs_ccdtab_9000.rmap",
        "mappings/hst",
        "config/hst/ref_cache_subdir_mode",
        "references/hst",
        "references/hst/acs",
    ]
    .into_iter()
    .enumerate()
    {
        let cache = cache_copy(&folder.path().join(number.to_string()));
        fs::write(cache.join("config/hst/ref_cache_subdir_mode"), "instrument").unwrap();
        circle(&cache.join(place));
        let variables = [
            ("CRDS_PATH", cache.to_str().unwrap()),
            ("CRDS_SERVER_URL", &url),
        ];
        let refused = run(&variables, &asked);
        let said = complaint(&refused);
        assert!(
            said.contains("symbolic links") && said.contains(place),
            "{place}: {said}"
        );
    }
    let cache = cache_copy(&folder.path().join("config"));
    circle(&cache.join("config/hst/server_config"));
    let refused = run(
        &offline(cache.to_str().unwrap()),
        &["list", "--latest-context"],
    );
    assert!(
        complaint(&refused).contains("server_config cannot be read: Too many levels"),
        "{}",
        refused.stderr
    );
    let around = folder.path().join("x_raw.fits");
    circle(&around);
    let refused = run(
        &offline(cache.to_str().unwrap()),
        &["bestrefs", "-f", around.to_str().unwrap()],
    );
    complaint(&refused);
}

#[test]
fn a_reference_that_is_a_circle_is_found_and_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let url = server.url();
    let cache = cache_copy(folder.path());
    let variables = [
        ("CRDS_PATH", cache.to_str().unwrap()),
        ("CRDS_SERVER_URL", &url),
    ];
    let references = cache.join("references/hst/acs");
    fs::create_dir_all(&references).unwrap();
    symlink(REFERENCE, references.join(REFERENCE)).unwrap();
    let readonly = [variables.as_slice(), &[("CRDS_READONLY_CACHE", "1")]].concat();
    let shown = run(&readonly, &["list", "--cached-references"]);
    assert_eq!((shown.code, shown.stdout), (0, format!("{REFERENCE}\n")));
    let check = run(&variables, &["sync", "--check-files"]);
    let said = complaint(&check);
    assert!(
        said.contains(REFERENCE) && said.contains("symbolic links"),
        "{said}"
    );
    let sorted = run(&variables, &["sync", "--organize=flat"]);
    assert!(
        complaint(&sorted).contains("it is a link"),
        "{}",
        sorted.stderr
    );
    let repaired = run(&variables, &["sync", "--organize=instrument"]);
    assert!(
        complaint(&repaired).contains("it is a link"),
        "{}",
        repaired.stderr
    );
    let repaired = run(&variables, &["sync", "--check-files", "--repair-files"]);
    assert_eq!(repaired.code, 0, "{}", repaired.stderr);
    let original = fixtures().join("crds/references/hst").join(REFERENCE);
    assert!(fs::read(references.join(REFERENCE)).unwrap() == fs::read(original).unwrap());
}

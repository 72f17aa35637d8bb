//! `caldp doctor` as somebody runs it before the first dataset. The programs are stand-ins that
//! only say their versions, in the words of the real ones; `calcos` is the real one.

mod machine;
mod servers;

use caldp_tests::{fixtures, registry_programs, unpack_fixture};
use machine::Examined;
pub(crate) use machine::Machine;
use std::fs;
use std::path::{Path, PathBuf};

/// All files below a directory with their times, to see that nothing was touched.
fn contents(directory: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.clone(), path.metadata().unwrap().modified().unwrap()));
        if path.is_dir() {
            found.extend(contents(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn with_nothing_installed_every_lack_has_a_remedy() {
    let machine = Machine::new();
    let mut command = machine.doctor(&[]);
    command
        .env("PATH", machine.programs())
        .env_remove("CRDS_PATH");
    let examined = Examined::of(&mut command);
    assert_eq!(examined.code(), Some(1));
    assert_eq!(examined.report["usable"], false);
    for (program, remedy) in [
        ("calacs.e", "conda-forge hstcal"),
        ("cs0.e", "conda-forge hstcal"),
        ("calcos", "pip install calcos"),
        ("runastrodriz", "pip install drizzlepac"),
    ] {
        assert!(
            examined.hint(program).contains(remedy),
            "{program}: {}",
            examined.hint(program)
        );
    }
    // Nothing is lacking without it.
    assert_eq!(examined.level("fitscut"), "note");
    assert!(examined.text("fitscut").contains("caldp draws"));
    // No instrument can run, and there is no cache either.
    assert_eq!(examined.level("cos"), "problem");
    assert_eq!(examined.level("cache: references"), "problem");
    assert!(examined.hint("cache: references").contains("CRDS_PATH"));

    // People read the same, with what to do below what is wrong.
    let mut command = machine.doctor(&[]);
    command
        .env("PATH", machine.programs())
        .env_remove("CRDS_PATH");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("warning  calacs.e: not found in PATH\n           hint: HSTCAL provides it"),
        "{text}"
    );
    assert!(
        text.contains("problems: a run would fail.\nhint: worker/docs/native.md"),
        "{text}"
    );
    assert!(output.stderr.is_empty());
}

#[test]
fn versions_and_dialects_are_told() {
    let machine = Machine::new();
    machine.hstcal();
    machine.drizzlepac();
    machine.stand_in(
        "fitscut",
        "--version) echo 'fitscut 1.4.2';; --help) echo '  --output-size=N';;",
    );
    let path = format!(
        "{}:{}",
        machine.programs().display(),
        registry_programs().display()
    );
    let examined = Examined::of(machine.doctor(&[]).env("PATH", path));
    assert_eq!(examined.code(), Some(0), "{:#}", examined.report);
    assert_eq!(
        examined.about("calacs.e")["details"]["version"],
        "10.5.0 (16-Mar-2026)"
    );
    assert_eq!(
        examined.about("runastrodriz")["details"]["version"],
        "3.11.0"
    );
    assert_eq!(
        examined.about("runastrodriz")["details"]["python"],
        "3.11.9"
    );
    assert_eq!(examined.about("fitscut")["details"]["dialect"], "sized");
    // The real one, asked through the metadata of its package.
    assert_eq!(examined.about("calcos")["details"]["version"], "3.6.2");
    for instrument in ["acs", "wfc3", "stis", "cos", "svm mosaics", "mvm mosaics"] {
        assert_eq!(examined.level(instrument), "ok", "{instrument}");
    }
    assert_eq!(
        examined.about("context")["details"]["context"],
        "hst_9001.pmap"
    );

    // Debian's dialect, and a program that is there and does not start.
    machine.stand_in(
        "fitscut",
        "--version) echo 'fitscut 1.4.4';; --help) echo '  --zoom=N';;",
    );
    machine.stand_in(
        "cs0.e",
        "*) echo 'libcfitsio.so.10: cannot open shared object file' >&2; exit 127;;",
    );
    let examined = Examined::of(&mut machine.doctor(&[]));
    assert_eq!(examined.about("fitscut")["details"]["dialect"], "zooming");
    assert!(examined.text("cs0.e").contains("libcfitsio.so.10"));
    // Another instrument can still run.
    assert_eq!(
        (examined.level("cs0.e"), examined.code()),
        ("warning", Some(0))
    );
    let examined = Examined::of(&mut machine.doctor(&["octka6030"]));
    assert_eq!(
        (examined.level("cs0.e"), examined.code()),
        ("problem", Some(1))
    );
}

#[test]
fn a_dataset_needs_its_own_programs_and_references_only() {
    let machine = Machine::new();
    machine.hstcal();
    unpack_fixture("octka7040", machine.path());
    let before = contents(&fixtures().join("crds"));
    let examined = Examined::of(&mut machine.doctor(&["OCTKA7040"]));
    assert_eq!(examined.code(), Some(0), "{:#}", examined.report);
    assert_eq!(examined.report["dataset"], "octka7040");
    let subjects = examined.report["findings"].to_string();
    assert!(!subjects.contains("calcos") && !subjects.contains("calacs.e"));
    assert!(examined.text("references").ends_with("are in the cache"));
    assert_eq!(
        contents(&fixtures().join("crds")),
        before,
        "the cache was touched"
    );
    assert!(!machine.path().join("caldp-work").exists());

    // The same from its archive.
    let archives = fixtures().join("raw");
    let input = format!("file:{}", archives.display());
    let examined = Examined::of(&mut machine.doctor(&["octka7040", "--input", &input]));
    assert!(examined.text("references").ends_with("are in the cache"));
    assert_eq!(examined.code(), Some(0));
}

#[test]
fn what_the_cache_lacks_is_named() {
    let machine = Machine::new();
    machine.hstcal();
    unpack_fixture("octka7040", machine.path());
    let cache = machine.path().join("cache");
    for part in ["config", "mappings", "pickles"] {
        copy(&fixtures().join("crds").join(part), &cache.join(part));
    }
    fs::create_dir_all(cache.join("references/hst")).unwrap();

    let examined = Examined::of(machine.doctor(&["octka7040"]).env("CRDS_PATH", &cache));
    assert_eq!(
        (examined.level("references"), examined.code()),
        ("problem", Some(1))
    );
    assert!(examined.hint("references").contains("crds sync"));
    let missing = examined.about("references")["details"]["missing"]
        .as_str()
        .unwrap();
    assert!(missing.contains("zz9"), "{missing}");

    // They may be fetched where the configuration says from where.
    let examined = Examined::of(
        machine
            .doctor(&["octka7040"])
            .env("CRDS_PATH", &cache)
            .env("CRDS_READONLY_CACHE", "0")
            .env("CRDS_REFERENCE_URI", fixtures().join("crds/references/hst")),
    );
    assert_eq!(
        (examined.level("references"), examined.code()),
        ("ok", Some(0))
    );
    assert!(examined.text("references").contains("will be fetched from"));
}

#[test]
fn a_broken_cache_is_a_problem_whichever_way_it_is_broken() {
    let machine = Machine::new();
    machine.hstcal();
    let cache = machine.path().join("cache");
    copy(&fixtures().join("crds"), &cache);
    let look =
        |machine: &Machine| Examined::of(machine.doctor(&["octka7040"]).env("CRDS_PATH", &cache));
    assert_eq!(look(&machine).level("rules"), "ok");

    for (broken, subject) in [
        ("mappings/hst/hst_9001.pmap", "rules"),
        ("config/hst/ref_cache_subdir_mode", "cache: layout"),
        ("config/hst/server_config", "context"),
    ] {
        let file = cache.join(broken);
        let whole = fs::read(&file).ok();
        fs::write(&file, "{ broken").unwrap();
        let examined = look(&machine);
        assert_eq!(
            examined.level(subject),
            "problem",
            "{broken}: {:#}",
            examined.report
        );
        assert_eq!(examined.code(), Some(1));
        match whole {
            Some(whole) => fs::write(&file, whole).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
    }
    let references = cache.join("references");
    fs::remove_dir_all(&references).unwrap();
    fs::write(&references, "").unwrap();
    let examined = look(&machine);
    assert_eq!(examined.level("cache: references"), "problem");
    assert!(
        examined
            .text("cache: references")
            .contains("is no directory")
    );

    // A setting that cannot be, and one that means nothing.
    let mut command = machine.doctor(&["octka7040"]);
    command
        .env("CRDS_CONTEXT", "hst_9001.rmap")
        .env("CRDS_PTAH", "/x");
    let examined = Examined::of(&mut command);
    assert_eq!(examined.level("settings"), "problem");
    let mut command = machine.doctor(&["octka7040"]);
    command
        .env("CRDS_PTAH", "/x")
        .env("CRDS_CONTEXT", "hst_9000.pmap");
    let examined = Examined::of(&mut command);
    let warned = examined.report["findings"].as_array().unwrap().iter();
    assert!(
        warned
            .clone()
            .any(|f| f["subject"] == "CRDS_PTAH" && f["level"] == "warning")
    );
    assert!(
        examined
            .text("context")
            .starts_with("hst_9000.pmap, as CRDS_CONTEXT=")
    );
}

#[test]
fn a_wrong_command_line_is_no_finding() {
    let machine = Machine::new();
    for arguments in [
        &["notadataset"][..],
        &["--input", "nowhere"],
        &["--config", "no-such-file"],
        &["--config", "caldp-config-aws"],
    ] {
        let output = machine.doctor(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("hint:"),
            "{arguments:?}"
        );
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

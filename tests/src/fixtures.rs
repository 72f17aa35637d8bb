//! The bundled data of the tests, and where larger data is when it is there.

use std::path::{Path, PathBuf};

/// Names the directory of data that is not bundled: real rules, oracles, batch lists, events.
const EXTERNAL_DATA: &str = "CALDP_TEST_DATA";

/// Asks for the variants of tests that take long.
const LONG: &str = "CALDP_TEST_LONG";

/// The bundled fixtures: `crds/`, `golden/`, `raw/<dataset>.tar.gz`, `manifest.json`.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The directory of the real calibration programs that a package registry has, `calcos` and
/// `runastrodriz`, and of their Python: what `CALDP_TEST_PROGRAMS` names, else the environment that
/// `tests/setup.sh calibration` makes.
///
/// # Panics
/// When one of them is not in it: a test that needs them does not pass without.
pub fn registry_programs() -> PathBuf {
    let directory = std::env::var_os("CALDP_TEST_PROGRAMS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/calibration/bin"),
        PathBuf::from,
    );
    for program in ["calcos", "runastrodriz"] {
        assert!(
            directory.join(program).is_file(),
            "there is no {program} in {}; tests/setup.sh calibration installs it",
            directory.display()
        );
    }
    directory
}

/// Unpacks the raw files of a bundled dataset into `directory` and returns their paths, sorted.
///
/// # Panics
/// When there is no such dataset or it cannot be unpacked.
pub fn unpack_fixture(dataset: &str, directory: &Path) -> Vec<PathBuf> {
    let path = fixtures().join("raw").join(format!("{dataset}.tar.gz"));
    let file = std::fs::File::open(&path)
        .unwrap_or_else(|e| panic!("cannot open {}: {e}", path.display()));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = Vec::new();
    for entry in archive.entries().expect("the fixture is a tar archive") {
        let mut entry = entry.expect("the fixture is whole");
        let name = entry.path().expect("the fixture has plain names");
        let target = directory.join(name.file_name().expect("the fixture has files only"));
        entry
            .unpack(&target)
            .unwrap_or_else(|e| panic!("cannot write {}: {e}", target.display()));
        files.push(target);
    }
    files.sort();
    files
}

/// Copies the bundled rules to `directory` and adds a context of them, `hst_9003.pmap`, in which the
/// extraction table of COS's NUV is that of FUV: another file of the same form. Its rules have the
/// checksums of others (`CRDS_IGNORE_MAPPING_CHECKSUM`).
///
/// # Panics
/// When a file cannot be read or written.
pub fn publish_other_table(directory: &Path) {
    let from = fixtures().join("crds/mappings/hst");
    std::fs::create_dir_all(directory).expect("the directory can be made");
    for entry in std::fs::read_dir(&from).expect("the rules are there") {
        let entry = entry.expect("the rules can be listed");
        let target = directory.join(entry.file_name());
        std::fs::copy(entry.path(), target).expect("the rules can be copied");
    }
    for (kind, old, new) in [
        ("hst_cos_xtractab", "zz900004l_1dx", "zz900104l_1dx"),
        ("hst_cos", "hst_cos_xtractab_9000", "hst_cos_xtractab_9003"),
        ("hst", "hst_cos_9000", "hst_cos_9003"),
    ] {
        let extension = match kind {
            "hst" => "pmap",
            "hst_cos" => "imap",
            _ => "rmap",
        };
        let path = |serial: &str| directory.join(format!("{kind}_{serial}.{extension}"));
        let text = std::fs::read_to_string(path("9000")).expect("the rules can be read");
        assert!(text.contains(old), "{text}");
        std::fs::write(path("9003"), text.replace(old, new)).expect("rules can be written");
    }
}

/// Sets every calibration switch of a raw file from `PERFORM` to `OMIT`.
///
/// # Panics
/// When the file cannot be read or written.
pub fn switch_off(path: &Path) {
    let mut bytes = std::fs::read(path).expect("the raw file can be read");
    for card in bytes.chunks_exact_mut(80) {
        let switch = card[..8].trim_ascii_end().ends_with(b"CORR");
        if switch && card[8..].starts_with(b"= 'PERFORM") {
            card[10..20].copy_from_slice(b"'OMIT    '");
        }
    }
    std::fs::write(path, bytes).expect("the raw file can be written");
}

/// A path in the data that is not bundled, or `None` after saying on stderr that `what` is left
/// out because `CALDP_TEST_DATA` is not set.
///
/// # Panics
/// When `CALDP_TEST_DATA` is set but has no such path: then the test would lie.
pub fn external_data(path: &str, what: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os(EXTERNAL_DATA) else {
        eprintln!("left out: {what}: it needs {path} and {EXTERNAL_DATA} is not set");
        return None;
    };
    let path = Path::new(&root).join(path);
    assert!(
        path.exists(),
        "{EXTERNAL_DATA} is set but {} does not exist",
        path.display()
    );
    Some(path)
}

/// Whether the long variants of tests are wanted (`CALDP_TEST_LONG`); `false` after saying on stderr that
/// `what` is left out.
pub fn long_variants(what: &str) -> bool {
    let wanted = std::env::var_os(LONG).is_some();
    if !wanted {
        eprintln!("left out: {what}: {LONG} is not set");
    }
    wanted
}

/// A folder of its own below the S3 location that `variable` names (`CALDP_S3_TEST_INPUTS` or
/// `CALDP_S3_TEST_OUTPUTS`), reached with whatever credentials the environment has; `None` after
/// saying on stderr that `what` is left out because the variable is not set. Whoever asks for it
/// empties it; what a failed test leaves there is there to be looked at.
///
/// # Panics
/// When the variable is set to something that is no S3 location.
pub fn real_location(variable: &str, what: &str) -> Option<String> {
    let Ok(root) = std::env::var(variable) else {
        eprintln!("left out: {what} at a real S3 location: {variable} is not set");
        return None;
    };
    assert!(
        root.starts_with("s3://"),
        "{variable} is '{root}'; it is to be s3://<bucket>/<prefix>"
    );
    let root = root.trim_end_matches('/');
    Some(format!("{root}/caldp-test-{:016x}", fastrand::u64(..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_unpacks_into_its_raw_files() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let files = unpack_fixture("j8cb010b0", dir.path());
        assert!(files.len() > 1);
        assert!(files.iter().all(|f| f.is_file()));
        assert!(
            files
                .iter()
                .any(|f| f.to_string_lossy().ends_with("_asn.fits"))
        );
    }
}

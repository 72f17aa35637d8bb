//! Any bytes are an archive within its limits or a clear error that leaves nothing behind.
#![no_main]

use std::fs;

use caldp_worker::input::archive::{Limits, unpack};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    total_bytes: 1 << 20,
    entries: 100,
};

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let archive = folder.path().join("fuzzed.tar.gz");
    let destination = folder.path().join("files");
    fs::write(&archive, bytes).expect("the archive can be written");
    fs::create_dir(&destination).expect("the folder can be made");
    match unpack(&archive, &destination, &LIMITS) {
        Ok(files) => {
            let mut total = 0;
            for file in &files {
                let found = fs::symlink_metadata(destination.join(file)).expect("it was unpacked");
                assert!(found.is_file(), "{}", file.display());
                total += found.len();
            }
            assert!(total <= LIMITS.total_bytes && files.len() <= LIMITS.entries);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let left = fs::read_dir(&destination).expect("the folder is there");
            assert_eq!(left.count(), 0);
        }
    }
    // Nothing is written beside the folder.
    let beside = fs::read_dir(folder.path()).expect("the folder is there");
    assert_eq!(beside.count(), 2);
});

#![no_main]
use std::path::Path;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = crds_core::dataset::fits::read_from(bytes, Path::new("fuzzed.fits"));
});

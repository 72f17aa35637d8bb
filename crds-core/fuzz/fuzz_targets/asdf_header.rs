#![no_main]
use std::io::Cursor;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = crds_core::dataset::asdf::read_from(Cursor::new(bytes));
});

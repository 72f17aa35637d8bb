#![no_main]
use crds_core::rules::{Context, Scope};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let name = "hst_9000.pmap".parse().expect("it is a name");
    let _ = Context::from_pickle(&name, bytes, Scope::All);
});

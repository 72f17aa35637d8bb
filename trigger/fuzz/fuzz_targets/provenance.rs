//! Any bytes are a run's record or a clear error; what is read can be added up and written again.
#![no_main]

use caldp_core::provenance::Provenance;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = serde_json::from_slice::<Provenance>(bytes) else {
        return;
    };
    let _ = record.peak_memory_kib();
    assert!(record.seconds() >= 0.0);
    let text = serde_json::to_vec(&record).expect("a record is JSON");
    let again: Provenance = serde_json::from_slice(&text).expect("what was written is read");
    assert_eq!(again.dataset, record.dataset);
    assert_eq!(again.outputs, record.outputs);
    assert_eq!(again.references, record.references);
});

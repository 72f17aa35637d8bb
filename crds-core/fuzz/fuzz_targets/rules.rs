#![no_main]
use crds_core_fuzz::{load, look_up};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(context) = load(bytes.to_vec().into()) {
        let pairs = [
            ("DETECTOR", "WFC"),
            ("CCDGAIN", "2.0"),
            ("DATE-OBS", "2010-05-14"),
            ("TIME-OBS", "00:00:00"),
        ];
        look_up(&context, &pairs);
        for file in context.references() {
            context.rows_choosing(file);
        }
    }
});

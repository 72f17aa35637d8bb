#![no_main]
use crds_core_fuzz::{load, look_up, table};

libfuzzer_sys::fuzz_target!(|dates: (&str, &str, &str)| {
    let (key, day, time) = dates;
    if let Ok(context) = load(table("", key)) {
        look_up(&context, &[("DETECTOR", "WFC"), ("DATE-OBS", day), ("TIME-OBS", time)]);
    }
});

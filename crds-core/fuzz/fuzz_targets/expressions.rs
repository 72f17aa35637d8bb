#![no_main]
use crds_core_fuzz::{load, look_up, quoted, table};

libfuzzer_sys::fuzz_target!(|texts: (&str, &str)| {
    let (expression, value) = texts;
    // In parentheses, or the header's text would be lower-cased.
    let expression = quoted(&format!("({expression})"));
    let field = format!("'rmap_relevance': {expression}, 'parkey_relevance': {{'detector': {expression}}},");
    if let Ok(context) = load(table(&field, "2009-05-14 00:00:00")) {
        let pairs = [("DETECTOR", value), ("DATE-OBS", "2010-01-01"), ("TIME-OBS", "00:00:00")];
        look_up(&context, &pairs);
    }
});

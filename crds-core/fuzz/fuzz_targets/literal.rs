#![no_main]
libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(literal) = crds_core::literal::parse("fuzzed", text) {
        let printed = literal.to_string();
        let read = crds_core::literal::parse("printed", &printed).expect("what is printed can be read");
        assert_eq!(read, literal);
    }
});

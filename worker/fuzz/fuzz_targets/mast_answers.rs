//! Any bytes are an answer of MAST or a clear error; of its rows only files that may be written
//! are chosen, each once.
//!
//! The modules are the worker's own business, so their sources are compiled once more here.
#![no_main]
#![allow(dead_code, reason = "requests are not written here")]

#[path = "../../src/input/mast/name.rs"]
mod name;
#[path = "../../src/input/mast/protocol.rs"]
mod protocol;
#[path = "../../src/input/mast/select.rs"]
mod select;

use std::collections::BTreeSet;

use caldp_core::dataset::Instrument;
use libfuzzer_sys::fuzz_target;
use name::FileName;
use protocol::{Answer, ObservationRow, ProductRow, answer, lookup};

const INSTRUMENTS: [Instrument; 4] = [
    Instrument::Acs,
    Instrument::Cos,
    Instrument::Stis,
    Instrument::Wfc3,
];

fn check(products: &[select::Product]) {
    let mut names = BTreeSet::new();
    for product in products {
        assert!(FileName::parse(product.file.as_str()).is_ok());
        assert!(names.insert(product.file.as_str().to_ascii_lowercase()));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let exposure = "j8cb010b0".parse().expect("a dataset");
    let mosaic = "acs_8ph_01".parse().expect("a dataset");
    if let Ok(Answer::Page(page)) = answer::<ObservationRow>(bytes) {
        let all = select::observations(&page.rows, None);
        let named = select::observations(&page.rows, Some("j8cb010b0"));
        assert!(page.pages > 0 && named.iter().all(|id| all.contains(id)));
    }
    match answer::<ProductRow>(bytes) {
        Ok(Answer::Page(page)) => {
            for instrument in INSTRUMENTS {
                if let Ok(products) = select::exposures(&exposure, instrument, &page.rows) {
                    check(&products);
                }
            }
            let files: Vec<FileName> = page
                .rows
                .iter()
                .filter_map(|row| FileName::parse(row.file.as_deref()?).ok())
                .collect();
            let files: Vec<&FileName> = files.iter().collect();
            if let Ok((products, _)) = select::mosaic(&mosaic, &files, &page.rows) {
                check(&products);
            }
        }
        Ok(Answer::Executing | Answer::Error(_)) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = lookup(bytes, ["mast:HST/product/j8cb010b0_asn.fits"]);
});

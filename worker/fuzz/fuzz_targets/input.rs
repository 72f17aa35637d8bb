//! The worker's modules for MAST's answers, which are its own business: their sources are compiled
//! once more here, at the same place in the crate.

#[path = "../../src/input/mast/protocol.rs"]
mod protocol;
#[path = "../../src/input/mast/select.rs"]
mod select;

use std::collections::BTreeSet;

use caldp_core::dataset::Instrument;

use crate::membership::file_name::FileName;
use protocol::{Answer, ObservationRow, ProductRow, answer};

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

/// Reads an answer in every way that the worker does.
pub(crate) fn read(bytes: &[u8]) {
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
}

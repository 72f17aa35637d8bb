//! Any bytes are a FITS file with headers, tables and images, or a clear error; what is read of a
//! column has the size that the table claims.
#![no_main]

use std::io::Write as _;

use fits::{Image, Table, check, read_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("the file can be written");
    let path = file.path();
    let _ = check(path);
    for index in 0..3 {
        let _ = Image::open(path, index);
        let Ok(table) = Table::open(path, index) else {
            continue;
        };
        let header = read_header(path, index).expect("a table has a header");
        let names: Vec<&str> = (1..=20)
            .filter_map(|number| header.text(&format!("TTYPE{number}")))
            .collect();
        for name in names {
            let _ = table.unit(name);
            if let Ok(numbers) = table.numbers(name) {
                let expected = table.rows() * numbers.per_row as u64;
                assert_eq!(numbers.values.len() as u64, expected);
            }
            if let Ok(texts) = table.texts(name) {
                assert_eq!(texts.len() as u64, table.rows());
            }
            let _ = table.logicals(name);
        }
    }
});

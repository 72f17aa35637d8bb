//! Tables built byte by byte, broken byte by byte, and compared with astropy's.
#![allow(clippy::unwrap_used, reason = "tests")]

use caldp_tests::fits_sample::{card, file};
use caldp_tests::unpack_fixture;
use proptest::prelude::*;

use super::*;
use crate::check;
use crate::value::Value;

fn unit(bytes: &[u8], index: usize) -> Result<Hdu, FitsError> {
    find(bytes, Path::new("x.fits"), index)
}

fn table(bytes: &[u8]) -> Result<Table<&[u8]>, FitsError> {
    Table::read_from(bytes, Path::new("x.fits"), 1)
}

#[test]
fn cards_of_all_types() {
    let bytes = file(&[("A", "1A", &[])], 1, b"x");
    let header = unit(&bytes, 0).unwrap().header;
    assert_eq!(header.text("ROOTNAME"), Some("it's"));
    assert_eq!(header.real("EXPTIME"), Some(150.0));
    assert_eq!(header.get("SIMPLE"), Some(&Value::Logical(true)));
    assert_eq!(header.text("FLATCORR"), Some("PERFORM"));
    assert_eq!(header.integer("EXPTIME"), None);
    assert_eq!(header.get("COMMENT"), None);
}

#[test]
fn columns_of_all_types() {
    let mut row = Vec::new();
    row.extend_from_slice(b"T");
    row.extend_from_slice(b"FUVA\0x");
    row.extend_from_slice(&[7, 255]);
    row.extend_from_slice(&(-3_i16).to_be_bytes());
    row.extend_from_slice(&70_000_i32.to_be_bytes());
    row.extend_from_slice(&5_000_000_000_i64.to_be_bytes());
    row.extend_from_slice(&1.5_f32.to_be_bytes());
    row.extend_from_slice(&f32::NAN.to_be_bytes());
    row.extend_from_slice(&(-2.5_f64).to_be_bytes());
    row.extend_from_slice(&[0xff, 0x80]);
    let bytes = file(
        &[
            ("L", "L", &[]),
            ("A", "6A", &[]),
            ("B", "2B", &[("TNULL", "255")]),
            ("I", "1I", &[("TSCAL", "2.0"), ("TZERO", "10")]),
            ("J", "J", &[]),
            ("K", "1K", &[]),
            ("E", "2E", &[]),
            ("D", "D", &[]),
            ("X", "9X", &[]),
        ],
        1,
        &row,
    );
    let table = table(&bytes).unwrap();
    assert_eq!(table.logicals("l").unwrap(), [Some(true)]);
    assert_eq!(table.texts("A").unwrap(), ["FUVA"]);
    let numbers = |name| table.numbers(name).unwrap();
    let b = numbers("B");
    assert_eq!(
        format!("{b:?}"),
        "NumberColumn { per_row: 2, values: [7.0, NaN] }"
    );
    assert_eq!(numbers("I").values, [4.0]);
    assert_eq!(numbers("J").values, [70_000.0]);
    assert_eq!(numbers("K").values, [5e9]);
    let e = numbers("E");
    assert_eq!(format!("{:?} {:?}", e.row(0), e.row(1)), "[1.5, NaN] []");
    assert_eq!(numbers("D").values, [-2.5]);
    assert!(table.numbers("X").is_err());
    assert!(table.numbers("nothing").is_err());
}

#[test]
fn a_file_cut_anywhere_is_an_error_that_says_so() {
    let bytes = file(&[("D", "1000D", &[])], 1, &[0; 8000]);
    for length in (0..bytes.len()).step_by(97) {
        let cut = &bytes[..length];
        // Padding may be missing; data may not.
        let complete = length >= bytes.len() - 8000_usize.next_multiple_of(2880) + 8000;
        assert_eq!(unit(cut, 1).is_ok(), complete, "{length}");
    }
    let cut = unit(&bytes[..9000], 1).unwrap_err().to_string();
    assert!(cut.contains("truncated"), "{cut}");
}

#[test]
fn impossible_sizes_are_refused() {
    for (key, value) in [
        ("NAXIS1", "9223372036854775807"),
        ("NAXIS2", "-1"),
        ("NAXIS", "1000000"),
        ("TFIELDS", "1000000"),
        ("TFORM1", "'99999999999999999999D'"),
        ("TFORM1", "'9999999999D'"),
        ("TFORM1", "'Z'"),
        ("TFORM1", "''"),
    ] {
        let text = file(&[("D", "2D", &[])], 1, &[0; 16]);
        let mut bytes = text.clone();
        let start = bytes
            .chunks(80)
            .enumerate()
            .skip(36)
            .find(|(_, card)| card.starts_with(format!("{key:<8}=").as_bytes()))
            .unwrap()
            .0
            * 80;
        bytes[start..start + 80].copy_from_slice(format!("{:<80}", card(key, value)).as_bytes());
        assert!(table(&bytes).is_err(), "{key} = {value}");
    }
}

#[test]
fn real_association_tables() {
    let folder = tempfile::tempdir().unwrap();
    unpack_fixture("j8cb010b0", folder.path());
    let path = folder.path().join("j8cb010b0_asn.fits");
    let table = Table::open(&path, 1).unwrap();
    assert_eq!(
        table.texts("MEMNAME").unwrap(),
        ["J8CB01U2Q", "J8CB01U3Q", "J8CB010B1"]
    );
    assert_eq!(
        table.texts("MEMTYPE").unwrap(),
        ["EXP-CRJ", "EXP-CRJ", "PROD-CRJ"]
    );
    assert_eq!(table.logicals("MEMPRSNT").unwrap(), [Some(true); 3]);
    let raw = folder.path().join("j8cb01u2q_raw.fits");
    assert_eq!(check(&raw).unwrap(), 4);
    let error = Table::open(&raw, 1).unwrap_err();
    assert!(error.to_string().contains("not a binary table"), "{error}");
}

proptest! {
    /// Whatever byte is changed, reading ends, without panic, within the size limits.
    #[test]
    fn a_changed_file_never_panics(changes in proptest::collection::vec((0_usize..8640, any::<u8>()), 1..20)) {
        let mut bytes = file(
            &[("T", "4A", &[]), ("D", "100D", &[("TNULL", "3")]), ("I", "10I", &[])],
            2,
            &[1; 2 * (4 + 800 + 20)],
        );
        for (position, byte) in changes {
            if let Some(place) = bytes.get_mut(position) {
                *place = byte;
            }
        }
        if let Ok(table) = table(&bytes) {
            let _ = table.texts("T");
            let _ = table.numbers("D");
            let _ = table.numbers("I");
        }
    }
}

//! Tables built byte by byte, broken byte by byte, and compared with astropy's.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::sample::{card, file};
use super::table::Layout;
use super::*;
use proptest::prelude::*;

fn layout(bytes: &[u8]) -> Layout {
    Layout::new(find(bytes, 1).unwrap()).unwrap()
}

#[test]
fn cards_of_all_types() {
    let bytes = file(&[("A", "1A", &[])], 1, b"x");
    let header = find(&bytes[..], 0).unwrap().header;
    assert_eq!(header.text("ROOTNAME"), Some("it's"));
    assert_eq!(header.real("EXPTIME"), Some(150.0));
    assert_eq!(header.get("SIMPLE"), Some(&Value::Logical(true)));
    assert!(header.performs("FLATCORR"));
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
    let table = layout(&bytes);
    let bytes = &bytes[..];
    assert_eq!(table.logicals(bytes, "l").unwrap(), [Some(true)]);
    assert_eq!(table.texts(bytes, "A").unwrap(), ["FUVA"]);
    let numbers = |name| table.numbers(bytes, name).unwrap();
    let b = numbers("B");
    assert_eq!(
        format!("{b:?}"),
        "Numbers { per_row: 2, values: [7.0, NaN] }"
    );
    assert_eq!(numbers("I").values, [4.0]);
    assert_eq!(numbers("J").values, [70_000.0]);
    assert_eq!(numbers("K").values, [5e9]);
    let e = numbers("E");
    assert_eq!(format!("{:?} {:?}", e.row(0), e.row(1)), "[1.5, NaN] []");
    assert_eq!(numbers("D").values, [-2.5]);
    assert!(table.numbers(bytes, "X").is_err());
    assert!(table.numbers(bytes, "nothing").is_err());
}

#[test]
fn a_file_cut_anywhere_is_an_error_that_says_so() {
    let bytes = file(&[("D", "1000D", &[])], 1, &[0; 8000]);
    for length in (0..bytes.len()).step_by(97) {
        let cut = &bytes[..length];
        // Padding may be missing; data may not.
        let complete = length >= bytes.len() - 8000_usize.next_multiple_of(2880) + 8000;
        assert_eq!(find(cut, 1).is_ok(), complete, "{length}");
    }
    let Err(Problem::Malformed(reason)) = find(&bytes[..9000], 1) else {
        unreachable!("9000 bytes are not enough")
    };
    assert!(reason.contains("cut short"), "{reason}");
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
        let result = find(&bytes[..], 1).and_then(Layout::new);
        assert!(result.is_err(), "{key} = {value}");
    }
}

#[test]
fn real_association_tables() {
    let folder = tempfile::tempdir().unwrap();
    let archive =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/raw/j8cb010b0.tar.gz");
    let archive = flate2::read::MultiGzDecoder::new(File::open(archive).unwrap());
    tar::Archive::new(archive).unpack(folder.path()).unwrap();
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
        if let Ok(table) = find(&bytes[..], 1).and_then(Layout::new) {
            let _ = table.texts(&bytes[..], "T");
            let _ = table.numbers(&bytes[..], "D");
            let _ = table.numbers(&bytes[..], "I");
        }
    }
}

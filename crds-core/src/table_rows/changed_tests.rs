//! Tables of the form of COS's `XTRACTAB`, delivered anew.
#![allow(clippy::unwrap_used, reason = "tests")]

use caldp_tests::fits_sample;
use caldp_tests::fits_sample::file;

use super::*;
use crate::header::Header;
use crate::table_rows::selecting_columns;

/// A row: grating, wavelength, aperture, slope.
type Row<'r> = (&'r str, i32, &'r str, f64);

const ROWS: [Row<'_>; 4] = [
    ("G130M", 1291, "PSA", 0.1),
    ("G130M", 1291, "WCA", 0.2),
    ("G130M", 1327, "PSA", 0.3),
    ("G160M", 1600, "ANY", 0.4),
];

fn write(path: &Path, rows: &[Row<'_>]) {
    let mut data = Vec::new();
    for (grating, wavelength, aperture, slope) in rows {
        data.extend_from_slice(format!("{grating:<8}").as_bytes());
        data.extend_from_slice(&wavelength.to_be_bytes());
        data.extend_from_slice(format!("{aperture:<4}").as_bytes());
        data.extend_from_slice(&slope.to_be_bytes());
    }
    let columns: [fits_sample::Column<'_>; 4] = [
        ("OPT_ELEM", "8A", &[]),
        ("CENWAVE", "1J", &[]),
        ("APERTURE", "4A", &[]),
        ("SLOPE", "1D", &[]),
    ];
    std::fs::write(path, file(&columns, rows.len(), &data)).unwrap();
}

fn header(pairs: &[(&str, &str)]) -> Header {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn changed(rows: &[Row<'_>]) -> ChangedRows {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (
        folder.path().join("old.fits"),
        folder.path().join("new.fits"),
    );
    write(&old, &ROWS);
    write(&new, rows);
    let columns = selecting_columns("cos", "xtractab").unwrap();
    ChangedRows::between(&old, &new, columns).unwrap()
}

#[test]
fn a_changed_row_concerns_the_datasets_that_select_it() {
    let psa = |grating, wavelength| {
        header(&[
            ("OPT_ELEM", grating),
            ("CENWAVE", wavelength),
            ("APERTURE", "PSA"),
        ])
    };
    let g130 = psa("G130M", "1291");
    let other = psa("G130M", "1327.0");
    let g160 = psa("G160M", "1600");
    let mut same = ROWS;
    same.reverse();
    for (row, concerned) in [
        (None, [false, false, false]),
        (Some(0), [true, false, false]),
        // The lamp's.
        (Some(1), [true, false, false]),
        (Some(2), [false, true, false]),
        (Some(3), [false, false, true]),
    ] {
        let mut rows = same;
        if let Some(row) = row {
            rows[3 - row].3 += 0.01;
        }
        let changed = changed(&rows);
        let found = [&g130, &other, &g160].map(|header| changed.is_selected(header));
        assert_eq!(found, concerned, "{row:?}");
        // What a header does not say selects more, never less.
        assert_eq!(changed.is_selected(&header(&[])), row.is_some());
        let both = header(&[
            ("OPT_ELEM", "g130m"),
            ("CENWAVE", "-999"),
            ("APERTURE", "N/A"),
        ]);
        assert_eq!(changed.is_selected(&both), concerned[0] || concerned[1]);
    }
    let fewer = changed(&ROWS[..3]);
    assert!(fewer.is_selected(&g160) && !fewer.is_selected(&g130));
    let twice = changed(&[ROWS[0], ROWS[1], ROWS[2], ROWS[3], ROWS[2]]);
    assert!(twice.is_selected(&other) && !twice.is_selected(&g130));
}

#[test]
fn chips_select_in_subarrays_only() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (
        folder.path().join("old.fits"),
        folder.path().join("new.fits"),
    );
    let columns: [fits_sample::Column<'_>; 2] = [("CCDCHIP", "1J", &[]), ("VALUE", "1J", &[])];
    let write = |path: &Path, values: [i32; 4]| {
        let data = values.iter().flat_map(|value| value.to_be_bytes());
        std::fs::write(path, file(&columns, 2, &data.collect::<Vec<_>>())).unwrap();
    };
    write(&old, [1, 10, 2, 20]);
    write(&new, [1, 10, 2, 21]);
    let selecting = selecting_columns("wfc3", "bpixtab").unwrap();
    let changed = ChangedRows::between(&old, &new, selecting).unwrap();
    let one = |subarray| changed.is_selected(&header(&[("CCDCHIP", "1"), ("SUBARRAY", subarray)]));
    assert!(one("False"), "the file has both chips");
    assert!(!one("True") && !one("T"));
}

#[test]
fn tables_of_another_form_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (
        folder.path().join("old.fits"),
        folder.path().join("new.fits"),
    );
    let columns = selecting_columns("cos", "xtractab").unwrap();
    let between = |layout: &[fits_sample::Column<'_>], length: usize| {
        std::fs::write(&new, file(layout, 2, &vec![0; 2 * length])).unwrap();
        ChangedRows::between(&old, &new, columns).unwrap_err()
    };
    std::fs::write(&old, file(&[("A", "1J", &[])], 2, &[0; 8])).unwrap();
    assert!(matches!(
        between(&[("B", "1J", &[])], 4),
        RowsError::Columns
    ));
    assert!(matches!(
        between(&[("A", "1E", &[])], 4),
        RowsError::Columns
    ));
    assert!(matches!(
        between(&[("A", "1J", &[("TZERO", "1.0")])], 4),
        RowsError::Columns
    ));
    std::fs::write(&old, file(&[("A", "1PJ(3)", &[])], 2, &[0; 16])).unwrap();
    assert!(matches!(
        between(&[("A", "1PJ(3)", &[])], 8),
        RowsError::VariableLength
    ));
    std::fs::write(&new, "no FITS").unwrap();
    let torn = ChangedRows::between(&old, &new, columns).unwrap_err();
    assert!(matches!(torn, RowsError::Fits(_)), "{torn}");
    let gone = ChangedRows::between(Path::new("/no/such"), &new, columns).unwrap_err();
    assert!(matches!(gone, RowsError::Open { .. }), "{gone}");
}

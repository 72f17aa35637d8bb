#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn hdu(cards: &[&str], data: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = cards
        .iter()
        .chain(&["END"])
        .flat_map(|card| format!("{card:80}").into_bytes())
        .collect();
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes.resize(bytes.len() + data.next_multiple_of(2880), 0);
    bytes
}

fn primary(cards: &[&str]) -> Vec<u8> {
    let start = ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"];
    hdu(&[&start, cards].concat(), 0)
}

fn image(length: usize, cards: &[&str]) -> Vec<u8> {
    let axis = format!("NAXIS1  = {length}");
    let start = ["XTENSION= 'IMAGE   '", "BITPIX  = 16", "NAXIS   = 1", &axis];
    hdu(&[&start, cards].concat(), length * 2)
}

fn read_bytes(bytes: &[u8]) -> Result<Vec<Hdu>, FitsError> {
    hdus(bytes, Path::new("x.fits")).collect()
}

/// The value of `A` in the last unit.
fn last(bytes: &[u8]) -> Option<i64> {
    read_bytes(bytes).unwrap().last()?.header.integer("A")
}

fn problem(bytes: &[u8]) -> String {
    read_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn random_groups_and_heaps_count_as_data() {
    let groups = [
        "SIMPLE  = T",
        "BITPIX  = -32",
        "NAXIS   = 2",
        "NAXIS1  = 0",
        "NAXIS2  = 3",
        "GROUPS  = T",
        "PCOUNT  = 2",
        "GCOUNT  = 400",
    ];
    let file = [hdu(&groups, 4 * 400 * (2 + 3)), image(1, &["A       = 1"])].concat();
    assert_eq!(last(&file), Some(1));
}

#[test]
fn what_follows_the_last_extension_is_nobodys_business() {
    let file = [primary(&["A       = 1"]), vec![b'x'; 5000]].concat();
    assert_eq!(last(&file), Some(1));
}

#[test]
fn a_file_is_complete_without_its_last_fill_and_with_anything_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fits");
    let units = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        check(&path)
    };
    let good = [primary(&["A       = 1"]), image(3000, &[])].concat();
    assert_eq!(units(&good).unwrap(), 2);
    for behind in [
        &[0; 2880][..],
        &[0; 1],
        b"\n",
        b"special record",
        &[b' '; 9000],
    ] {
        let longer = [&good, behind].concat();
        assert_eq!(units(&longer).unwrap(), 2, "{} bytes", behind.len());
        assert_eq!(last(&longer), None);
    }
    // The data end at byte 11760.
    for length in [11760, 11761, good.len() - 1] {
        assert_eq!(units(&good[..length]).unwrap(), 2, "{length} bytes");
    }
    let error = units(&good[..11759]).unwrap_err().to_string();
    assert!(error.contains("truncated"), "{error}");
    // A header that ends with END, and nothing else.
    let end = 80 * 5;
    assert_eq!(units(&good[..end]).unwrap(), 1);
    assert!(units(&good[..end - 80]).is_err());
    // The missing fill is added, and only that.
    for (length, added) in [(11760, true), (good.len(), false), (end, true)] {
        std::fs::write(&path, &good[..length]).unwrap();
        assert_eq!(fill(&path).unwrap(), added);
        let filled = std::fs::read(&path).unwrap();
        assert_eq!(filled, good[..length.next_multiple_of(2880)]);
    }
    // Half of an extension is none of these.
    let cut = [&good, &b"XTENSION= 'IMAGE   '"[..]].concat();
    assert!(units(&cut).is_err());
}

#[test]
fn damaged_files_are_refused_by_name_and_reason() {
    let good = [primary(&[]), image(3000, &[])].concat();
    assert!(problem(b"").starts_with("x.fits: not a FITS file"));
    assert!(problem(b"<html>").contains("not a FITS file"));
    assert!(problem(b"\x1f\x8b\x08").contains("compressed with gzip"));
    assert!(problem(&good[..200]).contains("no END card"));
    assert!(problem(&good[..3000]).starts_with("x.fits, extension 1: the header has no END"));
    let cut = problem(&good[..good.len() - 2880]);
    assert!(cut.contains("truncated") && cut.contains("11760"), "{cut}");
    // The standard wants the last block filled; files without the filling can be read all the same.
    assert!(read_bytes(&good[..11760]).is_ok());
    assert!(
        problem(&hdu(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 1"], 0))
            .contains("NAXIS1 is missing")
    );
    assert!(
        problem(&hdu(
            &["SIMPLE  = T", "BITPIX  = 9", "NAXIS   = 1", "NAXIS1  = 1"],
            0
        ))
        .contains("BITPIX is 9")
    );
    assert!(
        problem(&hdu(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = -1"], 0)).contains("NAXIS is -1")
    );
    let huge = [
        "SIMPLE  = T",
        "BITPIX  = 8",
        "NAXIS   = 2",
        "NAXIS1  = 9223372036854775807",
        "NAXIS2  = 9",
    ];
    assert!(problem(&hdu(&huge, 0)).contains("more bytes than a file can have"));
    assert!(
        read_header(Path::new("does-not-exist"), 0)
            .unwrap_err()
            .to_string()
            .contains("does-not-exist")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_never_panics(at in 0_usize..14000, byte in any::<u8>(), cut in 0_usize..14400) {
        let mut file = [primary(&["A       = 'x'"]), image(1441, &["B       = 1"])].concat();
        if let Some(place) = file.get_mut(at) {
            *place = byte;
        }
        let _ = read_bytes(&file);
        let _ = read_bytes(file.get(..cut).unwrap_or(&file));
    }
}

#![allow(clippy::unwrap_used, reason = "tests")]

use ::fits::{CARD_LENGTH, Card};
use caldp_tests::fits_sample::header as unit;

use super::*;

fn image(length: usize, cards: &[&str]) -> Vec<u8> {
    let axis = format!("NAXIS1  = {length}");
    let start = ["XTENSION= 'IMAGE   '", "BITPIX  = 16", "NAXIS   = 1", &axis];
    let mut bytes = unit(&[&start, cards].concat());
    bytes.resize(
        bytes.len() + (length * 2).next_multiple_of(::fits::BLOCK),
        0,
    );
    bytes
}

fn card_says(text: &str) -> (String, String, String) {
    let mut record = [b' '; CARD_LENGTH];
    record[..text.len()].copy_from_slice(text.as_bytes());
    let parsed = Card::from_record(&record).parse();
    (parsed.keyword, python_text(parsed.value), parsed.comment)
}

#[test]
fn values_read_as_astropy_reads_them() {
    // Every expected text was observed with astropy 7 and Python's str().
    for (text, keyword, value, comment) in [
        (
            "SIMPLE  =                    T / conforms",
            "SIMPLE",
            "True",
            "conforms",
        ),
        ("EXTEND  = F", "EXTEND", "False", ""),
        ("A       = 'it''s'             / x", "A", "it's", "x"),
        ("A       = ''", "A", "", ""),
        ("A       = '' / c", "A", "", "c"),
        ("A       = '        '", "A", "", ""),
        ("A       = ' lead  '", "A", " lead", ""),
        ("A       = 'a / b' / c / d", "A", "a / b", "c / d"),
        ("A       = 'it' s' / c", "A", "it' s", "c"),
        ("A       = ''''", "A", "'", ""),
        ("A       = 'x'/c", "A", "x", "c"),
        ("A       =                   42", "A", "42", ""),
        ("A       =                 -007 /  two", "A", "-7", "two"),
        ("A       =                  +1", "A", "1", ""),
        (
            "A       = 123456789012345678901234567890",
            "A",
            "123456789012345678901234567890",
            "",
        ),
        ("A       =                 1.50", "A", "1.5", ""),
        ("A       =                   5.", "A", "5.0", ""),
        ("A       =                   .5", "A", "0.5", ""),
        ("A       =               1.0D+3", "A", "1000.0", ""),
        ("A       =               1.0e-5", "A", "1e-05", ""),
        ("A       =                 1E20", "A", "1e+20", ""),
        ("A       =                1E400", "A", "inf", ""),
        ("A       = - 1 . ", "A", "- 1 .", ""),
        ("A       = - 1. E 3", "A", "-1000.0", ""),
        ("A       = (1.0, -2.5)", "A", "(1-2.5j)", ""),
        ("A       = (0,2) / c", "A", "2j", "c"),
        ("A       =", "A", "UNDEFINED", ""),
        (
            "A       =                      / no value",
            "A",
            "UNDEFINED",
            "no value",
        ),
        ("A= 3", "A", "3", ""),
        ("abc     = 'Lower'", "ABC", "Lower", ""),
        ("A       = junk / c", "A", "junk", "c"),
        ("A       = 'open", "A", "'open", ""),
        ("A       = True", "A", "True", ""),
        ("HIERARCH ESO Det.X = 1 / c", "ESO Det.X", "1", "c"),
        (
            "COMMENT  = 'not a value'",
            "COMMENT",
            " = 'not a value'",
            "",
        ),
        ("HISTORY   two  ", "HISTORY", "  two", ""),
        ("NOEQUALS   5", "NOEQUALS", "   5", ""),
        ("", "", "", ""),
        ("              / TITLE", "", "      / TITLE", ""),
    ] {
        let expected = (keyword.to_owned(), value.to_owned(), comment.to_owned());
        assert_eq!(card_says(text), expected, "{text}");
    }
}

#[test]
fn all_units_make_one_header_where_the_first_wins() {
    let file = [
        unit(&[
            "SIMPLE  = T",
            "BITPIX  = 8",
            "NAXIS   = 0",
            "A       = 'one'",
            "COMMENT x",
            "COMMENT y",
            "",
            "        / TITLE",
            "B       =",
        ]),
        image(
            1441,
            &["A       = 'two'", "C       = T", "COMMENT x", "EXTVER  = 1"],
        ),
        image(0, &["EXTVER  = 2", "d       = 1.0"]),
    ]
    .concat();
    let header = read_from(&file[..], Path::new("x.fits")).unwrap();
    assert_eq!(header.get("A"), Some("one"));
    assert_eq!(header.get("B"), Some("UNDEFINED"));
    assert_eq!(header.get("C"), Some("True"));
    assert_eq!(header.get("D"), Some("1.0"));
    assert_eq!(header.get("EXTVER"), Some("1"));
    assert_eq!(header.get("COMMENT"), Some("x\ny\nx"));
    assert_eq!(header.get("NAXIS"), Some("0"));
    assert_eq!(header.get("NAXIS1"), Some("1441"));
    assert_eq!(header.get(""), None);
}

#![allow(clippy::unwrap_used, reason = "tests")]
use super::Verdict::{DontCare, Match, No};
use super::*;

#[test]
fn every_kind_of_cell_answers() {
    for (cell, value, verdict) in [
        ("N/A", "X", DontCare),
        ("X", "X", Match),
        ("X", "Y", No),
        ("X", "*", Match),
        ("X", "N/A", DontCare),
        ("?", "X", No),
        ("(A.C)", "ABCD", Match),
        ("(A.C)", "XABC", No),
        ("(A.C)", "A.C", Match),
        ("()", "X", Match),
        ("{A|B}", "A|B", Match),
        ("{A|B}", "A", No),
        ("A|B", "B", Match),
        ("A|B", "AB", No),
        ("F*W", "F606W", Match),
        ("F*W", "F\n6W", Match),
        ("G?0[12]", "G102", No),
        ("G?0[12]*", "G102", Match),
        (">5", "5.1", Match),
        (">5", "INF", Match),
        (">5", "X", No),
        (">5", ">5", Match),
        (">5", "N/A", DontCare),
        ("<= -2.5E1X", "-25.0", Match),
        ("# >5 #", "6.0", No),
        ("#>5#", "6.0", Match),
        ("# >3000 AND <=4200 #", "4200.0", Match),
        ("# >3000 AND <=4200 #", "3000.0", No),
        ("#<5 OR >50#", "60.0", Match),
        ("#<5 OR >50#", "#<5 or >50#", Match),
        ("BETWEEN 10 20", "10.0", Match),
        ("BETWEEN 10 20", "20.0", No),
        ("BETWEEN 10 20", "N/A", DontCare),
        ("NOT FUV", "FUV", No),
        ("NOT FUV", "NUV", Match),
        ("NOT FUV", "N/A", DontCare),
        ("NOT FUV", "*", No),
        ("NOT {A|B}", "A", Match),
        ("NOT A|B", "A", No),
        ("NOT N/A", "X", DontCare),
        ("#", "", Match),
    ] {
        assert_eq!(
            Cell::new(cell).unwrap().verdict(value),
            verdict,
            "{cell} {value}"
        );
    }
}

#[test]
fn impossible_cells_are_refused() {
    for cell in [
        "BETWEEN 20 10",
        "BETWEEN 1",
        "<X",
        ">",
        "((A)",
        "([)",
        "BETWEEN inf nan",
    ] {
        assert!(Cell::new(cell).is_err(), "{cell}");
    }
    let deep = format!("{}X", "NOT ".repeat(100));
    assert!(Cell::new(&deep).is_err());
}

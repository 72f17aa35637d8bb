//! The columns by which the calibration programs select rows, by instrument and reference type.
//!
//! Source: the row selections of CRDS 14 (`crds.bestrefs.table_effects`, for `crds bestrefs
//! --optimize-tables`), checked against what the programs do (calcos, HSTCAL). Where a program takes
//! rows of more than one value for one exposure the column is left out, or says so.

/// A column whose value must be that of the keyword of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The column and the keyword.
    pub name: &'static str,
    pub(super) rule: SelectBy,
}

/// When a row is of another mode than a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SelectBy {
    /// When its value is another.
    Equal,
    /// When its value is another, and not this.
    EqualOr(&'static str),
    /// When its value is another and the exposure is of a part of a detector: otherwise one file has
    /// the images of all its chips.
    EqualInSubarrays,
}

const fn equal(name: &'static str) -> Column {
    let rule = SelectBy::Equal;
    Column { name, rule }
}

/// One column may be missing in the types that share a list.
type TypeColumns = [(&'static str, &'static [Column])];

const OPT_ELEM: Column = equal("OPT_ELEM");
const CENWAVE: Column = equal("CENWAVE");
const SEGMENT: Column = equal("SEGMENT");
const DETECTOR: Column = equal("DETECTOR");
const APERTURE: Column = equal("APERTURE");
/// The lamp is taken through its own aperture during exposures of all others.
const COS_APERTURE: Column = Column {
    name: "APERTURE",
    rule: SelectBy::EqualOr("WCA"),
};
const CCDCHIP: Column = Column {
    name: "CCDCHIP",
    rule: SelectBy::EqualInSubarrays,
};

/// Amplifiers and gain of CCDs; bins for those that have them.
const CCD: [Column; 3] = [equal("CCDAMP"), CCDCHIP, equal("CCDGAIN")];
const BINNED_CCD: [Column; 5] = [
    equal("CCDAMP"),
    CCDCHIP,
    equal("CCDGAIN"),
    equal("BINAXIS1"),
    equal("BINAXIS2"),
];
const STIS_CCD: [Column; 5] = [
    equal("CCDAMP"),
    equal("CCDGAIN"),
    equal("CCDOFFST"),
    equal("BINAXIS1"),
    equal("BINAXIS2"),
];

const COS_MODE: [Column; 3] = [OPT_ELEM, CENWAVE, COS_APERTURE];
const COS_SEGMENT_OF_MODE: [Column; 4] = [OPT_ELEM, CENWAVE, COS_APERTURE, SEGMENT];
const STIS_MODE: [Column; 3] = [OPT_ELEM, CENWAVE, APERTURE];

const ACS: &TypeColumns = &[
    ("atodtab", &CCD),
    ("bpixtab", &CCD),
    ("ccdtab", &BINNED_CCD),
    ("mlintab", &[DETECTOR]),
];

const WFC3: &TypeColumns = &[
    ("atodtab", &CCD),
    ("bpixtab", &[CCDCHIP]),
    ("ccdtab", &BINNED_CCD),
];

const COS: &TypeColumns = &[
    ("bpixtab", &[SEGMENT]),
    ("brsttab", &[SEGMENT]),
    ("deadtab", &[SEGMENT]),
    ("disptab", &[OPT_ELEM, CENWAVE]),
    ("fluxtab", &COS_MODE),
    // Lamp spectra of all FPOFFSET may be interpolated.
    ("lamptab", &[OPT_ELEM, CENWAVE]),
    ("phatab", &[OPT_ELEM]),
    ("proftab", &COS_SEGMENT_OF_MODE),
    ("spwcstab", &COS_MODE),
    ("tdstab", &[OPT_ELEM, COS_APERTURE]),
    ("tracetab", &COS_SEGMENT_OF_MODE),
    ("twozxtab", &COS_SEGMENT_OF_MODE),
    ("walktab", &[SEGMENT]),
    ("wcptab", &[OPT_ELEM]),
    ("xtractab", &COS_MODE),
];

const STIS: &TypeColumns = &[
    ("apdestab", &[APERTURE]),
    ("apertab", &[APERTURE]),
    ("bpixtab", &[OPT_ELEM]),
    ("ccdtab", &STIS_CCD),
    ("cdstab", &[OPT_ELEM]),
    ("disptab", &[OPT_ELEM, CENWAVE]),
    ("echsctab", &[OPT_ELEM]),
    ("exstab", &[OPT_ELEM]),
    ("halotab", &[OPT_ELEM]),
    ("lamptab", &[OPT_ELEM, equal("LAMPSET"), equal("SCLAMP")]),
    ("mlintab", &[DETECTOR]),
    ("phottab", &[OPT_ELEM, CENWAVE]),
    ("riptab", &[OPT_ELEM]),
    ("sdctab", &STIS_MODE),
    ("sptrctab", &[OPT_ELEM, CENWAVE]),
    ("srwtab", &[OPT_ELEM]),
    ("tdstab", &[OPT_ELEM]),
    ("teltab", &[OPT_ELEM]),
    ("wcptab", &[OPT_ELEM, DETECTOR]),
    ("xtractab", &STIS_MODE),
];

fn of_instrument(instrument: &str) -> &'static TypeColumns {
    match instrument {
        "acs" => ACS,
        "cos" => COS,
        "stis" => STIS,
        "wfc3" => WFC3,
        _ => &[],
    }
}

/// The columns that select rows of a type, both names in lower case; none where that is not known.
pub fn selecting_columns(instrument: &str, reference_type: &str) -> Option<&'static [Column]> {
    let mut types = of_instrument(instrument).iter();
    types
        .find(|(name, _)| *name == reference_type)
        .map(|(_, columns)| *columns)
}

/// The keywords that select rows of any table of an instrument, in lower case; what a record of a
/// header needs for [`ChangedRows::is_selected`](super::ChangedRows::is_selected).
pub fn columns_of_instrument(instrument: &str) -> Vec<&'static str> {
    let columns = of_instrument(instrument)
        .iter()
        .flat_map(|(_, columns)| *columns);
    let mut names: Vec<&str> = columns.map(|column| column.name).collect();
    if names.contains(&CCDCHIP.name) {
        names.push(SUBARRAY);
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The keyword that says whether an exposure is of a part of a detector.
pub(super) const SUBARRAY: &str = "SUBARRAY";

/// Whether references of a type, in lower case, are tables. HST names them so.
pub fn is_table(reference_type: &str) -> bool {
    reference_type.ends_with("tab")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_instruments_have_columns() {
        let names = |instrument, name| {
            let columns = selecting_columns(instrument, name)?;
            Some(columns.iter().map(|column| column.name).collect::<Vec<_>>())
        };
        assert_eq!(names("cos", "disptab"), Some(vec!["OPT_ELEM", "CENWAVE"]));
        assert_eq!(names("cos", "brftab"), None);
        assert_eq!(names("nicmos", "ccdtab"), None);
        assert_eq!(
            columns_of_instrument("cos"),
            ["APERTURE", "CENWAVE", "OPT_ELEM", "SEGMENT"]
        );
        assert!(columns_of_instrument("wfc3").contains(&"SUBARRAY"));
        for instrument in ["acs", "cos", "stis", "wfc3"] {
            assert!(
                of_instrument(instrument)
                    .iter()
                    .all(|(name, _)| is_table(name))
            );
        }
    }
}

//! Poller files, `<dataset>_input.out`: the list of exposures a mosaic is made of.
//!
//! They are lines of comma-separated fields as `runsinglehap` and `runmultihap` read them: eight
//! for a single visit (file, proposal, program, visit, exposure time, filters, detector, path),
//! ten for a sky cell (the same with the cell's name and `NEW` or `OLD` before the path), or the
//! file alone. The program finds each file by its name in the working directory; the path is only
//! its second choice and is never opened here. Bytes are foreign: bounded, and every name checked.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};
use storage::hint::Hint;

use caldp_core::dataset::{Dataset, Kind};

use crate::membership::file_name::{FileName, FileNameError, quoted};

/// A larger file is no poller file: a line takes about 150 bytes.
const MAX_BYTES: u64 = 4 << 20;
/// More exposures than any sky cell has.
const MAX_ROWS: usize = 20_000;

const VISIT_FIELDS: usize = 8;
const CELL_FIELDS: usize = 10;
/// Where a sky cell's name and its state stand.
const CELL_NAME: usize = 7;
const CELL_STATE: usize = 8;

/// The exposures of one mosaic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poller {
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    file: FileName,
    /// Everything after the file, with its commas.
    rest: String,
}

/// Why a file is not a poller file of the dataset.
#[derive(Debug, thiserror::Error)]
pub enum PollerError {
    /// It could not be read.
    #[error("the poller file {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its content as a whole is not acceptable.
    #[error("{file} is not a poller file: {reason}")]
    Content {
        /// The poller file's name.
        file: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A line is not acceptable.
    #[error("{file}, line {line}: {reason}")]
    Line {
        /// The poller file's name.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl Hint for PollerError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(HINT.into())
    }
}

const HINT: &str = "a mosaic needs the list of its exposures, <dataset>_input.out, \
    in the place that astroquery:<directory> or astroquery:s3://bucket/prefix names";

impl Poller {
    /// What the poller file of a dataset is called.
    pub fn file_name(dataset: &Dataset) -> String {
        dataset.exposure_list_file()
    }

    /// Reads the poller file of `dataset` in `directory`.
    ///
    /// # Errors
    /// When it is not there or not acceptable.
    pub fn read(dataset: &Dataset, directory: &Path) -> Result<Self, PollerError> {
        let path = directory.join(Self::file_name(dataset));
        let mut bytes = Vec::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|source| PollerError::Read { path, source })?;
        Self::parse(dataset, &bytes)
    }

    /// Reads the content of the poller file of `dataset`.
    ///
    /// # Errors
    /// When a line is not as documented, names an unsafe file, or belongs to another sky cell.
    pub fn parse(dataset: &Dataset, bytes: &[u8]) -> Result<Self, PollerError> {
        let file = Self::file_name(dataset);
        let content = |reason| PollerError::Content {
            file: file.clone(),
            reason,
        };
        if bytes.len() as u64 > MAX_BYTES {
            return Err(content("it is too large"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| content("it is not text"))?;
        let mut rows = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if rows.len() == MAX_ROWS {
                return Err(content("it has too many lines"));
            }
            rows.push(
                Row::parse(dataset, line).map_err(|reason| PollerError::Line {
                    file: file.clone(),
                    line: index + 1,
                    reason,
                })?,
            );
        }
        if rows.is_empty() {
            return Err(content("it names no exposures"));
        }
        Ok(Self { rows })
    }

    /// The files of the exposures, each once, in the order of the lines.
    pub fn files(&self) -> Vec<&FileName> {
        let mut seen = std::collections::HashSet::new();
        let files = self.rows.iter().map(|row| &row.file);
        files.filter(|file| seen.insert(*file)).collect()
    }

    /// The visits (six characters such as `j8ph01`) that the exposures belong to, each once,
    /// sorted.
    pub fn visits(&self) -> Vec<String> {
        let visits = self.rows.iter().filter_map(|row| visit(&row.file));
        let visits: std::collections::BTreeSet<String> = visits.collect();
        visits.into_iter().collect()
    }

    /// The content for a program that is to use other files than those named: each line of a file
    /// for which `replacement` has another is given that one's name.
    pub fn rewritten(&self, replacement: impl Fn(&FileName) -> Option<FileName>) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let other = replacement(&row.file);
            let file = other.as_ref().unwrap_or(&row.file);
            text.push_str(file.as_str());
            text.push_str(&row.rest);
            text.push('\n');
        }
        text
    }
}

impl Row {
    fn parse(dataset: &Dataset, line: &str) -> Result<Self, String> {
        if line.contains(char::is_control) {
            return Err("it has control characters".to_owned());
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let first = fields.first().copied().unwrap_or_default();
        let file = FileName::parse(first).map_err(|error: FileNameError| error.to_string())?;
        if !first.ends_with("_flc.fits") && !first.ends_with("_flt.fits") {
            return Err(format!("{file} is neither an _flc.fits nor an _flt.fits"));
        }
        if visit(&file).is_none() {
            return Err(format!("{file} is not named after an exposure"));
        }
        let expected = match dataset.kind() {
            Kind::Mvm => CELL_FIELDS,
            Kind::Svm | Kind::Ipppssoot => VISIT_FIELDS,
        };
        let alone = fields.len() == 1 && dataset.kind() != Kind::Mvm;
        if fields.len() != expected && !alone {
            let found = fields.len();
            return Err(format!("it has {found} fields instead of {expected}"));
        }
        if dataset.kind() == Kind::Mvm {
            check_cell(dataset, &fields)?;
        }
        let rest = line.split_once(',').map(|(_, rest)| format!(",{rest}"));
        Ok(Self {
            file,
            rest: rest.unwrap_or_default(),
        })
    }
}

fn check_cell(dataset: &Dataset, fields: &[&str]) -> Result<(), String> {
    let field = |index| fields.get(index).copied().unwrap_or_default();
    let (cell, state) = (field(CELL_NAME), field(CELL_STATE));
    if !cell.eq_ignore_ascii_case(dataset.name()) {
        let cell = quoted(cell);
        return Err(format!("it belongs to {cell}, not to {dataset}"));
    }
    if !state.eq_ignore_ascii_case("new") && !state.eq_ignore_ascii_case("old") {
        let state = quoted(state);
        return Err(format!("{state} is neither NEW nor OLD"));
    }
    Ok(())
}

/// The visit of an exposure's file: the first six characters of the part before the suffix, as in
/// `j8ph01g0q_flc.fits` and `hst_13773_20_wfc3_uvis_f657n_icnk20a8_flc.fits`.
fn visit(file: &FileName) -> Option<String> {
    let exposure = file.as_str().rsplit('_').nth(1)?;
    let visit = exposure.get(..6)?.to_ascii_lowercase();
    let plain = exposure.bytes().all(|b| b.is_ascii_alphanumeric());
    (plain && (8..=9).contains(&exposure.len())).then_some(visit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const VISIT: &str = "\
j8ph01g0q_flc.fits,9774,8PH,01,90.0,CLEAR1L;F814W,WFC,j8ph01g0q_flc.fits
j8ph01g1q_flc.fits,9774,8PH,01,340.0,CLEAR1L;F814W,WFC,/archive/j8ph/j8ph01g1q/j8ph01g1q_flc.fits
j8ph01g1q_flc.fits,9774,8PH,01,340.0,CLEAR1L;F814W,WFC,j8ph01g1q_flc.fits
";
    const CELL: &str = "hst_13773_20_wfc3_uvis_f657n_icnk20a8_flc.fits,13773,CNK,20,515.0,F657N,\
        UVIS,skycell-p2381x06y09,NEW,hst_13773_20_wfc3_uvis_f657n_icnk20a8_flc.fits";

    fn dataset(name: &str) -> Dataset {
        name.parse().unwrap()
    }

    fn names(poller: &Poller) -> Vec<&str> {
        poller.files().iter().map(|f| f.as_str()).collect()
    }

    #[test]
    fn a_visit_is_read() {
        for text in [
            VISIT.to_owned(),
            VISIT.replace('\n', "\r\n"),
            VISIT.trim_end().to_owned(),
        ] {
            let poller = Poller::parse(&dataset("acs_8ph_01"), text.as_bytes()).unwrap();
            assert_eq!(names(&poller), ["j8ph01g0q_flc.fits", "j8ph01g1q_flc.fits"]);
            assert_eq!(poller.visits(), ["j8ph01"]);
        }
    }

    #[test]
    fn a_list_of_files_alone_is_a_visit_too() {
        let poller = Poller::parse(&dataset("wfc3_abc_2x"), b"iabc2xa1q_flt.fits\n\n").unwrap();
        assert_eq!(names(&poller), ["iabc2xa1q_flt.fits"]);
    }

    #[test]
    fn a_sky_cell_is_read() {
        let poller = Poller::parse(&dataset("skycell-p2381x06y09"), CELL.as_bytes()).unwrap();
        assert_eq!(poller.visits(), ["icnk20"]);
        assert_eq!(poller.files().len(), 1);
    }

    #[test]
    fn what_a_sky_cell_needs_is_demanded() {
        for (from, to, said) in [
            ("p2381x06y09", "p2381x06y10", "belongs to"),
            ("NEW", "0", "neither NEW nor OLD"),
            ("UVIS,", "", "9 fields instead of 10"),
        ] {
            let text = CELL.replace(from, to);
            let error = Poller::parse(&dataset("skycell-p2381x06y09"), text.as_bytes());
            let error = error.unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("line 1"), "{error}");
        }
    }

    #[test]
    fn hostile_files_are_refused_by_line() {
        for line in [
            "../../etc/passwd_flc.fits",
            "/tmp/j8ph01g0q_flc.fits",
            "j8ph01g0q_raw.fits",
            "x_flc.fits",
            "_flc.fits",
            "j8ph01g0q_flc.fits,9774",
            "j8ph01g0q_flc.fits,1,2,3,4,5\u{7},6,7",
            "j8-h01g0q_flc.fits",
        ] {
            let text = format!("{VISIT}{line}\n");
            let error = Poller::parse(&dataset("acs_8ph_01"), text.as_bytes()).unwrap_err();
            assert!(
                matches!(error, PollerError::Line { line: 4, .. }),
                "{error}"
            );
            assert!(error.hint().is_some(), "{error}");
        }
        for bytes in [&b""[..], b"\n#\n", b"\xff", &vec![b'\n'; 5 << 20]] {
            let error = Poller::parse(&dataset("acs_8ph_01"), bytes).unwrap_err();
            assert!(matches!(error, PollerError::Content { .. }), "{error}");
        }
        let many = "j8ph01g0q_flc.fits\n".repeat(MAX_ROWS + 1);
        assert!(Poller::parse(&dataset("acs_8ph_01"), many.as_bytes()).is_err());
    }

    #[test]
    fn a_missing_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = Poller::read(&dataset("acs_8ph_01"), directory.path()).unwrap_err();
        assert!(
            error.to_string().contains("acs_8ph_01_input.out"),
            "{error}"
        );
        std::fs::write(directory.path().join("acs_8ph_01_input.out"), VISIT).unwrap();
        let poller = Poller::read(&dataset("acs_8ph_01"), directory.path()).unwrap();
        assert_eq!(poller.files().len(), 2);
    }

    #[test]
    fn a_replaced_file_takes_the_place_of_its_line() {
        let dataset = dataset("acs_8ph_01");
        let poller = Poller::parse(&dataset, VISIT.as_bytes()).unwrap();
        assert_eq!(poller.rewritten(|_| None), VISIT);
        let text = poller.rewritten(|file| {
            let other = file.as_str().starts_with("j8ph01g1q");
            other.then(|| file.with_suffix("flc", "flt")).flatten()
        });
        assert!(text.starts_with("j8ph01g0q_flc.fits,9774,"), "{text}");
        assert_eq!(
            text.matches("\nj8ph01g1q_flt.fits,9774,").count(),
            2,
            "{text}"
        );
        let again = Poller::parse(&dataset, text.as_bytes()).unwrap();
        assert_eq!(names(&again), ["j8ph01g0q_flc.fits", "j8ph01g1q_flt.fits"]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), line in "[a-z0-9_.,]{0,60}") {
            let _ = Poller::parse(&dataset("acs_8ph_01"), &bytes);
            let _ = Poller::parse(&dataset("skycell-p2381x06y09"), line.as_bytes());
        }
    }
}

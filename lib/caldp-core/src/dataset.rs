//! Names of HST datasets: parsed once at the edge, trusted ever after.
//!
//! A name reaches paths, object keys and command lines, so nothing but [`Dataset::parse`] makes a
//! [`Dataset`]: lower case, ASCII, of one of the three known shapes. What a dataset's files are
//! called on disk is for the worker to know; this module gives the prefixes they share and the names that
//! follow from the dataset's alone.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use storage::hint::Hint;

/// Length of an ipppssoot name, and with it of every exposure and association name.
const IPPPSSOOT_LENGTH: usize = 9;

/// How the names of archives end.
pub const ARCHIVE_SUFFIX: &str = ".tar.gz";

/// How much of an unacceptable name an error repeats, in characters.
const QUOTED_LENGTH: usize = 40;

/// The HST instruments whose data can be calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Instrument {
    /// Advanced Camera for Surveys, names starting with `j`.
    Acs,
    /// Wide Field Camera 3, names starting with `i`.
    Wfc3,
    /// Space Telescope Imaging Spectrograph, names starting with `o`.
    Stis,
    /// Cosmic Origins Spectrograph, names starting with `l`.
    Cos,
}

impl Instrument {
    /// Every instrument, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Acs, Self::Wfc3, Self::Stis, Self::Cos];

    /// The lower-case name, as in paths and CRDS mappings: `acs`, `wfc3`, `stis`, `cos`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acs => "acs",
            Self::Wfc3 => "wfc3",
            Self::Stis => "stis",
            Self::Cos => "cos",
        }
    }

    /// The letter that starts the names of the instrument's exposures.
    pub const fn letter(self) -> char {
        match self {
            Self::Acs => 'j',
            Self::Wfc3 => 'i',
            Self::Stis => 'o',
            Self::Cos => 'l',
        }
    }

    fn of_letter(letter: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|i| i.letter() == char::from(letter))
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The shapes a dataset's name can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An exposure or association, `j8cb010b0`: the name alone does not tell which of the two.
    Ipppssoot,
    /// A single-visit mosaic, `acs_8ph_01`.
    Svm,
    /// A multi-visit mosaic, `skycell-p1234x05y06`.
    Mvm,
}

/// The name of one dataset, in lower case.
///
/// ```
/// use caldp_core::dataset::{Dataset, Instrument};
/// let dataset: Dataset = "WFC3_ABC_2X".parse()?;
/// assert_eq!(dataset.name(), "wfc3_abc_2x");
/// assert_eq!(dataset.instrument(), Some(Instrument::Wfc3));
/// assert_eq!(dataset.ipppss(), Some("iabc2x"));
/// # Ok::<(), caldp_core::dataset::DatasetError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dataset(Name);

/// The parsed name; the variants are private so that only [`Dataset::parse`] builds them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Name {
    Ipppssoot(String, Instrument),
    Svm {
        name: String,
        instrument: Instrument,
        ipppss: String,
    },
    Mvm(String),
}

/// Why a text is not the name of a dataset that can be processed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// A well-formed HST name of an instrument this system does not calibrate.
    #[error(
        "dataset {input}: data of {instrument} (names starting with '{letter}') are not supported"
    )]
    Unsupported {
        /// The text given, quoted and cut to a readable length.
        input: String,
        /// The first letter of the name.
        letter: char,
        /// The instrument it stands for.
        instrument: &'static str,
    },
    /// Not a name of any known shape.
    #[error("{input} is not a dataset name: {reason}")]
    Malformed {
        /// The text given, quoted and cut to a readable length.
        input: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Hint for DatasetError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Unsupported { .. } => {
                "supported are ACS (j...), WFC3 (i...), STIS (o...) and COS (l...)"
            }
            Self::Malformed { .. } => {
                "expected an exposure or association like j8cb010b0, a visit like acs_8ph_01, \
                 or a sky cell like skycell-p1234x05y06"
            }
        };
        Some(hint.into())
    }
}

impl Dataset {
    /// Parses a name in any case.
    ///
    /// # Errors
    /// [`DatasetError`] for anything that is not exactly one name of a supported kind;
    /// white space around it is not removed.
    pub fn parse(text: &str) -> Result<Self, DatasetError> {
        let malformed = |reason| DatasetError::Malformed {
            input: quoted(text),
            reason,
        };
        if text.is_empty() {
            return Err(malformed("it is empty"));
        }
        if !text.is_ascii() {
            return Err(malformed("it has characters other than ASCII"));
        }
        let name = text.to_ascii_lowercase();
        if name.starts_with("skycell-") {
            return if is_mvm(&name) {
                Ok(Self(Name::Mvm(name)))
            } else {
                Err(malformed(
                    "a sky cell is named skycell-pNNNNxNNyNN with digits for N",
                ))
            };
        }
        if let Some((instrument, rest)) = name.split_once('_') {
            return parse_visit(&name, instrument, rest)
                .map(Self)
                .map_err(malformed);
        }
        if name.len() != IPPPSSOOT_LENGTH {
            return Err(malformed(
                "an exposure or association has nine letters and digits",
            ));
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(malformed("it has characters other than letters and digits"));
        }
        let letter = name.as_bytes().first().copied().unwrap_or_default();
        if let Some(instrument) = Instrument::of_letter(letter) {
            return Ok(Self(Name::Ipppssoot(name, instrument)));
        }
        Err(match retired_instrument(letter) {
            Some(instrument) => DatasetError::Unsupported {
                input: quoted(text),
                letter: char::from(letter),
                instrument,
            },
            None => malformed("its first letter is of no HST instrument"),
        })
    }

    /// The name, lower case, ASCII letters, digits, `_` and `-` only.
    pub fn name(&self) -> &str {
        match &self.0 {
            Name::Ipppssoot(name, _) | Name::Mvm(name) | Name::Svm { name, .. } => name,
        }
    }

    /// Which shape of name this is.
    pub const fn kind(&self) -> Kind {
        match self.0 {
            Name::Ipppssoot(..) => Kind::Ipppssoot,
            Name::Svm { .. } => Kind::Svm,
            Name::Mvm(_) => Kind::Mvm,
        }
    }

    /// The instrument; none for a multi-visit mosaic, which joins exposures of several.
    pub const fn instrument(&self) -> Option<Instrument> {
        match self.0 {
            Name::Ipppssoot(_, instrument) | Name::Svm { instrument, .. } => Some(instrument),
            Name::Mvm(_) => None,
        }
    }

    /// The folder under `data/` that holds the dataset in the tree layout: the instrument's name
    /// for exposures, associations and visits, `mvm` for sky cells, which belong to no instrument.
    pub const fn folder(&self) -> &'static str {
        match self.instrument() {
            Some(instrument) => instrument.name(),
            None => "mvm",
        }
    }

    /// Instrument letter, program and visit, six characters: what the files of a visit share.
    /// None for a multi-visit mosaic.
    pub fn ipppss(&self) -> Option<&str> {
        match &self.0 {
            Name::Ipppssoot(name, _) => name.get(..6),
            Name::Svm { ipppss, .. } => Some(ipppss),
            Name::Mvm(_) => None,
        }
    }

    /// The first five characters of [`Self::ipppss`]: what input and product files of an exposure
    /// or association share. None for a multi-visit mosaic.
    pub fn ippps(&self) -> Option<&str> {
        self.ipppss()?.get(..5)
    }

    /// The name of its association table, where it has one.
    pub fn association_file(&self) -> String {
        format!("{self}_asn.fits")
    }

    /// The name of the list of a mosaic's exposures.
    pub fn exposure_list_file(&self) -> String {
        format!("{self}_input.out")
    }

    /// The name of the file with its own additions to the environment of calibration programs.
    pub fn environment_file(&self) -> String {
        format!("{self}_cal_env.txt")
    }

    /// The name of an archive of its files: its packed inputs, or in the calcloud layout its products.
    pub fn archive_file(&self) -> String {
        format!("{self}{ARCHIVE_SUFFIX}")
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Dataset {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Dataset {
    type Error = DatasetError;

    fn try_from(text: String) -> Result<Self, DatasetError> {
        Self::parse(&text)
    }
}

impl From<Dataset> for String {
    fn from(dataset: Dataset) -> Self {
        match dataset.0 {
            Name::Ipppssoot(name, _) | Name::Mvm(name) | Name::Svm { name, .. } => name,
        }
    }
}

fn parse_visit(name: &str, instrument: &str, rest: &str) -> Result<Name, &'static str> {
    let instrument = match instrument {
        "acs" => Instrument::Acs,
        "wfc3" => Instrument::Wfc3,
        _ => return Err("a visit starts with acs_ or wfc3_"),
    };
    let alphanumeric = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric());
    match rest.split_once('_') {
        Some((program, visit))
            if program.len() == 3
                && visit.len() == 2
                && alphanumeric(program)
                && alphanumeric(visit) =>
        {
            Ok(Name::Svm {
                name: name.to_owned(),
                instrument,
                ipppss: format!("{}{program}{visit}", instrument.letter()),
            })
        }
        _ => Err(
            "after the instrument a visit has a program of three and a visit of two letters or digits",
        ),
    }
}

fn is_mvm(name: &str) -> bool {
    const PATTERN: &[u8] = b"skycell-pNNNNxNNyNN";
    name.len() == PATTERN.len()
        && PATTERN.iter().zip(name.bytes()).all(|(p, b)| match p {
            b'N' => b.is_ascii_digit(),
            _ => *p == b,
        })
}

/// HST's other letters, after the archive's naming of datasets.
const fn retired_instrument(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'u' => "WFPC2",
        b'n' => "NICMOS",
        b'v' => "HSP",
        b'w' => "WFPC",
        b'x' => "FOC",
        b'y' => "FOS",
        b'z' => "GHRS",
        b'e' => "the engineering subset",
        b'f' => "FGS",
        _ => return None,
    })
}

fn quoted(text: &str) -> String {
    if text.chars().count() <= QUOTED_LENGTH {
        format!("{text:?}")
    } else {
        let start: String = text.chars().take(QUOTED_LENGTH).collect();
        format!("{start:?}...")
    }
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;

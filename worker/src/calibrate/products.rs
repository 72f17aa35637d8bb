//! Which products a step must leave, by instrument. Each rule promises only what the program
//! is known to write for the switches in the raw header; alternatives stand where it depends on
//! more than the header.

use super::inventory::Inventory;
use super::recipe::Command;
use crate::membership::association::Association;
use crate::membership::file_name::root;
use caldp_core::dataset::{Dataset, Instrument, Kind};
use caldp_core::exit_code::ExitCode;
use fits::{FitsProblem, Header};
use std::fmt;
use std::path::Path;

/// Something a program must leave in the working directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExpectedProduct {
    /// At least one of these files.
    OneOf(Vec<String>),
    /// At least one FITS file whose name starts with `hst_` and contains this text.
    Mosaic(String),
    /// Every FITS file listed in this text file.
    ListedIn(String),
}

/// A product that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    /// It is not there.
    #[error("the product {0} is missing")]
    Missing(ExpectedProduct),
    /// It is there, but not a complete FITS file.
    #[error("the product {name} is not complete: {reason}")]
    Incomplete {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for ExpectedProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(names) => f
                .write_str(&names.join(" (or "))
                .and_then(|()| f.write_str(&")".repeat(names.len().saturating_sub(1)))),
            Self::Mosaic(part) => write!(f, "hst_*{part}*.fits"),
            Self::ListedIn(list) => write!(f, "listed in {list}"),
        }
    }
}

impl ExpectedProduct {
    /// Looks for the product in `folder` and whether it is complete.
    pub fn check(&self, folder: &Path) -> Result<(), ProductError> {
        let missing = || ProductError::Missing(self.clone());
        match self {
            Self::OneOf(names) => {
                let name = names
                    .iter()
                    .find(|name| folder.join(name).is_file())
                    .ok_or_else(missing)?;
                check_complete(folder, name)
            }
            Self::Mosaic(part) => {
                let entries = std::fs::read_dir(folder).map_err(|_| missing())?;
                let mut found = false;
                for entry in entries.flatten() {
                    let name = entry.file_name();
                    let Some(name) = name.to_str() else { continue };
                    if name.starts_with("hst_") && name.contains(part) && is_fits(name) {
                        check_complete(folder, name)?;
                        found = true;
                    }
                }
                if found { Ok(()) } else { Err(missing()) }
            }
            Self::ListedIn(list) => {
                let text = std::fs::read_to_string(folder.join(list)).map_err(|_| missing())?;
                for name in text.lines().map(str::trim).filter(|name| is_fits(name)) {
                    // The list is the program's; a name with a folder is none of ours.
                    if name.contains('/') {
                        continue;
                    }
                    Self::OneOf(vec![name.to_owned()]).check(folder)?;
                }
                Ok(())
            }
        }
    }
}

/// Whether the file `name` in `folder` is complete: not empty and, if it is FITS, with all its
/// headers and data.
pub fn check_complete(folder: &Path, name: &str) -> Result<(), ProductError> {
    let path = folder.join(name);
    let reason = if is_fits(name) {
        let error = fits::check(&path).err();
        error.map(|error| match error.problem {
            FitsProblem::Read(_) => error.to_string(),
            problem => problem.to_string(),
        })
    } else {
        match path.metadata() {
            Ok(metadata) if metadata.len() > 0 => None,
            Ok(_) => Some("it is empty".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(ProductError::Incomplete {
            name: name.to_owned(),
            reason,
        }),
    }
}

fn is_fits(name: &str) -> bool {
    Path::new(name).extension() == Some("fits".as_ref())
}

/// What `command`, called with `input`, must leave.
pub(super) fn expected_of(
    dataset: &Dataset,
    command: Command,
    input: &str,
    inventory: &Inventory,
) -> Vec<ExpectedProduct> {
    let association = inventory.associations.get(input);
    let mut expected = match (dataset.kind(), dataset.instrument()) {
        (Kind::Svm | Kind::Mvm, _) | (_, None) => mosaic(dataset),
        (_, Some(Instrument::Stis)) => stis(input, inventory),
        (_, Some(Instrument::Cos)) => cos(input, association, inventory),
        (_, Some(instrument @ (Instrument::Acs | Instrument::Wfc3))) => {
            let exposures = exposures(input, association, inventory);
            if command.exit_code == ExitCode::Stage2 {
                drizzled(&exposures, association)
            } else {
                images(instrument, &exposures, association)
            }
        }
    };
    expected.sort_unstable();
    expected.dedup();
    expected
}

fn one(root: &str, suffix: &str) -> ExpectedProduct {
    one_of(root, &[suffix])
}

fn one_of(root: &str, suffixes: &[&str]) -> ExpectedProduct {
    let names = suffixes
        .iter()
        .map(|suffix| format!("{root}_{suffix}.fits"));
    ExpectedProduct::OneOf(names.collect())
}

/// Whether a calibration switch of the header is set to `PERFORM`.
fn performs(header: &Header, switch: &str) -> bool {
    let text = header.text(switch).unwrap_or_default();
    text.trim().eq_ignore_ascii_case("PERFORM")
}

/// An exposure: its root name, the group it belongs to, its raw header.
struct Exposure<'a> {
    name: &'a str,
    group: &'a str,
    header: &'a Header,
}

fn exposures<'a>(
    input: &'a str,
    association: Option<&'a Association>,
    inventory: &'a Inventory,
) -> Vec<Exposure<'a>> {
    let members: Vec<(&str, &str)> = match association {
        Some(association) => association
            .exposures()
            .map(|member| (&*member.name, &*member.group))
            .collect(),
        None => vec![(root(input), "")],
    };
    members
        .into_iter()
        .filter_map(|(name, group)| {
            let (_, header) = inventory.raw_of(name).next()?;
            Some(Exposure {
                name,
                group,
                header,
            })
        })
        .collect()
}

/// Switches of which any one makes calacs and calwf3 write calibrated images.
const IMAGE_SWITCHES: &[&str] = &[
    "ATODCORR", "BIASCORR", "BLEVCORR", "CRCORR", "DARKCORR", "DQICORR", "FLATCORR", "FLSHCORR",
    "GLINCORR", "LFLGCORR", "NLINCORR", "PCTECORR", "PHOTCORR", "RPTCORR", "SHADCORR", "UNITCORR",
    "ZOFFCORR", "ZSIGCORR",
];

/// calacs and calwf3: `_flt` for each exposure, `_flc` with the charge-transfer correction,
/// `_ima` for infrared ones, and what is combined of a group of at least two.
fn images(
    instrument: Instrument,
    exposures: &[Exposure],
    association: Option<&Association>,
) -> Vec<ExpectedProduct> {
    let mut expected = Vec::new();
    for exposure in exposures {
        let header = exposure.header;
        if !IMAGE_SWITCHES.iter().any(|switch| performs(header, switch)) {
            continue;
        }
        expected.push(one(exposure.name, "flt"));
        if performs(header, "PCTECORR") {
            expected.push(one(exposure.name, "flc"));
        }
        if instrument == Instrument::Wfc3 && header.text("DETECTOR") == Some("IR") {
            expected.push(one(exposure.name, "ima"));
        }
    }
    for product in association
        .iter()
        .flat_map(|association| association.products())
    {
        let members = || {
            exposures
                .iter()
                .filter(|exposure| exposure.group == product.group)
        };
        let all_perform = |switch| {
            members().count() >= 2 && members().all(|member| performs(member.header, switch))
        };
        let counts_photons = members().any(|member| member.header.text("DETECTOR") == Some("SBC"));
        if product.group.starts_with("CR") && all_perform("CRCORR") && !counts_photons {
            expected.push(one_of(&product.name, &["crj", "crc"]));
        }
        if product.group.starts_with("RP") && all_perform("RPTCORR") {
            expected.push(one_of(&product.name, &["sfl", "crj", "crc"]));
        }
    }
    expected
}

/// runastrodriz: one drizzled image, named after the association's product or the exposure.
fn drizzled(exposures: &[Exposure], association: Option<&Association>) -> Vec<ExpectedProduct> {
    if !exposures
        .iter()
        .all(|exposure| performs(exposure.header, "DRIZCORR"))
    {
        return Vec::new();
    }
    let roots: Vec<&str> = match association {
        Some(association) => {
            let dithered = association
                .products()
                .find(|product| product.group == "DTH");
            match dithered {
                Some(product) => vec![&product.name],
                None => association
                    .products()
                    .map(|product| &*product.name)
                    .collect(),
            }
        }
        None => exposures.iter().map(|exposure| exposure.name).collect(),
    };
    let names: Vec<String> = roots
        .iter()
        .flat_map(|root| ["drz", "drc"].map(|suffix| format!("{root}_{suffix}.fits")))
        .collect();
    if names.is_empty() {
        Vec::new()
    } else {
        vec![ExpectedProduct::OneOf(names)]
    }
}

/// Switches of which any one makes cs0 write a flat-fielded image.
const STIS_SWITCHES: &[&str] = &[
    "ATODCORR", "BIASCORR", "BLEVCORR", "DARKCORR", "DQICORR", "FLATCORR", "GLINCORR", "LFLGCORR",
    "LORSCORR", "SHADCORR",
];

/// cs0: `_flt` (and `_crj` of several readouts), then spectra of the better of the two. A
/// wavecal on its own keeps `_wav` in its products' names and is only flat-fielded.
fn stis(input: &str, inventory: &Inventory) -> Vec<ExpectedProduct> {
    let Some(header) = inventory.headers.get(input) else {
        return Vec::new();
    };
    let mut expected = Vec::new();
    let wavecal = input.ends_with("_wav.fits");
    let root = if wavecal {
        input.trim_end_matches(".fits")
    } else {
        input.trim_end_matches("_raw.fits")
    };
    let calibrated = STIS_SWITCHES.iter().any(|switch| performs(header, switch));
    // Three extensions (science, error, quality) for each readout.
    let readouts = header.integer("NEXTEND").unwrap_or(0) / 3;
    let combined =
        performs(header, "CRCORR") && header.text("DETECTOR") == Some("CCD") && readouts > 1;
    if calibrated && (!combined || performs(header, "EXPSCORR")) {
        expected.push(one(root, "flt"));
    }
    if wavecal {
        return expected;
    }
    if combined {
        expected.push(one(root, "crj"));
    }
    if header.text("OBSTYPE") == Some("SPECTROSCOPIC") {
        if performs(header, "X1DCORR") {
            expected.push(one_of(root, &["x1d", "sx1"]));
        }
        if performs(header, "X2DCORR") {
            expected.push(one_of(root, &["x2d", "sx2"]));
        }
    }
    expected
}

/// Switches of which any one makes calcos write calibrated files.
const COS_SWITCHES: &[&str] = &[
    "ALGNCORR", "BACKCORR", "BADTCORR", "BRSTCORR", "DEADCORR", "DGEOCORR", "DOPPCORR", "DQICORR",
    "FLATCORR", "FLUXCORR", "GEOCORR", "HELCORR", "HVDSCORR", "IGEOCORR", "PHACORR", "PHOTCORR",
    "RANDCORR", "TDSCORR", "TEMPCORR", "TRCECORR", "WAVECORR", "X1DCORR", "XWLKCORR", "YWLKCORR",
];

/// calcos: for each raw file the calibrated events and images, for each exposure a spectrum, and
/// for the association their sum; for acquisition data nothing but the trailer.
fn cos(
    input: &str,
    association: Option<&Association>,
    inventory: &Inventory,
) -> Vec<ExpectedProduct> {
    let mut expected = Vec::new();
    let exposures = exposures(input, association, inventory);
    let mut spectra = false;
    let calibrated = exposures.iter().any(|exposure| {
        COS_SWITCHES
            .iter()
            .any(|switch| performs(exposure.header, switch))
    });
    if !calibrated && !input.contains("_rawacq") {
        return expected;
    }
    for exposure in &exposures {
        if input.contains("_rawacq") {
            expected.push(ExpectedProduct::OneOf(vec![format!(
                "{}.tra",
                exposure.name
            )]));
            continue;
        }
        for (raw, _) in inventory.raw_of(exposure.name) {
            let segment = ["_a.fits", "_b.fits"]
                .iter()
                .find_map(|end| raw.ends_with(end).then(|| end.trim_end_matches(".fits")))
                .unwrap_or("");
            if raw.contains("_rawtag") {
                expected.push(one(exposure.name, &format!("corrtag{segment}")));
            }
            if raw.contains("_rawtag") || raw.contains("_rawaccum") {
                expected.push(one(exposure.name, &format!("flt{segment}")));
                expected.push(one(exposure.name, &format!("counts{segment}")));
            }
        }
        let header = exposure.header;
        if performs(header, "X1DCORR")
            && header.text("OBSTYPE") == Some("SPECTROSCOPIC")
            && header.text("EXPTYPE") == Some("EXTERNAL/SCI")
        {
            expected.push(one(exposure.name, "x1d"));
            spectra |= exposure.group == "FP";
        }
    }
    if spectra {
        let sums = association
            .iter()
            .flat_map(|association| association.products());
        for product in sums.filter(|product| product.group == "FP") {
            expected.push(one(&product.name, "x1dsum"));
        }
    }
    expected
}

/// runsinglehap and runmultihap: mosaics, and a manifest that lists them.
fn mosaic(dataset: &Dataset) -> Vec<ExpectedProduct> {
    let manifest = format!("{}_manifest.txt", dataset.name());
    let part = dataset.ipppss().unwrap_or(dataset.name()).to_owned();
    vec![
        ExpectedProduct::Mosaic(part),
        ExpectedProduct::ListedIn(manifest),
    ]
}

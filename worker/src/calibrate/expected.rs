//! Which products a step must leave, by instrument. Each rule promises only what the program
//! is known to write for the switches in the raw header; alternatives stand where it depends on
//! more than the header.

use super::inventory::Inventory;
use super::products::ExpectedProduct;
use super::recipe::Command;
use crate::membership::association::Association;
use crate::membership::file_name::root;
use caldp_core::dataset::{Dataset, Instrument, Kind};
use caldp_core::exit_code::ExitCode;
use fits::Header;

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

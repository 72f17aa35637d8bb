//! The previews of COS spectra as tables (`_prev.fits`): one row for each sample of all
//! segments, in order of wavelength within each, and in the header the range of the flux axis that
//! a plot of each segment should have. Who reads them knows them as `spec_plots` of the archive
//! writes them; what `masked` and the ranges mean is as there.

use super::airglow::is_airglow;
use super::limits::flux_limits;
use super::spectrum::{Quantity, Spectrum};

/// Column name, format, unit, bytes.
const COLUMNS: [(&str, &str, Option<&str>, usize); 6] = [
    ("wls", "E", Some("angstrom"), 4),
    ("fls", "D", Some("erg/s/cm**2/angstrom"), 8),
    ("flerrs", "D", Some("erg/s/cm**2/angstrom"), 8),
    ("dq_wgts", "I", None, 2),
    ("segment", "4A", None, 4),
    ("masked", "I", None, 2),
];

/// The table as a FITS file.
#[allow(
    clippy::cast_possible_truncation,
    reason = "wavelengths are wanted in single precision, weights as whole numbers; casts saturate"
)]
pub(super) fn render(spectrum: &Spectrum) -> Vec<u8> {
    let mut file = Vec::new();
    let rows: usize = spectrum.segments.iter().map(|s| s.samples.len()).sum();
    header(
        &mut file,
        &[
            logical("SIMPLE", true),
            integer("BITPIX", 8),
            integer("NAXIS", 0),
            logical("EXTEND", true),
            text("ORIGFILE", &spectrum.file),
        ],
    );
    let mut cards = vec![
        text("XTENSION", "BINTABLE"),
        integer("BITPIX", 8),
        integer("NAXIS", 2),
        integer("NAXIS1", COLUMNS.iter().map(|column| column.3).sum()),
        integer("NAXIS2", rows),
        integer("PCOUNT", 0),
        integer("GCOUNT", 1),
        integer("TFIELDS", COLUMNS.len()),
    ];
    for (number, (name, format, unit, _)) in (1..).zip(COLUMNS) {
        cards.push(text(&format!("TTYPE{number}"), name));
        cards.push(text(&format!("TFORM{number}"), format));
        cards.extend(unit.map(|unit| text(&format!("TUNIT{number}"), unit)));
    }
    for segment in &spectrum.segments {
        let name = segment.name.trim().to_ascii_uppercase();
        let is_name =
            (1..=4).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric());
        let flux = spectrum.quantity == Quantity::Flux;
        if let Some((low, high)) = flux_limits(segment).filter(|_| is_name && flux) {
            cards.push(real(&format!("{name}YMIN"), low));
            cards.push(real(&format!("{name}YMAX"), high));
        }
    }
    header(&mut file, &cards);
    for segment in &spectrum.segments {
        let mut name = segment.name.clone().into_bytes();
        name.resize(4, b' ');
        for sample in &segment.samples {
            file.extend_from_slice(&(sample.wavelength as f32).to_be_bytes());
            // Without calibration the file's flux is zero; the plot shows counts instead.
            let (flux, error) = match spectrum.quantity {
                Quantity::Flux => (sample.value, sample.error),
                Quantity::NetCounts => (0.0, 0.0),
            };
            file.extend_from_slice(&flux.to_be_bytes());
            file.extend_from_slice(&error.to_be_bytes());
            file.extend_from_slice(&(sample.weight.round() as i16).to_be_bytes());
            file.extend_from_slice(&name);
            file.extend_from_slice(&i16::from(is_airglow(sample.wavelength)).to_be_bytes());
        }
    }
    pad(&mut file, 0);
    file
}

fn logical(keyword: &str, value: bool) -> String {
    format!("{keyword:<8}= {:>20}", if value { "T" } else { "F" })
}

fn integer(keyword: &str, value: usize) -> String {
    format!("{keyword:<8}= {value:>20}")
}

fn real(keyword: &str, value: f64) -> String {
    let digits = format!("{value:E}");
    // The standard wants a point (section 4.2.4).
    let digits = if digits.contains('.') {
        digits
    } else {
        digits.replace('E', ".0E")
    };
    format!("{keyword:<8}= {digits:>20}")
}

/// A text of at most 68 characters, as file names and units are; others are cut.
fn text(keyword: &str, value: &str) -> String {
    let value: String = value
        .chars()
        .filter(|c| matches!(c, ' '..='~'))
        .take(60)
        .collect::<String>()
        .replace('\'', "''");
    format!("{keyword:<8}= '{value:<8}'")
}

fn header(file: &mut Vec<u8>, cards: &[String]) {
    for card in cards.iter().map(String::as_str).chain(["END"]) {
        file.extend_from_slice(format!("{card:<80.80}").as_bytes());
    }
    pad(file, b' ');
}

/// FITS is written in blocks of 2880 bytes.
fn pad(file: &mut Vec<u8>, with: u8) {
    file.resize(file.len().next_multiple_of(2880), with);
}

//! Extracted spectra (`_x1d`, `_x1dsum`, `_sx1`) as COS and STIS write them, brought to one form:
//! segments of samples, each good or masked. Drawing them is left to `plot`.

use fits::{FitsError, Header, Table};
use std::path::Path;

/// An extracted spectrum.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// The file's name.
    pub file: String,
    /// What was observed and how, in words, parts that are known.
    pub facts: Vec<String>,
    /// What the samples measure.
    pub quantity: Quantity,
    /// What the horizontal axis is.
    pub abscissa: Abscissa,
    /// COS segments or stripes, STIS spectra; in order of wavelength.
    pub segments: Vec<Segment>,
}

/// What the samples measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// erg s⁻¹ cm⁻² Å⁻¹.
    Flux,
    /// Counts per second: the spectrum is not flux-calibrated.
    NetCounts,
}

/// What the horizontal axis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abscissa {
    /// Ångström.
    Wavelength,
    /// Numbers of samples: there is no wavelength solution.
    Sample,
}

/// One part of a spectrum.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Segment {
    /// Such as `FUVA`, `NUVB`; empty where there is only one.
    pub name: String,
    /// In ascending order of wavelength where that is known, else as in the file.
    pub samples: Vec<Sample>,
}

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// In Ångström.
    pub wavelength: f64,
    /// Flux or count rate.
    pub value: f64,
    /// One standard deviation of `value`.
    pub error: f64,
    /// The weight that calcos gave to the sample; 1 where there is none.
    pub weight: f64,
    /// Whether data quality says that the sample is not to be trusted.
    pub masked: bool,
}

/// Beyond this a number is damage, not a measurement; sums of squares stay finite below it.
const LARGEST: f64 = 1e100;

/// Data-quality flags that make a sample useless where the header does not say which do: COS's
/// usual ones, which mean much the same for STIS (no data, saturated, detector or out of bounds).
const USUAL_SERIOUS_FLAGS: i64 = 184;

impl Sample {
    /// Whether the sample can be shown at all.
    pub fn usable(&self) -> bool {
        is_measurement(self.wavelength) && is_measurement(self.value)
    }

    /// Whether the sample can be shown and trusted.
    pub fn good(&self) -> bool {
        self.usable() && !self.masked
    }
}

fn is_measurement(value: f64) -> bool {
    value.is_finite() && value.abs() < LARGEST
}

/// Whether a file holds an extracted spectrum: a binary table in extension 1 that is no
/// association.
pub fn is_spectrum(extension: &Header) -> bool {
    extension.text("XTENSION") == Some("BINTABLE") && extension.text("EXTNAME") != Some("ASN")
}

impl Spectrum {
    /// Reads the first spectrum table of a file.
    pub fn read(path: &Path) -> Result<Self, FitsError> {
        let primary = fits::read_header(path, 0)?;
        let table = Table::open(path, 1)?;
        let instrument = primary.text("INSTRUME").unwrap_or("").to_owned();
        let quantity = quantity(&table)?;
        let mut segments = segments(&table, quantity)?;
        let abscissa = if segments.iter().any(Segment::has_wavelengths) {
            Abscissa::Wavelength
        } else {
            number_samples(&mut segments);
            Abscissa::Sample
        };
        for segment in &mut segments {
            segment
                .samples
                .sort_by(|a, b| a.wavelength.total_cmp(&b.wavelength));
        }
        segments.sort_by(|a, b| a.start().total_cmp(&b.start()));
        if instrument == "STIS" {
            segments = vec![joined(&segments)];
        }
        let file = path.file_name().unwrap_or_default();
        Ok(Self {
            file: file.to_string_lossy().into_owned(),
            facts: facts(&primary, table.header()),
            quantity,
            abscissa,
            segments,
        })
    }
}

impl Segment {
    fn has_wavelengths(&self) -> bool {
        let mut known = self
            .samples
            .iter()
            .map(|sample| sample.wavelength)
            .filter(|wavelength| is_measurement(*wavelength));
        let first = known.next();
        known.any(|wavelength| Some(wavelength) != first)
    }

    /// The shortest wavelength; infinite if there is none.
    fn start(&self) -> f64 {
        self.samples
            .iter()
            .map(|sample| sample.wavelength)
            .find(|wavelength| is_measurement(*wavelength))
            .unwrap_or(f64::INFINITY)
    }
}

fn number_samples(segments: &mut [Segment]) {
    for segment in segments {
        for (number, sample) in (0_u32..).zip(&mut segment.samples) {
            sample.wavelength = f64::from(number);
        }
    }
}

/// Flux where there is any, or where it was calibrated; else the net count rate.
fn quantity(table: &Table) -> Result<Quantity, FitsError> {
    if !table.has("FLUX") {
        return Ok(Quantity::NetCounts);
    }
    if !table.has("NET") {
        return Ok(Quantity::Flux);
    }
    let any = |column| -> Result<bool, FitsError> {
        let numbers = table.numbers(column)?;
        Ok(numbers
            .values
            .iter()
            .any(|value| value.is_finite() && *value != 0.0))
    };
    Ok(if !any("FLUX")? && any("NET")? {
        Quantity::NetCounts
    } else {
        Quantity::Flux
    })
}

fn segments(table: &Table, quantity: Quantity) -> Result<Vec<Segment>, FitsError> {
    let optional = |column: &str| {
        let present = table.has(column).then(|| table.numbers(column));
        present.transpose()
    };
    let wavelengths = table.numbers("WAVELENGTH")?;
    let values = table.numbers(match quantity {
        Quantity::Flux => "FLUX",
        Quantity::NetCounts => "NET",
    })?;
    let errors = match quantity {
        Quantity::Flux => optional("ERROR")?,
        Quantity::NetCounts => None,
    };
    let (quality, weights) = (optional("DQ")?, optional("DQ_WGT")?);
    let lengths = optional("NELEM")?;
    let names = if table.has("SEGMENT") {
        table.texts("SEGMENT")?
    } else {
        Vec::new()
    };
    let serious = table
        .header()
        .integer("SDQFLAGS")
        .unwrap_or(USUAL_SERIOUS_FLAGS);

    let mut segments = Vec::new();
    let rows = values.values.len() / values.per_row.max(1);
    for row in 0..rows {
        let at = |column: Option<&fits::NumberColumn>, sample: usize| {
            column.and_then(|column| column.row(row).get(sample).copied())
        };
        let length = at(lengths.as_ref(), 0).unwrap_or(f64::INFINITY);
        let samples = (0_u32..)
            .zip(values.row(row))
            .take_while(|(number, _)| f64::from(*number) < length)
            .zip(wavelengths.row(row))
            .map(|((number, value), wavelength)| {
                let number = number as usize;
                let weight = at(weights.as_ref(), number);
                let flags = at(quality.as_ref(), number).unwrap_or(0.0);
                Sample {
                    wavelength: *wavelength,
                    value: *value,
                    error: at(errors.as_ref(), number).unwrap_or(f64::NAN),
                    weight: weight.unwrap_or(1.0),
                    masked: has_flags(flags, serious) || weight.is_some_and(|w| w <= 0.0),
                }
            })
            .collect();
        segments.push(Segment {
            name: names.get(row).cloned().unwrap_or_default(),
            samples,
        });
    }
    Ok(segments)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "DQ columns are integers of 16 bits; a damaged one saturates"
)]
fn has_flags(flags: f64, serious: i64) -> bool {
    (flags as i64) & serious != 0
}

/// Joins spectra that follow each other, such as the orders of an echelle: where two overlap,
/// each gives its half.
pub(super) fn joined(segments: &[Segment]) -> Segment {
    let mut joined = Segment::default();
    let spans: Vec<Option<(f64, f64)>> = segments.iter().map(Segment::span).collect();
    let mut from = f64::NEG_INFINITY;
    for (index, segment) in segments.iter().enumerate() {
        let Some((_, end)) = spans.get(index).copied().flatten() else {
            continue;
        };
        let next = spans.iter().skip(index + 1).flatten().next();
        let to = match next {
            Some((next_start, _)) if *next_start < end => f64::midpoint(*next_start, end),
            _ => f64::INFINITY,
        };
        let part = segment
            .samples
            .iter()
            .filter(|sample| sample.wavelength > from && sample.wavelength <= to);
        joined.samples.extend(part.copied());
        from = from.max(to.min(end));
    }
    joined
}

impl Segment {
    /// The shortest and the longest wavelength of good samples, or of all if none is good.
    pub(super) fn span(&self) -> Option<(f64, f64)> {
        let within = |wanted: fn(&Sample) -> bool| {
            let mut wavelengths = self
                .samples
                .iter()
                .filter(|sample| wanted(sample))
                .map(|sample| sample.wavelength);
            let first = wavelengths.next()?;
            Some(wavelengths.fold((first, first), |(low, high), wavelength| {
                (low.min(wavelength), high.max(wavelength))
            }))
        };
        within(Sample::good).or_else(|| within(|sample| is_measurement(sample.wavelength)))
    }
}

/// What to say under the title.
fn facts(primary: &Header, extension: &Header) -> Vec<String> {
    let text = |key: &str| {
        primary
            .text(key)
            .or_else(|| extension.text(key))
            .map(str::trim)
            .filter(|text| !text.is_empty() && *text != "N/A")
    };
    let number = |key: &str| extension.real(key).or_else(|| primary.real(key));
    let mut facts = Vec::new();
    facts.extend(text("TARGNAME").map(str::to_owned));
    if let Some(instrument) = text("INSTRUME") {
        let detector = text("DETECTOR").map(|detector| format!("/{detector}"));
        facts.push(format!("{instrument}{}", detector.unwrap_or_default()));
    }
    let setting: Vec<String> = [
        text("OPT_ELEM").map(str::to_owned),
        number("CENWAVE")
            .filter(|w| *w > 0.0)
            .map(|w| format!("{w} Å")),
        text("APERTURE").map(str::to_owned),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !setting.is_empty() {
        facts.push(setting.join(" "));
    }
    if let Some(time) = number("EXPTIME").filter(|time| *time > 0.0) {
        facts.push(format!("{time:.0} s"));
    }
    facts.extend(text("DATE-OBS").map(str::to_owned));
    for fact in &mut facts {
        *fact = fact.chars().filter(|c| !c.is_control()).take(40).collect();
    }
    facts
}

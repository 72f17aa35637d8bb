//! The headers of a FITS file as one list of keywords, as CRDS rules were written to see them.
//! Cards and files are the business of the crate `fits`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::path::Path;

use ::fits::{FitsError, FitsProblem, ReadAt, Value, hdus};

use crate::header::{Header, float_text};

/// Reads all headers of a FITS file into one.
///
/// HDUs in order, cards in order; the first occurrence of a keyword wins. `COMMENT` and `HISTORY`
/// cards are joined with newlines, cards without a keyword are skipped. Keywords are upper case;
/// values are the texts Python's `str()` gives, `UNDEFINED` for a card without a value.
/// Source: CRDS 14 `crds.io.fits` and `crds.io.abstract`.
pub fn read(path: &Path) -> Result<Header, FitsError> {
    let file = File::open(path).map_err(|error| FitsProblem::Read(error).at(path, 0))?;
    read_from(&file, path)
}

/// Like [`read`], from anything that can be read; `path` only appears in errors.
pub fn read_from(bytes: &(impl ReadAt + ?Sized), path: &Path) -> Result<Header, FitsError> {
    read_some(bytes, path, usize::MAX)
}

/// Like [`read_from`], of the first header alone: what follows it is not looked at.
pub fn read_primary(bytes: &(impl ReadAt + ?Sized), path: &Path) -> Result<Header, FitsError> {
    read_some(bytes, path, 1)
}

fn read_some(
    bytes: &(impl ReadAt + ?Sized),
    path: &Path,
    most: usize,
) -> Result<Header, FitsError> {
    let mut union = Union::default();
    for unit in hdus(bytes, path).take(most) {
        for card in unit?.header.cards() {
            let parsed = card.parse();
            let keyword = parsed.keyword.to_uppercase();
            if !keyword.is_empty() {
                union.add(keyword, python_text(parsed.value));
            }
        }
    }
    Ok(union.pairs.into_iter().collect())
}

/// The keywords seen so far, in order, and where each stands.
#[derive(Default)]
struct Union {
    pairs: Vec<(String, String)>,
    places: HashMap<String, usize>,
}

impl Union {
    fn add(&mut self, keyword: String, value: String) {
        match self.places.entry(keyword) {
            Entry::Vacant(place) => {
                self.pairs.push((place.key().clone(), value));
                place.insert(self.pairs.len() - 1);
            }
            Entry::Occupied(place) if matches!(place.key().as_str(), "COMMENT" | "HISTORY") => {
                if let Some((_, joined)) = self.pairs.get_mut(*place.get())
                    && *joined != value
                {
                    joined.push('\n');
                    joined.push_str(&value);
                }
            }
            Entry::Occupied(_) => {}
        }
    }
}

/// The text Python's `str()` gives for the value, `UNDEFINED` for a missing one.
fn python_text(value: Value) -> String {
    match value {
        Value::Text(text)
        | Value::Integer(text)
        | Value::Commentary(text)
        | Value::Unreadable(text) => text,
        Value::Logical(true) => "True".into(),
        Value::Logical(false) => "False".into(),
        Value::Float(number) => float_text(number),
        Value::Complex(real, imaginary) => complex_text(real, imaginary),
        Value::Undefined => "UNDEFINED".into(),
    }
}

/// `(1+2j)`, or `2j` where there is no real part.
fn complex_text(real: f64, imaginary: f64) -> String {
    let part = |number| {
        let text = float_text(number);
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    };
    let imaginary_part = part(imaginary);
    if real == 0.0 && real.is_sign_positive() {
        return imaginary_part + "j";
    }
    let plus = if imaginary.is_sign_negative() && !imaginary.is_nan() {
        ""
    } else {
        "+"
    };
    format!("({}{plus}{imaginary_part}j)", part(real))
}

#[cfg(test)]
#[path = "fits_tests.rs"]
mod tests;

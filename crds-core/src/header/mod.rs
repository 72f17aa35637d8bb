//! The keywords of one dataset, as text, in file order.
//!
//! Every value is the text that Python's `str()` gives for it, because CRDS rules were written
//! against that text; turning it into the form the rules compare is conditioning, which is the
//! rest of this module's work.

mod condition;
pub(crate) mod decimal;
mod line;

use std::borrow::Cow;

pub use condition::condition;
pub(crate) use condition::{is_space, python_float, trim};
pub use line::HeaderLine;

/// Where a header may name its instrument, in order of preference.
pub(crate) const INSTRUMENT_KEYS: [&str; 7] = [
    "INSTRUME",
    "META.INSTRUMENT.NAME",
    "META_INSTRUMENT_NAME",
    "INSTRUMENT",
    "ROMAN.META.INSTRUMENT.NAME",
    "META.INSTRUMENT.TYPE",
    "META_INSTRUMENT_TYPE",
];

/// In what form the header is put to the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupPath {
    /// Every value conditioned, and only the keys the instrument's rules need, as datasets are
    /// looked up.
    Conditioned,
    /// Exactly as given; a missing key is missing.
    AsGiven,
}

/// Keyword and value pairs in the order in which they were read.
///
/// Keys keep their case and may repeat: which one wins is decided by the lookup, not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    entries: Vec<(String, String)>,
}

impl Header {
    /// An empty header.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair at the end.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.entries.push((key.into(), value.into()));
    }

    /// Sets the first entry with exactly this key, or adds one at the end.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        match self.entries.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value.into(),
            None => self.push(key, value),
        }
    }

    /// The value of the first entry with exactly this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.entries.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

/// Keyword and value pairs in order, wherever they are kept.
pub trait Fields {
    /// All pairs, in order.
    fn pairs(&self) -> impl DoubleEndedIterator<Item = (&str, &str)>;
}

impl Fields for Header {
    fn pairs(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.iter()
    }
}

/// A pair as it stands in a text that is kept elsewhere, or as it had to be written anew.
pub type Field<'t> = (Cow<'t, str>, Cow<'t, str>);

impl Fields for [Field<'_>] {
    fn pairs(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.iter().map(|(key, value)| (&**key, &**value))
    }
}

impl FromIterator<(String, String)> for Header {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self {
            entries: pairs.into_iter().collect(),
        }
    }
}

/// The text Python's `repr()` gives for a double: the shortest digits that read back the same,
/// in exponent form below `1e-4` and from `1e16` on, and always recognisable as a float.
pub fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        let text = value.to_string();
        return if text.contains('.') {
            text
        } else {
            text + ".0"
        };
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(rest) => ('-', rest),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_python_writes_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1e-5, "1e-05"),
            (1.5e300, "1.5e+300"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (0.0001, "0.0001"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float_text(value), text);
        }
    }
}

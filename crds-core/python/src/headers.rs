//! Headers as Python has them, turned into the texts that rules are asked with: `str()` of every
//! value. All texts of a block of headers are one string, so that they can be looked up without
//! Python's lock.

use std::borrow::Cow;
use std::ops::Range;

use crds_core::dataset::JWST_MODEL_NAMES;
use crds_core::header::{Fields, Header, float_text};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyMapping, PyString, PyTuple};

/// Which names the keys of a header may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Those the rules use.
    AsGiven,
    /// The keywords of JWST's FITS headers as well.
    Jwst,
}

/// A block of headers.
#[derive(Debug)]
pub(crate) struct Headers {
    keys: Keys,
    text: String,
    pairs: Vec<Pair>,
    /// Where the pairs of each header end.
    ends: Vec<usize>,
}

/// A key and its value in the text.
#[derive(Debug, Clone)]
struct Pair {
    key: Range<usize>,
    value: Range<usize>,
}

/// One header of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'h> {
    text: &'h str,
    pairs: &'h [Pair],
}

impl Fields for Row<'_> {
    fn pairs(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        let text = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        self.pairs
            .iter()
            .map(move |pair| (text(&pair.key), text(&pair.value)))
    }
}

impl Row<'_> {
    /// The header on its own, its keys in upper case.
    pub(crate) fn to_header(self) -> Header {
        self.pairs()
            .map(|(key, value)| (key.to_uppercase(), value.to_owned()))
            .collect()
    }
}

impl Headers {
    pub(crate) fn new(keys: Keys) -> Self {
        Self {
            keys,
            text: String::new(),
            pairs: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Makes place for the next block.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.pairs.clear();
        self.ends.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| Row {
            text: &self.text,
            pairs: self.pairs.get(begin..end).unwrap_or_default(),
        })
    }

    /// Adds one header: a dict, or another mapping.
    pub(crate) fn push(&mut self, header: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(dict) = header.cast_exact::<PyDict>() {
            for (key, value) in dict.iter() {
                self.push_pair(&key, &value)?;
            }
        } else {
            for item in header.cast::<PyMapping>()?.items()?.iter() {
                let item = item.cast::<PyTuple>()?;
                self.push_pair(&item.get_item(0)?, &item.get_item(1)?)?;
            }
        }
        self.end_row();
        Ok(())
    }

    fn push_pair(&mut self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let key = self.append(&key.cast::<PyString>()?.to_string_lossy());
        self.push_value(key, value)
    }

    /// Adds a key, to be given values by [`Headers::push_value`].
    pub(crate) fn append(&mut self, text: &str) -> Range<usize> {
        let begin = self.text.len();
        self.text.push_str(text);
        begin..self.text.len()
    }

    /// Adds a pair to the header that is being made.
    pub(crate) fn push_value(
        &mut self,
        key: Range<usize>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let value = self.append(&value_text(value)?);
        self.pairs.push(Pair { key, value });
        Ok(())
    }

    /// The header is complete.
    pub(crate) fn end_row(&mut self) {
        if self.keys == Keys::Jwst {
            self.add_model_names();
        }
        self.ends.push(self.pairs.len());
    }

    /// Adds the data model names of FITS keywords, where the header has only those.
    fn add_model_names(&mut self) {
        let begin = self.ends.last().copied().unwrap_or_default();
        let find = |headers: &Self, name: &str| {
            let row = headers.pairs.get(begin..).unwrap_or_default();
            let usable = |pair: &&Pair| {
                let value = headers.text.get(pair.value.clone()).unwrap_or_default();
                let key = headers.text.get(pair.key.clone()).unwrap_or_default();
                key.eq_ignore_ascii_case(name) && value != "UNDEFINED"
            };
            row.iter().rfind(usable).cloned()
        };
        for (keyword, name) in JWST_MODEL_NAMES {
            if let Some(Pair { value, .. }) = find(self, keyword)
                && find(self, name).is_none()
            {
                let key = self.append(name);
                self.pairs.push(Pair { key, value });
            }
        }
    }
}

/// The text Python's `str()` gives.
fn value_text<'v>(value: &'v Bound<'_, PyAny>) -> PyResult<Cow<'v, str>> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok(text.to_string_lossy());
    }
    if let Ok(float) = value.cast_exact::<PyFloat>() {
        return Ok(Cow::Owned(float_text(float.value())));
    }
    if let Ok(bool) = value.cast_exact::<PyBool>() {
        return Ok(Cow::Borrowed(if bool.is_true() { "True" } else { "False" }));
    }
    if let Ok(int) = value.cast_exact::<PyInt>()
        && let Ok(int) = int.extract::<i64>()
    {
        return Ok(Cow::Owned(int.to_string()));
    }
    Ok(Cow::Owned(value.str()?.to_string_lossy().into_owned()))
}

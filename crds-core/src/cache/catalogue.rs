//! The catalogue in a `server_config`: the size and sum of every file that CRDS has.
//!
//! It is JSON, compressed and encoded. A real one names tens of thousands of files, which takes
//! longer to read than a lookup does, so it stays encoded until a file is asked for.

use std::collections::HashMap;

use serde::Deserialize;

use super::payload;
use super::verified_file::Expected;
use crate::literal::Literal;

/// What is known about files.
#[derive(Debug, Clone, Default)]
pub struct Catalogue(HashMap<Box<str>, Expected>);

/// A catalogue as a `server_config` has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Encoded(Option<Box<str>>);

/// One file of the catalogue.
#[derive(Deserialize)]
struct PackedEntry {
    size: Size,
    #[serde(default)]
    sha1sum: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Size {
    Text(String),
    Number(u64),
}

impl Encoded {
    /// Takes `{'crds_encoded': '1.0', 'crds_payload': base64 of gzip of JSON}`.
    pub(super) fn new(literal: &Literal<'_>) -> Result<Self, String> {
        let text = |key| literal.get(key).and_then(Literal::as_str);
        match (text("crds_encoded"), text("crds_payload")) {
            (Some("1.0"), Some(payload)) => Ok(Self(Some(payload.into()))),
            (Some(other), _) if other != "1.0" => {
                Err(format!("encoded in an unknown way, {other:?}"))
            }
            _ => Err("it is not encoded as it should be".into()),
        }
    }

    pub(super) fn decode(&self) -> Result<Catalogue, String> {
        let Some(packed) = &self.0 else {
            return Ok(Catalogue::default());
        };
        let entries: HashMap<Box<str>, PackedEntry> = payload::unpack(packed)?;
        entries
            .into_iter()
            .map(|(name, entry)| {
                let size = match entry.size {
                    Size::Number(size) => size,
                    Size::Text(text) => {
                        let problem = || format!("the size of {name} is {text:?}");
                        text.trim().parse().map_err(|_| problem())?
                    }
                };
                let expected = Expected {
                    size: Some(size),
                    // `none` for files older than the sums.
                    sha1: entry.sha1sum.parse().ok(),
                };
                Ok((name, expected))
            })
            .collect::<Result<_, String>>()
            .map(Catalogue)
    }
}

impl Catalogue {
    /// The size and sum a file should have; `None` if CRDS does not know the file.
    pub fn expected(&self, name: &str) -> Option<Expected> {
        self.0.get(name).copied()
    }

    /// The names of all files, rules and references, in no order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }

    /// A catalogue of these files.
    #[cfg(test)]
    pub(super) fn of_files<'f>(files: impl IntoIterator<Item = (&'f str, Expected)>) -> Self {
        let own = |(name, expected): (&str, Expected)| (name.into(), expected);
        Self(files.into_iter().map(own).collect())
    }
}

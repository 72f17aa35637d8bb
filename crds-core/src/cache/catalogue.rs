//! The catalogue in a `server_config`: the size and sum of every file that CRDS has.
//!
//! It is JSON, compressed and encoded. A real one names tens of thousands of files, which takes
//! longer to read than a lookup does, so it stays encoded until a file is asked for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::payload;
use super::verified_file::Expected;
use crate::literal::Literal;

/// What is known about files.
#[derive(Debug, Clone, Default)]
pub struct Catalogue(HashMap<Box<str>, Expected>);

/// A catalogue as a `server_config` has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Encoded(Option<Box<str>>);

/// One file of the catalogue, as it is read: nothing is copied, for there are tens of thousands.
#[derive(serde::Deserialize)]
struct PackedEntry<'t> {
    size: Size,
    #[serde(borrow, default)]
    sha1sum: Cow<'t, str>,
}

/// A number, or the text of one.
struct Size(u64);

impl<'t> Deserialize<'t> for Size {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the size of a file in bytes")
    }

    fn visit_u64<E: de::Error>(self, size: u64) -> Result<Size, E> {
        Ok(Size(size))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
        let size = text.trim().parse();
        let unexpected = de::Unexpected::Str(text);
        size.map(Size)
            .map_err(|_| E::invalid_value(unexpected, &self))
    }
}

impl<'t> Deserialize<'t> for Catalogue {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FilesVisitor)
    }
}

struct FilesVisitor;

impl<'t> Visitor<'t> for FilesVisitor {
    type Value = Catalogue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the files of a catalogue")
    }

    fn visit_map<M: MapAccess<'t>>(self, mut map: M) -> Result<Catalogue, M::Error> {
        let mut files = Catalogue::default();
        while let Some((name, entry)) = map.next_entry::<Box<str>, PackedEntry<'t>>()? {
            let expected = Expected {
                size: Some(entry.size.0),
                // `none` for files older than the sums.
                sha1: entry.sha1sum.parse().ok(),
                ..Expected::default()
            };
            files.0.insert(name, expected);
        }
        Ok(files)
    }
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
        match &self.0 {
            Some(packed) => payload::unpack(packed),
            None => Ok(Catalogue::default()),
        }
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

//! FITS files: the header of a dataset as one list of keywords, and new cards for its primary
//! header. Only headers are read; data are skipped on reading and copied unseen on updating.

mod card;
mod checksum;
mod error;
mod hdu;
mod references;
mod update;
mod value;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

pub use card::{CARD_LENGTH, Card, Parsed};
pub use error::{FitsError, FitsProblem};
pub use references::{NoMatch, ReferenceCards, UnknownPrefix};
pub use update::{CardUpdate, ChecksumState, UpdateOutcome, update_primary};
pub use value::{CardValue, Value};

use crate::header::Header;

/// Reads all headers of a FITS file into one.
///
/// HDUs in order, cards in order; the first occurrence of a keyword wins. `COMMENT` and `HISTORY`
/// cards are joined with newlines, cards without a keyword are skipped. Keywords are upper case;
/// values are the texts Python's `str()` gives, `UNDEFINED` for a card without a value.
/// Source: CRDS 14 `crds.io.fits` and `crds.io.abstract`.
pub fn read(path: &Path) -> Result<Header, FitsError> {
    let file = File::open(path).map_err(|error| FitsProblem::Read(error).at(path, 0))?;
    read_from(BufReader::new(file), path)
}

/// Like [`read`], from anything that can be read; `path` only appears in errors.
pub fn read_from(source: impl Read + Seek, path: &Path) -> Result<Header, FitsError> {
    let mut union = Union::default();
    for header in hdu::Headers::new(source, path) {
        for card in &header?.cards {
            let parsed = card.parse();
            let keyword = parsed.keyword.to_uppercase();
            if !keyword.is_empty() {
                union.add(keyword, parsed.value.python_text());
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

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;

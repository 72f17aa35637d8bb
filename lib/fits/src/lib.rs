//! FITS files: headers read and changed card by card, binary tables, images.
//!
//! Reading is as lenient as astropy's, because files of forty years have to be read, and bounded
//! whatever the bytes say: sizes are checked before anything is allocated, and no bytes make it
//! panic. Changing a header keeps every other byte of the file. What keywords mean is left to others.
//! References are to the FITS standard, version 4.0.
//!
//! [`hdus`] is the one way from header to header; everything else stands on it:
//!
//! ```
//! use std::path::Path;
//!
//! use fits::{CardUpdate, hdus, read_header, update_primary};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cards = ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0", "DETECTOR= 'WFC' / which", "END"];
//! let cards = cards.map(|card| format!("{card:80}")).concat();
//! let bytes = format!("{cards:2880}").into_bytes();
//!
//! // From memory, or an open file:
//! for unit in hdus(&bytes[..], Path::new("x.fits")) {
//!     let unit = unit?;
//!     assert_eq!(unit.header.text("DETECTOR"), Some("WFC"));
//! }
//!
//! // A file keeps its comments, its place of cards and its data:
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("x.fits");
//! std::fs::write(&path, &bytes)?;
//! let outcome = update_primary(&path, &[CardUpdate::text("DETECTOR", "SBC")])?;
//! assert!(outcome.changed);
//! assert_eq!(read_header(&path, 0)?.text("DETECTOR"), Some("SBC"));
//! # Ok(())
//! # }
//! ```
//!
//! [`Table`] reads columns, [`Image`] reads images row by row, [`check`] says whether
//! a file is complete, [`fill`] adds what may be missing of its last block.

mod bytes;
mod card;
mod checksum;
mod error;
mod hdu;
mod header;
mod image;
mod table;
mod update;
mod value;

pub use bytes::ReadAt;
pub use card::{Card, ParsedCard};
pub use error::{FitsError, FitsProblem};
pub use hdu::{BLOCK, Hdu, Hdus, check, fill, hdus, read_header};
pub use header::Header;
pub use image::Image;
pub use table::{ColumnFormat, NumberColumn, Table};
pub use update::{CardUpdate, ChecksumState, UpdateOutcome, update_primary};
pub use value::{CARD_LENGTH, CardValue, Value};

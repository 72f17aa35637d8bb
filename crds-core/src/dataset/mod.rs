//! The files that are to be calibrated: what their headers say, and writing into them which
//! references were chosen. The rules that choose are elsewhere; pixels are never interpreted.

pub mod asdf;
pub mod fits;
mod model_names;
mod references;

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use storage::hint::Hint;

use crate::header::{Header, INSTRUMENT_KEYS};
use ::fits::{FitsError, ReadAt};
pub use asdf::AsdfError;
pub use model_names::JWST_MODEL_NAMES;
pub use references::{NoMatch, ReferenceCards, UnknownPrefix};

/// A dataset could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A FITS file, or something else that is none.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// An ASDF file.
    #[error(transparent)]
    Asdf(#[from] AsdfError),
}

impl Hint for ReadError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Fits(error) => error.hint(),
            Self::Asdf(error) => error.hint(),
        }
    }
}

/// Reads the header of a dataset, FITS or ASDF as its first bytes say, or a header in JSON or YAML as
/// the file's name says, ready to be looked up: with
/// its instrument where rules look for it, and the names of the data models if it is from JWST.
pub fn read(path: &Path) -> Result<Header, ReadError> {
    let mut magic = [0; 5];
    let asdf = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    let mut header = if asdf.is_ok() && &magic == b"#ASDF" {
        asdf::read(path)?
    } else if is_plain_header(path) {
        asdf::read_plain(path)?
    } else {
        fits::read(path)?
    };
    prepare(&mut header);
    Ok(header)
}

/// Like [`read`], of a FITS file that can be read at offsets; `path` only appears in errors.
pub fn read_fits(bytes: &(impl ReadAt + ?Sized), path: &Path) -> Result<Header, FitsError> {
    let mut header = fits::read_from(bytes, path)?;
    prepare(&mut header);
    Ok(header)
}

/// Like [`read_fits`], of the first header alone: what follows it is not looked at.
pub fn read_fits_primary(bytes: &(impl ReadAt + ?Sized), path: &Path) -> Result<Header, FitsError> {
    let mut header = fits::read_primary(bytes, path)?;
    prepare(&mut header);
    Ok(header)
}

fn prepare(header: &mut Header) {
    if header.get("TELESCOP") == Some("JWST") {
        model_names::add(header);
    }
    set_instrument(header);
}

fn is_plain_header(path: &Path) -> bool {
    let extension = path.extension().and_then(std::ffi::OsStr::to_str);
    extension.is_some_and(|extension| {
        let known = ["json", "yaml", "yml"];
        known
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// Makes sure that the header of a file names its instrument where every rule looks for it:
/// under `INSTRUME` and `META.INSTRUMENT.NAME`, trimmed and in upper case. Gives the name, or
/// `None`, the header unchanged, if it has none.
///
/// `crds bestrefs` does this to every file it reads; headers from elsewhere are looked up as
/// they are. Source: CRDS 14 `crds.core.utils.header_to_instrument`.
pub fn set_instrument(header: &mut Header) -> Option<String> {
    let name = INSTRUMENT_KEYS
        .iter()
        .filter_map(|key| header.get(key))
        .map(str::trim)
        .find(|name| !name.is_empty() && !name.eq_ignore_ascii_case("UNDEFINED"))?;
    let name = match name {
        "wfii" => "WFPC2".to_owned(),
        "hst" => "SYNPHOT".to_owned(),
        name => name.to_uppercase(),
    };
    header.set("INSTRUME", name.clone());
    header.set("META.INSTRUMENT.NAME", name.clone());
    Some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let put = |bytes: &str| {
            std::fs::write(&path, bytes).unwrap();
            read(&path)
        };
        let roman =
            put("#ASDF 1.0.0\n---\nroman: {meta: {instrument: {name: wfi}}}\n...\n").unwrap();
        assert_eq!(roman.get("INSTRUME"), Some("WFI"));
        let cards = [
            "SIMPLE  = T",
            "NAXIS   = 0",
            "TELESCOP= 'JWST'",
            "INSTRUME= 'MIRI'",
            "EXP_TYPE= 'MIR_IMAGE'",
            "END",
        ];
        let cards: Vec<String> = cards.iter().map(|card| format!("{card:80}")).collect();
        let jwst = put(&format!("{:2880}", cards.concat())).unwrap();
        assert_eq!(jwst.get("META.EXPOSURE.TYPE"), Some("MIR_IMAGE"));
        assert_eq!(jwst.get("META.INSTRUMENT.NAME"), Some("MIRI"));
        assert!(
            put("nothing")
                .unwrap_err()
                .to_string()
                .contains("not a FITS file")
        );
        assert!(
            read(&folder.path().join("y"))
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }

    #[test]
    fn the_instrument_is_found_under_any_of_its_names() {
        let set = |pairs: &[(&str, &str)]| {
            let mut header: Header = pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            let name = set_instrument(&mut header);
            assert_eq!(
                header.get("INSTRUME"),
                name.as_deref().or(header.get("INSTRUME"))
            );
            name
        };
        assert_eq!(set(&[("INSTRUME", " acs ")]).as_deref(), Some("ACS"));
        assert_eq!(set(&[("INSTRUME", "wfii")]).as_deref(), Some("WFPC2"));
        let roman = [
            ("INSTRUME", "UNDEFINED"),
            ("ROMAN.META.INSTRUMENT.NAME", "WFI"),
        ];
        assert_eq!(set(&roman).as_deref(), Some("WFI"));
        let both = [("META.INSTRUMENT.NAME", "MIRI"), ("INSTRUME", "NIRCAM")];
        assert_eq!(set(&both).as_deref(), Some("NIRCAM"));
        assert_eq!(set(&[("TELESCOP", "HST")]), None);
    }
}

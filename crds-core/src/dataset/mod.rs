//! The files that are to be calibrated: what their headers say, and writing into them which
//! references were chosen. The rules that choose are elsewhere; pixels are never interpreted.

pub mod fits;

use crate::header::Header;

/// Where a header may name its instrument, in order of preference.
const INSTRUMENT_KEYS: [&str; 7] = [
    "INSTRUME",
    "META.INSTRUMENT.NAME",
    "META_INSTRUMENT_NAME",
    "INSTRUMENT",
    "ROMAN.META.INSTRUMENT.NAME",
    "META.INSTRUMENT.TYPE",
    "META_INSTRUMENT_TYPE",
];

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
    use super::*;

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

//! What Hubble's instruments are called: in folders, in file names, and in the variables through
//! which its calibration programs find references.

/// One instrument.
struct HstInstrument {
    name: &'static str,
    /// The last letter of the root of its references' names.
    letter: char,
    /// The variable that stands for its references' folder.
    variable: &'static str,
}

const fn instrument(name: &'static str, letter: char, variable: &'static str) -> HstInstrument {
    HstInstrument {
        name,
        letter,
        variable,
    }
}

const INSTRUMENTS: [HstInstrument; 7] = [
    instrument("acs", 'j', "jref"),
    instrument("cos", 'l', "lref"),
    instrument("nicmos", 'n', "nref"),
    instrument("stis", 'o', "oref"),
    instrument("synphot", 'm', "ttab"),
    instrument("wfc3", 'i', "iref"),
    instrument("wfpc2", 'u', "uref"),
];

/// The variable through which the programs of an instrument (any case) find its references:
/// `jref` for ACS.
pub fn reference_variable(instrument: &str) -> Option<&'static str> {
    let found = INSTRUMENTS
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(instrument));
    found.map(|known| known.variable)
}

/// All these variables.
pub fn reference_variables() -> impl Iterator<Item = &'static str> {
    INSTRUMENTS.iter().map(|known| known.variable)
}

/// The instrument, lower case, that the name of a reference says: `hst_cos_spottab_0052.fits`,
/// `zas1615jl_spot.fits`, `e1b09593u.r1h`; synphot for any `..._syn.fits` and `..._th.fits`.
pub fn instrument_of_reference(name: &str) -> Option<&'static str> {
    let mut parts = name.split(['_', '.']).map(str::to_ascii_lowercase);
    let first = parts.next()?;
    let second = parts.next();
    if first == "hst" {
        let found = INSTRUMENTS
            .iter()
            .find(|known| Some(known.name) == second.as_deref());
        return found.map(|known| known.name);
    }
    let mut rest: Vec<String> = second.into_iter().chain(parts).collect();
    let extension = rest.pop();
    if [extension, rest.pop()]
        .iter()
        .flatten()
        .any(|part| part == "syn" || part == "th")
    {
        return Some("synphot");
    }
    let letter = first.chars().next_back()?;
    let found = INSTRUMENTS.iter().find(|known| known.letter == letter);
    found.map(|known| known.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_their_instrument() {
        for (name, instrument) in [
            ("hst_cos_spottab_0052.fits", Some("cos")),
            ("hst_foo_spottab_0052.fits", None),
            ("zas1615jl_spot.fits", Some("cos")),
            ("W3M18525I_idc.fits", Some("wfc3")),
            ("e1b09593u.r1h", Some("wfpc2")),
            ("acs_f606w_wfc_005_syn.fits", Some("synphot")),
            ("x_th.fits", Some("synphot")),
            ("1cf1434jm_tmg.fits", Some("synphot")),
            ("foobar.fits", None),
            ("", None),
        ] {
            assert_eq!(instrument_of_reference(name), instrument, "{name}");
        }
        assert_eq!(reference_variable("WFPC2"), Some("uref"));
    }
}

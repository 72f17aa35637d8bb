//! The names by which JWST's rules know what FITS headers call otherwise.
//!
//! Only the keywords that rules use are here; the whole correspondence is in the JWST data models.
//! Source: the `fits_keyword` entries of the JWST core schema, for the parameters of JWST rules.

use crate::header::Header;

/// FITS keyword and data model name of what JWST's rules look at.
pub const JWST_MODEL_NAMES: [(&str, &str); 23] = [
    ("TELESCOP", "META.TELESCOPE"),
    ("INSTRUME", "META.INSTRUMENT.NAME"),
    ("DETECTOR", "META.INSTRUMENT.DETECTOR"),
    ("CHANNEL", "META.INSTRUMENT.CHANNEL"),
    ("BAND", "META.INSTRUMENT.BAND"),
    ("MODULE", "META.INSTRUMENT.MODULE"),
    ("FILTER", "META.INSTRUMENT.FILTER"),
    ("PUPIL", "META.INSTRUMENT.PUPIL"),
    ("GRATING", "META.INSTRUMENT.GRATING"),
    ("CORONMSK", "META.INSTRUMENT.CORONAGRAPH"),
    ("LAMP", "META.INSTRUMENT.LAMP_STATE"),
    ("EXP_TYPE", "META.EXPOSURE.TYPE"),
    ("READPATT", "META.EXPOSURE.READPATT"),
    ("DATE-OBS", "META.OBSERVATION.DATE"),
    ("TIME-OBS", "META.OBSERVATION.TIME"),
    ("SUBARRAY", "META.SUBARRAY.NAME"),
    ("SUBSTRT1", "META.SUBARRAY.XSTART"),
    ("SUBSTRT2", "META.SUBARRAY.YSTART"),
    ("SUBSIZE1", "META.SUBARRAY.XSIZE"),
    ("SUBSIZE2", "META.SUBARRAY.YSIZE"),
    ("TSOVISIT", "META.VISIT.TSOVISIT"),
    ("CAL_VER", "META.CALIBRATION_SOFTWARE_VERSION"),
    ("REFTYPE", "META.REFTYPE"),
];

/// Adds the data model names to a JWST header, where they are not there already.
pub(super) fn add(header: &mut Header) {
    for (keyword, name) in JWST_MODEL_NAMES {
        let missing = header.get(name).is_none_or(|value| value == "UNDEFINED");
        if missing
            && let Some(value) = header.get(keyword)
            && value != "UNDEFINED"
        {
            let value = value.to_owned();
            header.set(name, value);
        }
    }
}

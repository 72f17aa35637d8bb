//! The words of headers, tables and feature files as values, and which numbers are believed.

use super::features::Features;

/// Raw files unpack to so many times the size of their archive at most: what is not known exactly
/// must not make an estimate smaller.
const UNPACKED: f64 = 3.0;

/// The most that an archive of so many bytes unpacks to, in MB.
#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
pub fn unpacked_mb(archive: u64) -> f64 {
    archive as f64 / 1e6 * UNPACKED
}

/// A number; none where a field says that it is not known.
pub(super) fn number(text: &str) -> Result<Option<f64>, ()> {
    if is_unknown(text) {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| ())
}

/// A switch, as headers and tables write it; none where it says nothing that is known.
pub fn switch(text: &str) -> Option<bool> {
    known_switch(text).ok().flatten()
}

/// A switch, or that it is not known, or that the text is none of either.
pub(super) fn known_switch(text: &str) -> Result<Option<bool>, ()> {
    if is_unknown(text) {
        return Ok(None);
    }
    match text.to_ascii_uppercase().as_str() {
        "PERFORM" | "COMPLETE" | "TRUE" | "T" | "1" | "1.0" | "YES" => Ok(Some(true)),
        "OMIT" | "SKIPPED" | "FALSE" | "F" | "0" | "0.0" | "NO" => Ok(Some(false)),
        _ => Err(()),
    }
}

fn is_unknown(text: &str) -> bool {
    matches!(
        text.to_ascii_uppercase().as_str(),
        "" | "NAN" | "N/A" | "NONE" | "NULL" | "UNKNOWN"
    )
}

/// A number of files that can be; none otherwise.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number between 1 and a bound far below 2^32"
)]
pub(super) fn believed_files(number: f64) -> Option<u32> {
    let can_be = number >= 1.0 && number <= f64::from(Features::MOST_FILES);
    (can_be && number.fract() == 0.0).then_some(number as u32)
}

/// A size in MB that can be; none otherwise.
pub(super) fn believed_mb(number: f64) -> Option<f64> {
    (number > 0.0 && number <= Features::MOST_MB).then_some(number)
}

/// Whether a detector, by the name in its header, is one of the large ones.
pub fn large_detector(name: &str) -> Option<bool> {
    match name.trim().to_ascii_uppercase().as_str() {
        "WFC" | "UVIS" => Some(true),
        "HRC" | "SBC" | "IR" => Some(false),
        _ => None,
    }
}

//! Which instrument a header is from.

use std::borrow::Cow;

use super::question::LookupError;
use crate::header::{Fields, INSTRUMENT_KEYS, LookupPath, condition};
use crate::observatory::Observatory;

/// The header's instrument, lower-case.
pub(super) fn instrument_name(
    header: &(impl Fields + ?Sized),
    key: &str,
    path: LookupPath,
) -> Result<Box<str>, LookupError> {
    let missing = || LookupError::NoInstrument { key: key.into() };
    let name = match path {
        // The reduced header keeps the rules' own key only.
        LookupPath::Conditioned => {
            let short = Observatory::archive_key(key);
            let is_key = |k: &str| is_upper_of(key, k) || short.is_some_and(|s| is_upper_of(s, k));
            let mut entries = header.pairs().filter(|(k, _)| is_key(k));
            let (_, value) = entries.next_back().ok_or_else(missing)?;
            condition(value)
        }
        LookupPath::AsGiven => {
            let lower = key.to_lowercase();
            let keys = [key, &lower].into_iter().chain(INSTRUMENT_KEYS);
            let values = keys.filter_map(|key| last(header, key));
            let mut usable = values.filter(|value| value.to_uppercase() != "UNDEFINED");
            Cow::Borrowed(usable.next().ok_or_else(missing)?)
        }
    };
    if name == "UNDEFINED" {
        return Err(missing());
    }
    let name = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        name.to_uppercase().to_lowercase()
    };
    Ok(if name == "wfii" {
        "wfpc2".into()
    } else {
        name.into()
    })
}

/// The value of the last entry with exactly this key.
fn last<'h>(header: &'h (impl Fields + ?Sized), key: &str) -> Option<&'h str> {
    let mut entries = header.pairs().filter(|(k, _)| *k == key);
    entries.next_back().map(|(_, value)| value)
}

/// Whether `upper` is the upper-case form of `key`.
fn is_upper_of(upper: &str, key: &str) -> bool {
    match (upper.as_bytes().first(), key.as_bytes().first()) {
        // An ASCII letter alone decides about the first letter of the upper-case form.
        (Some(a), Some(b)) if b.is_ascii() && *a != b.to_ascii_uppercase() => false,
        _ if key.is_ascii() => key.eq_ignore_ascii_case(upper),
        _ => key.to_uppercase() == upper,
    }
}

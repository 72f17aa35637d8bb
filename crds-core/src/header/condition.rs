//! Conditioning: the form in which header values and rule cells are compared.
//!
//! The rules are Python CRDS's: trimmed, upper-case, numbers as Python prints doubles, the many
//! spellings of "not applicable" as one, and truth values as `T` and `F`.

use std::borrow::Cow;

use super::decimal::Decimal;
use super::float_text;

/// The form of a value that rules compare. Conditioning a second time changes nothing.
///
/// ```
/// use crds_core::header::condition;
/// assert_eq!(condition(" f606w "), "F606W");
/// assert_eq!(condition("1"), "1.0");
/// assert_eq!(condition("not applicable"), "N/A");
/// assert_eq!(condition("True"), "T");
/// ```
pub fn condition(value: &str) -> Cow<'_, str> {
    let trimmed = trim(value);
    let plain = trimmed
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_lowercase());
    if plain {
        return condition_upper(trimmed);
    }
    let upper = if trimmed.is_ascii() {
        trimmed.to_ascii_uppercase()
    } else {
        trimmed.to_uppercase()
    };
    match condition_upper(&upper) {
        Cow::Borrowed(text) if text == upper => Cow::Owned(upper),
        other => Cow::Owned(other.into_owned()),
    }
}

/// Conditions a text that is already trimmed and upper-case.
fn condition_upper(text: &str) -> Cow<'_, str> {
    match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => condition_number(text),
        Some(b'N' | b'(') if is_not_applicable(text) => Cow::Borrowed("N/A"),
        Some(b'A') if text == "ANY" => Cow::Borrowed("*"),
        Some(b'T') if text == "TRUE" => Cow::Borrowed("T"),
        Some(b'F') if text == "FALSE" => Cow::Borrowed("F"),
        _ => Cow::Borrowed(text),
    }
}

fn is_not_applicable(text: &str) -> bool {
    // Python only looks at the start, so `N/ABC` is one of them; rules rely on it as it is.
    text.starts_with("N/A")
        || text.starts_with("()")
        || text.starts_with("NOT APPLICABLE")
        || text == "NOT_APPLICABLE"
}

/// A text that starts like a number.
fn condition_number(text: &str) -> Cow<'_, str> {
    let Some(number) = whole_number(text) else {
        return if is_blank_integer(text) {
            Cow::Borrowed("N/A")
        } else {
            Cow::Borrowed(text)
        };
    };
    if is_as_printed(text, &number) {
        return special_number(Cow::Borrowed(text));
    }
    let Ok(value) = text.parse::<f64>() else {
        return Cow::Borrowed(text);
    };
    special_number(Cow::Owned(float_text(value)))
}

fn special_number(text: Cow<'_, str>) -> Cow<'_, str> {
    if text == "4294967295.0" {
        Cow::Borrowed("-1.0")
    } else if is_blank_integer(&text) {
        Cow::Borrowed("N/A")
    } else {
        text
    }
}

/// Whether the text starts as the most negative 32-bit integer does when printed as a double.
fn is_blank_integer(text: &str) -> bool {
    text.strip_prefix("-2147483648").is_some_and(|rest| {
        let mut rest = rest.chars();
        rest.next().is_some_and(|c| c != '\n') && rest.next() == Some('0')
    })
}

/// What Python CRDS calls a number: `[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?` or `[-+]?[0-9]+\.`.
fn whole_number(text: &str) -> Option<Decimal> {
    let number = Decimal::at_start_of(text);
    let is_number = match number.fraction {
        None => number.whole > 0,
        // `1.` is a number, `1.e5` is not.
        Some(0) => number.whole > 0 && !number.exponent,
        Some(_) => true,
    };
    (is_number && number.end == text.len()).then_some(number)
}

/// Whether Python would print the number just like that; only the common case is recognised.
fn is_as_printed(text: &str, number: &Decimal) -> bool {
    let bytes = text.as_bytes();
    let leading_zero = bytes.get(number.sign) == Some(&b'0');
    bytes.first() != Some(&b'+')
        && !number.exponent
        && (1..=15).contains(&number.whole)
        && (!leading_zero || number.whole == 1)
        && number.fraction == Some(1)
        && bytes.last() == Some(&b'0')
}

/// Trims what Python's `str.strip()` trims.
pub(crate) fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(b'!'..=b'~'), Some(b'!'..=b'~')) => text,
        _ => text.trim_matches(is_space),
    }
}

/// Python's `str.isspace()` of one character.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Python's `float()` of a text, or nothing where Python raises.
pub(crate) fn python_float(text: &str) -> Option<f64> {
    let text = trim(text);
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.is_empty() {
        return None;
    }
    if !text.contains('_') {
        // Rust also reads `inf`, `infinity` and `nan`, in any case, as Python does.
        return text.parse().ok();
    }
    // An underscore may stand only between two digits.
    let well_placed = bytes.iter().enumerate().all(|(i, b)| {
        *b != b'_'
            || (i > 0
                && bytes[i - 1].is_ascii_digit()
                && bytes.get(i + 1).is_some_and(u8::is_ascii_digit))
    });
    well_placed
        .then(|| text.replace('_', "").parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_take_the_form_rules_compare() {
        for (value, expected) in [
            ("  perform\n", "PERFORM"),
            ("", ""),
            ("   ", ""),
            ("1", "1.0"),
            ("01", "1.0"),
            ("+1.0", "1.0"),
            ("1.", "1.0"),
            ("1E0", "1.0"),
            ("-0", "-0.0"),
            (".5", "0.5"),
            ("1e400", "inf"),
            ("1e16", "1e+16"),
            ("0.00001", "1e-05"),
            ("1.e5", "1.E5"),
            ("1D5", "1D5"),
            ("1_0", "1_0"),
            ("0x1", "0X1"),
            ("-", "-"),
            (".", "."),
            ("n/a", "N/A"),
            ("N/ABC", "N/A"),
            ("() etc", "N/A"),
            // Found by fuzzing: as long as what it becomes.
            ("()h", "N/A"),
            ("not applicable", "N/A"),
            ("NOT_APPLICABLE", "N/A"),
            ("NOT_APPLICABLE2", "NOT_APPLICABLE2"),
            ("-2147483648", "N/A"),
            ("-2147483648.0", "N/A"),
            ("-2147483648X0Y", "N/A"),
            ("-999", "-999.0"),
            ("any", "*"),
            ("4294967295", "-1.0"),
            ("true", "T"),
            ("F", "F"),
            ("false", "F"),
            ("stra\u{df}e", "STRASSE"),
            ("\u{1c}x\u{a0}", "X"),
            ("2013-11-05 15:21:34", "2013-11-05 15:21:34"),
        ] {
            assert_eq!(condition(value), expected, "{value:?}");
        }
    }

    #[test]
    fn floats_are_read_as_python_reads_them() {
        assert_eq!(python_float(" 1_0.5 "), Some(10.5));
        assert_eq!(python_float("INF"), Some(f64::INFINITY));
        assert!(python_float("nan").is_some_and(f64::is_nan));
        for text in ["", "_1", "1_", "1__0", "1_.5", "x", "0x1"] {
            assert_eq!(python_float(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn conditioning_twice_is_conditioning_once(value in "\\PC{0,12}|[-+]?[0-9]{0,12}\\.?[0-9]{0,4}([eE][-+]?[0-9]{1,3})?|[ tfanTRUEyY/]{0,6}") {
            let once = condition(&value).into_owned();
            // A number too large for a double prints as `inf`, which is no number when read again.
            prop_assume!(!once.ends_with("inf"));
            prop_assert_eq!(condition(&once), once.as_str());
        }

        #[test]
        fn doubles_condition_to_their_own_text(value in any::<f64>().prop_filter("finite", |x| x.is_finite())) {
            let text = float_text(value);
            prop_assert_eq!(text.parse::<f64>().ok(), Some(value));
        }
    }
}

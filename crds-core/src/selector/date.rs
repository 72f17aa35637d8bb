//! The dates of datasets: the many spellings Python CRDS accepts.

use super::moment::{Moment, microseconds, month_length, number, plain};
use crate::header::{is_space, python_float, trim};

/// Reads a date in any form Python CRDS accepts, or says why not.
pub(crate) fn parse(text: &str) -> Result<Moment, String> {
    // Nearly every header has its date in this form.
    if let (19, Some((date, time))) = (text.len(), text.split_at_checked(10))
        && let Some(moment) = time.strip_prefix(' ').and_then(|time| plain(date, time))
    {
        return Ok(moment);
    }
    if text.contains("UNDEFINED") {
        return Err("One or more required date/time values is UNDEFINED".into());
    }
    let text = text.strip_suffix(" UT").unwrap_or(text);
    let spaced;
    let text = if is_t_separated(text) {
        spaced = text.replace('T', " ");
        &spaced
    } else {
        text
    };
    if has_letters(text) {
        alphabetic(text)
    } else {
        numeric(text)
    }
}

/// Whether three ASCII letters follow each other.
fn has_letters(text: &str) -> bool {
    text.as_bytes()
        .windows(3)
        .any(|three| three.iter().all(u8::is_ascii_alphabetic))
}

/// `YYYY[-/]MM[-/]DDTHH:MM[:SS][.f{1,6}]`
fn is_t_separated(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits = |range: std::ops::Range<usize>, shape: &str| {
        bytes.get(range).is_some_and(|part| {
            part.iter().zip(shape.bytes()).all(|(b, s)| match s {
                b'0' => b.is_ascii_digit(),
                b'-' => matches!(b, b'-' | b'/'),
                s => *b == s,
            })
        })
    };
    if !fits(0..16, "0000-00-00T00:00") {
        return false;
    }
    let end = if fits(16..19, ":00") { 19 } else { 16 };
    match bytes.get(end..) {
        Some([]) => true,
        Some([b'.', digits @ ..]) => {
            (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(is_space)
        .filter(|word| !word.is_empty())
        .collect()
}

fn numeric(text: &str) -> Result<Moment, String> {
    let slashed = text.replace('-', "/");
    let parts = words(&slashed);
    let Some((date, rest)) = parts.split_first() else {
        return Err("there is no date".into());
    };
    let mut clock = if rest.is_empty() {
        (0, 0, 0, 0)
    } else {
        time(&rest.join(" "))?
    };
    let unknown = || format!("Unknown numerical date format: {slashed:?}");
    let digits = |part: &str| number(part.as_bytes()).ok_or_else(unknown);
    let lengths = |parts: &[&str]| parts.iter().map(|p| p.len()).collect::<Vec<_>>();
    let parts: Vec<&str> = date.split('/').collect();
    let date = match (&parts[..], &lengths(&parts)[..]) {
        ([month, day, year], [2, 2, 4]) | ([year, month, day], [4, 2, 2]) => {
            (digits(year)?, digits(month)?, digits(day)?)
        }
        ([day, month, year], [2, 2, 2]) => {
            let century = match year.as_bytes() {
                [b'9', _] => 1900,
                [b'0'..=b'3', _] => 2000,
                _ => return Err(unknown()),
            };
            (century + digits(year)?, digits(month)?, digits(day)?)
        }
        ([whole], [15]) => {
            let (day, hour) = whole.split_once(':').ok_or_else(unknown)?;
            let field = |text: &str, from: usize, to: usize| {
                text.get(from..to).ok_or_else(unknown).and_then(digits)
            };
            if day.len() != 8 {
                return Err(unknown());
            }
            clock = (
                field(hour, 0, 2)?,
                field(hour, 2, 4)?,
                field(hour, 4, 6)?,
                0,
            );
            (field(day, 0, 4)?, field(day, 4, 6)?, field(day, 6, 8)?)
        }
        _ => return Err(unknown()),
    };
    checked(date, clock)
}

/// The moment, or which part of it is out of range.
fn checked(date: (u32, u32, u32), clock: (u32, u32, u32, u32)) -> Result<Moment, String> {
    Moment::new(date, clock).ok_or_else(|| {
        let (year, month, day) = date;
        let days = if (1..=12).contains(&month) && (1..=9999).contains(&year) {
            month_length(year, month)
        } else {
            31
        };
        let parts = [
            ("year", year, 1, 9999),
            ("month", month, 1, 12),
            ("day", day, 1, days),
            ("hour", clock.0, 0, 23),
            ("minute", clock.1, 0, 59),
            ("second", clock.2, 0, 59),
        ];
        let mut wrong = parts
            .iter()
            .filter(|(_, n, least, most)| n < least || n > most);
        let Some((name, number, least, most)) = wrong.next() else {
            return "there is no such day or time".to_owned();
        };
        format!("the {name}, {number}, is out of range ({least} to {most})")
    })
}

fn alphabetic(text: &str) -> Result<Moment, String> {
    let mut text = text.to_owned();
    for half in ["am", "pm"] {
        let apart = format!(" {half}");
        if text.to_lowercase().ends_with(&apart) {
            text = text.to_lowercase();
            // Python repeats the replacement until the end changes, so several blanks close up.
            while text.ends_with(&apart) {
                text = text.replace(&apart, half);
            }
        }
    }
    let text = text.replace(['-', '/'], " ");
    let (month, day, year, clock) = match words(&text)[..] {
        [month, day, year, clock] => (month, day, year, clock),
        [month, day, year] => (month, day, year, "00:00AM"),
        _ => {
            return Err("a date with a month's name has three words, or four with the time".into());
        }
    };
    let day = day.strip_suffix(',').unwrap_or(day);
    let read = |month: &str, day: &str| Some((integer(year)?, month_number(month)?, integer(day)?));
    let date = read(month, day)
        .or_else(|| read(day, month))
        .ok_or_else(|| format!("{month:?} {day:?} {year:?} is not a month, day and year"))?;
    let clock = time(clock)?;
    checked(date, clock)
}

fn month_number(name: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let start: String = name.chars().take(3).collect::<String>().to_lowercase();
    let index = MONTHS.iter().position(|month| *month == start)?;
    u32::try_from(index + 1).ok()
}

fn time(text: &str) -> Result<(u32, u32, u32, u32), String> {
    let mut text = trim(text);
    let mut half = None;
    if let Some(at) = text.len().checked_sub(2)
        && let Some(end) = text.get(at..)
        && (end.eq_ignore_ascii_case("am") || end.eq_ignore_ascii_case("pm"))
    {
        half = Some(end.eq_ignore_ascii_case("pm"));
        text = &text[..at];
    }
    let wrong = || format!("{text:?} is not a time of the form hours:minutes:seconds");
    let parts: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "00"),
        [hour, minute, second] | [hour, minute, second, _] => (hour, minute, second),
        _ => return Err(wrong()),
    };
    let mut hour = integer(hour).ok_or_else(wrong)?;
    let minute = integer(minute).ok_or_else(wrong)?;
    // More than a minute has is told like hours and minutes that are too many.
    let seconds = python_float(second)
        .filter(|s| (0.0..1e6).contains(s))
        .ok_or_else(wrong)?;
    match half {
        Some(true) if hour < 12 => hour += 12,
        Some(false) if hour == 12 => hour = 0,
        _ => {}
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds are in 0..1e6"
    )]
    let whole = seconds as u32;
    Ok((hour, minute, whole, microseconds(seconds)))
}

/// Python's `int()` of a text, as far as it can be part of a date.
fn integer(text: &str) -> Option<u32> {
    let text = trim(text);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let well_placed = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    if !well_placed || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    digits.replace('_', "").parse().ok()
}

#[cfg(test)]
#[path = "date_tests.rs"]
mod tests;

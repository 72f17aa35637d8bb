//! The dates of datasets: the many spellings Python CRDS accepts, and their order.
//!
//! `UseAfter` keys are compared with the lookup date *as text*. A lookup date is always written
//! `YYYY-MM-DD HH:MM:SS[.ffffff]`, and for such texts order in text is order in time; so a date
//! packed into microseconds can be compared with a packed threshold of the key.

use crate::header::{is_space, python_float, trim};

/// Microseconds since the first instant of the year 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(u64);

const DAY: u64 = 86_400_000_000;

/// Days in the years 1 to 9999.
const DAYS: u64 = 3_652_059;

impl Moment {
    /// Before every other.
    pub(crate) const FIRST: Self = Self(0);

    /// After every date there can be.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) const fn new(date: (u32, u32, u32), time: (u32, u32, u32, u32)) -> Option<Self> {
        let (year, month, day) = date;
        let (hour, minute, second, micro) = time;
        if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 {
            return None;
        }
        if day > month_length(year, month) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_before_year(year) + days_before_month(year, month) + (day - 1) as u64;
        let seconds = (hour * 3600 + minute * 60 + second) as u64;
        Some(Self(days * DAY + seconds * 1_000_000 + micro as u64))
    }

    /// The date whose text the key is, if it is one.
    pub(crate) fn of_key(key: &str) -> Option<Self> {
        canonical(key)
    }

    /// The earliest date whose text is not before `key` in text order.
    pub(crate) fn threshold(key: &str) -> Self {
        if let Some(moment) = canonical(key) {
            return moment;
        }
        let (mut low, mut high) = (0, DAYS * DAY);
        while low < high {
            let middle = low + (high - low) / 2;
            if Self(middle).text().as_str() >= key {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        if low == DAYS * DAY {
            Self::NEVER
        } else {
            Self(low)
        }
    }

    /// `YYYY-MM-DD HH:MM:SS`, and `.ffffff` if there is a fraction.
    pub(crate) fn text(self) -> String {
        let (days, rest) = (self.0 / DAY, self.0 % DAY);
        // The year is at least days/366, so few steps remain.
        let mut year = u32::try_from(days / 366).map_or(9999, |y| y + 1);
        while days_before_year(year + 1) <= days && year < 9999 {
            year += 1;
        }
        let in_year = days - days_before_year(year);
        let mut month = 12;
        while days_before_month(year, month) > in_year {
            month -= 1;
        }
        let day = in_year - days_before_month(year, month) + 1;
        let (seconds, micro) = (rest / 1_000_000, rest % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
        if micro == 0 {
            text
        } else {
            format!("{text}.{micro:06}")
        }
    }
}

const fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn month_length(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn days_before_year(year: u32) -> u64 {
    let past = (year - 1) as u64;
    past * 365 + past / 4 - past / 100 + past / 400
}

const fn days_before_month(year: u32, month: u32) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = if month > 2 && is_leap(year) { 1 } else { 0 };
    BEFORE[(month - 1) as usize % 12] + leap
}

/// Reads `YYYY-MM-DD HH:MM:SS[.ffffff]` written exactly as [`Moment::text`] writes it.
fn canonical(text: &str) -> Option<Moment> {
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    if text.as_bytes().get(10) != Some(&b' ') {
        return None;
    }
    let start = plain(date, time.get(..8)?)?;
    match time.as_bytes().get(8..)? {
        [] => Some(start),
        [b'.', digits @ ..] if digits.len() == 6 => match number(digits)? {
            0 => None,
            micro => Some(Moment(start.0 + u64::from(micro))),
        },
        _ => None,
    }
}

/// Reads `YYYY-MM-DD` and `HH:MM:SS[.f{1,6}]`, the form of nearly every header.
pub(crate) fn plain(date: &str, time: &str) -> Option<Moment> {
    let d = date.as_bytes();
    let t = time.as_bytes();
    if d.len() != 10 || d[4] != b'-' || d[7] != b'-' || t.len() < 8 || t[2] != b':' || t[5] != b':'
    {
        return None;
    }
    let micro = match &t[8..] {
        [] => 0,
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => {
            number(digits)?;
            microseconds(time.get(6..)?.parse().ok()?)
        }
        _ => return None,
    };
    Moment::new(
        (number(&d[..4])?, number(&d[5..7])?, number(&d[8..])?),
        (
            number(&t[..2])?,
            number(&t[3..5])?,
            number(&t[6..8])?,
            micro,
        ),
    )
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum: u32, b| {
        b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0'))
    })
}

/// The fraction of a second as Python truncates it in double arithmetic.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the fraction is in 0..1, so the product is in 0..=1e6"
)]
fn microseconds(second: f64) -> u32 {
    (((second - second.trunc()) * 1e6) as u32).min(999_999)
}

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

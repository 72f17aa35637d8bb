//! A moment in time, its exact text, and the calendar.
//!
//! `UseAfter` keys are compared with the lookup date *as text*. A lookup date is always written
//! `YYYY-MM-DD HH:MM:SS[.ffffff]`, and for such texts order in text is order in time; so a date
//! packed into microseconds can be compared with a packed threshold of the key. Other spellings are
//! read by [`super::date`].

/// Microseconds since the first instant of the year 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(pub(super) u64);

pub(super) const DAY: u64 = 86_400_000_000;

/// Days in the years 1 to 9999.
pub(super) const DAYS: u64 = 3_652_059;

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

pub(super) const fn month_length(year: u32, month: u32) -> u32 {
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

pub(super) fn number(digits: &[u8]) -> Option<u32> {
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
pub(super) fn microseconds(second: f64) -> u32 {
    (((second - second.trunc()) * 1e6) as u32).min(999_999)
}

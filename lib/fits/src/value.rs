//! The values of cards: how they are read, as leniently as astropy does, and how they are written.
//! Source: FITS standard 4.0, section 4.2.

use std::fmt::Write as _;

/// Columns in a card.
pub const CARD_LENGTH: usize = 80;
/// Columns of a standard keyword.
pub(crate) const KEYWORD_LENGTH: usize = 8;
/// The longest text, quotes doubled, that fits one card between its quotes.
pub(crate) const LONGEST_TEXT: usize = CARD_LENGTH - KEYWORD_LENGTH - 4;

/// A value as it was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Without trailing blanks.
    Text(String),
    /// `T` or `F`.
    Logical(bool),
    /// Decimal digits without leading zeros or plus sign: a card holds more than 64 bits.
    Integer(String),
    /// A floating-point number.
    Float(f64),
    /// A complex number: real and imaginary part.
    Complex(f64, f64),
    /// The card has an equals sign and nothing after it.
    Undefined,
    /// The text of `COMMENT`, `HISTORY`, blank and unrecognisable cards.
    Commentary(String),
    /// Something after the equals sign that is none of the above, as it stands.
    Unreadable(String),
}

/// A value to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardValue {
    /// Printable ASCII, at most 68 characters counting each apostrophe twice.
    Text(String),
    /// A whole number.
    Integer(i64),
}

impl CardValue {
    pub(crate) fn formatted(&self) -> String {
        match self {
            Self::Text(text) if text.is_empty() => "''".into(),
            Self::Text(text) => {
                let quoted = format!("'{:8}'", text.replace('\'', "''"));
                format!("{quoted:20}")
            }
            Self::Integer(number) => format!("{number:>20}"),
        }
    }

    /// Why this value cannot be written on one card, if so.
    pub(crate) fn refusal(&self) -> Option<String> {
        let Self::Text(text) = self else { return None };
        if let Some(odd) = text.chars().find(|c| !(' '..='~').contains(c)) {
            return Some(format!(
                "{odd:?} in its value is not a printable ASCII character"
            ));
        }
        let length = text.replace('\'', "''").len();
        (length > LONGEST_TEXT)
            .then(|| format!("its value takes {length} columns, a card has {LONGEST_TEXT}"))
    }
}

impl Value {
    /// Whether writing `new` would change nothing but the look of the card.
    pub(crate) fn is(&self, new: &CardValue) -> bool {
        match (self, new) {
            (Self::Text(old), CardValue::Text(new)) => old == new.trim_end_matches(' '),
            (Self::Integer(old), CardValue::Integer(new)) => *old == new.to_string(),
            _ => false,
        }
    }
}

/// Value and comment of the text after an equals sign.
pub(crate) fn parse_value(text: &str) -> (Value, String) {
    let text = text.trim();
    let read = || -> Option<(Value, &str)> {
        if text.is_empty() || text.starts_with('/') {
            return Some((Value::Undefined, text));
        }
        if let Some((raw, after)) = split_string(text) {
            let value = raw.replace("''", "'");
            return Some((Value::Text(value.trim_end().into()), after));
        }
        for (letter, value) in [('T', true), ('F', false)] {
            if let Some(after) = text.strip_prefix(letter) {
                return Some((Value::Logical(value), after));
            }
        }
        if let Some(inside) = text.strip_prefix('(') {
            return split_complex(inside);
        }
        let (number, after) = split_number(text)?;
        Some((number.value()?, after))
    };
    if let Some((value, after)) = read()
        && ends_value(after)
    {
        return (value, comment_of(after));
    }
    let (value, comment) = text.split_once('/').unwrap_or((text, ""));
    (
        Value::Unreadable(value.trim().into()),
        comment.trim().into(),
    )
}

/// Whether only blanks or a comment follow.
fn ends_value(after: &str) -> bool {
    let rest = after.trim_start_matches(' ');
    rest.is_empty() || rest.starts_with('/')
}

pub(crate) fn comment_of(after: &str) -> String {
    let rest = after.trim_start_matches(' ');
    let comment = rest.strip_prefix('/').unwrap_or_default();
    comment.trim_start_matches(' ').trim_end().to_owned()
}

/// What stands between the quotes (quotes still doubled), and what follows.
pub(crate) fn split_string(text: &str) -> Option<(&str, &str)> {
    let body = text.strip_prefix('\'')?;
    let closed = |at: usize| {
        let (inside, after) = (body.get(..at)?, body.get(at + 1..)?);
        ends_value(after).then_some((inside, after))
    };
    let quotes = || body.match_indices('\'').map(|(at, _)| at);
    let mut paired = quotes().peekable();
    while let Some(at) = paired.next() {
        if paired.peek() == Some(&(at + 1)) {
            paired.next();
        } else if let Some(found) = closed(at) {
            return Some(found);
        }
    }
    // Quotes that were not doubled as they should be: the first that can end the string does.
    quotes().find_map(closed)
}

/// A number's parts, blanks removed.
struct Number {
    text: String,
    whole: bool,
}

impl Number {
    fn value(&self) -> Option<Value> {
        if !self.whole {
            return self.float().map(Value::Float);
        }
        let (sign, digits) = match self.text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", self.text.as_str()),
        };
        Some(Value::Integer(match digits.trim_start_matches('0') {
            "" => "0".into(),
            digits => format!("{sign}{digits}"),
        }))
    }

    fn float(&self) -> Option<f64> {
        self.text.parse().ok()
    }
}

/// A number, as leniently as blanks inside and either letter for the exponent.
fn split_number(text: &str) -> Option<(Number, &str)> {
    let signed = |text: &'_ str| -> (&'static str, usize) {
        match text.as_bytes().first() {
            Some(b'-') => ("-", 1),
            Some(b'+') => ("", 1),
            _ => ("", 0),
        }
    };
    let skip = |text, count| str::get(text, count..).unwrap_or_default();
    let (sign, taken) = signed(text);
    let rest = skip(text, taken).trim_start_matches(' ');
    let (digits, mut rest) = split_digits(rest);
    let mut number = Number {
        text: format!("{sign}{digits}"),
        whole: true,
    };
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        (fraction, rest) = split_digits(after);
        let _ = write!(number.text, ".{fraction}");
        number.whole = false;
    }
    if digits.is_empty() && fraction.is_empty() {
        return None;
    }
    if let Some(after) = rest
        .trim_start_matches(' ')
        .strip_prefix(['d', 'e', 'D', 'E'])
    {
        let after = after.trim_start_matches(' ');
        let (sign, taken) = signed(after);
        let (exponent, after) = split_digits(skip(after, taken).trim_start_matches(' '));
        if !exponent.is_empty() {
            let _ = write!(number.text, "e{sign}{exponent}");
            number.whole = false;
            rest = after;
        }
    }
    Some((number, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// `real, imaginary)` and what follows.
fn split_complex(text: &str) -> Option<(Value, &str)> {
    let (real, rest) = split_number(text.trim_start_matches(' '))?;
    let rest = rest.trim_start_matches(' ').strip_prefix(',')?;
    let (imaginary, rest) = split_number(rest.trim_start_matches(' '))?;
    let rest = rest.trim_start_matches(' ').strip_prefix(')')?;
    Some((Value::Complex(real.float()?, imaginary.float()?), rest))
}

//! One header card: 80 columns of text, or more when `CONTINUE` cards lengthen a string.
//!
//! Values are read as leniently as astropy reads them, because CRDS rules were written against
//! what astropy makes of a header, and written in its usual look. Which cards there are, and
//! where they stand, is the business of the modules beside this one.
//! Source: FITS standard 4.0, sections 4.1 and 4.2; HIERARCH and CONTINUE conventions.

use std::fmt::Write as _;

use crate::header::float_text;

/// Columns in a card.
pub const CARD_LENGTH: usize = 80;
/// Columns of a standard keyword.
const KEYWORD_LENGTH: usize = 8;
/// The longest text, quotes doubled, that fits one card between its quotes.
const LONGEST_TEXT: usize = CARD_LENGTH - KEYWORD_LENGTH - 4;

/// A logical card as it is in the file: one record and the `CONTINUE` records that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    image: Vec<u8>,
}

/// What a card says.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Trimmed; upper case except for `HIERARCH` and unrecognisable cards. Empty if there is none.
    pub keyword: String,
    /// What stands after the equals sign, or the text of a card without one.
    pub value: Value,
    /// Without its slash and the blanks around it.
    pub comment: String,
    /// Whether the keyword stands in the first eight columns as the standard wants it.
    pub standard: bool,
}

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
    fn formatted(&self) -> String {
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
    pub(super) fn refusal(&self) -> Option<String> {
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
    /// The text Python's `str()` gives for the value, `UNDEFINED` for a missing one.
    pub(super) fn python_text(self) -> String {
        match self {
            Self::Text(text)
            | Self::Integer(text)
            | Self::Commentary(text)
            | Self::Unreadable(text) => text,
            Self::Logical(true) => "True".into(),
            Self::Logical(false) => "False".into(),
            Self::Float(number) => float_text(number),
            Self::Complex(real, imaginary) => complex_text(real, imaginary),
            Self::Undefined => "UNDEFINED".into(),
        }
    }

    /// Whether writing `new` would change nothing but the look of the card.
    pub(super) fn is(&self, new: &CardValue) -> bool {
        match (self, new) {
            (Self::Text(old), CardValue::Text(new)) => old == new.trim_end_matches(' '),
            (Self::Integer(old), CardValue::Integer(new)) => *old == new.to_string(),
            _ => false,
        }
    }
}

/// `(1+2j)`, or `2j` where there is no real part.
fn complex_text(real: f64, imaginary: f64) -> String {
    let part = |number| {
        let text = float_text(number);
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    };
    let imaginary_part = part(imaginary);
    if real == 0.0 && real.is_sign_positive() {
        return imaginary_part + "j";
    }
    let plus = if imaginary.is_sign_negative() && !imaginary.is_nan() {
        ""
    } else {
        "+"
    };
    format!("({}{plus}{imaginary_part}j)", part(real))
}

impl Card {
    /// A card of one record.
    pub fn from_record(record: &[u8; CARD_LENGTH]) -> Self {
        Self {
            image: record.to_vec(),
        }
    }

    /// Appends a `CONTINUE` record.
    pub(super) fn extend(&mut self, record: &[u8; CARD_LENGTH]) {
        self.image.extend_from_slice(record);
    }

    /// A new card. A comment that does not fit is cut off at the end of the card.
    ///
    /// The caller has checked keyword and value (`CardValue::refusal`).
    pub(super) fn new(keyword: &str, value: &CardValue, comment: &str) -> Self {
        let mut text = format!("{keyword:KEYWORD_LENGTH$}= {}", value.formatted());
        if !comment.is_empty() {
            let _ = write!(text, " / {comment}");
        }
        // Cards are Latin-1 here: a comment may hold bytes that are not ASCII, and keeps them.
        let image = text
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
            .chain(std::iter::repeat(b' '))
            .take(CARD_LENGTH)
            .collect();
        Self { image }
    }

    /// The bytes as they are in the file, a multiple of 80.
    pub(super) fn image(&self) -> &[u8] {
        &self.image
    }

    /// Whether all 80 columns are blank.
    pub(super) fn is_blank(&self) -> bool {
        self.image.iter().all(|&byte| byte == b' ')
    }

    /// Whether this is a `COMMENT`, `HISTORY` or keywordless card.
    pub(super) fn is_commentary(&self) -> bool {
        is_commentary(&self.parse().keyword)
    }

    /// Reads the card. Never fails: what cannot be understood is kept as text.
    pub fn parse(&self) -> Parsed {
        let text = latin1(&self.image);
        let first: String = text.chars().take(CARD_LENGTH).collect();
        let label = columns(&first, 0, KEYWORD_LENGTH);
        let keyword = label.trim().to_uppercase();
        let unread = |keyword: String| Parsed {
            keyword,
            value: Value::Commentary(columns(&text, KEYWORD_LENGTH, usize::MAX).trim_end().into()),
            comment: String::new(),
            standard: true,
        };
        if is_commentary(&keyword) {
            return unread(keyword);
        }
        if keyword == "CONTINUE" {
            let (value, comment) = parse_value(columns(&first, KEYWORD_LENGTH, CARD_LENGTH));
            return Parsed {
                keyword,
                value,
                comment,
                standard: false,
            };
        }
        if keyword == "HIERARCH"
            && columns(&first, 8, 9) == " "
            && let Some((name, rest)) = first.split_once('=')
        {
            let (value, comment) = self.lengthened(rest);
            return Parsed {
                keyword: columns(name, 9, CARD_LENGTH).trim().to_owned(),
                value,
                comment,
                standard: false,
            };
        }
        match first.split_once("= ") {
            Some((name, rest)) if name.chars().count() <= KEYWORD_LENGTH => {
                let (value, comment) = self.lengthened(rest);
                Parsed {
                    keyword: name.trim().to_uppercase(),
                    value,
                    comment,
                    standard: true,
                }
            }
            _ => unread(label.trim().to_owned()),
        }
    }

    /// The value after the equals sign, with what `CONTINUE` records add to a string.
    fn lengthened(&self, first: &str) -> (Value, String) {
        let further = self.image.get(CARD_LENGTH..).unwrap_or_default();
        if further.is_empty() {
            return parse_value(first);
        }
        let mut text = String::new();
        let mut comments: Vec<String> = Vec::new();
        let records = further.chunks(CARD_LENGTH).map(latin1);
        let rests = records.map(|record| columns(&record, KEYWORD_LENGTH, CARD_LENGTH).to_owned());
        for (index, rest) in std::iter::once(first.to_owned()).chain(rests).enumerate() {
            let Some((part, after)) = split_string(rest.trim()) else {
                if index == 0 {
                    return parse_value(first);
                }
                break;
            };
            let part = part.trim_end();
            text.push_str(part.strip_suffix('&').unwrap_or(part));
            let comment = comment_of(after);
            if !comment.is_empty() {
                comments.push(comment);
            }
        }
        let text = text.replace("''", "'");
        (Value::Text(text.trim_end().into()), comments.join(" "))
    }
}

fn is_commentary(keyword: &str) -> bool {
    matches!(keyword, "" | "COMMENT" | "HISTORY")
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Characters `from..to`, as far as there are any.
fn columns(text: &str, from: usize, to: usize) -> &str {
    let at = |column: usize| {
        text.char_indices()
            .nth(column)
            .map_or(text.len(), |(byte, _)| byte)
    };
    text.get(at(from)..at(to)).unwrap_or_default()
}

/// Value and comment of the text after an equals sign.
fn parse_value(text: &str) -> (Value, String) {
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

fn comment_of(after: &str) -> String {
    let rest = after.trim_start_matches(' ');
    let comment = rest.strip_prefix('/').unwrap_or_default();
    comment.trim_start_matches(' ').trim_end().to_owned()
}

/// What stands between the quotes (quotes still doubled), and what follows.
fn split_string(text: &str) -> Option<(&str, &str)> {
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

#[cfg(test)]
#[path = "card_tests.rs"]
mod tests;

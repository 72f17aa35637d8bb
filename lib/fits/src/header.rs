//! One header: its cards in file order, the values of its keywords, and how much data follows.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::card::Card;
use crate::error::FitsProblem;
use crate::value::Value;

/// The cards of one header-data unit, without `END`.
#[derive(Debug, Clone, Default)]
pub struct Header {
    pub(crate) cards: Vec<Card>,
    /// Bytes the header takes in the file, a multiple of the block size.
    pub(crate) length: usize,
    /// The first value of each keyword, once somebody asks for one.
    values: OnceLock<HashMap<String, Value>>,
}

impl Header {
    /// The cards in file order; a string that `CONTINUE` records lengthen is one card.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// The value of the first card with this keyword that has a string, number or logical.
    pub fn get(&self, keyword: &str) -> Option<&Value> {
        self.values.get_or_init(|| self.read_values()).get(keyword)
    }

    fn read_values(&self) -> HashMap<String, Value> {
        let mut values = HashMap::with_capacity(self.cards.len());
        for parsed in self.cards.iter().map(Card::parse) {
            let is_value = matches!(
                parsed.value,
                Value::Text(_) | Value::Logical(_) | Value::Integer(_) | Value::Float(_)
            );
            if is_value && !parsed.keyword.is_empty() {
                values.entry(parsed.keyword).or_insert(parsed.value);
            }
        }
        values
    }

    /// A string value; `None` if absent or of another type.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        match self.get(keyword)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer value; `None` if absent, of another type, or more than 64 bits.
    pub fn integer(&self, keyword: &str) -> Option<i64> {
        match self.get(keyword)? {
            Value::Integer(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// A number; `None` if absent or of another type.
    pub fn real(&self, keyword: &str) -> Option<f64> {
        match self.get(keyword)? {
            Value::Integer(digits) => digits.parse().ok(),
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes of data that follow the header, without what fills the last block:
    /// `|BITPIX|/8 * GCOUNT * (PCOUNT + NAXIS1*...*NAXISm)` (FITS standard 4.0, sections 4.4 and 6).
    pub(crate) fn data_length(&self) -> Result<u64, FitsProblem> {
        let geometry = Geometry::of(&self.cards);
        let axes = geometry.count("NAXIS", Some(0))?;
        if axes > 999 {
            return Err(FitsProblem::Geometry(format!("NAXIS is {axes}")));
        }
        if axes == 0 {
            return Ok(0);
        }
        let bits = match geometry.integer("BITPIX")? {
            Some(bits @ (8 | 16 | 32 | 64 | -32 | -64)) => bits.unsigned_abs(),
            Some(bits) => return Err(FitsProblem::Geometry(format!("BITPIX is {bits}"))),
            None => return Err(FitsProblem::Geometry("BITPIX is missing".into())),
        };
        let huge = || FitsProblem::Geometry("more bytes than a file can have".into());
        let mut elements = 1_u64;
        for axis in 1..=axes {
            let length = geometry.count(&format!("NAXIS{axis}"), None)?;
            // A first axis of zero announces random groups, where the others still count.
            if !(axis == 1 && length == 0 && geometry.has_groups()) {
                elements = elements.checked_mul(length).ok_or_else(huge)?;
            }
        }
        let groups = geometry.count("GCOUNT", Some(1))?;
        elements
            .checked_add(geometry.count("PCOUNT", Some(0))?)
            .and_then(|all| all.checked_mul(groups))
            .and_then(|all| all.checked_mul(bits / 8))
            .ok_or_else(huge)
    }
}

/// The keywords that say how much data there is, the first of each.
struct Geometry(HashMap<String, Value>);

impl Geometry {
    fn of(cards: &[Card]) -> Self {
        let names: [&[u8]; 5] = [b"BITPIX", b"NAXIS", b"PCOUNT", b"GCOUNT", b"GROUPS"];
        let relevant = |card: &&Card| names.iter().any(|name| card.image().starts_with(name));
        let mut found = HashMap::new();
        for parsed in cards.iter().filter(relevant).map(Card::parse) {
            found.entry(parsed.keyword).or_insert(parsed.value);
        }
        Self(found)
    }

    /// The value of a whole-number keyword.
    fn integer(&self, keyword: &str) -> Result<Option<i64>, FitsProblem> {
        let wrong = || FitsProblem::Geometry(format!("{keyword} is not a whole number of 64 bits"));
        match self.0.get(keyword) {
            None => Ok(None),
            Some(Value::Integer(digits)) => digits.parse().map(Some).map_err(|_| wrong()),
            Some(_) => Err(wrong()),
        }
    }

    fn count(&self, keyword: &str, absent: Option<u64>) -> Result<u64, FitsProblem> {
        match (self.integer(keyword)?, absent) {
            (Some(number), _) => u64::try_from(number)
                .map_err(|_| FitsProblem::Geometry(format!("{keyword} is {number}"))),
            (None, Some(absent)) => Ok(absent),
            (None, None) => Err(FitsProblem::Geometry(format!("{keyword} is missing"))),
        }
    }

    fn has_groups(&self) -> bool {
        self.0.get("GROUPS") == Some(&Value::Logical(true))
    }
}

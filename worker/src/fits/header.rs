//! The cards of one header, by keyword. How a card is read is known to `crds-core`; continued strings
//! are cut at their first card, because no keyword needed here has one.

use crds_core::dataset::fits::{CARD_LENGTH, Card, Parsed};

pub use crds_core::dataset::fits::Value;

/// The cards of one header that have a value, in file order.
#[derive(Debug, Clone, Default)]
pub struct Header {
    cards: Vec<(String, Value)>,
}

impl Header {
    /// Takes the cards of one block; says whether the header ended in it.
    pub(super) fn take(&mut self, block: &[u8]) -> bool {
        let (records, _) = block.as_chunks::<CARD_LENGTH>();
        for record in records {
            if record.starts_with(b"END     ") {
                return true;
            }
            let Parsed { keyword, value, .. } = Card::from_record(record).parse();
            let is_value = matches!(
                value,
                Value::Text(_) | Value::Logical(_) | Value::Integer(_) | Value::Float(_)
            );
            if is_value && !keyword.is_empty() {
                self.cards.push((keyword, value));
            }
        }
        false
    }

    /// The value of the first card with this keyword.
    pub fn get(&self, keyword: &str) -> Option<&Value> {
        self.cards
            .iter()
            .find(|(name, _)| name == keyword)
            .map(|(_, value)| value)
    }

    /// A string value; `None` if absent or of another type.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        match self.get(keyword)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer value; `None` if absent or of another type.
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

    /// Whether a calibration switch is set to `PERFORM`.
    pub fn performs(&self, switch: &str) -> bool {
        self.text(switch)
            .is_some_and(|text| text.trim().eq_ignore_ascii_case("PERFORM"))
    }

    /// The keywords and values, in file order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.cards.iter().map(|(name, value)| (&**name, value))
    }
}

//! Header cards: keyword, value, nothing else. Comments and long strings are not kept.

/// The cards of one header that have a value, in file order.
#[derive(Debug, Clone, Default)]
pub struct Header {
    cards: Vec<(String, Value)>,
}

/// The value of a card (section 4.2).
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A character string, without the trailing blanks, which mean nothing.
    Text(String),
    /// `T` or `F`.
    Logical(bool),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
}

const CARD: usize = 80;

impl Header {
    /// Takes the cards of one block; says whether the header ended in it.
    pub(super) fn take(&mut self, block: &[u8]) -> bool {
        for card in block.chunks_exact(CARD) {
            if let Some((keyword, value)) = parse(card) {
                self.cards.push((keyword, value));
            } else if card.starts_with(b"END     ") {
                return true;
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
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// A number; `None` if absent or of another type.
    #[allow(
        clippy::cast_precision_loss,
        reason = "callers want a measure, not a count"
    )]
    pub fn real(&self, keyword: &str) -> Option<f64> {
        match self.get(keyword)? {
            Value::Integer(number) => Some(*number as f64),
            Value::Real(number) => Some(*number),
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

fn parse(card: &[u8]) -> Option<(String, Value)> {
    let rest = card.get(8..)?.strip_prefix(b"= ")?;
    let keyword = std::str::from_utf8(card.get(..8)?).ok()?.trim_end();
    let text: String = rest.iter().map(|byte| char::from(*byte)).collect();
    let text = text.trim_start();
    let value = if let Some(quoted) = text.strip_prefix('\'') {
        Value::Text(unquote(quoted))
    } else {
        let bare = text.split('/').next().unwrap_or("").trim_end();
        match bare {
            "T" => Value::Logical(true),
            "F" => Value::Logical(false),
            _ => number(bare)?,
        }
    };
    Some((keyword.to_owned(), value))
}

fn unquote(quoted: &str) -> String {
    let mut text = String::new();
    let mut characters = quoted.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\'' && characters.next_if_eq(&'\'').is_none() {
            break;
        }
        text.push(character);
    }
    text.truncate(text.trim_end_matches(' ').len());
    text
}

fn number(text: &str) -> Option<Value> {
    if let Ok(integer) = text.parse() {
        return Some(Value::Integer(integer));
    }
    // Rust would also read "inf" and "nan", which are no FITS numbers.
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'E' | 'D');
    if !text.chars().all(allowed) {
        return None;
    }
    text.replace('D', "E").parse().ok().map(Value::Real)
}

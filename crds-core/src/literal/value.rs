//! A literal's value, and how Python would print and compare it.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use crate::header::float_text;

/// A Python literal, its strings borrowed from the text where they have no escapes.
///
/// Dictionaries keep the order of the text. Equality and hashing are Python's: `1`, `1.0` and
/// `True` are the same key.
#[derive(Debug, Clone)]
pub enum Literal<'a> {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer; larger ones than fit are refused.
    Int(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// A string, escapes resolved.
    Str(Cow<'a, str>),
    /// `()`, `(1,)`, `(1, 2)`
    Tuple(Vec<Literal<'a>>),
    /// `[1, 2]`
    List(Vec<Literal<'a>>),
    /// `{1: 2}`; a repeated key kept its place and got the later value.
    Dict(Vec<(Literal<'a>, Literal<'a>)>),
    /// A selector call with its one argument; only rule files have them.
    Call(&'static str, Box<Literal<'a>>),
}

impl<'a> Literal<'a> {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The pairs of a dictionary, in order.
    pub fn as_dict(&self) -> Option<&[(Literal<'a>, Literal<'a>)]> {
        match self {
            Self::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The elements of a tuple or list, in order.
    pub fn as_sequence(&self) -> Option<&[Literal<'a>]> {
        match self {
            Self::Tuple(items) | Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a string key of a dictionary.
    pub fn get(&self, key: &str) -> Option<&Literal<'a>> {
        self.as_dict()?
            .iter()
            .find(|(k, _)| k.as_str() == Some(key))
            .map(|(_, value)| value)
    }

    /// The same value, independent of the text.
    pub fn to_static(&self) -> Literal<'static> {
        let all = |items: &[Literal<'_>]| items.iter().map(Literal::to_static).collect();
        match self {
            Self::None => Literal::None,
            Self::Bool(value) => Literal::Bool(*value),
            Self::Int(value) => Literal::Int(*value),
            Self::Float(value) => Literal::Float(*value),
            Self::Str(text) => Literal::Str(Cow::Owned(text.clone().into_owned())),
            Self::Tuple(items) => Literal::Tuple(all(items)),
            Self::List(items) => Literal::List(all(items)),
            Self::Dict(pairs) => Literal::Dict(
                pairs
                    .iter()
                    .map(|(key, value)| (key.to_static(), value.to_static()))
                    .collect(),
            ),
            Self::Call(name, argument) => Literal::Call(name, Box::new(argument.to_static())),
        }
    }

    /// What sort of value this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Str(_) => "a string",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dictionary",
            Self::Call(..) => "a selector",
        }
    }

    /// The text Python's `str()` gives for a scalar; tuples and the like print as `repr()` does.
    pub(crate) fn plain_text(&self) -> Cow<'_, str> {
        match self {
            Self::Str(text) => Cow::Borrowed(text),
            Self::Float(value) => Cow::Owned(float_text(*value)),
            other => Cow::Owned(other.to_string()),
        }
    }

    /// Whether Python could use the value as a dictionary key.
    pub(crate) fn is_hashable(&self) -> bool {
        match self {
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            Self::List(_) | Self::Dict(_) | Self::Call(..) => false,
            _ => true,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            #[allow(
                clippy::cast_precision_loss,
                reason = "only compared with doubles; integers among themselves compare exactly"
            )]
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }
}

impl PartialEq for Literal<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Tuple(a), Self::Tuple(b)) | (Self::List(a), Self::List(b)) => a == b,
            (Self::Dict(a), Self::Dict(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, value)| b.iter().any(|(k, v)| k == key && v == value))
            }
            (Self::Call(a, x), Self::Call(b, y)) => a == b && x == y,
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }
}

/// NaN is the one value that breaks `Eq`; a literal cannot spell it.
impl Eq for Literal<'_> {}

impl Hash for Literal<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Str(text) => text.hash(state),
            Self::Tuple(items) => items.iter().for_each(|item| item.hash(state)),
            // `-0.0` equals `0.0`, so it must hash alike.
            other => {
                let number = other.number().unwrap_or(0.0);
                (if number == 0.0 { 0.0 } else { number })
                    .to_bits()
                    .hash(state);
            }
        }
    }
}

impl fmt::Display for Literal<'_> {
    /// Python's `repr()`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) if value.is_infinite() => {
                f.write_str(if *value > 0.0 { "1e999" } else { "-1e999" })
            }
            Self::Float(value) => f.write_str(&float_text(*value)),
            Self::Str(text) => quoted(text, f),
            Self::Tuple(items) if items.len() == 1 => write!(f, "({},)", items[0]),
            Self::Tuple(items) => separated(f, '(', items, ')'),
            Self::List(items) => separated(f, '[', items, ']'),
            Self::Dict(pairs) => {
                f.write_char('{')?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{key}: {value}")?;
                }
                f.write_char('}')
            }
            Self::Call(name, argument) => write!(f, "{name}({argument})"),
        }
    }
}

fn separated(
    f: &mut fmt::Formatter<'_>,
    open: char,
    items: &[Literal<'_>],
    close: char,
) -> fmt::Result {
    f.write_char(open)?;
    for (index, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
    }
    f.write_char(close)
}

/// Writes a string as Python's `repr()` does: single quotes unless only those would need escaping.
pub(crate) fn quoted(text: &str, f: &mut impl Write) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if c < ' ' || ('\x7f'..'\u{a0}').contains(&c) || c == '\u{ad}' => {
                write!(f, "\\x{:02x}", u32::from(c))?;
            }
            '\u{2028}' | '\u{2029}' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char(quote)
}

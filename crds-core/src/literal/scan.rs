//! The characters of a Python text: where blanks, comments, words, numbers and strings end.

use std::borrow::Cow;

use super::{Literal, LiteralError, MAX_BYTES};
use crate::header::decimal::Decimal;

/// A place in the text, moving forward.
pub(crate) struct Scan<'a> {
    file: String,
    text: &'a str,
    pub(crate) at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(file: &str, text: &'a str) -> Result<Self, LiteralError> {
        let scan = Self {
            file: file.to_owned(),
            // Python skips a byte order mark at the start of a source file.
            text: text.strip_prefix('\u{feff}').unwrap_or(text),
            at: 0,
        };
        if text.len() > MAX_BYTES {
            return Err(scan.error(
                0,
                format!(
                    "the text has {} bytes, more than the {MAX_BYTES} that are read",
                    text.len()
                ),
            ));
        }
        Ok(scan)
    }

    pub(crate) fn error(&self, at: usize, problem: impl Into<String>) -> LiteralError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        LiteralError {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem: problem.into(),
        }
    }

    /// The error for something that cannot stand here.
    pub(crate) fn unexpected(&self, wanted: &str) -> LiteralError {
        let found = match self.rest().chars().next() {
            None => "the end of the text".to_owned(),
            Some(c) => format!("{c:?}"),
        };
        self.error(self.at, format!("expected {wanted}, found {found}"))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The first of the symbols that comes next, skipped.
    pub(crate) fn symbol(&mut self, symbols: &[&'static str]) -> Option<&'static str> {
        let rest = self.rest();
        let found = symbols.iter().find(|symbol| rest.starts_with(**symbol))?;
        self.at += found.len();
        Some(found)
    }

    /// Skips blanks, line ends, continued lines and comments.
    pub(crate) fn skip_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => self.at += 1,
                b'\\' if matches!(bytes.get(self.at + 1), Some(b'\n' | b'\r')) => self.at += 2,
                b'#' => {
                    let line = bytes.get(self.at..).unwrap_or_default();
                    self.at += line
                        .iter()
                        .position(|b| matches!(b, b'\n' | b'\r'))
                        .unwrap_or(line.len());
                }
                _ => return,
            }
        }
    }

    /// Whether a line ends between `from` and here.
    pub(crate) fn has_line_end(&self, from: usize) -> bool {
        self.text
            .get(from..self.at)
            .is_some_and(|skipped| skipped.contains(['\n', '\r']))
    }

    /// An identifier, or nothing.
    pub(crate) fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let len = rest
            .bytes()
            .position(|b| !(b.is_ascii_alphanumeric() || b == b'_'))
            .unwrap_or(rest.len());
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        self.at += len;
        &rest[..len]
    }

    /// A number without sign.
    pub(crate) fn number(&mut self) -> Result<Literal<'static>, LiteralError> {
        let start = self.at;
        let rest = self.rest();
        let Decimal {
            whole,
            fraction,
            exponent,
            end: len,
            ..
        } = Decimal::at_start_of(rest);
        let is_float = fraction.is_some() || exponent;
        let text = &rest[..len];
        self.at += len;
        if matches!(self.peek(), Some(b) if b.is_ascii_alphanumeric() || b == b'_') {
            return Err(self.error(start, "this is not a decimal number"));
        }
        if is_float {
            let value = text.parse::<f64>();
            return value
                .map(Literal::Float)
                .map_err(|_| self.error(start, format!("`{text}` is not a number")));
        }
        if whole > 1 && text.starts_with('0') && text.bytes().any(|b| b != b'0') {
            return Err(self.error(start, "an integer cannot start with 0"));
        }
        let value = text.parse::<i64>();
        value
            .map(Literal::Int)
            .map_err(|_| self.error(start, format!("the integer `{text}` is too large")))
    }

    /// A quoted string; the scan stands on its opening quote.
    pub(crate) fn string(&mut self, raw: bool) -> Result<Cow<'a, str>, LiteralError> {
        let start = self.at;
        let rest = self.rest();
        let quote = if rest.starts_with('\'') { '\'' } else { '"' };
        let triple = if quote == '\'' { "'''" } else { "\"\"\"" };
        let end = if rest.starts_with(triple) {
            triple
        } else {
            &triple[..1]
        };
        let body = &rest[end.len()..];
        let bytes = body.as_bytes();
        let mut at = 0;
        let mut has_escapes = false;
        // Nearly all bytes mean themselves; the catalogue is one string of megabytes.
        let means_more =
            |byte: &u8| matches!(byte, b'\\' | b'\n' | b'\r') || char::from(*byte) == quote;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(plain) = rest.iter().position(means_more) else {
                return Err(self.error(start, "the string has no end"));
            };
            at += plain;
            let byte = rest[plain];
            match byte {
                b'\\' => {
                    has_escapes = true;
                    at += 2;
                }
                b'\n' | b'\r' if end.len() == 1 => {
                    return Err(self.error(start, "the string does not end on its line"));
                }
                _ if bytes[at..].starts_with(end.as_bytes()) => break,
                _ => at += 1,
            }
        }
        let inner = &body[..at];
        let inner_start = start + end.len();
        self.at = inner_start + at + end.len();
        if has_escapes && !raw {
            self.unescape(inner, inner_start).map(Cow::Owned)
        } else {
            Ok(Cow::Borrowed(inner))
        }
    }

    fn unescape(&self, text: &str, start: usize) -> Result<String, LiteralError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(slash) = rest.find('\\') {
            let at = start + text.len() - rest.len() + slash;
            out.push_str(&rest[..slash]);
            rest = &rest[slash + 1..];
            let Some(c) = rest.chars().next() else { break };
            rest = &rest[c.len_utf8()..];
            let mut coded = |len: usize, radix: u32, from: &str| {
                let digits = from
                    .get(..len)
                    .filter(|d| d.bytes().all(|b| char::from(b).is_digit(radix)));
                digits
                    .and_then(|d| u32::from_str_radix(d, radix).ok())
                    .and_then(char::from_u32)
                    .map(|c| out.push(c))
                    .ok_or_else(|| self.error(at, "this escape names no character"))
            };
            match c {
                '\n' => {}
                '\r' => rest = rest.strip_prefix('\n').unwrap_or(rest),
                'x' | 'u' | 'U' => {
                    let len = match c {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    coded(len, 16, rest)?;
                    rest = &rest[len..];
                }
                '0'..='7' => {
                    let from = &text[text.len() - rest.len() - 1..];
                    let len = from
                        .bytes()
                        .take(3)
                        .take_while(|b| (b'0'..=b'7').contains(b))
                        .count();
                    coded(len, 8, from)?;
                    rest = &from[len..];
                }
                'N' => return Err(self.error(at, "characters cannot be given by name")),
                _ => match simple_escape(c) {
                    Some(meant) => out.push(meant),
                    // Python keeps both characters of an escape it does not know.
                    None => out.extend(['\\', c]),
                },
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn simple_escape(c: char) -> Option<char> {
    Some(match c {
        '\\' | '\'' | '"' => c,
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        _ => return None,
    })
}

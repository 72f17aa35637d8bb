//! One header card: 80 columns of text, or more when `CONTINUE` cards lengthen a string.
//!
//! Cards are read as leniently as astropy reads them, and written in its usual look. Which cards there
//! are, where they stand, and what their values are is left to the modules beside this one.
//! Source: FITS standard 4.0, sections 4.1 and 4.2; HIERARCH and CONTINUE conventions.

use std::fmt::Write as _;

use crate::value::{
    CARD_LENGTH, CardValue, KEYWORD_LENGTH, Value, comment_of, parse_value, split_string,
};

/// A logical card as it is in the file: one record and the `CONTINUE` records that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    image: Vec<u8>,
}

/// What a card says.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedCard {
    /// Trimmed; upper case except for `HIERARCH` and unrecognisable cards. Empty if there is none.
    pub keyword: String,
    /// What stands after the equals sign, or the text of a card without one.
    pub value: Value,
    /// Without its slash and the blanks around it.
    pub comment: String,
    /// Whether the keyword stands in the first eight columns as the standard wants it.
    pub standard: bool,
}

impl Card {
    /// A card of one record.
    pub fn from_record(record: &[u8; CARD_LENGTH]) -> Self {
        Self {
            image: record.to_vec(),
        }
    }

    /// Appends a `CONTINUE` record.
    pub(crate) fn extend(&mut self, record: &[u8; CARD_LENGTH]) {
        self.image.extend_from_slice(record);
    }

    /// A new card. A comment that does not fit is cut off at the end of the card.
    ///
    /// The caller has checked keyword and value (`CardValue::refusal`).
    pub(crate) fn new(keyword: &str, value: &CardValue, comment: &str) -> Self {
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
    pub(crate) fn image(&self) -> &[u8] {
        &self.image
    }

    /// Whether all 80 columns are blank.
    pub(crate) fn is_blank(&self) -> bool {
        self.image.iter().all(|&byte| byte == b' ')
    }

    /// Whether this is a `COMMENT`, `HISTORY` or keywordless card.
    pub(crate) fn is_commentary(&self) -> bool {
        is_commentary(&self.parse().keyword)
    }

    /// Reads the card. Never fails: what cannot be understood is kept as text.
    pub fn parse(&self) -> ParsedCard {
        let text = latin1(&self.image);
        let first: String = text.chars().take(CARD_LENGTH).collect();
        let label = columns(&first, 0, KEYWORD_LENGTH);
        let keyword = label.trim().to_uppercase();
        let unread = |keyword: String| ParsedCard {
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
            return ParsedCard {
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
            return ParsedCard {
                keyword: columns(name, 9, CARD_LENGTH).trim().to_owned(),
                value,
                comment,
                standard: false,
            };
        }
        match first.split_once("= ") {
            Some((name, rest)) if name.chars().count() <= KEYWORD_LENGTH => {
                let (value, comment) = self.lengthened(rest);
                ParsedCard {
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

#[cfg(test)]
#[path = "card_tests.rs"]
mod tests;

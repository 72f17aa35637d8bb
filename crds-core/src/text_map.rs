//! A map keyed by texts, most of which are as short as header keys and values are.
//!
//! Texts of up to 15 bytes are kept in the table itself, so that finding one needs no second look
//! elsewhere in memory. That is most of the time a bulk lookup spends.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

/// A map from texts to small values.
#[derive(Debug, Clone)]
pub(crate) struct TextMap<V> {
    short: HashMap<u128, V, FxBuildHasher>,
    long: HashMap<Box<str>, V, FxBuildHasher>,
}

impl<V> Default for TextMap<V> {
    fn default() -> Self {
        Self {
            short: HashMap::default(),
            long: HashMap::default(),
        }
    }
}

impl<V: Copy> TextMap<V> {
    pub(crate) fn get(&self, text: &str) -> Option<V> {
        match short(text) {
            Some(key) => self.short.get(&key),
            None => self.long.get(text),
        }
        .copied()
    }

    /// Puts a value in; the old one is lost.
    pub(crate) fn insert(&mut self, text: &str, value: V) {
        match short(text) {
            Some(key) => self.short.insert(key, value),
            None => self.long.insert(text.into(), value),
        };
    }

    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    pub(crate) fn clear(&mut self) {
        self.short.clear();
        self.long.clear();
    }
}

/// A text of up to 15 bytes, and its length in the highest byte, as one number.
fn short(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    let length = bytes.len();
    // Two reads that may overlap cover the text; what they share is shifted out.
    let content = match length {
        0..4 => bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u128::from(*byte)),
        4..8 => {
            let low = u32::from_le_bytes(*bytes.first_chunk()?);
            let high = u32::from_le_bytes(*bytes.last_chunk()?);
            u128::from(low) | u128::from(high) >> (8 * (8 - length)) << 32
        }
        8..16 => {
            let low = u64::from_le_bytes(*bytes.first_chunk()?);
            let high = u64::from_le_bytes(*bytes.last_chunk()?);
            // With 8 bytes nothing of the second read is left.
            let rest = u128::from(high) >> (8 * (16 - length));
            u128::from(low) | rest << 64
        }
        _ => return None,
    };
    Some(content | (length as u128) << 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_texts_are_kept_apart() {
        let mut map = TextMap::default();
        let texts = [
            "",
            "\0",
            "\0\0",
            "A",
            "A\0",
            "fifteen bytes..",
            "sixteen bytes...",
            "AB",
        ];
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(map.get(text), None);
            map.insert(text, number);
        }
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(map.get(text), Some(number), "{text:?}");
        }
        assert_eq!(map.len(), texts.len());
        map.clear();
        assert_eq!(map.get("A"), None);
    }
}

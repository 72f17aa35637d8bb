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

/// A text of up to 15 bytes, and its length, as one number.
fn short(text: &str) -> Option<u128> {
    let mut bytes = [0; 16];
    let length = u8::try_from(text.len())
        .ok()
        .filter(|length| *length < 16)?;
    bytes[15] = length;
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    Some(u128::from_le_bytes(bytes))
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

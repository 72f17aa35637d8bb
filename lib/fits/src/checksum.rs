//! The checksum of a header-data unit: the ones' complement sum of its 32-bit words, written as
//! sixteen characters that bring the sum of the whole unit to zero.
//! Source: FITS standard 4.0, section 4.4.2.7 and appendix J.

/// What `CHECKSUM` holds while the sum is being formed.
pub(crate) const ZERO: &str = "0000000000000000";

/// A running sum over whole words; the last ones are filled with zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum(u32);

impl Sum {
    /// The sum with these bytes added. All but the last piece must be whole words long.
    pub(crate) fn add(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        let mut sum = u64::from(self.0) + u64::from(u32::from_be_bytes(last));
        for word in words {
            sum += u64::from(u32::from_be_bytes(*word));
            // A carry out of the upper half comes back at the bottom; folding early keeps room.
            sum = (sum & 0xffff_ffff) + (sum >> 32);
        }
        while sum >> 32 != 0 {
            sum = (sum & 0xffff_ffff) + (sum >> 32);
        }
        Self(u32::try_from(sum).unwrap_or(u32::MAX))
    }

    /// Whether a unit with this sum has a right checksum: zero, which is also all ones.
    pub(crate) fn is_zero(self) -> bool {
        matches!(self.0, 0 | u32::MAX)
    }

    /// The text for `CHECKSUM`, this being the sum with [`ZERO`] in its place.
    pub(crate) fn complement_text(self) -> String {
        let mut text = [[0_u8; 4]; 4];
        for (column, byte) in (!self.0).to_be_bytes().into_iter().enumerate() {
            let mut characters = [b'0' + byte / 4; 4];
            characters[0] += byte % 4;
            // Pairs keep their sum while both move away from what is neither letter nor digit.
            let [a, b, c, d] = characters;
            let ((a, b), (c, d)) = (alphanumeric(a, b), alphanumeric(c, d));
            for (row, character) in text.iter_mut().zip([a, b, c, d]) {
                if let Some(place) = row.get_mut(column) {
                    *place = character;
                }
            }
        }
        let mut text = text.concat();
        // The value begins in the last byte of a word, so everything stands one place later.
        text.rotate_right(1);
        text.into_iter().map(char::from).collect()
    }
}

fn alphanumeric(mut up: u8, mut down: u8) -> (u8, u8) {
    while !(up.is_ascii_alphanumeric() && down.is_ascii_alphanumeric()) {
        up += 1;
        down -= 1;
    }
    (up, down)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_brings_the_sum_to_zero(words in proptest::collection::vec(any::<u8>(), 16..400)) {
            let mut bytes = words;
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            // Columns 12 to 27 of a card whose keyword begins on a word.
            let mut card = b"CHECKSUM= '0000000000000000'        ".to_vec();
            let sum = Sum::default().add(&bytes).add(&card);
            let text = sum.complement_text();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{}", text);
            card[11..27].copy_from_slice(text.as_bytes());
            prop_assert!(Sum::default().add(&bytes).add(&card).is_zero());
        }

        #[test]
        fn pieces_add_up(words in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..50) {
            let at = (at * 4).min(words.len() / 4 * 4);
            let (first, second) = words.split_at(at);
            prop_assert_eq!(Sum::default().add(first).add(second), Sum::default().add(&words));
        }
    }
}

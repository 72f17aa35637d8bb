//! CRC-64/NVME sums, as S3 has them of objects: many times as fast as SHA-1, so that a download is checked
//! for next to nothing.

use std::fmt;
use std::str::FromStr;

use crc_fast::{CrcAlgorithm, Digest};

/// A CRC-64/NVME sum; displays as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crc64Sum(u64);

/// A text that is no CRC-64 sum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not a CRC-64 sum: expected 16 hexadecimal digits")]
pub struct NotACrc64;

impl Crc64Sum {
    /// The sum of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut sum = Crc64::new();
        sum.update(bytes);
        sum.finish()
    }
}

/// A sum that grows with what is added to it.
#[derive(Clone)]
pub struct Crc64(Digest);

impl Crc64 {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Nvme))
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds the bytes that another sum was made of, without having them.
    pub fn append(&mut self, next: &Self) {
        self.0.combine(&next.0);
    }

    /// The sum of everything added.
    pub fn finish(self) -> Crc64Sum {
        Crc64Sum(self.0.finalize())
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crc64")
    }
}

impl fmt::Display for Crc64Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Crc64Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Crc64Sum {
    type Err = NotACrc64;

    fn from_str(text: &str) -> Result<Self, NotACrc64> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(sum) if digits => Ok(Self(sum)),
            _ => Err(NotACrc64),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_the_crc_that_s3_computes() {
        // the check value of CRC-64/NVME in the catalogue of parametrised CRC algorithms
        assert_eq!(Crc64Sum::of(b"123456789").to_string(), "ae8b14860a799888");
    }

    proptest! {
        #[test]
        fn sums_of_parts_make_that_of_the_whole(one: Vec<u8>, other: Vec<u8>) {
            let whole = Crc64Sum::of(&[&*one, &*other, &*one].concat());
            let [mut sum, mut next] = [Crc64::new(), Crc64::new()];
            sum.update(&one);
            next.update(&other);
            sum.append(&next);
            sum.update(&one);
            prop_assert_eq!(sum.finish(), whole);
        }

        #[test]
        fn text_round_trips(bytes: Vec<u8>, text in ".*") {
            let sum = Crc64Sum::of(&bytes);
            prop_assert_eq!(sum.to_string().parse::<Crc64Sum>().unwrap(), sum);
            let _ = text.parse::<Crc64Sum>();
        }
    }
}

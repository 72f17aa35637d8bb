//! SHA-1 sums, as CRDS publishes them of its files.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use serde::{Deserialize, Serialize};

use super::read_all;
use crate::hint::Hint;

/// A SHA-1 sum; displays as 40 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha1Sum([u8; 20]);

/// A text that is no SHA-1 sum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a SHA-1 sum: expected 40 hexadecimal digits")]
pub struct NotASum(String);

impl Hint for NotASum {
    fn hint(&self) -> Option<Cow<'_, str>> {
        None
    }
}

impl Sha1Sum {
    /// The sum of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut sum = Sha1::new();
        sum.update(bytes);
        sum.finish()
    }

    /// The sum of a file, read in bounded memory.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path) -> std::io::Result<Self> {
        let mut sum = Sha1::new();
        read_all(path, |bytes| sum.update(bytes))?;
        Ok(sum.finish())
    }
}

/// A sum that grows with what is added to it.
#[derive(Clone)]
pub struct Sha1(Context);

impl Sha1 {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self(Context::new(&SHA1_FOR_LEGACY_USE_ONLY))
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum of everything added.
    pub fn finish(self) -> Sha1Sum {
        let digest = self.0.finish();
        let mut sum = [0; 20];
        for (to, from) in sum.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Sha1Sum(sum)
    }
}

impl Default for Sha1 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha1")
    }
}

impl fmt::Display for Sha1Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha1Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha1Sum {
    type Err = NotASum;

    fn from_str(text: &str) -> Result<Self, NotASum> {
        let mut sum = [0; 20];
        hex::decode_to_slice(text, &mut sum)
            .map_err(|_| NotASum(text.chars().take(60).collect()))?;
        Ok(Self(sum))
    }
}

impl TryFrom<String> for Sha1Sum {
    type Error = NotASum;

    fn try_from(text: String) -> Result<Self, NotASum> {
        text.parse()
    }
}

impl From<Sha1Sum> for String {
    fn from(sum: Sha1Sum) -> Self {
        sum.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_sha_1() {
        // FIPS 180, example "abc"
        let abc = "a9993e364706816aba3e25717850c26c9cd0d89d";
        assert_eq!(Sha1Sum::of(b"abc").to_string(), abc);
        assert_eq!(
            abc.to_uppercase().parse::<Sha1Sum>().unwrap(),
            Sha1Sum::of(b"abc")
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        assert_eq!(Sha1Sum::of_file(file.path()).unwrap(), Sha1Sum::of(b"abc"));
    }

    proptest! {
        #[test]
        fn text_round_trips(bytes: Vec<u8>, text in ".*") {
            let sum = Sha1Sum::of(&bytes);
            prop_assert_eq!(sum.to_string().parse::<Sha1Sum>().unwrap(), sum);
            let _ = text.parse::<Sha1Sum>();
        }
    }
}

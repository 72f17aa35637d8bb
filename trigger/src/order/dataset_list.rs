//! Lists of datasets as people write them, into names.
//!
//! One bad name refuses the whole list, and the error lists every bad name with its line: an
//! operator corrects ten thousand names once, not one at a time.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use caldp_core::dataset::Dataset;
use storage::hint::Hint;

/// The most names one batch may have.
pub const MAX_DATASETS: usize = 100_000;

/// The largest list read, in bytes.
pub const MAX_LIST_BYTES: usize = 8 << 20;

/// A list that cannot be submitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetListError {
    /// At least one name is not acceptable.
    #[error("{0}")]
    Bad(BadNames),
    /// A table that names no datasets.
    #[error("the list cannot be read as a table: {0}")]
    Table(String),
    /// No name at all.
    #[error("the list names no dataset")]
    Empty,
    /// More names than one batch may have.
    #[error("the list names {0} datasets, a batch has at most {MAX_DATASETS}")]
    TooMany(usize),
    /// A list beyond the size read.
    #[error("the list has {0} bytes, at most {MAX_LIST_BYTES} are read")]
    TooLarge(usize),
    /// Bytes that are no text.
    #[error("the list is not UTF-8 text: byte {0} cannot be read")]
    NotText(usize),
}

/// Every unacceptable name of a list, each with the number of its line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadNames(pub Vec<(usize, String)>);

impl fmt::Display for BadNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, s) = (self.0.len(), if self.0.len() == 1 { "" } else { "s" });
        write!(f, "nothing was submitted: {count} bad name{s}")?;
        for (line, reason) in &self.0 {
            write!(f, "\n  line {line}: {reason}")?;
        }
        Ok(())
    }
}

impl Hint for DatasetListError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Bad(BadNames(lines)) if lines.len() == 1 => {
                "correct or remove the line and submit again".into()
            }
            Self::Bad(_) => "correct or remove the lines and submit again".into(),
            Self::Empty => "one name a line; lines starting with # are comments".into(),
            Self::TooMany(_) => "split the list".into(),
            Self::TooLarge(_) => "a list is one name a line".into(),
            Self::Table(_) => "the first line names the columns, one of them dataset".into(),
            Self::NotText(_) => return None,
        })
    }
}

/// The datasets of a `.ids` or `.txt` list: one name a line, `#` starts a comment, empty lines
/// mean nothing. Lower case, each once, in the order of their first appearance.
///
/// # Errors
/// [`DatasetListError`]; all bad names are in it.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Dataset>, DatasetListError> {
    from_text(text(bytes)?)
}

/// The text of a list.
pub(super) fn text(bytes: &[u8]) -> Result<&str, DatasetListError> {
    if bytes.len() > MAX_LIST_BYTES {
        return Err(DatasetListError::TooLarge(bytes.len()));
    }
    std::str::from_utf8(bytes).map_err(|e| DatasetListError::NotText(e.valid_up_to()))
}

/// As [`from_bytes`], of a text in which names are separated by white space.
///
/// # Errors
/// [`DatasetListError`]; all bad names are in it.
pub fn from_text(text: &str) -> Result<Vec<Dataset>, DatasetListError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    from_names(text.lines().enumerate().flat_map(|(index, line)| {
        let names = line.split('#').next().unwrap_or_default();
        names.split_whitespace().map(move |name| (index + 1, name))
    }))
}

/// The datasets of numbered names, each once, in the order of their first appearance.
///
/// # Errors
/// [`DatasetListError`]; all bad names are in it.
pub fn from_names<'a>(
    names: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Vec<Dataset>, DatasetListError> {
    let (mut datasets, mut bad, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (line, name) in names {
        match Dataset::parse(name) {
            Ok(dataset) => {
                if seen.insert(dataset.clone()) {
                    datasets.push(dataset);
                }
            }
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().next().unwrap_or_default();
                bad.push((line, reason.to_owned()));
            }
        }
    }
    if !bad.is_empty() {
        return Err(DatasetListError::Bad(BadNames(bad)));
    }
    check_count(datasets.len())?;
    Ok(datasets)
}

/// Refuses lists of nothing and of more than one batch may have.
pub(super) fn check_count(count: usize) -> Result<(), DatasetListError> {
    match count {
        0 => Err(DatasetListError::Empty),
        n if n > MAX_DATASETS => Err(DatasetListError::TooMany(n)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use storage::hint::explain;

    use super::*;

    fn names(text: &str) -> Vec<String> {
        let datasets = from_bytes(text.as_bytes()).unwrap();
        datasets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn comments_blank_lines_case_and_repeats_are_handled() {
        let text =
            "\u{feff}# ACS\r\nJ8CB010B0\r\n\r\n  j8ne53znq # twice\nJ8CB010b0\n\tlcyid1030\n";
        assert_eq!(names(text), ["j8cb010b0", "j8ne53znq", "lcyid1030"]);
    }

    #[test]
    fn every_bad_name_is_listed_with_its_line() {
        let error = from_text("j8cb010b0\nnope\n\n# fine\nU2AB0101T\n../../etc\n").unwrap_err();
        let error = explain(&error).to_string();
        assert!(error.starts_with("nothing was submitted: 3 bad names"));
        for part in ["line 2: \"nope\"", "line 5:", "WFPC2", "line 6:", "hint:"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn nothing_to_do_and_too_much_to_do_are_errors() {
        assert_eq!(from_text("# none\n"), Err(DatasetListError::Empty));
        assert_eq!(from_bytes(b"j8cb\xff"), Err(DatasetListError::NotText(4)));
        let large = vec![b'\n'; MAX_LIST_BYTES + 1];
        assert!(matches!(
            from_bytes(&large),
            Err(DatasetListError::TooLarge(_))
        ));
        let many: Vec<String> = (0..=MAX_DATASETS).map(|n| format!("j{n:08}")).collect();
        assert!(matches!(
            from_text(&many.join("\n")),
            Err(DatasetListError::TooMany(_))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_give_names_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = from_bytes(&bytes).map_err(|e| e.to_string());
        }

        #[test]
        fn names_come_out_once_in_order(list in proptest::collection::vec("[ijlo][a-z0-9]{2}00000[0-9]", 1..60)) {
            let mut expected = Vec::new();
            for name in &list {
                if !expected.contains(name) {
                    expected.push(name.clone());
                }
            }
            prop_assert_eq!(names(&list.join("\n").to_uppercase()), expected);
        }
    }
}

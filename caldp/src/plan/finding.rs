//! What is found out about one dataset: which references change and whether that counts, which
//! lookups fail, what cannot be known; and what running it again will need.

use std::fmt::Write as _;

use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use crds_core::bestrefs::Side;
use crds_core::names::{ReferenceName, ReferenceType};

/// Everything there is to say about one dataset. One of which nothing is to be said has none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    /// The id that the source has for it, as JSON.
    pub(super) id: Box<str>,
    /// The dataset of a batch list that the id stands for, if it is one.
    pub(super) dataset: Option<Dataset>,
    /// In lower case; empty where it is not known.
    pub(super) instrument: Box<str>,
    pub(super) changes: Vec<Change>,
    pub(super) failures: Vec<FailedDataset>,
    /// Why the question cannot be answered, or not fully.
    pub(super) unknown: Option<String>,
    /// What a run of it will need; none where nothing counts.
    pub(super) needs: Option<Needs>,
}

/// Another reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) reference_type: ReferenceType,
    pub(super) old: Option<ReferenceName>,
    pub(super) new: Option<ReferenceName>,
    pub(super) note: Note,
}

/// What is known of a change besides the names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Note {
    /// Nothing: it counts.
    None,
    /// The old file was withdrawn since: it counts.
    Withdrawn,
    /// The step that uses the type is switched off in the dataset's header, by this keyword.
    SwitchedOff(String),
    /// The file has another name and the same checksum.
    Renamed,
    /// A table of which the dataset uses rows that did not change.
    SameRows,
    /// A table of which this is not known, and why: it counts.
    RowsNotCompared(String),
}

impl Note {
    /// Whether the dataset's products may change with it.
    pub(super) const fn counts(&self) -> bool {
        matches!(
            self,
            Self::None | Self::Withdrawn | Self::RowsNotCompared(_)
        )
    }

    /// In words; none where there is nothing to say.
    pub(super) fn words(&self) -> Option<String> {
        Some(match self {
            Self::None => return None,
            Self::Withdrawn => "withdrawn".to_owned(),
            Self::SwitchedOff(keyword) => format!("{keyword} is OMIT"),
            Self::Renamed => "the same file by another name".to_owned(),
            Self::SameRows => "the rows that the dataset uses are the same".to_owned(),
            Self::RowsNotCompared(reason) => format!("rows not compared: {reason}"),
        })
    }
}

/// A lookup without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailedDataset {
    pub(super) reference_type: ReferenceType,
    pub(super) side: Side,
    pub(super) reason: String,
}

/// What a run will need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Needs {
    pub(super) memory_bin: MemoryBin,
    pub(super) seconds: f64,
    /// US dollars.
    pub(super) cost: f64,
}

impl Finding {
    /// A finding without contents.
    pub(super) fn new(id: Box<str>, dataset: Option<Dataset>) -> Self {
        Self {
            id,
            dataset,
            instrument: Box::default(),
            changes: Vec::new(),
            failures: Vec::new(),
            unknown: None,
            needs: None,
        }
    }

    /// Whether there is anything to say.
    pub(super) fn says_something(&self) -> bool {
        !self.changes.is_empty() || !self.failures.is_empty() || self.unknown.is_some()
    }

    /// Whether the dataset is to be run again.
    pub(super) fn is_affected(&self) -> bool {
        self.changes.iter().any(|change| change.note.counts())
    }

    /// The changes that count, in one line.
    pub(super) fn why(&self) -> String {
        let mut line = String::new();
        for change in self.changes.iter().filter(|change| change.note.counts()) {
            if !line.is_empty() {
                line.push_str("; ");
            }
            let keyword = change.reference_type.as_str().to_uppercase();
            let (old, new) = (name(change.old.as_ref()), name(change.new.as_ref()));
            // A String takes every text.
            let _ = write!(line, "{keyword} {old} -> {new}");
            match &change.note {
                Note::RowsNotCompared(_) => line.push_str(" (rows not compared)"),
                note => {
                    if let Some(words) = note.words() {
                        let _ = write!(line, " ({words})");
                    }
                }
            }
        }
        line
    }
}

/// A file's name, or what stands for none.
pub(super) fn name(file: Option<&ReferenceName>) -> &str {
    file.map_or("N/A", ReferenceName::as_str)
}

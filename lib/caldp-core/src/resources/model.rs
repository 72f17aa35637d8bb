//! The measured past as data: a JSON document small enough to read, with its own schema.
//!
//! A [`Group`] sums up the measured runs of one [`Key`]; a [`Published`] entry stands in for
//! kinds of processing that nobody measured in number.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use storage::hint::Hint;

use super::features::{Family, Key};
use super::quantiles::Quantiles;
use super::regression;

/// The schema of the document, raised when a reader of the old one would misread it.
const SCHEMA: &str = "caldp-resources-1";

/// The model that is used where no other is installed.
const DEFAULT: &str = include_str!("default_model.json");

/// What runs of all kinds have needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `caldp-resources-1`.
    schema: String,
    /// What the numbers mean, for whoever opens the file.
    pub about: String,
    /// Where the numbers come from.
    pub origin: Origin,
    /// Measured groups of runs.
    pub groups: Vec<Group>,
    /// What is known of kinds that were not measured; at least one a family.
    pub published: Vec<Published>,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The runs it was fitted from, in words.
    pub source: String,
    /// How many runs they were.
    pub runs: u32,
    /// How many proposals they belong to.
    pub proposals: u32,
}

/// The smallest, the usual and the largest value seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// The smallest.
    pub least: f64,
    /// Half are below.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

/// What runs of one key needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// What the runs have in common.
    #[serde(flatten)]
    pub key: Key,
    /// How many runs there were.
    pub runs: u32,
    /// Of how many proposals: runs of one proposal resemble each other, so this says how much the
    /// group can be trusted.
    pub proposals: u32,
    /// vCPUs the runs had (the median); none when nobody wrote them down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<f64>,
    /// Input files of a run.
    pub files: Extent,
    /// MB of inputs of a run.
    pub input_mb: Extent,
    /// MB of one input file.
    pub mb_per_file: Extent,
    /// Peak memory in GiB.
    pub peak_gib: Curve,
    /// Wall time in seconds.
    pub seconds: Curve,
}

/// A quantity as a straight line in the size of the inputs, and how runs spread around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// The quantity without any input.
    pub base: f64,
    /// What each input file adds.
    pub per_file: f64,
    /// What each MB of input adds.
    pub per_mb: f64,
    /// Measured over line.
    pub over_line: Quantiles,
    /// Measured.
    pub measured: Quantiles,
}

impl Curve {
    /// The usual value for inputs of this size.
    pub fn at(&self, files: f64, mb: f64) -> f64 {
        regression::at(&[self.base, self.per_file, self.per_mb], &[1.0, files, mb])
    }

    fn is_sound(&self) -> bool {
        [self.base, self.per_file, self.per_mb]
            .iter()
            .all(|c| c.is_finite() && *c >= 0.0)
            && self.base + self.per_file + self.per_mb > 0.0
            && self.over_line.is_sound()
            && self.measured.is_sound()
    }
}

/// Wide limits for a kind of processing of which only single runs are published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The kind of processing.
    pub family: Family,
    /// Associations only, or single exposures only; both when it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<bool>,
    /// Expected peak memory in GiB.
    pub peak_gib: f64,
    /// Least GiB that a job gets, as a wide margin.
    pub needs_gib: f64,
    /// GiB that each MB of input may take.
    pub gib_per_mb: f64,
    /// Expected wall time in seconds.
    pub expected_seconds: f64,
    /// Time limit in seconds.
    pub limit_seconds: f64,
    /// Seconds of time limit each input file asks for at least.
    pub limit_seconds_per_file: f64,
    /// What is known, and from where.
    pub because: String,
}

/// Why a document is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Not JSON, or not of this shape.
    #[error("not a model of resources")]
    Shape(#[from] serde_json::Error),
    /// Of another schema.
    #[error("a model of resources of schema {found:?}, where {SCHEMA:?} is understood")]
    Schema {
        /// The schema named.
        found: String,
    },
    /// A group holds numbers that cannot be.
    #[error("a model of resources with numbers that cannot be, in the group {group}")]
    Numbers {
        /// The group, in words.
        group: String,
    },
    /// A family for which nothing is said.
    #[error("a model of resources that says nothing of {family}")]
    Missing {
        /// The family.
        family: &'static str,
    },
}

impl Hint for ModelError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("caldp learn --install writes one; without any, the one of the program is used".into())
    }
}

impl Model {
    /// The model shipped with the program.
    ///
    /// # Errors
    /// None that a test would not have found: it is checked like any other.
    pub fn shipped() -> Result<Self, ModelError> {
        Self::parse(DEFAULT.as_bytes())
    }

    /// Reads and checks a document.
    pub fn parse(json: &[u8]) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Named {
            schema: String,
        }
        let Named { schema } = serde_json::from_slice(json)?;
        if schema != SCHEMA {
            return Err(ModelError::Schema { found: schema });
        }
        let model: Self = serde_json::from_slice(json)?;
        model.check()?;
        Ok(model)
    }

    /// The document, indented, with a line feed at its end.
    pub fn to_json(&self) -> Result<String, ModelError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// A model of the same schema with other groups.
    #[must_use]
    pub fn with_groups(&self, origin: Origin, groups: Vec<Group>) -> Self {
        Self {
            origin,
            groups,
            ..self.clone()
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        for group in &self.groups {
            let extents = [group.files, group.input_mb, group.mb_per_file];
            let sound = group.runs > 0
                && group.proposals > 0
                && group.vcpus.is_none_or(|v| v.is_finite() && v > 0.0)
                && extents.iter().all(|e| {
                    e.least > 0.0 && e.least <= e.median && e.median <= e.most && e.most.is_finite()
                })
                && group.peak_gib.is_sound()
                && group.seconds.is_sound();
            if !sound {
                let group = group.key.describe();
                return Err(ModelError::Numbers { group });
            }
        }
        for entry in &self.published {
            let numbers = [
                entry.peak_gib,
                entry.needs_gib,
                entry.gib_per_mb,
                entry.expected_seconds,
                entry.limit_seconds,
                entry.limit_seconds_per_file,
            ];
            if !numbers.iter().all(|n| n.is_finite() && *n >= 0.0) {
                let group = entry.family.name().to_owned();
                return Err(ModelError::Numbers { group });
            }
        }
        match Family::ALL.iter().find(|f| {
            !self
                .published
                .iter()
                .any(|p| p.family == **f && p.association.is_none())
        }) {
            Some(family) => Err(ModelError::Missing {
                family: family.name(),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_shipped_model_is_sound_and_reads_back_as_it_was_written() {
        let model = Model::shipped().unwrap();
        let json = model.to_json().unwrap();
        assert_eq!(Model::parse(json.as_bytes()).unwrap(), model);
        assert_eq!(json, DEFAULT, "written as `caldp learn` writes it");
    }

    #[test]
    fn what_is_no_model_is_refused_with_its_reason() {
        let refusal = |change: fn(&mut Model)| {
            let mut model = Model::shipped().unwrap();
            change(&mut model);
            Model::parse(model.to_json().unwrap().as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(refusal(|m| m.schema = "caldp-resources-2".into()).contains("resources-2"));
        assert!(refusal(|m| m.groups[0].seconds.base = -1.0).contains("cannot be"));
        assert!(refusal(|m| m.groups[0].seconds.over_line.median = 1e9).contains("cannot be"));
        assert!(refusal(|m| m.groups[0].proposals = 0).contains("cannot be"));
        assert!(refusal(|m| m.published.clear()).contains("nothing of ACS"));
        assert!(Model::parse(b"{}").is_err());
        assert!(Model::parse(b"\x00").is_err());
    }
}

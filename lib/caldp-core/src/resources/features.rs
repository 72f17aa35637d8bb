//! What is known of a dataset before it runs. Only the dataset itself is sure; each other feature
//! may be unknown, which makes the answer wider.

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Instrument, Kind};

/// What kind of processing a dataset gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// An exposure or association of ACS.
    Acs,
    /// An exposure or association of WFC3.
    Wfc3,
    /// An exposure or association of STIS.
    Stis,
    /// An exposure or association of COS.
    Cos,
    /// A single-visit mosaic.
    Svm,
    /// A multi-visit mosaic.
    Mvm,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 6] = [
        Self::Acs,
        Self::Wfc3,
        Self::Stis,
        Self::Cos,
        Self::Svm,
        Self::Mvm,
    ];

    /// The family of a dataset.
    pub fn of(dataset: &Dataset) -> Self {
        match (dataset.kind(), dataset.instrument()) {
            (Kind::Svm, _) => Self::Svm,
            (Kind::Mvm, _) | (Kind::Ipppssoot, None) => Self::Mvm,
            (Kind::Ipppssoot, Some(Instrument::Acs)) => Self::Acs,
            (Kind::Ipppssoot, Some(Instrument::Wfc3)) => Self::Wfc3,
            (Kind::Ipppssoot, Some(Instrument::Stis)) => Self::Stis,
            (Kind::Ipppssoot, Some(Instrument::Cos)) => Self::Cos,
        }
    }

    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acs => "ACS",
            Self::Wfc3 => "WFC3",
            Self::Stis => "STIS",
            Self::Cos => "COS",
            Self::Svm => "single-visit mosaic",
            Self::Mvm => "multi-visit mosaic",
        }
    }
}

/// What is known of a dataset before it runs. Written with the names that tables have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// The dataset.
    pub dataset: Dataset,
    /// How many input files there are.
    #[serde(rename = "n_files", default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u32>,
    /// Size of the inputs in MB (10^6 bytes).
    #[serde(rename = "total_mb", default, skip_serializing_if = "Option::is_none")]
    pub input_mb: Option<f64>,
    /// Whether `DRIZCORR` is `PERFORM`.
    #[serde(rename = "drizcorr", default, skip_serializing_if = "Option::is_none")]
    pub drizzle: Option<bool>,
    /// Whether `PCTECORR` is `PERFORM`.
    #[serde(rename = "pctecorr", default, skip_serializing_if = "Option::is_none")]
    pub cte: Option<bool>,
    /// The number of exposures a cosmic-ray split has. Recorded, not used: at equal size it changes
    /// neither memory nor time of the measured runs by more than they vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crsplit: Option<u32>,
    /// Whether only a part of the detector was read out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subarray: Option<bool>,
    /// Whether the detector is WFC of ACS or UVIS of WFC3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large_detector: Option<bool>,
}

impl Features {
    /// Most input files that are believed.
    pub const MOST_FILES: u32 = 10_000;

    /// Largest inputs that are believed, in MB.
    pub const MOST_MB: f64 = 1.0e7;

    /// Nothing is known but the name.
    pub const fn of_name(dataset: Dataset) -> Self {
        Self {
            dataset,
            files: None,
            input_mb: None,
            drizzle: None,
            cte: None,
            crsplit: None,
            subarray: None,
            large_detector: None,
        }
    }

    /// These features, and where they say nothing, those of a second source.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            dataset: self.dataset,
            files: self.files.or(other.files),
            input_mb: self.input_mb.or(other.input_mb),
            drizzle: self.drizzle.or(other.drizzle),
            cte: self.cte.or(other.cte),
            crsplit: self.crsplit.or(other.crsplit),
            subarray: self.subarray.or(other.subarray),
            large_detector: self.large_detector.or(other.large_detector),
        }
    }

    /// Whether a source that has more could still say something that is used.
    pub const fn are_complete(&self) -> bool {
        self.files.is_some()
            && self.input_mb.is_some()
            && self.drizzle.is_some()
            && self.cte.is_some()
            && self.subarray.is_some()
            && self.large_detector.is_some()
    }

    /// The proposal, characters two to four of an exposure's name; none for a sky cell.
    pub fn proposal(&self) -> Option<&str> {
        self.dataset.ipppss()?.get(1..4)
    }

    /// What decides the group of runs this one is compared with.
    pub fn key(&self) -> Key {
        let family = Family::of(&self.dataset);
        let exposure = self.dataset.kind() == Kind::Ipppssoot;
        Key {
            family,
            association: exposure
                .then(|| self.dataset.name().ends_with(|c: char| c.is_ascii_digit())),
            subarray: self.subarray,
            drizzle: self.drizzle,
            cte: self.cte,
            large_detector: self.large_detector,
        }
    }
}

/// What runs of one group have in common. A property that is none was not known, or says nothing
/// about this family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The kind of processing.
    pub family: Family,
    /// Whether the dataset is an association (its name ends with a digit) or a single exposure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<bool>,
    /// Whether only a part of the detector was read out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subarray: Option<bool>,
    /// Whether `DRIZCORR` is `PERFORM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drizzle: Option<bool>,
    /// Whether `PCTECORR` is `PERFORM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cte: Option<bool>,
    /// Whether the detector is WFC of ACS or UVIS of WFC3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large_detector: Option<bool>,
}

impl Key {
    /// Whether a dataset of this key may belong to a group of that one: nothing known contradicts.
    pub fn may_be(&self, group: &Self) -> bool {
        let agree = |a: Option<bool>, b: Option<bool>| a.zip(b).is_none_or(|(a, b)| a == b);
        self.family == group.family
            && agree(self.association, group.association)
            && agree(self.subarray, group.subarray)
            && agree(self.drizzle, group.drizzle)
            && agree(self.cte, group.cte)
            && agree(self.large_detector, group.large_detector)
    }

    /// The keys to look for one after the other when no group was measured: each knows one
    /// property less, those that matter least go first.
    pub fn with_less(mut self) -> Vec<Self> {
        let mut keys = vec![self];
        let drops: [fn(&mut Self) -> Option<bool>; 5] = [
            |key| key.large_detector.take(),
            |key| key.cte.take(),
            |key| key.drizzle.take(),
            |key| key.subarray.take(),
            |key| key.association.take(),
        ];
        for drop in drops {
            if drop(&mut self).is_some() {
                keys.push(self);
            }
        }
        keys
    }

    /// The properties in words, as far as they are known.
    pub fn describe(&self) -> String {
        let mut words = vec![self.family.name().to_owned()];
        let mut add = |property: Option<bool>, yes: &str, no: &str| {
            if let Some(known) = property {
                words.push(if known { yes } else { no }.to_owned());
            }
        };
        add(self.association, "association", "single exposure");
        add(self.subarray, "subarray", "full frame");
        add(self.cte, "CTE corrected", "no CTE correction");
        add(self.drizzle, "drizzled", "not drizzled");
        add(self.large_detector, "large detector", "small detector");
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn key(name: &str) -> Key {
        Features::of_name(Dataset::parse(name).unwrap()).key()
    }

    #[test]
    fn the_name_tells_family_and_association() {
        assert_eq!(key("j8cb010b0").association, Some(true));
        assert_eq!(key("ieib04ylq").association, Some(false));
        assert_eq!(key("acs_8ph_01").family, Family::Svm);
        assert_eq!(key("acs_8ph_01").association, None);
        assert_eq!(key("skycell-p1234x05y06").family, Family::Mvm);
        let features = Features::of_name(Dataset::parse("jcnw14060").unwrap());
        assert_eq!(features.proposal(), Some("cnw"));
    }

    #[test]
    fn an_unknown_property_may_be_either() {
        let known = Key {
            subarray: Some(true),
            ..key("j8cb010b0")
        };
        let other = Key {
            subarray: Some(false),
            ..known
        };
        assert!(key("j8cb010b0").may_be(&known));
        assert!(!other.may_be(&known));
        assert_eq!(known.with_less().len(), 3);
    }
}

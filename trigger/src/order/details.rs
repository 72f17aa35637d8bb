//! What a list says of its datasets besides their names: why each is to be run, and what is known of it
//! for an estimate of what it needs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use caldp_core::dataset::Dataset;
use caldp_core::resources::Features;
use caldp_core::resources::table::{FEATURE_COLUMNS, Table, TableError, features};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::dataset_list::{BadNames, DatasetListError};

/// The longest reason that is kept, in characters.
const MAX_WHY: usize = 400;

/// Why a dataset is to be run, in one line that is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Why(String);

impl Why {
    /// The reason in a text; none when it says nothing. Control characters and what is too much are
    /// left out.
    pub fn new(text: &str) -> Option<Self> {
        let line = one_line(text, MAX_WHY);
        (!line.is_empty()).then_some(Self(line))
    }

    /// The reason.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text of foreign origin on one line of at most `max` characters, without control characters.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(max).collect()
}

impl TryFrom<String> for Why {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::new(&text).ok_or("a reason says nothing")
    }
}

impl From<Why> for String {
    fn from(why: Why) -> Self {
        why.0
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is said of one dataset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetDetail {
    /// Why it is to be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// What is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
}

/// What is said of the datasets of an order; those of which nothing is said are not in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Details(BTreeMap<Dataset, DatasetDetail>);

impl Details {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Why a dataset is to be run.
    pub fn why(&self, dataset: &Dataset) -> Option<&Why> {
        self.0.get(dataset)?.why.as_ref()
    }

    /// What is known of a dataset.
    pub fn features(&self, dataset: &Dataset) -> Features {
        let known = self
            .0
            .get(dataset)
            .and_then(|detail| detail.features.clone());
        known.unwrap_or_else(|| Features::of_name(dataset.clone()))
    }

    /// Adds what is said of a dataset; what was said before stays, and features it lacks are added.
    pub fn add(&mut self, dataset: &Dataset, why: Option<Why>, features: Option<Features>) {
        let features = features.filter(|f| *f != Features::of_name(dataset.clone()));
        if why.is_none() && features.is_none() {
            return;
        }
        let detail = self.0.entry(dataset.clone()).or_default();
        detail.why = detail.why.take().or(why);
        detail.features = match (detail.features.take(), features) {
            (Some(before), Some(features)) => Some(before.or(&features)),
            (before, features) => before.or(features),
        };
    }

    /// Adds the features in a table for the datasets of an order. What cannot be used is told in words,
    /// the dataset concerned is estimated without it.
    ///
    /// # Errors
    /// When the table names no datasets.
    pub fn add_features(
        &mut self,
        table: impl Read,
        ordered: &[Dataset],
        mut tell: impl FnMut(u64, String),
    ) -> Result<usize, TableError> {
        let ordered: std::collections::HashSet<&Dataset> = ordered.iter().collect();
        let (mut used, mut others) = (0, 0);
        for line in Table::open(table)? {
            match line.features {
                Ok(features) if ordered.contains(&features.dataset) => {
                    let dataset = features.dataset.clone();
                    self.add(&dataset, None, Some(features));
                    used += 1;
                }
                Ok(_) => others += 1,
                Err(refusal) => tell(line.number, format!("{:?}: {refusal}", line.name)),
            }
        }
        if others > 0 {
            tell(
                0,
                format!("{others} line(s) are of datasets that were not ordered"),
            );
        }
        Ok(used)
    }

    /// The comments beside the names of a list of lines are why.
    pub(super) fn of_lines(text: &str) -> Self {
        let mut details = Self::default();
        for (names, comment) in text.lines().filter_map(|line| line.split_once('#')) {
            let why = Why::new(comment);
            for dataset in names.split_whitespace().filter_map(|n| n.parse().ok()) {
                details.add(&dataset, why.clone(), None);
            }
        }
        details
    }
}

/// The datasets of a table, with what it says of them. Bad names and values refuse the whole.
pub(super) fn of_table(bytes: &[u8]) -> Result<(Vec<Dataset>, Details), DatasetListError> {
    let table = Table::open(bytes).map_err(|e| DatasetListError::Table(e.to_string()))?;
    let mut listed = Listed::default();
    for line in table {
        let number = usize::try_from(line.number).unwrap_or(usize::MAX);
        match line.features {
            Ok(features) => listed.add(features, Why::new(&line.why)),
            Err(refusal) => listed.refuse(number, &line.name, &refusal.to_string()),
        }
    }
    listed.finish()
}

/// The datasets of a list whose items are names or fields.
pub(super) fn of_items(items: &[Value]) -> Result<(Vec<Dataset>, Details), DatasetListError> {
    let mut listed = Listed::default();
    for (number, item) in (1..).zip(items) {
        match item {
            Value::String(name) => match Dataset::parse(name) {
                Ok(dataset) => listed.add(Features::of_name(dataset), None),
                Err(error) => listed.refuse_name(number, &error.to_string()),
            },
            Value::Object(fields) => match of_fields(fields) {
                Ok((features, why)) => listed.add(features, why),
                Err(reason) => {
                    let name = fields.get("dataset").map(plain).unwrap_or_default();
                    listed.refuse(number, &name, &reason);
                }
            },
            other => listed.refuse(number, &plain(other), "neither a name nor fields"),
        }
    }
    listed.finish()
}

fn of_fields(fields: &Map<String, Value>) -> Result<(Features, Option<Why>), String> {
    let known = |name: &str| matches!(name, "dataset" | "why") || FEATURE_COLUMNS.contains(&name);
    if let Some(name) = fields.keys().find(|name| !known(name)) {
        let name: String = name.chars().take(60).collect();
        return Err(format!(
            "unknown field {name:?}: allowed are dataset, why, {}",
            FEATURE_COLUMNS.join(", ")
        ));
    }
    let texts: BTreeMap<&str, String> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), plain(value)))
        .collect();
    let field = |name: &'static str| texts.get(name).map_or("", String::as_str);
    let features = features(&field).map_err(|refusal| refusal.to_string())?;
    Ok((features, Why::new(field("why"))))
}

/// A value as a table would have it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A list while it is read.
#[derive(Default)]
struct Listed {
    datasets: Vec<Dataset>,
    seen: std::collections::HashSet<Dataset>,
    details: Details,
    bad: Vec<(usize, String)>,
}

impl Listed {
    fn add(&mut self, features: Features, why: Option<Why>) {
        let dataset = features.dataset.clone();
        self.details.add(&dataset, why, Some(features));
        if self.seen.insert(dataset.clone()) {
            self.datasets.push(dataset);
        }
    }

    fn refuse(&mut self, number: usize, name: &str, reason: &str) {
        let name: String = name.chars().take(60).collect();
        self.bad.push((number, format!("{name:?}: {reason}")));
    }

    fn refuse_name(&mut self, number: usize, reason: &str) {
        let reason = reason.lines().next().unwrap_or_default();
        self.bad.push((number, reason.to_owned()));
    }

    fn finish(self) -> Result<(Vec<Dataset>, Details), DatasetListError> {
        if !self.bad.is_empty() {
            return Err(DatasetListError::Bad(BadNames(self.bad)));
        }
        super::dataset_list::check_count(self.datasets.len())?;
        Ok((self.datasets, self.details))
    }
}

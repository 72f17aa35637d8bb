//! The pages that people look at: one of a batch, one of all batches. Each is one file without a request to
//! anywhere but relative links: template, style, script and data in one.
//!
//! Pure: what is shown is read by `progress` and added up by `summary`, where pages go is for `board`. The page
//! works by itself in a browser; its parts are in `assets/`.

mod columns;
mod document;

use std::collections::BTreeMap;

use caldp_core::layout::{Area, Layout};
use caldp_core::resources::MemoryBin;
use caldp_core::state::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::columns::Columns;
use super::dataset::DatasetProgress;
use super::summary::Summary;
use crate::output_root::OutputRoot;

/// One batch, to be shown.
#[derive(Debug, Clone, Copy)]
pub struct BatchPage<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Where its results are, as people write it.
    pub output: &'a str,
    /// The same where requests can be made there.
    pub root: Option<&'a OutputRoot>,
    /// How results are laid out.
    pub layout: Layout,
    /// The path from the page to the results; none where no link leads from one to the other.
    pub results: Option<&'a str>,
    /// The path from the page to that of all batches, where there is one.
    pub all: Option<&'a str>,
    /// When it was looked at.
    pub at: Timestamp,
    /// What the datasets add up to.
    pub summary: &'a Summary,
    /// The datasets.
    pub datasets: &'a [DatasetProgress],
}

/// What is shown of a batch among all batches, and kept of it after it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchLine {
    /// What its page is called.
    pub name: String,
    /// Where its results are.
    pub output: String,
    /// When it was looked at.
    pub at: Timestamp,
    /// When its first job was planned, as far as that is known.
    #[serde(default)]
    pub began: Option<Timestamp>,
    /// When its last dataset ended, as far as that is known.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// Whether any of its datasets is submitted or processing.
    pub under_way: bool,
    /// How many datasets it has.
    pub datasets: usize,
    /// How many are in each state.
    pub states: BTreeMap<State, usize>,
    /// Seconds until all have ended at the present speed.
    #[serde(default)]
    pub seconds_left: Option<f64>,
    /// What its jobs cost.
    pub cost_so_far: f64,
    /// What they will have cost.
    pub cost_expected: f64,
    /// The currency of costs.
    pub currency: String,
}

impl BatchPage<'_> {
    /// The page.
    pub fn html(&self) -> String {
        document::with_data(&format!("{} — caldp", self.name), &self.data())
    }

    /// What is shown of it among all batches.
    pub fn line(&self) -> BatchLine {
        let Summary {
            states,
            under_way,
            seconds_left,
            cost_so_far,
            cost_expected,
            currency,
            ..
        } = self.summary;
        BatchLine {
            name: self.name.to_owned(),
            output: self.output.to_owned(),
            at: self.at,
            began: self.datasets.iter().filter_map(|d| d.planned).min(),
            ended: self.datasets.iter().filter_map(|d| d.ended).max(),
            under_way: *under_way,
            datasets: self.datasets.len(),
            states: states.clone(),
            seconds_left: *seconds_left,
            cost_so_far: *cost_so_far,
            cost_expected: *cost_expected,
            currency: (*currency).to_owned(),
        }
    }

    fn data(&self) -> Value {
        let bins = MemoryBin::ALL.map(|bin| json!({"gib": bin.gib(), "usable": bin.usable_gib()}));
        json!({
            "kind": "batch",
            "name": self.name,
            "output": self.output,
            "layout": self.layout,
            "results": self.results,
            "all": self.all,
            "at": self.at.as_second(),
            "states": State::ALL,
            "bins": bins,
            "logs": self.logs(),
            "archive": self.archive(),
            "summary": self.summary,
            "columns": Columns::of(self.datasets, self.root, self.layout),
        })
    }

    /// Where logs are, in a dataset's directory.
    fn logs(&self) -> &'static str {
        match self.layout {
            Layout::Tree => "logs/",
            Layout::Calcloud => "",
        }
    }

    /// Whether products are in an archive.
    fn archive(&self) -> bool {
        let any = self.datasets.first();
        any.is_some_and(|d| self.layout.archive(&d.dataset, Area::Products).is_some())
    }
}

/// The page of all batches: the ones under way first, then the latest.
pub fn all_batches(lines: &[BatchLine], at: Timestamp) -> String {
    let mut lines: Vec<&BatchLine> = lines.iter().collect();
    lines.sort_by_key(|line| (!line.under_way, std::cmp::Reverse(line.began)));
    let lines: Vec<Value> = lines.into_iter().map(line_data).collect();
    let data = json!({
        "kind": "batches",
        "at": at.as_second(),
        "states": State::ALL,
        "batches": lines,
    });
    document::with_data("Batches — caldp", &data)
}

/// Times as seconds, as in the page of a batch.
fn line_data(line: &BatchLine) -> Value {
    let seconds = |time: Option<Timestamp>| time.map(Timestamp::as_second);
    let mut data = json!(line);
    data["at"] = json!(line.at.as_second());
    data["began"] = json!(seconds(line.began));
    data["ended"] = json!(seconds(line.ended));
    data
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;

//! A model from measured runs: one group for each combination of properties that occurs.
//!
//! Memory and time are bounded by a few numbers a run; runs that cannot be are left out and said.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use super::features::Key;
use super::model::{Curve, Extent, Group, Model, Origin};
use super::quantiles::{Quantiles, four_digits, quantile};
use super::regression::{self, TERMS};
use super::run::{Refusal, Run};
use super::table::{Line, Table, TableError};

/// A group of an older model with more runs than the new one is kept below this many new runs.
const ENOUGH_RUNS: u32 = 30;

/// Usual GiB: what a program needs without data, and for each MB. Decides only between terms that
/// the runs cannot tell apart.
const USUAL_GIB: [f64; TERMS] = [0.6, 0.0, 0.02];

/// Usual seconds for each MB, in the same role.
const USUAL_SECONDS: [f64; TERMS] = [0.0, 0.0, 80.0];

/// How many of the runs left out are named; the others are counted.
const NAMED: usize = 20;

/// Runs to learn from, each dataset once, and what was left out of them.
#[derive(Debug, Default)]
pub struct Runs {
    all: Vec<Run>,
    seen: HashSet<String>,
    left_out: LeftOut,
}

/// What was not learnt from.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// How many lines or runs, by reason.
    pub reasons: BTreeMap<String, usize>,
    /// The first of them: where it stands, what it names, why.
    pub first: Vec<(String, String, Refusal)>,
}

impl LeftOut {
    /// Counts one, and names it when it is one of the first.
    pub fn add(&mut self, place: String, name: &str, refusal: Refusal) {
        *self.reasons.entry(refusal.to_string()).or_default() += 1;
        if self.first.len() < NAMED {
            self.first.push((place, name.to_owned(), refusal));
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.reasons.values().sum()
    }
}

impl Runs {
    /// Takes a run in, unless it cannot be or its dataset was there before.
    pub fn add(&mut self, run: Run) -> Result<(), Refusal> {
        if let Some(refusal) = run.refusal() {
            return Err(refusal);
        }
        if !self.seen.insert(run.features.dataset.name().to_owned()) {
            return Err(Refusal::Again);
        }
        self.all.push(run);
        Ok(())
    }

    /// Takes the runs of a table in; `file` names it in what is said of lines left out.
    ///
    /// # Errors
    /// When the table has no header that names datasets; single lines are left out instead.
    pub fn add_table(&mut self, reader: impl Read, file: &str) -> Result<(), TableError> {
        for line in Table::open(reader)? {
            let Line {
                number, ref name, ..
            } = line;
            let name = name.clone();
            if let Err(refusal) = line.run().and_then(|run| self.add(run)) {
                self.leave_out(format!("{file}:{number}"), &name, refusal);
            }
        }
        Ok(())
    }

    /// Notes that a run is not learnt from.
    pub fn leave_out(&mut self, place: String, name: &str, refusal: Refusal) {
        self.left_out.add(place, name, refusal);
    }

    /// What was not learnt from.
    pub const fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The runs taken in.
    pub fn all(&self) -> &[Run] {
        &self.all
    }
}

/// A model of these runs. Groups of `base` of which they say nothing, or less than `base` does, stay.
pub fn fit(runs: &[&Run], source: &str, base: &Model) -> Model {
    let mut groups = of_runs(runs);
    for old in &base.groups {
        match groups.iter_mut().find(|new| new.key == old.key) {
            Some(new) if new.runs < ENOUGH_RUNS.min(old.runs) => *new = old.clone(),
            Some(_) => {}
            None => groups.push(old.clone()),
        }
    }
    groups.sort_by_key(|group| group.key);
    let origin = Origin {
        source: source.to_owned(),
        runs: count(runs.len()),
        proposals: proposals(runs),
    };
    base.with_groups(origin, groups)
}

/// The groups of these runs alone.
pub fn of_runs(runs: &[&Run]) -> Vec<Group> {
    let mut by_key: BTreeMap<Key, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        by_key.entry(run.features.key()).or_default().push(run);
    }
    by_key
        .into_iter()
        .filter_map(|(key, runs)| group(key, &runs))
        .collect()
}

/// One group; none of no runs.
fn group(key: Key, runs: &[&Run]) -> Option<Group> {
    let files = |run: &&Run| run.features.files.map_or(0.0, f64::from);
    let mb = |run: &&Run| run.features.input_mb.unwrap_or(0.0);
    let extent = |of: &dyn Fn(&&Run) -> f64| extent_of(runs.iter().map(of).collect());
    let curve = |of: &dyn Fn(&&Run) -> f64, usual| {
        let points: Vec<_> = runs
            .iter()
            .map(|run| ([1.0, files(run), mb(run)], of(run)))
            .collect();
        curve(&points, usual)
    };
    let vcpus: Option<Vec<f64>> = runs.iter().map(|run| run.vcpus).collect();
    Some(Group {
        key,
        runs: count(runs.len()),
        proposals: proposals(runs),
        vcpus: vcpus.and_then(|vcpus| Some(extent_of(vcpus)?.median)),
        files: extent(&files)?,
        input_mb: extent(&mb)?,
        mb_per_file: extent(&|run| mb(run) / files(run))?,
        peak_gib: curve(&|run| run.peak_gib, USUAL_GIB)?,
        seconds: curve(&|run| run.seconds, USUAL_SECONDS)?,
    })
}

fn extent_of(mut values: Vec<f64>) -> Option<Extent> {
    values.sort_by(f64::total_cmp);
    Some(Extent {
        least: four_digits(*values.first()?),
        median: four_digits(quantile(&values, 0.5)?),
        most: four_digits(*values.last()?),
    })
}

fn curve(points: &[([f64; TERMS], f64)], usual: [f64; TERMS]) -> Option<Curve> {
    let line = regression::fit(points, usual).map(four_digits);
    let ratios = points
        .iter()
        .map(|(terms, value)| value / regression::at(&line, terms))
        .collect();
    let [base, per_file, per_mb] = line;
    Some(Curve {
        base,
        per_file,
        per_mb,
        over_line: Quantiles::of(ratios)?.rounded(),
        measured: Quantiles::of(points.iter().map(|(_, value)| *value).collect())?.rounded(),
    })
}

fn proposals(runs: &[&Run]) -> u32 {
    let different: HashSet<Option<&str>> = runs.iter().map(|r| r.features.proposal()).collect();
    count(different.len())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

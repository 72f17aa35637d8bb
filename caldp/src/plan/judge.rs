//! One dataset, both sets of rules: what changes, judged as an operator would. One judge a thread.

use std::collections::HashMap;

use caldp_core::dataset::Dataset;
use caldp_core::resources::{BINS, Estimate, Features, Key, Model};
use crds_core::bestrefs::{Comparison, LookupPath, Lookups, OldAnswer, Side};
use crds_core::header::{Field, Fields, HeaderLine};

use super::differences::Differences;
use super::finding::{Finding, Needs};
use super::rules::Rules;
use super::source::{Questions, Subject, dataset_of};
use super::sums::Sums;
use super::tables::Tables;
use crate::resources::features::of_fields;

/// What is asked, beside the rules.
#[derive(Debug)]
pub(super) struct Question {
    /// The old context; without it each dataset's own.
    pub(super) old: Option<String>,
    /// In lower case; all when empty.
    pub(super) instruments: Vec<String>,
    /// In lower case; all when empty.
    pub(super) types: Vec<String>,
    /// Whether types count whose step is switched off.
    pub(super) all_types: bool,
    /// Only datasets observed on this day, `YYYY-MM-DD`, or later.
    pub(super) since: Option<String>,
    pub(super) model: Model,
    /// US dollars for an hour in each memory bin.
    pub(super) prices: [f64; BINS],
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// How many headers or datasets were asked about, by instrument in lower case.
    pub(super) asked: HashMap<Box<str>, u64>,
    /// How many were left out by the question.
    pub(super) left_out: u64,
    pub(super) findings: Vec<Finding>,
}

impl Answered {
    /// Counts a header or dataset that was asked about.
    fn count(&mut self, instrument: &str) {
        match self.asked.get_mut(instrument) {
            Some(count) => *count += 1,
            None => {
                self.asked.insert(instrument.into(), 1);
            }
        }
    }
}

/// Answers for batches.
pub(super) struct Judge<'r> {
    rules: &'r Rules,
    sums: &'r Sums<'r>,
    tables: Tables<'r>,
    question: &'r Question,
    new: Lookups<'r>,
    old: HashMap<String, Result<Lookups<'r>, String>>,
    space: Vec<OldAnswer>,
    /// Estimates of datasets of which nothing distinguishes them.
    estimates: HashMap<Key, Needs>,
}

/// What the headers of one dataset are asked for.
enum Scope {
    Asked(Box<str>),
    LeftOut,
}

impl<'r> Judge<'r> {
    pub(super) fn new(
        rules: &'r Rules,
        sums: &'r Sums<'r>,
        tables: Tables<'r>,
        question: &'r Question,
    ) -> Self {
        Self {
            rules,
            sums,
            tables,
            question,
            new: rules.new_rules().lookups(),
            old: HashMap::new(),
            space: Vec::new(),
            estimates: HashMap::new(),
        }
    }

    pub(super) fn answer(&mut self, batch: Questions) -> Answered {
        let mut answered = Answered::default();
        match batch {
            Questions::Lines(first, bytes) => {
                let lines = bytes.split(|byte| *byte == b'\n');
                for (number, line) in (first..).zip(lines) {
                    if !line.iter().all(u8::is_ascii_whitespace) {
                        self.line(number, line, &mut answered);
                    }
                }
            }
            Questions::Subjects(subjects) => {
                for subject in subjects {
                    self.subject(subject, &mut answered);
                }
            }
        }
        answered
    }

    fn line(&mut self, number: u64, line: &[u8], answered: &mut Answered) {
        let mut fields: Vec<Field<'_>> = Vec::with_capacity(64);
        let line = match HeaderLine::read(line, &mut fields) {
            Ok(line) => line,
            Err(reason) => {
                let mut finding = Finding::new(format!("\"line {number}\"").into(), None);
                finding.unknown = Some(format!("line {number}: {reason}"));
                answered.count("");
                answered.findings.push(finding);
                return;
            }
        };
        let fields = fields.as_slice();
        let Scope::Asked(instrument) = self.scope(fields) else {
            answered.left_out += 1;
            return;
        };
        answered.count(&instrument);
        let id = line.id().unwrap_or("null");
        let mut finding = Finding::new(id.into(), None);
        finding.instrument = instrument;
        self.header(fields, line.path(), line.context(), &mut finding);
        if !finding.says_something() {
            return;
        }
        let text = serde_json::from_str::<String>(id).ok();
        finding.dataset = text.as_deref().and_then(dataset_of);
        if finding.is_affected() {
            let dataset = finding.dataset.clone();
            let features = dataset.map(|dataset| of_fields(dataset, fields));
            finding.needs = features.map(|features| self.estimate(&features));
        }
        answered.findings.push(finding);
    }

    fn subject(&mut self, subject: Subject, answered: &mut Answered) {
        let mut finding = Finding::new(subject.id, subject.dataset);
        match subject.headers {
            Ok(headers) => {
                let mut is_asked = false;
                for header in &headers {
                    let Scope::Asked(instrument) = self.scope(header) else {
                        continue;
                    };
                    is_asked = true;
                    finding.instrument = instrument;
                    let context = subject.context.as_deref();
                    self.header(header, LookupPath::Conditioned, context, &mut finding);
                }
                if !is_asked {
                    answered.left_out += 1;
                    return;
                }
                answered.count(&finding.instrument);
            }
            Err(reason) => {
                let own = finding.dataset.as_ref().and_then(Dataset::instrument);
                let own = own.map(|instrument| instrument.name().to_lowercase());
                let asked = &self.question.instruments;
                if own
                    .as_ref()
                    .is_some_and(|own| !asked.is_empty() && !asked.contains(own))
                {
                    answered.left_out += 1;
                    return;
                }
                finding.instrument = own.unwrap_or_default().into();
                answered.count(&finding.instrument);
                finding.unknown = Some(reason);
            }
        }
        if finding.is_affected() {
            finding.needs = match (subject.earlier, subject.features) {
                (Some(earlier), Some(features)) => {
                    Some(self.question.needs(&earlier.estimate(&features)))
                }
                (_, Some(features)) => Some(self.estimate(&features)),
                _ => finding
                    .dataset
                    .clone()
                    .map(|dataset| self.estimate(&Features::of_name(dataset))),
            };
        }
        if finding.says_something() {
            answered.findings.push(finding);
        }
    }

    /// Whether a header is asked about. What cannot be told is.
    fn scope(&self, header: &(impl Fields + ?Sized)) -> Scope {
        let value = |keys: [&str; 2]| {
            let mut own = header.pairs().rev();
            let found = own.find(|(key, _)| keys.iter().any(|k| key.eq_ignore_ascii_case(k)));
            found.map(|(_, value)| value.trim())
        };
        let instrument = value(["INSTRUME", "META.INSTRUMENT.NAME"]).unwrap_or_default();
        let instrument = instrument.to_lowercase();
        let asked = &self.question.instruments;
        let of_other = !instrument.is_empty() && !asked.is_empty() && !asked.contains(&instrument);
        let before = self.question.since.as_ref().is_some_and(|since| {
            let date = value(["DATE-OBS", "META.OBSERVATION.DATE"]);
            date.and_then(day).is_some_and(|date| date < since.as_str())
        });
        if of_other || before {
            Scope::LeftOut
        } else {
            Scope::Asked(instrument.into())
        }
    }

    /// Asks about one header.
    fn header(
        &mut self,
        header: &(impl Fields + ?Sized),
        path: LookupPath,
        own_context: Option<&str>,
        finding: &mut Finding,
    ) {
        // headers of raw files have the keyword, without a value
        let own_context = own_context.filter(|name| !matches!(name.trim(), "" | "N/A"));
        let Some(name) = self.question.old.as_deref().or(own_context) else {
            let words = "nothing says which context it was processed with; --old-context does";
            finding.unknown = Some(words.to_owned());
            return;
        };
        let old = match old_lookups(&mut self.old, self.rules, name) {
            Ok(old) => old,
            Err(reason) => {
                finding.unknown = Some(format!("the rules of {name} cannot be had: {reason}"));
                return;
            }
        };
        let comparison = Comparison::new(old, &mut self.new, &mut self.space);
        let mut differences = Differences {
            rules: self.rules,
            sums: self.sums,
            tables: &mut self.tables,
            question: self.question,
            finding,
        };
        let asked = comparison.each_type(header, path, &mut |name, old, new| {
            differences.judge(header, name, old, new);
        });
        if let Err((side, error)) = asked {
            let side = if side == Side::Old { "old" } else { "new" };
            finding.unknown = Some(format!("the {side} rules have no answer: {error}"));
        }
    }

    fn estimate(&mut self, features: &Features) -> Needs {
        let question = self.question;
        let work_out = || question.needs(&question.model.estimate(features));
        if features.files.is_some() || features.input_mb.is_some() {
            return work_out();
        }
        *self
            .estimates
            .entry(features.key())
            .or_insert_with(work_out)
    }
}

/// The lookups of an old context, which is loaded once.
fn old_lookups<'o, 'r>(
    old: &'o mut HashMap<String, Result<Lookups<'r>, String>>,
    rules: &'r Rules,
    name: &str,
) -> Result<&'o mut Lookups<'r>, &'o str> {
    if !old.contains_key(name) {
        let lookups = rules.old_rules(name).map(|context| context.lookups());
        old.insert(name.to_owned(), lookups);
    }
    match old.get_mut(name) {
        Some(Ok(lookups)) => Ok(lookups),
        Some(Err(reason)) => Err(reason),
        None => Err("they were not loaded"),
    }
}

impl Question {
    fn needs(&self, estimate: &Estimate) -> Needs {
        let price = self.prices.get(estimate.memory_bin.index()).copied();
        Needs {
            memory_bin: estimate.memory_bin,
            seconds: estimate.expected_seconds,
            cost: estimate.expected_seconds / 3600.0 * price.unwrap_or(0.0),
        }
    }
}

/// The day of a date, where it begins with one.
pub(super) fn day(text: &str) -> Option<&str> {
    let day = text.get(..10)?;
    let shape = |(place, byte): (usize, u8)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    day.bytes().enumerate().all(shape).then_some(day)
}

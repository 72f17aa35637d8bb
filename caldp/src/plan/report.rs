//! What a plan says: findings as JSON lines, totals for people or as JSON, and the batch list.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use storage::hint::say;

use caldp_core::dataset::Dataset;
use caldp_core::resources::BINS;
use crds_core::bestrefs::Side;
use serde::Serialize;
use serde_json::value::RawValue;

use super::finding::{Finding, name};
use super::totals::{ChangeKey, NotCounted, Totals};

/// How many changes of one type, and how many datasets, are named for people; the rest are counted.
const NAMED: usize = 20;

#[derive(Serialize)]
struct FindingLine<'f> {
    id: &'f RawValue,
    dataset: Option<&'f str>,
    instrument: &'f str,
    affected: bool,
    changes: Vec<ChangeLine<'f>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FailureLine<'f>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bin: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_cost: Option<f64>,
}

#[derive(Serialize)]
struct ChangeLine<'f> {
    r#type: &'f str,
    old: &'f str,
    new: &'f str,
    counts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Serialize)]
struct FailureLine<'f> {
    r#type: &'f str,
    rules: &'static str,
    reason: &'f str,
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Old => "old",
        Side::New => "new",
    }
}

/// Writes a finding as a line of JSON.
pub(super) fn finding(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let changes = finding.changes.iter().map(|change| ChangeLine {
        r#type: change.reference_type.as_str(),
        old: name(change.old.as_ref()),
        new: name(change.new.as_ref()),
        counts: change.note.counts(),
        note: change.note.words(),
    });
    let errors = finding.failures.iter().map(|failure| FailureLine {
        r#type: failure.reference_type.as_str(),
        rules: side(failure.side),
        reason: &failure.reason,
    });
    let id: &RawValue = serde_json::from_str(&finding.id)?;
    let line = FindingLine {
        id,
        dataset: finding.dataset.as_ref().map(Dataset::name),
        instrument: &finding.instrument,
        affected: finding.is_affected(),
        changes: changes.collect(),
        errors: errors.collect(),
        unknown: finding.unknown.as_deref(),
        memory_bin: finding.needs.map(|needs| needs.memory_bin.number()),
        expected_seconds: finding.needs.map(|needs| needs.seconds.round()),
        expected_cost: finding.needs.map(|needs| cents(needs.cost * 100.0) / 100.0),
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

/// Which rules were compared, and from where datasets are known.
#[derive(Debug, Serialize)]
pub(super) struct About {
    pub(super) from: String,
    /// None where each dataset's own context is the old one.
    pub(super) old_context: Option<String>,
    pub(super) new_context: String,
    /// US dollars for an hour in each memory bin.
    pub(super) hourly_prices: [f64; BINS],
}

#[derive(Serialize)]
struct Summary<'t> {
    #[serde(flatten)]
    about: &'t About,
    asked: u64,
    affected: u64,
    unknown: u64,
    errors: u64,
    left_out: u64,
    affected_by_instrument: &'t BTreeMap<Box<str>, u64>,
    affected_by_type: BTreeMap<&'t str, u64>,
    not_counted: NotCounted,
    rows_not_compared: u64,
    expected_hours: f64,
    expected_cost: f64,
    listed: u64,
    beyond_limit_cost: u64,
}

#[derive(Serialize)]
struct SummaryLine<'t> {
    summary: Summary<'t>,
}

/// Writes the totals as a line of JSON.
pub(super) fn summary(out: &mut impl Write, about: &About, totals: &Totals) -> io::Result<()> {
    let summary = Summary {
        about,
        asked: totals.all_asked(),
        affected: totals.all_affected(),
        unknown: totals.unknown,
        errors: totals.failed,
        left_out: totals.left_out,
        affected_by_instrument: &totals.affected,
        affected_by_type: by_type(totals)
            .into_iter()
            .map(|(t, (n, _))| (t, n))
            .collect(),
        not_counted: totals.not_counted,
        rows_not_compared: totals.rows_not_compared,
        expected_hours: cents(totals.seconds / 3600.0),
        expected_cost: cents(totals.cost),
        listed: totals.listed,
        beyond_limit_cost: totals.beyond_limit,
    };
    serde_json::to_writer(&mut *out, &SummaryLine { summary })?;
    writeln!(out)
}

/// How many changes of a type there are, and which how often.
type OfType<'t> = (u64, Vec<(&'t ChangeKey, u64)>);

/// For each type how many changes there are, and which.
fn by_type(totals: &Totals) -> BTreeMap<&str, OfType<'_>> {
    let mut types: BTreeMap<&str, OfType<'_>> = BTreeMap::new();
    for (key, count) in &totals.changes {
        let (all, changes) = types.entry(key.0.as_str()).or_default();
        *all += count;
        changes.push((key, *count));
    }
    for (_, changes) in types.values_mut() {
        changes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    }
    types
}

/// Writes the totals for people.
pub(super) fn text(out: &mut impl Write, about: &About, totals: &Totals) -> io::Result<()> {
    let old = about
        .old_context
        .as_deref()
        .unwrap_or("each dataset's own context");
    writeln!(out, "{old} -> {}, {}", about.new_context, about.from)?;
    writeln!(
        out,
        "{} asked about: {} affected, {} cannot be told, {} with errors, {} left out",
        totals.all_asked(),
        totals.all_affected(),
        totals.unknown,
        totals.failed,
        totals.left_out,
    )?;
    if !totals.affected.is_empty() {
        writeln!(out, "\naffected by instrument")?;
        for (instrument, count) in &totals.affected {
            writeln!(out, "  {instrument:<12} {count:>9}")?;
        }
        writeln!(out, "\nchanges by type")?;
    }
    for (name, (all, changes)) in by_type(totals) {
        writeln!(out, "  {name:<12} {all:>9}")?;
        for ((_, old, new), count) in changes.iter().take(NAMED) {
            let (old, new) = (self::name(old.as_ref()), self::name(new.as_ref()));
            writeln!(out, "    {count:>9}  {old} -> {new}")?;
        }
        if changes.len() > NAMED {
            writeln!(out, "               and {} others", changes.len() - NAMED)?;
        }
    }
    if totals.rows_not_compared > 0 {
        writeln!(
            out,
            "counted: {} changes of tables whose rows were not compared (--json says why; --fetch-tables \
             brings those that are not in the cache)",
            totals.rows_not_compared
        )?;
    }
    not_counted(out, totals.not_counted)?;
    if totals.all_affected() > 0 {
        writeln!(
            out,
            "\nexpected: {:.1} hours of jobs, {:.2} US dollars (an hour in each memory bin: {})",
            totals.seconds / 3600.0,
            totals.cost,
            about
                .hourly_prices
                .map(|price| price.to_string())
                .join(", ")
        )?;
    }
    if totals.beyond_limit > 0 {
        writeln!(
            out,
            "left out, since they would cost more than the limit: {} datasets",
            totals.beyond_limit
        )?;
    }
    Ok(())
}

fn not_counted(out: &mut impl Write, not: NotCounted) -> io::Result<()> {
    for (count, what) in [
        (
            not.switched_off,
            "of types whose step is switched off (--all-types counts them)",
        ),
        (not.renamed, "to the same file by another name"),
        (
            not.same_rows,
            "of tables in whose rows for the dataset nothing changes",
        ),
    ] {
        if count > 0 {
            writeln!(out, "not counted: {count} changes {what}")?;
        }
    }
    Ok(())
}

/// Tells people what cannot be known and what fails; of many the first, the others are counted.
#[derive(Debug, Default)]
pub(super) struct Told {
    lines: usize,
    more: usize,
}

impl Told {
    pub(super) fn tell(&mut self, finding: &Finding) {
        if let Some(reason) = &finding.unknown {
            self.line(format_args!("{}: cannot be told: {reason}", finding.id));
        }
        for failure in &finding.failures {
            self.line(format_args!(
                "{}: {}: the {} rules fail: {}",
                finding.id,
                failure.reference_type,
                side(failure.side),
                failure.reason
            ));
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        if self.lines < NAMED {
            self.lines += 1;
            say(format_args!("caldp: {line}"));
        } else {
            self.more += 1;
        }
    }

    pub(super) fn end(&self) {
        if self.more > 0 {
            say(format_args!(
                "caldp: and {} others; --json has them all",
                self.more
            ));
        }
    }
}

fn cents(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}

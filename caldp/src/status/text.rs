//! What people see of `caldp status`: one screen for an output.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use caldp_core::resources::MemoryBin;
use caldp_core::state::State;

use super::{FailedDataset, OutputStatus};
use crate::duration::duration;
use crate::tables::{counted, lines, table, wrapped_table};
use crate::terminal;
use caldp_trigger::overview::summary::Summary;

/// Characters of the bar of a state that all datasets are in, where there is room for them, and those of a
/// line that are not of its bar.
const BAR: usize = 40;
const BESIDE_BAR: usize = 30;

/// The screens of all outputs.
pub(super) fn of(statuses: &[OutputStatus], failed: bool) -> String {
    let screens: Vec<String> = statuses
        .iter()
        .map(|status| {
            if failed {
                failures(status)
            } else {
                screen(status)
            }
        })
        .collect();
    screens.join("\n")
}

fn screen(status: &OutputStatus) -> String {
    let summary = &status.summary;
    let datasets = counted(summary.datasets, "dataset");
    let mut text = format!("{}: {datasets}\n\n", status.output);
    text += &states(summary);
    if !summary.failures.is_empty() {
        let mut table = wrapped_table(&["datasets", "reason", "for example", "what to do"]);
        for group in &summary.failures {
            table.add_row([
                group.datasets.to_string(),
                group.reason.clone(),
                group.example.to_string(),
                group.remedy.words().to_owned(),
            ]);
        }
        let _ = writeln!(text, "\n{}", lines(&table));
    }
    let _ = writeln!(text, "\n{}", speed(summary));
    let _ = writeln!(
        text,
        "cost so far {:.2} {currency}, expected in all {:.2} {currency}",
        summary.cost_so_far,
        summary.cost_expected,
        currency = summary.currency
    );
    text += &named(summary);
    if !summary.failures.is_empty() {
        let _ = writeln!(text, "next: caldp status {} --failed", status.output);
    }
    text
}

/// The counts of states, with bars.
fn states(summary: &Summary) -> String {
    let mut text = String::new();
    let room = terminal::width().map_or(BAR, |width| {
        usize::from(width).saturating_sub(BESIDE_BAR).min(BAR)
    });
    for (state, count) in &summary.states {
        let (style, plain) = (colour(*state), Style::new());
        let filled = (count * room).div_ceil(summary.datasets.max(1)).min(room);
        let bar = "█".repeat(filled) + &"·".repeat(room - filled);
        let share = percent(*count, summary.datasets);
        let _ = writeln!(
            text,
            "{style}{state:<11}{style:#}{count:>8}  {bar}{plain} {share:>5.1} %"
        );
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts of datasets")]
fn percent(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

const fn colour(state: State) -> Style {
    let colour = match state {
        State::Error => AnsiColor::Red,
        State::Terminated => AnsiColor::Yellow,
        State::Submitted | State::Processing | State::Syncing => AnsiColor::Cyan,
        State::Processed | State::Synced | State::Archived => AnsiColor::Green,
    };
    colour.on_default()
}

fn speed(summary: &Summary) -> String {
    let mut text = format!(
        "{:.0} datasets an hour (last 15 minutes)",
        summary.recent_per_hour
    );
    if let Some(overall) = summary.per_hour {
        let _ = write!(text, ", {overall:.0} overall");
    }
    if let Some(left) = summary.seconds_left {
        let _ = write!(text, ", about {} left", duration(left));
    }
    let bins = MemoryBin::ALL.into_iter().zip(summary.memory_bins);
    let used: Vec<String> = bins
        .filter(|(_, count)| *count > 0)
        .map(|(bin, count)| format!("{} GiB: {count}", bin.gib()))
        .collect();
    if !used.is_empty() {
        let _ = write!(
            text,
            "\nmemory bins {}; retries {}",
            used.join(", "),
            summary.retries
        );
    }
    text
}

fn named(summary: &Summary) -> String {
    let mut text = String::new();
    if !summary.slowest.is_empty() {
        let slow = summary.slowest.iter();
        #[expect(clippy::cast_precision_loss, reason = "seconds of jobs")]
        let slow: Vec<String> = slow
            .map(|slow| format!("{} {}", slow.dataset, duration(slow.seconds as f64)))
            .collect();
        let _ = writeln!(text, "slowest: {}", slow.join(", "));
    }
    for because in &summary.because {
        let datasets = counted(because.datasets, "dataset");
        let _ = writeln!(text, "reprocessed because {}: {datasets}", because.why);
    }
    if !summary.stuck.is_empty() {
        let stuck: Vec<String> = summary
            .stuck
            .iter()
            .take(5)
            .map(ToString::to_string)
            .collect();
        let _ = writeln!(
            text,
            "processing for longer than allowed: {} ({})",
            summary.stuck.len(),
            stuck.join(", ")
        );
    }
    text
}

/// The datasets that failed, each with the command that submits it again.
fn failures(status: &OutputStatus) -> String {
    let failed = status.failed.as_deref().unwrap_or_default();
    if failed.is_empty() {
        return format!(
            "{}: none of {} datasets failed\n",
            status.output, status.summary.datasets
        );
    }
    let mut table = table(&["dataset", "reason", "attempts", "first", "then"]);
    for one in failed {
        let failure = one.progress.failure.as_ref();
        table.add_row([
            one.progress.dataset.to_string(),
            failure.map_or_else(String::new, |f| f.reason.clone()),
            one.progress.attempts.to_string(),
            failure.map_or_else(String::new, |f| f.remedy.words().to_owned()),
            one.command.clone().unwrap_or_default(),
        ]);
    }
    let table = lines(&table) + "\n";
    let widest = table.lines().map(|line| line.chars().count()).max();
    match terminal::width() {
        Some(width) if widest > Some(width.into()) => one_after_another(failed),
        _ => table,
    }
}

/// The same below each other, where a terminal is too narrow for lines that can be pasted.
fn one_after_another(failed: &[FailedDataset]) -> String {
    let mut text = String::new();
    for one in failed {
        let attempts = counted(one.progress.attempts, "attempt");
        let _ = write!(text, "{}  {attempts}", one.progress.dataset);
        if let Some(failure) = &one.progress.failure {
            let _ = write!(
                text,
                "  {}\n  next: {}",
                failure.reason,
                failure.remedy.words()
            );
        }
        text.push('\n');
        if let Some(command) = &one.command {
            let _ = writeln!(text, "  {command}");
        }
    }
    text
}

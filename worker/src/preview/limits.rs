//! The range of the flux axis that shows a segment of a COS spectrum well: most of the values of
//! its good part, with some room, whatever airglow and the ends of the detector do. The rule and
//! its numbers are those of `spec_plots`, so that files say what their readers are used to.

use super::airglow::is_airglow;
use super::spectrum::{Sample, Segment};

/// So many good samples in a row begin and end the good part.
const IN_A_ROW: usize = 20;
/// An error larger than so many times the median says that a sample is at the detector's end.
const LARGEST_ERROR: f64 = 5.0;
/// The room above the 99th percentile and below the first, as a share of what is between.
const ROOM: f64 = 0.3;

/// The lower and the upper limit; `None` for a segment that has no flux.
pub(super) fn flux_limits(segment: &Segment) -> Option<(f64, f64)> {
    let samples = &segment.samples;
    let part = good_part(samples)?;
    let mut fluxes: Vec<f64> = part
        .iter()
        .filter(|sample| sample.value.is_finite() && !is_airglow(sample.wavelength))
        .map(|sample| sample.value)
        .collect();
    fluxes.sort_unstable_by(f64::total_cmp);
    let (least, most) = (percentile(&fluxes, 1)?, percentile(&fluxes, 99)?);
    if least >= most {
        return Some((least - 1.0, most + 1.0));
    }
    let room = ROOM * (most - least);
    let low = least - room;
    // Not far below zero, where nothing is.
    let low = if low > 0.0 { low } else { 1.1 * least };
    Some((low, most + room)).filter(|(low, high)| low.is_finite() && high.is_finite())
}

/// The samples from the first run of good ones to the last; where weights leave none, without
/// looking at them; all of them where there is no run.
fn good_part(samples: &[Sample]) -> Option<&[Sample]> {
    let seen = |sample: &&Sample| sample.value.is_finite() && sample.value != 0.0;
    let mut errors: Vec<f64> = samples
        .iter()
        .filter(seen)
        .map(|sample| sample.error)
        .collect();
    errors.sort_unstable_by(f64::total_cmp);
    let largest = percentile(&errors, 50)? * LARGEST_ERROR;
    let measured = |sample: &Sample| sample.value != 0.0 && sample.error < largest;
    between_runs(samples, |sample| measured(sample) && sample.weight >= 1.0)
        .or_else(|| between_runs(samples, measured))
        .or(Some(samples))
}

fn between_runs(samples: &[Sample], good: impl Fn(&Sample) -> bool) -> Option<&[Sample]> {
    let mut runs = samples
        .windows(IN_A_ROW)
        .enumerate()
        .filter(|(_, run)| run.iter().all(&good))
        .map(|(start, _)| start);
    let first = runs.next()?;
    let last = runs.next_back().unwrap_or(first);
    samples.get(first..last + IN_A_ROW)
}

/// A percentile of sorted values, between two of them in proportion.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let (below, rest) = (last * percent / 100, last * percent % 100);
    let (low, high) = (*sorted.get(below)?, *sorted.get((below + 1).min(last))?);
    let share = f64::from(u32::try_from(rest).unwrap_or(0)) / 100.0;
    Some(low + (high - low) * share)
}

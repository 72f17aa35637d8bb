//! Metrics, as lines of the log: the function's log writes them in `CloudWatch`'s embedded metric format,
//! from which `CloudWatch` makes metrics by itself.

use caldp_core::resources::MemoryBin;

/// The log target of metrics.
pub const TARGET: &str = "caldp::metric";

/// The metric of verdicts: the dashboard of `infra/` shows it.
pub const VERDICTS: &str = "Verdicts";
/// What verdicts are counted by.
pub const VERDICT_DIMENSIONS: &str = "verdict,memory_bin";

/// The metric of what will never succeed.
pub const REFUSED: &str = "Refused";
/// What that is counted by.
pub const REFUSED_DIMENSIONS: &str = "kind";

/// The metric of datasets that a sweep found stuck and tried to settle.
pub const SWEPT: &str = "Swept";
/// What those are counted by.
pub const SWEPT_DIMENSIONS: &str = "found,result";

/// What became of a dataset that a sweep found stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SweepResult {
    Settled,
    Failed,
}

/// A verdict on the end of a job, by memory bin.
pub(crate) fn verdict(verdict: &str, memory_bin: MemoryBin) {
    let memory_bin = memory_bin.number();
    tracing::info!(
        target: TARGET, metric = VERDICTS, dimensions = VERDICT_DIMENSIONS, verdict, memory_bin
    );
}

/// An event that will never succeed, by kind.
pub(crate) fn refused(kind: &str) {
    tracing::info!(target: TARGET, metric = REFUSED, dimensions = REFUSED_DIMENSIONS, kind);
}

/// A dataset that a sweep found stuck, by what was wrong with it.
pub(crate) fn swept(found: &str, result: SweepResult) {
    let result = match result {
        SweepResult::Settled => "settled",
        SweepResult::Failed => "failed",
    };
    tracing::info!(target: TARGET, metric = SWEPT, dimensions = SWEPT_DIMENSIONS, found, result);
}

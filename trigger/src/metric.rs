//! Metrics, as lines of the log: the function's log writes them in `CloudWatch`'s embedded metric format,
//! from which `CloudWatch` makes metrics by itself.

use caldp_core::resources::MemoryBin;

/// The log target of metrics.
pub const TARGET: &str = "caldp::metric";

/// The metric of verdicts: the dashboard of `infra/` shows it.
pub const VERDICTS: &str = "Verdicts";
/// What verdicts are counted by.
pub const VERDICT_DIMENSIONS: &str = "verdict,memory_bin";

/// A verdict on the end of a job, by memory bin.
pub(crate) fn verdict(verdict: &str, memory_bin: MemoryBin) {
    let memory_bin = memory_bin.number();
    tracing::info!(
        target: TARGET, metric = VERDICTS, dimensions = VERDICT_DIMENSIONS, verdict, memory_bin
    );
}

/// An event that will never succeed, by kind.
pub(crate) fn refused(kind: &str) {
    tracing::info!(target: TARGET, metric = "Refused", dimensions = "kind", kind);
}

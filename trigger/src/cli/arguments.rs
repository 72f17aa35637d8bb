//! What several commands take.

use caldp_core::layout::Layout;
use caldp_core::resources::MemoryBin;
use clap::Args;
use storage::hint::{parsed, with_hint};

use crate::order::is_context;
use crate::resources::{Priority, Scale};

/// How jobs are run.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The memory bin to start on, 0 to 3
    #[arg(long, value_parser = parse_memory_bin)]
    pub(super) memory_bin: Option<MemoryBin>,
    /// A factor for time limits
    #[arg(long, value_parser = parse_scale)]
    pub(super) timeout_scale: Option<Scale>,
    /// The CRDS context
    #[arg(long, env = "CRDS_CONTEXT", value_parser = parse_context)]
    pub(super) context: Option<String>,
}

/// What all commands take.
#[derive(Debug, Args)]
pub(super) struct CommonArgs {
    /// The layout of results and messages
    #[arg(long, env = "CALDP_LAYOUT", default_value_t, value_parser = parsed::<Layout>)]
    pub(super) layout: Layout,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Answer in JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn parse_memory_bin(text: &str) -> Result<MemoryBin, String> {
    let number = text.parse().ok();
    number
        .and_then(MemoryBin::new)
        .ok_or_else(|| "a memory bin is 0, 1, 2 or 3".to_owned())
}

fn parse_context(text: &str) -> Result<String, String> {
    if is_context(text) {
        return Ok(text.to_owned());
    }
    let sentence = format!("{text:?} is no CRDS context of HST");
    let hint = "use one like hst_1234.pmap, latest, hst-operational, hst-edit or hst-2018-01-21";
    Err(with_hint(sentence, Some(hint)))
}

pub(super) fn parse_scale(text: &str) -> Result<Scale, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    Scale::try_from(number)
}

pub(super) fn parse_priority(text: &str) -> Result<Priority, String> {
    let number: u64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    Priority::try_from(number)
}

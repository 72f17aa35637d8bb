//! `crds env`: the settings, where each comes from, and what it means.

use std::io::Write as _;

use serde_json::json;

use crate::failure::Failure;
use crate::json;
use crds_core::config::{Config, Origin};

/// Shows every setting: its value, where that comes from, and what it means
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only settings that are not at their default
    #[arg(long)]
    changed: bool,
}

/// What `crds list --config` shows.
pub(crate) fn show(config: &Config, json: bool) -> Result<u8, Failure> {
    run(&Args { changed: false }, config, json)
}

pub(crate) fn run(args: &Args, config: &Config, json: bool) -> Result<u8, Failure> {
    let shown = config
        .settings()
        .filter(|setting| !args.changed || setting.origin != Origin::Default);
    let origin = |origin: Origin| match origin {
        Origin::Default => "default",
        Origin::Environment => "environment",
        Origin::Option(name) => name,
    };
    if json {
        let settings = shown.map(|setting| {
            json!({
                "name": setting.name,
                "value": setting.value,
                "origin": origin(setting.origin),
                "meaning": setting.meaning,
            })
        });
        let settings: Vec<_> = settings.collect();
        json::print(&json!({"settings": settings, "unknown": config.unknown()}))?;
        return Ok(0);
    }
    let mut out = std::io::stdout().lock();
    for setting in shown {
        writeln!(
            out,
            "{}={}  ({})\n    {}",
            setting.name,
            setting.value,
            origin(setting.origin),
            setting.meaning
        )?;
    }
    Ok(0)
}

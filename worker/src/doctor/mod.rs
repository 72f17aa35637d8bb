//! `caldp doctor`: could a run work here, and if not, what is missing and how to get it.
//!
//! Every step of a run has a check here that looks at what that step will need, changes nothing
//! that lasts, and ends in bounded time. The checks go on at the same time; each gives findings,
//! and the report puts them in order. How a run itself fails is for the rooms to say.

mod access;
mod finding;
mod inputs;
mod machine;
mod network;
mod place;
mod programs;
mod python;
mod references;

pub use finding::{Area, Finding, Level, Report};

use crate::config::{ConfigName, Settings};
use crate::input::source::Source;
use caldp_core::dataset::Dataset;
use inputs::Inputs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use storage::uri::Location;

/// The most time any check has. A check that is not done by then says so.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is to be checked.
#[derive(Debug, Clone)]
pub struct Examination {
    /// The dataset; all instruments without one.
    pub dataset: Option<Dataset>,
    /// Where its inputs are, if that was said.
    pub input: Option<Source>,
    /// Where results would go.
    pub output: Location,
    /// The configuration.
    pub config: ConfigName,
    /// Below this directory the working directory would be made.
    pub home: PathBuf,
}

/// What every check may look at.
#[derive(Debug)]
struct Situation {
    request: Examination,
    settings: Settings,
    inputs: Inputs,
}

/// Checks everything and gives the report.
pub async fn examine(request: Examination, settings: Settings) -> Report {
    let dataset = request.dataset.as_ref().map(ToString::to_string);
    let config = request.config.to_string();
    let inputs = Inputs::look(&request);
    let mut findings = inputs.findings.clone();
    findings.extend(configuration(&settings));
    let situation = Arc::new(Situation {
        request,
        settings,
        inputs,
    });
    findings.extend(machine::check(&situation));
    let its = || Arc::clone(&situation);
    // Each in a task of its own: reading rules takes a processor for a while.
    let checks = [
        (Area::Programs, tokio::spawn(programs::check(its()))),
        (Area::References, tokio::spawn(references::check(its()))),
        (Area::Access, tokio::spawn(access::check(its()))),
    ];
    for (area, check) in checks {
        findings.extend(check.await.unwrap_or_else(|error| {
            vec![Finding::new(
                area,
                "this check",
                Level::Problem,
                format!("it did not end as it should: {error}"),
            )]
        }));
    }
    Report::new(dataset, config, findings)
}

/// The variables of CRDS and of this program, and where they come from.
fn configuration(settings: &Settings) -> Vec<Finding> {
    settings
        .configured()
        .map(|(name, setting)| {
            let value = crate::report::masked(name, &setting.value);
            let text = format!("{value} ({})", setting.origin);
            Finding::new(Area::Configuration, name, Level::Note, text)
                .detail("value", value)
                .detail("origin", setting.origin.to_string())
        })
        .collect()
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mut value = bytes as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} bytes"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_for_people() {
        assert_eq!(super::size(12), "12 bytes");
        assert_eq!(super::size(3 << 29), "1.5 GiB");
        assert_eq!(super::size(u64::MAX), "16777216.0 TiB");
    }
}

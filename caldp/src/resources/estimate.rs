//! `caldp estimate`: memory bin, time limit, expected time and peak of datasets before they run.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use caldp_core::dataset::Dataset;
use caldp_core::resources::table::Table;
use caldp_core::resources::{Basis, Estimate, Features};
use caldp_worker::cli::logging;
use clap::Args;
use serde::Serialize;
use storage::hint::{self, answered, parsed};
use storage::uri::Location;

use super::{Error, ended, inputs, model};
use crate::duration::duration;
use crate::status::LOGGED;

/// Says what datasets will need, from their names or from a table of what is known of them.
#[derive(Debug, Args)]
pub(crate) struct EstimateArguments {
    /// Datasets of which nothing but the name is known
    #[arg(required_unless_present = "features", value_parser = parsed::<Dataset>)]
    datasets: Vec<Dataset>,
    /// A CSV table of what is known of datasets before they run
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// Where the raw files of the datasets are, s3://... or file:...; their sizes and first headers
    /// are looked at
    #[arg(long, value_name = "PLACE", conflicts_with = "features", value_parser = parsed::<Location>)]
    inputs: Option<Location>,
    /// The model of a file that caldp learn wrote, instead of the one that comes with the program
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl EstimateArguments {
    pub(crate) const HELP: &'static str = "\
Columns of FILE: dataset n_files total_mb drizcorr pctecorr crsplit subarray large_detector, in any
order; each but the first may be missing or empty, which makes the answer wider.
expected_peak_gb is in the unit of memory_gb of tables of runs: KiB over 10^6.
Exit status 1: some names cannot be processed; the others are answered.";
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    dataset: &'a str,
    memory_bin: u8,
    timeout_seconds: u64,
    expected_seconds: u64,
    expected_peak_gb: f64,
}

pub(crate) fn run(arguments: &EstimateArguments) -> ExitCode {
    ended(answer(arguments))
}

fn answer(arguments: &EstimateArguments) -> Result<(), Error> {
    let model = model(arguments.model.as_deref())?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let mut say = |features: &Features| {
        let estimate = model.estimate(features);
        if written.is_ok() {
            written = if arguments.json {
                as_json(&mut out, features, &estimate)
            } else {
                as_text(&mut out, features, &estimate)
            };
        }
    };
    match &arguments.inputs {
        Some(place) => say_from_inputs(place, &arguments.datasets, &mut say)?,
        None => {
            for dataset in &arguments.datasets {
                say(&Features::of_name(dataset.clone()));
            }
        }
    }
    let unnamed = match &arguments.features {
        Some(path) => table(path, &mut say)?,
        None => 0,
    };
    answered(written.and_then(|()| out.flush()))?;
    if unnamed == 0 {
        Ok(())
    } else {
        Err(Error::Names(unnamed))
    }
}

/// Answers for datasets whose raw files are at a place; those of which none can be read, from their
/// names.
fn say_from_inputs(
    place: &Location,
    datasets: &[Dataset],
    say: &mut impl FnMut(&Features),
) -> Result<(), Error> {
    logging::start(LOGGED, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let seen = runtime.block_on(async {
        let store = storage::store::open(place).await;
        inputs::look(&store, datasets.to_vec()).await
    });
    runtime.shutdown_background();
    let known = inputs::known(seen, true).into_iter();
    let known: HashMap<Dataset, Features> = known
        .map(|features| (features.dataset.clone(), features))
        .collect();
    for dataset in datasets {
        match known.get(dataset) {
            Some(features) => say(features),
            None => say(&Features::of_name(dataset.clone())),
        }
    }
    Ok(())
}

/// Answers each line of a table; how many name no dataset.
fn table(path: &Path, say: &mut impl FnMut(&Features)) -> Result<usize, Error> {
    let file = File::open(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let lines = Table::open(file).map_err(|source| Error::Table {
        path: path.to_owned(),
        source,
    })?;
    let mut unnamed = 0;
    let mut is_empty = true;
    for line in lines {
        is_empty = false;
        match line.features {
            Ok(features) => say(&features),
            Err(refusal) => {
                let place = format!("{}:{}", path.display(), line.number);
                if let Ok(dataset) = Dataset::parse(&line.name) {
                    hint::say(format_args!(
                        "caldp: {place}: {dataset}: {refusal}; estimated from its name"
                    ));
                    say(&Features::of_name(dataset));
                } else {
                    hint::say(format_args!("caldp: {place}: {:?}: {refusal}", line.name));
                    unnamed += 1;
                }
            }
        }
    }
    if is_empty {
        return Err(Error::NoDatasets(path.to_owned()));
    }
    Ok(unnamed)
}

/// Whole seconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and casts of floats saturate"
)]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}

fn as_json(out: &mut impl Write, features: &Features, estimate: &Estimate) -> io::Result<()> {
    let line = Line {
        dataset: features.dataset.name(),
        memory_bin: estimate.memory_bin.number(),
        timeout_seconds: whole(estimate.timeout_seconds),
        expected_seconds: whole(estimate.expected_seconds),
        expected_peak_gb: (estimate.expected_peak_gb() * 1e3).round() / 1e3,
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

fn as_text(out: &mut impl Write, features: &Features, estimate: &Estimate) -> io::Result<()> {
    writeln!(
        out,
        "{}: {}, stopped after {}; expected {} and {:.1} GB",
        features.dataset,
        estimate.memory_bin,
        duration(estimate.timeout_seconds),
        duration(estimate.expected_seconds),
        estimate.expected_peak_gb(),
    )?;
    match &estimate.basis {
        Basis::Measured {
            like,
            runs,
            proposals,
            size_known,
        } => {
            let size = if *size_known {
                ""
            } else {
                "; the size of its inputs is not known"
            };
            writeln!(
                out,
                "    as {runs} measured runs ({proposals} proposals) of: {like}{size}"
            )
        }
        Basis::Earlier => writeln!(out, "    as an earlier run of it"),
        Basis::Published { because } => writeln!(out, "    {because}"),
    }
}

//! Errors by their kind: which there were, how often, and of which datasets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::log::errors;
use crds_core::literal::Literal;

/// What is done with the errors of datasets besides logging them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Tracking {
    /// Log each kind of error at the end: how often there was one, and the first
    #[arg(long)]
    pub(super) dump_unique_errors: bool,
    /// Write the ids of all datasets with errors to this file
    #[arg(long, value_name = "FILE")]
    all_errors_file: Option<PathBuf>,
    /// Write the ids of the first dataset of each kind of error to this file
    #[arg(long, value_name = "FILE")]
    unique_errors_file: Option<PathBuf>,
    /// The same as --undefined-differences-matter --na-differences-matter --dump-unique-errors, with
    /// the files `all_errors.ids` and `unique_errors.ids`
    #[arg(long)]
    pub(super) check_context: bool,
}

/// What was found of one kind.
#[derive(Debug)]
struct Class {
    count: usize,
    first: String,
}

/// The errors so far.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    /// By instrument, type and text.
    classes: BTreeMap<String, Class>,
    all: BTreeSet<String>,
    firsts: BTreeSet<String>,
    count: u64,
}

impl Tracked {
    /// Logs an error about one type of a dataset, and keeps it in mind.
    pub(super) fn error(
        &mut self,
        id: &str,
        instrument: &str,
        reference_type: &str,
        text: impl Display,
    ) {
        let line = format!("{} {text}", prefix(instrument, reference_type, id));
        tracing::error!("{line}");
        let upper = reference_type.to_uppercase();
        let key = format!("{} {upper} {text}", instrument.to_uppercase());
        self.count += 1;
        self.all.insert(id.to_owned());
        let firsts = &mut self.firsts;
        let class = self.classes.entry(key).or_insert_with(|| {
            firsts.insert(id.to_owned());
            Class {
                count: 0,
                first: line,
            }
        });
        class.count += 1;
    }

    /// What was asked for about them.
    pub(super) fn told(&self, asked: &Tracking) -> Result<(), Failure> {
        let bar = "=".repeat(20);
        if asked.dump_unique_errors || asked.check_context {
            tracing::info!("{bar} unique error classes {bar}");
            for class in self.classes.values() {
                tracing::info!("{:06} errors like:: {}", class.count, class.first);
            }
            tracing::info!("All unique error types: {}", self.classes.len());
            tracing::info!("Untracked errors: {}", errors().saturating_sub(self.count));
            tracing::info!("{bar} {} {bar}", "=".repeat("unique error classes".len()));
        }
        let usual = |name: &str| asked.check_context.then(|| PathBuf::from(name));
        let all = asked.all_errors_file.clone();
        let firsts = asked.unique_errors_file.clone();
        for (path, ids) in [
            (all.or_else(|| usual("all_errors.ids")), &self.all),
            (firsts.or_else(|| usual("unique_errors.ids")), &self.firsts),
        ] {
            if let Some(path) = path {
                write(&path, ids)?;
            }
        }
        Ok(())
    }
}

fn write(path: &Path, ids: &BTreeSet<String>) -> Result<(), Failure> {
    let text: String = ids.iter().flat_map(|id| [id, "\n"]).collect();
    std::fs::write(path, text)
        .map_err(|error| Failure::fatal(format!("{}: {error}", path.display())))
}

/// What lines about one type begin with.
pub(super) fn prefix(instrument: &str, reference_type: &str, id: &str) -> String {
    let quoted = |text: String| Literal::Str(text.into()).to_string();
    format!(
        "instrument={} type={} data={} :: ",
        quoted(instrument.to_uppercase()),
        quoted(reference_type.to_uppercase()),
        quoted(id.to_owned())
    )
}

//! `crds bestrefs`: the best references of files, of headers, or of what the server has in its
//! catalogue; compared, printed, fetched, written.

mod bulk;
mod compare;
mod inputs;
mod lines;
mod results;
mod rows;
mod skipped;
mod tracked;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::{json, log, options};
use compare::{Comparison, Old, Strictness, Update};
use crds_core::Config;
use crds_core::dataset::NoMatch;
use crds_core::names::ContextName;
use crds_core::{AssignOptions, Assignments, BadFiles, Reuse, TypeChoice};
use rows::Unchanged;
use storage::hint::parsed;
use tracked::{Tracked, Tracking};

/// Answers in JSON lines are neither compared, nor written into files, nor counted.
const NOT_WITH_HEADERS: [&str; 17] = [
    "regression",
    "dump_unique_errors",
    "all_errors_file",
    "unique_errors_file",
    "check_context",
    "old_context",
    "optimize_tables",
    "compare_source_bestrefs",
    "update_bestrefs",
    "save_pickle",
    "print_new_references",
    "print_affected",
    "print_affected_details",
    "print_update_counts",
    "differences_are_errors",
    "undefined_differences_matter",
    "na_differences_matter",
];

/// The date of `--datasets-since` that the rules tell.
const AUTO: &str = "auto";

/// Chooses the best references of datasets; updates their headers if asked to
///
/// Exit status: 0 without errors, 1 with some, 2 for wrong arguments, 255 if nothing could be done.
#[derive(Debug, Clone, clap::Args)]
#[command(arg_required_else_help = true)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    /// Files to choose references for; @LIST reads names from a file
    #[arg(short, long, num_args = 1.., value_name = "FILE", group = "source")]
    files: Vec<String>,
    /// One JSON object per line: {"id":..., "header":{...}}, with "context" and "path" ("std" or
    /// "raw") if they differ; - is stdin. One line of answers for each, in order, on stdout
    #[arg(long, value_name = "FILE", group = "source", conflicts_with_all = NOT_WITH_HEADERS)]
    headers: Option<String>,
    /// Files of headers, one JSON object {"id": {header}} per line or for all; what they say goes before
    /// what the server's catalogue says, if datasets of it are asked for, too
    #[arg(short = 'p', long, num_args = 1.., value_name = "FILE", conflicts_with_all = ["files", "headers"])]
    load_pickles: Vec<PathBuf>,
    /// Ids of datasets in the server's catalogue
    #[arg(short, long, num_args = 1.., value_name = "ID", group = "source")]
    datasets: Vec<String>,
    /// All datasets of these instruments in the server's catalogue
    #[arg(short, long, num_args = 1.., value_name = "INSTRUMENT", group = "source")]
    instruments: Vec<String>,
    /// All datasets in the server's catalogue
    #[arg(long, group = "source")]
    all_instruments: bool,
    /// All datasets in the server's catalogue of the instruments whose rules --old-context and the new
    /// context have differently
    #[arg(long, group = "source", requires = "old_context")]
    diffs_only: bool,
    /// --diffs-only, --datasets-since=auto, --print-affected, --print-update-counts, and differences
    /// from and to nothing and N/A matter
    #[arg(long, group = "source", requires = "old_context")]
    affected_datasets: bool,
    /// Of instruments, only datasets taken since this date; auto: since the first date of a row that
    /// is different from --old-context
    #[arg(long, value_name = "DATE", conflicts_with_all = ["files", "headers", "datasets"])]
    datasets_since: Option<String>,
    /// Write the headers that were used to this file, as JSON
    #[arg(short = 'a', long, value_name = "FILE")]
    save_pickle: Option<PathBuf>,
    /// In that file, put the answers in place of what the headers say
    #[arg(long, requires = "save_pickle")]
    update_pickle: bool,
    /// The rules to use [default: `CRDS_CONTEXT`, else those in use]
    #[arg(short, long, visible_alias = "context", value_name = "CONTEXT", value_parser = parsed::<ContextName>)]
    new_context: Option<ContextName>,
    /// Compare with what these rules say
    #[arg(
        short,
        long,
        value_name = "CONTEXT", value_parser = parsed::<ContextName>,
        conflicts_with = "compare_source_bestrefs"
    )]
    old_context: Option<ContextName>,
    /// With --old-context: a table counts as another only if a row that the dataset uses changed;
    /// tables are fetched for it
    #[arg(short = 'z', long)]
    optimize_tables: bool,
    /// Compare with what the headers say
    #[arg(short, long)]
    compare_source_bestrefs: bool,
    /// Only these types of references [default: those that calibrating the dataset takes]
    #[arg(short, long, num_args = 1.., value_name = "TYPE")]
    types: Vec<String>,
    /// All but these types of references
    #[arg(short = 'k', long, num_args = 1.., value_name = "TYPE")]
    skip_types: Vec<String>,
    /// All types of the instrument, also those that a JWST exposure does not take; beats --types
    #[arg(long)]
    all_types: bool,
    /// Only these ids
    #[arg(long, num_args = 0.., value_name = "ID")]
    only_ids: Vec<String>,
    /// All but these ids
    #[arg(long, num_args = 0.., value_name = "ID")]
    drop_ids: Vec<String>,
    /// Write the answers into the headers of the files
    #[arg(short, long)]
    update_bestrefs: bool,
    /// Fetch the references into the cache: 1 yes, 0 no
    #[arg(short, long, value_name = "0|1", num_args = 0..=1, default_value = "0", default_missing_value = "1", value_parser = clap::value_parser!(u8).range(0..=1))]
    sync_references: u8,
    /// Accepted: rules are fetched as far as they are needed
    #[arg(short = 'm', long, value_name = "0|1", num_args = 0..=1, default_missing_value = "1")]
    sync_mappings: Option<u8>,
    /// Refused: references are chosen here, with the same rules
    #[arg(short, long)]
    remote_bestrefs: bool,
    /// Print a line for each new reference: id instrument type old new
    #[arg(long)]
    print_new_references: bool,
    /// Print the products that would get new references
    #[arg(long)]
    print_affected: bool,
    /// Print the ids, instruments and types that would get new references
    #[arg(long)]
    print_affected_details: bool,
    /// Log how many references changed, by instrument and type
    #[arg(long)]
    print_update_counts: bool,
    /// Differences from the headers are errors
    #[arg(long)]
    differences_are_errors: bool,
    /// Finding no match is an error, not `N/A`
    #[arg(long)]
    undefined_differences_matter: bool,
    /// A difference from or to N/A counts, too
    #[arg(long)]
    na_differences_matter: bool,
    /// --compare-source-bestrefs, --differences-are-errors and --dump-unique-errors
    #[arg(short = 'g', long, conflicts_with = "old_context")]
    regression: bool,
    #[command(flatten)]
    tracking: Tracking,
    /// Only warn of rules that CRDS has withdrawn
    #[arg(long)]
    allow_bad_rules: bool,
    /// Only warn of references that CRDS has withdrawn
    #[arg(long)]
    allow_bad_references: bool,
}

pub(crate) async fn run(
    args: &Args,
    mut config: Config,
    reuse: Reuse,
    as_json: bool,
) -> Result<u8, Failure> {
    let args = &args.spelled_out();
    args.set_variables(&mut config)?;
    if args.sync_references == 1 && config.readonly_cache {
        return Err(Failure::refused(
            "references cannot be fetched into a read-only cache",
            "leave out --sync-references or CRDS_READONLY_CACHE",
        ));
    }
    let files = options::expanded(&args.files)?;
    let names = files.iter().map(String::as_str);
    let client = options::client(config, args.new_context.as_ref(), names);
    if let Some(file) = &args.headers {
        return bulk::run(args, &client, reuse, file).await;
    }
    if let Some(name) = &args.new_context {
        tracing::debug!(
            "Using explicit new context '{name}' for computing updated best references."
        );
    }
    if let Some(name) = &args.old_context {
        tracing::debug!("Using explicit old context '{name}'");
    }
    let inputs = inputs::gather(args, files, &client).await?;
    let new = client
        .assign_headers(inputs.datasets(), &args.options(args.new_context.as_ref()))
        .await?;
    skipped::check(args, &client, &new).await?;
    let old = match &args.old_context {
        Some(context) => {
            let options = args.options(Some(context));
            Some(client.assign_headers(inputs.datasets(), &options).await?)
        }
        None => None,
    };
    let compared = args.compared(old.as_ref());
    let unchanged = rows::unchanged(args, &client, &new, &compared).await;
    let mut tracked = Tracked::default();
    let updates = report_each(args, &new, &compared, &unchanged, &mut tracked);
    if let Some(path) = &args.save_pickle {
        inputs.save(path, args.update_pickle.then_some(&new))?;
    }
    // A reader of the results that has seen enough does not keep the headers from being written.
    let finished = results::finish(args, &client, reuse, &new, &updates).await;
    tracked.told(&args.tracking)?;
    results::print(args, &updates)?;
    let fetched = finished?;
    if as_json {
        json::print(&json::assignments(&new, &fetched))?;
    }
    log::counts();
    Ok(u8::from(log::errors() > 0))
}

impl Args {
    /// Sets the variables that some options stand for.
    fn set_variables(&self, config: &mut Config) -> Result<(), Failure> {
        let rules = (
            self.allow_bad_rules,
            "CRDS_ALLOW_BAD_RULES",
            "1",
            "--allow-bad-rules",
        );
        let references = (
            self.allow_bad_references,
            "CRDS_ALLOW_BAD_REFERENCES",
            "1",
            "--allow-bad-references",
        );
        let remote = (
            self.remote_bestrefs,
            "CRDS_MODE",
            "remote",
            "--remote-bestrefs",
        );
        for (given, name, value, option) in [rules, references, remote] {
            if given {
                config.set(name, value, option)?;
            }
        }
        Ok(())
    }

    /// With what `--affected-datasets` and `--regression` stand for.
    fn spelled_out(&self) -> Self {
        let mut args = self.clone();
        if args.regression {
            args.compare_source_bestrefs = true;
            args.differences_are_errors = true;
            args.tracking.dump_unique_errors = true;
        }
        if args.affected_datasets {
            args.diffs_only = true;
            args.datasets_since.get_or_insert_with(|| AUTO.to_owned());
            args.print_affected = true;
            args.print_update_counts = true;
            args.undefined_differences_matter = true;
            args.na_differences_matter = true;
        }
        args
    }

    fn options(&self, context: Option<&ContextName>) -> AssignOptions {
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect();
        AssignOptions {
            context: context.cloned(),
            types: if self.all_types {
                TypeChoice::All
            } else if self.types.is_empty() {
                TypeChoice::Applicable
            } else {
                TypeChoice::Only(lower(&self.types))
            },
            skip: lower(&self.skip_types),
            no_match: if self.undefined_matters() {
                NoMatch::Failure
            } else {
                NoMatch::NotApplicable
            },
            bad_files: BadFiles::Report,
        }
    }

    fn undefined_matters(&self) -> bool {
        self.undefined_differences_matter || self.tracking.check_context
    }

    fn compares(&self) -> bool {
        self.old_context.is_some()
            || self.compare_source_bestrefs
            || self.print_affected
            || self.print_affected_details
    }

    fn compared<'a>(&self, old: Option<&'a Assignments>) -> Old<'a> {
        match old {
            Some(old) => Old::Rules(old.files.iter().map(|file| (&*file.path, file)).collect()),
            None if self.compares() => Old::Headers,
            None => Old::Nothing,
        }
    }
}

/// What was found for each dataset, in order.
type Comparisons<'a> = BTreeMap<&'a Path, Comparison>;

/// The datasets that have updates.
fn updated<'c>(
    comparisons: &'c Comparisons<'_>,
) -> impl Iterator<Item = (&'c Path, &'c Comparison)> {
    let all = comparisons.iter().map(|(path, found)| (*path, found));
    all.filter(|(_, found)| !found.updates.is_empty())
}

/// Says what was found for each dataset, and collects what is to change.
fn report_each<'a>(
    args: &Args,
    new: &'a Assignments,
    old: &Old<'a>,
    unchanged: &Unchanged<'_>,
    tracked: &mut Tracked,
) -> Comparisons<'a> {
    if matches!(old, Old::Nothing) {
        tracing::info!("No comparison context or source comparison requested.");
    }
    if !args.files.is_empty() && !args.update_bestrefs {
        tracing::info!(
            "No file header updates requested;  dry run.  Use --update-bestrefs to update FITS headers."
        );
    }
    let judgement = Strictness {
        undefined_matters: args.undefined_matters(),
    };
    let mut comparisons = Comparisons::new();
    for file in &new.files {
        if args.files.is_empty() {
            tracing::debug!("===> Processing {}", file.path.display());
        } else {
            tracing::info!("===> Processing {}", file.path.display());
        }
        lines::problems(file, tracked);
        if let Old::Rules(files) = old
            && let Some(before) = files.get(&*file.path)
        {
            lines::old_problems(before);
        }
        let mut found = compare::compare(file, old, judgement);
        found
            .updates
            .retain(|update| !unchanged.contains(&(&*file.path, update.reference_type.as_str())));
        lines::faults(file, &found, tracked);
        if args.differences_are_errors {
            let matters = |update: &&Update| {
                update.matters(args.na_differences_matter || args.tracking.check_context)
            };
            for update in found.updates.iter().filter(matters) {
                lines::difference(file, update, args.update_bestrefs, tracked);
            }
        } else if !matches!(old, Old::Nothing)
            && (args.print_new_references || !args.files.is_empty())
        {
            for update in &found.updates {
                lines::new_reference(file, update, args.update_bestrefs);
            }
        }
        comparisons.insert(&file.path, found);
    }
    comparisons
}

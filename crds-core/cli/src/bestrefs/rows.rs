//! `--optimize-tables`: tables that were delivered anew without a change in the rows that a dataset
//! uses.

use std::collections::HashSet;
use std::path::Path;

use super::Args;
use super::compare::Old;
use crds_core::bestrefs::Outcome;
use crds_core::header::Header;
use crds_core::names::ReferenceName;
use crds_core::{Assigned, Assignments, Client, FileAssignment};
use crds_core::{Compared, TableRows, Tables};

/// Datasets and types of which a new table changes nothing.
pub(super) type Unchanged<'a> = HashSet<(&'a Path, &'a str)>;

/// Compares the tables of old and new answers, if that was asked for.
pub(super) async fn unchanged<'a>(
    args: &Args,
    client: &Client,
    new: &'a Assignments,
    old: &Old<'_>,
) -> Unchanged<'a> {
    let mut found = Unchanged::new();
    if !args.optimize_tables {
        return found;
    }
    let Old::Rules(old) = old else {
        tracing::warn!("--optimize-tables compares the tables of two contexts: give --old-context");
        return found;
    };
    let rows = TableRows::new(client, Tables::Fetched);
    let mut told = HashSet::new();
    for file in &new.files {
        let Some(before) = old.get(&*file.path) else {
            continue;
        };
        let header = header(file);
        for assigned in &file.types {
            let name = &assigned.reference_type;
            let mut types = before.types.iter();
            let before = types.find(|assigned| assigned.reference_type == *name);
            let (Some(old), Some(new)) = (before.and_then(reference), reference(assigned)) else {
                continue;
            };
            if old == new {
                continue;
            }
            match &*rows.compare(&file.instrument, name, old, new).await {
                Compared::Rows(rows) if !rows.is_selected(&header) => {
                    found.insert((&*file.path, name.as_str()));
                }
                Compared::NotCompared(reason) if told.insert((name, old, new)) => {
                    tracing::info!("rows of {old} and {new} are not compared: {reason}");
                }
                Compared::Rows(_) | Compared::NotCompared(_) | Compared::NoTable => {}
            }
        }
    }
    found
}

fn reference(assigned: &Assigned) -> Option<&ReferenceName> {
    match &assigned.outcome {
        Outcome::File(name) => Some(name),
        _ => None,
    }
}

/// What selects rows.
fn header(file: &FileAssignment) -> Header {
    let values = file.parkeys.iter();
    let values = values.filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
    values.collect()
}

//! What is logged about each dataset, in the words that scripts of the Python client look for:
//! `instrument='ACS' type='BIASFILE' data='...' ::  New best reference: 'old' --> 'new' :: Would update.`

use super::compare::{Comparison, Update};
use super::tracked::{Tracked, prefix};
use crds_core::literal::Literal;
use crds_core::{FileAssignment, Problem};
use storage::hint::{Hint as _, explain, with_causes, with_hint};

/// Errors call `X:X` only `X`.
fn short(file: &FileAssignment) -> String {
    let id = file.path.display().to_string();
    match id.split_once(':') {
        Some((first, second)) if first == second => first.to_owned(),
        _ => id,
    }
}

fn promise(updating: bool) -> &'static str {
    if updating {
        ":: Updating."
    } else {
        ":: Would update."
    }
}

fn change(update: &Update) -> String {
    let quoted = |text: &str| Literal::Str(text.to_owned().into()).to_string();
    format!("{} --> {}", quoted(update.old_text()), quoted(&update.new))
}

/// A reference that is new.
pub(super) fn new_reference(file: &FileAssignment, update: &Update, updating: bool) {
    let id = file.path.display().to_string();
    tracing::info!(
        "{} New best reference: {} {}",
        prefix(&update.instrument, &update.reference_type, &id),
        change(update),
        promise(updating)
    );
}

/// A reference that should not be new.
pub(super) fn difference(
    file: &FileAssignment,
    update: &Update,
    updating: bool,
    tracked: &mut Tracked,
) {
    let text = format!(
        "Comparison difference: {} {}",
        change(update),
        promise(updating)
    );
    tracked.error(
        &short(file),
        &update.instrument,
        &update.reference_type,
        text,
    );
}

/// What a comparison found to be wrong.
pub(super) fn faults(file: &FileAssignment, found: &Comparison, tracked: &mut Tracked) {
    for (reference_type, fault) in &found.faults {
        tracked.error(&short(file), &file.instrument, reference_type, fault);
    }
}

/// What is wrong with the answers of one dataset.
pub(super) fn problems(file: &FileAssignment, tracked: &mut Tracked) {
    for error in &file.errors {
        match error {
            Problem::Lookup {
                instrument,
                reference_type,
                failure,
                ..
            } => tracked.error(
                &short(file),
                instrument,
                reference_type.as_str(),
                format_args!("New: Bestref FAILED:  {}", explain(failure)),
            ),
            Problem::NoMatch {
                instrument,
                reference_type,
                ..
            } => tracked.error(
                &short(file),
                instrument,
                reference_type.as_str(),
                "New: No match found: 'NOT FOUND No match found.'",
            ),
            Problem::BadReference {
                reference_type,
                name,
                ..
            } => tracked.error(
                &short(file),
                &file.instrument,
                reference_type.as_str(),
                format_args!("{}", with_hint(withdrawn(name), error.hint().as_deref())),
            ),
            other => tracing::error!("{}", explain(other)),
        }
    }
    // What only is warned of was allowed, so no hint tells how to allow it.
    for warning in &file.warnings {
        match warning {
            Problem::BadReference {
                reference_type,
                name,
                ..
            } => {
                let prefix = prefix(&file.instrument, reference_type.as_str(), &short(file));
                tracing::warn!("{prefix} {}", withdrawn(name));
            }
            other => tracing::warn!("{}", with_causes(other)),
        }
    }
}

fn withdrawn(name: &str) -> String {
    format!("{name} was withdrawn by CRDS as scientifically wrong")
}

/// What is wrong with the rules that answers are compared with; single types are told by the
/// comparison, and that their references were withdrawn is why they are replaced.
pub(super) fn old_problems(file: &FileAssignment) {
    let wrong =
        |problem: &&Problem| matches!(problem, Problem::Rules { .. } | Problem::BadRules { .. });
    for error in file.errors.iter().filter(wrong) {
        tracing::error!("old rules: {}", explain(error));
    }
    for warning in file.warnings.iter().filter(wrong) {
        tracing::warn!("old rules: {}", with_causes(warning));
    }
}

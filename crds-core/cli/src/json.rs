//! What commands write with `--json`.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use crate::failure::Failure;

use crds_core::bestrefs::Outcome;
use crds_core::{Assignments, FetchedReference, FileAssignment, Problem, ReferenceOrigin};
use storage::hint::with_causes;

/// A reference in the cache, and where it came from.
pub(crate) fn reference(reference: &FetchedReference) -> Value {
    json!({
        "name": reference.name.as_str(),
        "path": reference.path.display().to_string(),
        "size": reference.size,
        "sha1": reference.sha1.map(|sum| sum.to_string()),
        "source": match &reference.origin {
            ReferenceOrigin::Cached => "cache",
            ReferenceOrigin::Shared => "shared",
            ReferenceOrigin::Fetched { location, .. } => location,
        },
    })
}

/// The answers for files, and the references that were fetched for them.
pub(crate) fn assignments(new: &Assignments, fetched: &[FetchedReference]) -> Value {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::File(name) => json!({"file": name.as_str()}),
        Outcome::NotApplicable => json!({"na": true}),
        Outcome::NoMatch => json!({"no_match": true}),
        Outcome::Ambiguous(names) => json!({"ambiguous": &**names}),
        Outcome::Error(failure) => json!({"error": failure.to_string()}),
    };
    let file = |file: &FileAssignment| {
        let types = file.types.iter();
        let types = types.map(|t| (t.reference_type.to_string(), outcome(&t.outcome)));
        let texts = |problems: &[Problem]| -> Vec<String> {
            problems
                .iter()
                .map(|problem| with_causes(problem).to_string())
                .collect()
        };
        json!({
            "id": file.path.display().to_string(),
            "instrument": file.instrument,
            "bestrefs": types.collect::<Map<_, _>>(),
            "errors": texts(&file.errors),
            "warnings": texts(&file.warnings),
        })
    };
    json!({
        "context": new.context.as_str(),
        "files": new.files.iter().map(file).collect::<Vec<_>>(),
        "references": fetched.iter().map(reference).collect::<Vec<_>>(),
    })
}

/// Writes one JSON value as a line of stdout.
pub(crate) fn print(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

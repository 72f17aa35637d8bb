//! What commands write with `--json`.

use serde_json::{Map, Value, json};

use crate::bestrefs::Outcome;
use crate::client::{Assignments, FetchedReference, FileAssignment, Problem, ReferenceOrigin};

/// A reference in the cache, and where it came from.
pub(super) fn reference(reference: &FetchedReference) -> Value {
    json!({
        "name": reference.name.as_str(),
        "path": reference.path.display().to_string(),
        "size": reference.size,
        "sha1": reference.sha1.map(|sum| sum.to_string()),
        "source": match &reference.origin {
            ReferenceOrigin::Cached => "cache",
            ReferenceOrigin::Fetched { location, .. } => location,
        },
    })
}

/// The answers for files, and the references that were fetched for them.
pub(super) fn assignments(new: &Assignments, fetched: &[FetchedReference]) -> Value {
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
            problems.iter().map(ToString::to_string).collect()
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

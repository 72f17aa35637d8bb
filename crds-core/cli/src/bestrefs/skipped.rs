//! Whether the types that are to be left alone exist: after a slip they are looked up and written.

use std::collections::BTreeSet;

use super::Args;
use crate::failure::Failure;
use crds_core::{Assignments, Client};
use storage::hint::{known_names, with_hint};

/// Warns of a type that is to be skipped and that no instrument of the datasets has. It may be one of
/// another instrument, as in scripts that are for all.
pub(super) async fn check(args: &Args, client: &Client, new: &Assignments) -> Result<(), Failure> {
    if args.skip_types.is_empty() {
        return Ok(());
    }
    let context = client.context_file(args.new_context.as_ref()).await?;
    let instruments: BTreeSet<&str> = new.files.iter().map(|file| &*file.instrument).collect();
    let mut known = BTreeSet::new();
    for instrument in instruments {
        // What cannot be had is told with its dataset.
        if let Ok(rules) = client.rules(&context, Some(instrument)).await {
            let types = rules.reference_types(instrument).into_iter().flatten();
            known.extend(types.map(|name| name.as_str().to_owned()));
        }
    }
    let is_unknown = |name: &&String| !known.is_empty() && !known.contains(&name.to_lowercase());
    for name in args.skip_types.iter().filter(is_unknown) {
        let text = format!("--skip-types {name}: no dataset has references of that type");
        let hint = known_names(name, known.iter().map(String::as_str));
        tracing::warn!("{}", with_hint(text, Some(&hint)));
    }
    Ok(())
}

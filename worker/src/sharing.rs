//! The references that jobs of one machine share, as the variables say. What sharing is, and why a
//! job need not trust the others, is told by `crds_core::cache::shared`.

use crate::config::{Settings, variables};
use crds_core::cache::shared::SharedReferences;
use std::borrow::Cow;
use storage::hint::Hint;

/// The most that is shared, in GiB, unless a variable says otherwise.
const DEFAULT_LIMIT: u64 = 50;

/// A limit that is no whole number of GiB.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is {text:?}, which is no number of GiB", variable = variables::SHARED_REFERENCES_LIMIT)]
pub struct NotGib {
    text: String,
}

impl Hint for NotGib {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("give a whole number as in 50; 0 shares nothing".into())
    }
}

/// The shared references of a run; none where it is to share none.
///
/// # Errors
/// [`NotGib`] when the limit cannot be read.
pub(crate) fn of(settings: &Settings) -> Result<Option<SharedReferences>, NotGib> {
    let gib = match settings.get(variables::SHARED_REFERENCES_LIMIT) {
        Some(text) => text.trim().parse().map_err(|_| NotGib {
            text: text.to_owned(),
        })?,
        None => DEFAULT_LIMIT,
    };
    let folder = settings.get(variables::SHARED_REFERENCES);
    let folder = folder.filter(|_| gib > 0);
    Ok(folder.map(|folder| SharedReferences::new(folder.into(), gib.saturating_mul(1 << 30))))
}

//! Whether a table that was delivered anew changes anything for a dataset. One for each judge: what
//! is compared is kept for all, what was found is kept here.

use std::collections::HashMap;
use std::sync::Arc;

use crds_core::header::Fields;
use crds_core::names::{ReferenceName, ReferenceType};
use crds_core::{Compared, TableRows};
use tokio::runtime::Handle;

use super::finding::Note;

/// Pairs of tables that were compared.
pub(super) struct Tables<'r> {
    rows: &'r TableRows<'r>,
    handle: &'r Handle,
    known: HashMap<(ReferenceType, ReferenceName, ReferenceName), Arc<Compared>>,
}

impl<'r> Tables<'r> {
    pub(super) fn new(rows: &'r TableRows<'r>, handle: &'r Handle) -> Self {
        Self {
            rows,
            handle,
            known: HashMap::new(),
        }
    }

    /// What is to be said of a change from one file to another. Called from threads that may block.
    pub(super) fn note(
        &mut self,
        instrument: &str,
        reference_type: &ReferenceType,
        files: (&ReferenceName, &ReferenceName),
        header: &(impl Fields + ?Sized),
    ) -> Note {
        let (old, new) = files;
        let pair = (reference_type.clone(), old.clone(), new.clone());
        let (rows, handle) = (self.rows, self.handle);
        let compared = self.known.entry(pair).or_insert_with(|| {
            let compare = rows.compare(instrument, reference_type, old, new);
            handle.block_on(compare)
        });
        match &**compared {
            Compared::NoTable => Note::None,
            Compared::NotCompared(reason) => Note::RowsNotCompared(reason.clone()),
            Compared::Rows(rows) if rows.is_selected(header) => Note::None,
            Compared::Rows(_) => Note::SameRows,
        }
    }
}

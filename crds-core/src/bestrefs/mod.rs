//! The choice of reference files: a header in, a file name for every reference type out.
//!
//! The answers are those of Python CRDS for every header, its oddities included where they change
//! which file a dataset gets. [`Context::best_references`] answers one header; [`Lookups`] answers
//! many, remembering what it worked out about parts of earlier ones.

mod answer;
mod filled;
mod lookup;
mod plan;
mod question;
mod remember;
mod table;

pub use answer::{
    BestReferences, ListedValues, LookupFailure, Outcome, ReferenceName, ReferenceType,
};
pub use lookup::Lookups;
pub use question::{LookupError, LookupPath, Types};

use crate::header::Header;
use crate::rules::Context;

impl Context {
    /// Chooses the references of one dataset.
    pub fn best_references(
        &self,
        header: &Header,
        path: LookupPath,
        types: Types<'_>,
    ) -> Result<BestReferences, LookupError> {
        self.lookups().best_references(header, path, types)
    }

    /// Prepares for many lookups.
    pub fn lookups(&self) -> Lookups<'_> {
        Lookups::new(self)
    }
}

//! The choice of reference files: a header in, a file name for every reference type out.
//!
//! The answers are those of Python CRDS for every header, its oddities included where they change
//! which file a dataset gets. [`Context::best_references`] answers one header; [`Lookups`] answers
//! many, and keeps what it worked out about parts of earlier ones.

mod answer;
mod difference;
mod instrument;
mod lookup;
mod memo;
mod plan;
mod question;
mod slotted_header;
mod table;

pub use crate::header::LookupPath;
pub use crate::rules::Outcome;
pub use crate::selector::{ListedValues, LookupFailure};
pub use answer::BestReferences;
pub use difference::{Comparison, Difference, OldAnswer, Side};
pub use lookup::Lookups;
pub use question::{LookupError, Types};

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

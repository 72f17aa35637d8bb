//! References that several processes of one machine share: what [`Client::fetch_references`] asks
//! before it fetches, and tells after. How they are kept is left to [`crate::cache::shared`].

use std::path::Path;
use std::sync::Arc;

use storage::blocking;

use super::Client;
use crate::cache::shared::{FetchClaim, SharedReferences, Taken};
use crate::cache::verified_file::Expected;
use crate::names::FileName;

impl Client {
    /// The same client; references that its cache lacks it shares with other processes, in a folder
    /// that need not be trusted.
    #[must_use]
    pub fn sharing(mut self, shared: SharedReferences) -> Self {
        self.shared = Some(Arc::new(shared));
        self
    }

    /// The reference from other processes, if any share theirs.
    pub(super) async fn taken(&self, name: &FileName, known: Option<Expected>, to: &Path) -> Taken {
        let (Some(shared), Some(known)) = (&self.shared, known) else {
            return Taken::Nothing(None);
        };
        let (shared, name, to) = (Arc::clone(shared), name.clone(), to.to_owned());
        blocking::run(move || shared.take(&name, known, &to)).await
    }

    /// Lets other processes have a reference that this one has fetched.
    pub(super) async fn offer(
        &self,
        place: Option<FetchClaim>,
        name: &FileName,
        known: Option<Expected>,
        fetched: &Path,
    ) {
        if let (Some(shared), Some(place), Some(known)) = (&self.shared, place, known) {
            let (shared, name) = (Arc::clone(shared), name.clone());
            let fetched = fetched.to_owned();
            blocking::run(move || shared.offer(place, &name, known, &fetched)).await;
        }
    }
}

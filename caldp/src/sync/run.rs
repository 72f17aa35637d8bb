//! What goes on through all rounds of a run, and what an output is found to have. Looking and bringing are
//! done by `round` and `work`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use caldp_core::dataset::Dataset;
use caldp_core::messages::SeenStates;

use super::SyncArguments;
use super::batches::{Batch, Known};
use super::bring::Flow;
use super::claim::Claim;
use super::error::SyncError;
use super::site::Site;
use super::stop::Stop;

/// An output in which nothing was to do and nothing under way: only now and then it is looked at.
pub(super) struct Quiet {
    pub(super) looked: Instant,
    pub(super) sites: Vec<Site>,
    /// The acknowledgements there were.
    pub(super) acknowledged: Vec<Vec<(Dataset, u64)>>,
}

/// What goes on through all rounds.
pub(super) struct Run<'a> {
    pub(super) arguments: &'a SyncArguments,
    pub(super) directory: PathBuf,
    pub(super) claim: Claim,
    pub(super) flow: Arc<Flow>,
    pub(super) stop: Stop,
    pub(super) known: BTreeMap<String, Known>,
    pub(super) quiet: BTreeMap<String, Quiet>,
    /// Datasets with files that were changed by hand, since when: while watching they are not looked at
    /// every time.
    pub(super) resting: BTreeMap<Dataset, Instant>,
}

/// What an output is found to have.
pub(super) struct Found {
    pub(super) states: BTreeMap<Dataset, SeenStates>,
    pub(super) batches: Vec<Batch>,
    /// Where each dataset belongs; others belong to the output's own.
    pub(super) sites: BTreeMap<Dataset, Site>,
    pub(super) own: Site,
}

impl Found {
    pub(super) fn site(&self, dataset: &Dataset) -> &Site {
        self.sites.get(dataset).unwrap_or(&self.own)
    }

    pub(super) fn all_sites(&self, directory: &Path) -> Vec<Site> {
        let of_batches = self.batches.iter();
        let mut sites: Vec<Site> = of_batches
            .map(|batch| Site::new(directory.join(batch.name.as_str())))
            .chain([self.own.clone()])
            .collect();
        sites.sort();
        sites.dedup();
        sites
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(arguments: &'a SyncArguments, stop: Stop) -> Result<Self, SyncError> {
        let unusable = |source| SyncError::Directory {
            directory: arguments.directory.clone(),
            source,
        };
        let directory = std::path::absolute(&arguments.directory).map_err(unusable)?;
        let claim = if arguments.dry_run {
            Claim::nobodys()
        } else {
            Claim::of(&directory).map_err(unusable)?
        };
        Ok(Self {
            arguments,
            directory,
            claim,
            flow: Arc::new(Flow::new(arguments.jobs)),
            stop,
            known: BTreeMap::new(),
            quiet: BTreeMap::new(),
            resting: BTreeMap::new(),
        })
    }
}

//! Which outputs there are, and which of them are closed: `control/batches.json`.
//!
//! An output is open from the moment something is asked of it, which is noted before it is done; it is
//! closed by the schedule when every dataset in it is settled and nothing was asked for a while. The schedule
//! looks at open outputs only, so that batches of years cost it one read.
//!
//! Notes are rare: one holds for [`RENEWED`], and nothing is closed that was noted less than
//! [`crate::config::CLOSE_AFTER`] ago, which is longer than that and an invocation together. So what was noted is
//! done, or comes again, before its output can be closed; and a closing that was decided before a note is
//! refused, because the document changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use caldp_core::batch::BatchName;
use caldp_core::layout::Layout;
use caldp_core::state::State;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use storage::s3::{Precondition, Version};
use storage::uri::S3Uri;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::documents::{Documents, contended};
use crate::error::TriggerError;
use crate::output_root::OutputRoot;

/// The document's name.
const FILE: &str = "batches.json";

/// A note that something is asked of an output holds for so long.
const RENEWED: SignedDuration = SignedDuration::from_mins(30);

/// A process that noted it does not look at the document again for so long.
const REMEMBERED: Duration = Duration::from_mins(10);

/// How often the document is tried to be written against others, and how long is waited in between at most.
const TRIES: u32 = 40;
const WAIT_MILLISECONDS: u64 = 250;

/// The outputs of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// In no order.
    #[serde(default)]
    pub batches: Vec<Entry>,
}

/// What is noted of an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its root.
    pub output: S3Uri,
    /// Its layout.
    pub layout: Layout,
    /// When something was asked of it last, within half an hour.
    pub opened: Timestamp,
    /// Submissions to it that may not be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submissions: Vec<BatchName>,
    /// Since when nothing in it changes any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
    /// How many datasets were in each state when it was closed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub datasets: BTreeMap<State, usize>,
}

/// Keeps the index; cheap to clone.
#[derive(Debug, Clone)]
pub struct Batches {
    documents: Documents,
    noted: Arc<Mutex<HashMap<OutputRoot, Instant>>>,
}

impl Entry {
    /// An output of which something is asked now.
    pub fn opened(root: OutputRoot, now: Timestamp) -> Self {
        Self {
            output: root.uri,
            layout: root.layout,
            opened: now,
            submissions: vec![],
            closed: None,
            datasets: BTreeMap::new(),
        }
    }

    /// The output.
    pub fn root(&self) -> OutputRoot {
        OutputRoot::new(self.output.clone(), self.layout)
    }

    /// Notes that something is asked of it; false when that is noted already.
    fn open(&mut self, submission: Option<&BatchName>, now: Timestamp) -> bool {
        let known = submission.is_none_or(|id| self.submissions.contains(id));
        let fresh = now.duration_since(self.opened) < RENEWED;
        if self.closed.is_none() && known && fresh {
            return false;
        }
        self.opened = now;
        self.closed = None;
        self.datasets.clear();
        if !known {
            self.submissions.extend(submission.cloned());
        }
        true
    }
}

impl Index {
    /// The entry of an output.
    pub fn entry_mut(&mut self, root: &OutputRoot) -> Option<&mut Entry> {
        let mut entries = self.batches.iter_mut();
        entries.find(|e| e.output == root.uri && e.layout == root.layout)
    }

    /// Notes that something is asked of an output; false when that is noted already.
    fn open(&mut self, root: &OutputRoot, submission: Option<&BatchName>, now: Timestamp) -> bool {
        if let Some(entry) = self.entry_mut(root) {
            return entry.open(submission, now);
        }
        let mut entry = Entry::opened(root.clone(), now);
        entry.submissions.extend(submission.cloned());
        self.batches.push(entry);
        true
    }
}

impl Batches {
    /// The outputs that the documents of a deployment are about.
    pub fn new(documents: Documents) -> Self {
        Self {
            documents,
            noted: Arc::default(),
        }
    }

    /// The index and its version; none where there is none yet.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn read(&self) -> Result<Option<(Index, Version)>, TriggerError> {
        self.documents.read(&self.uri()?).await
    }

    /// Notes, before it is done, that something is asked of an output. `submission` is noted as not done.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails or others keep changing the index.
    pub async fn open(
        &self,
        root: &OutputRoot,
        submission: Option<&BatchName>,
    ) -> Result<(), TriggerError> {
        let noted = self.noted.lock().await.get(root).copied();
        if submission.is_none() && noted.is_some_and(|at| at.elapsed() < REMEMBERED) {
            return Ok(());
        }
        self.change(|index| index.open(root, submission, Timestamp::now()))
            .await?;
        let mut noted = self.noted.lock().await;
        noted.retain(|_, at| at.elapsed() < REMEMBERED);
        noted.insert(root.clone(), Instant::now());
        Ok(())
    }

    /// Changes the index; nothing is written where `change` says that it changed nothing.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails or others keep changing the index.
    pub async fn change(&self, change: impl Fn(&mut Index) -> bool) -> Result<Index, TriggerError> {
        let uri = self.uri()?;
        for _ in 0..TRIES {
            let found = self.documents.read::<Index>(&uri).await?;
            let (mut index, condition) = match found {
                Some((index, version)) => (index, Precondition::IfVersion(version)),
                None => (Index::default(), Precondition::IfAbsent),
            };
            if !change(&mut index)
                || self
                    .documents
                    .write(&uri, &index, &condition)
                    .await?
                    .is_some()
            {
                return Ok(index);
            }
            sleep(Duration::from_millis(fastrand::u64(..WAIT_MILLISECONDS))).await;
        }
        Err(contended(&uri))
    }

    fn uri(&self) -> Result<S3Uri, TriggerError> {
        let key = Layout::Tree.deployment_control(FILE);
        Ok(S3Uri::new(self.documents.bucket(), &key)?)
    }
}

//! Where the next sweep of the schedule begins: `control/sweep.json`, there only while one sweep does not suffice.

use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use serde::{Deserialize, Serialize};
use storage::s3::{Precondition, Version};
use storage::uri::S3Uri;

use crate::error::TriggerError;
use crate::output_root::OutputRoot;
use crate::record::documents::Documents;

/// The document's name.
const FILE: &str = "sweep.json";

/// Where to begin.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    place: Position,
    version: Option<Version>,
}

/// As it is written. Nowhere is the beginning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Position {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<S3Uri>,
    #[serde(default)]
    layout: Layout,
    /// The last dataset of it that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Dataset>,
}

impl Cursor {
    pub(super) async fn read(documents: &Documents) -> Result<Self, TriggerError> {
        let found = documents.read::<Position>(&uri(documents)?).await?;
        Ok(found.map_or_else(Self::default, |(place, version)| Self {
            place,
            version: Some(version),
        }))
    }

    /// The outputs, beginning with the one where to begin.
    pub(super) fn in_turn<'r>(
        &self,
        roots: &'r [OutputRoot],
    ) -> impl Iterator<Item = &'r OutputRoot> + use<'r> {
        let begin = roots.iter().position(|root| self.is_at(root)).unwrap_or(0);
        let (before, rest) = roots.split_at(begin);
        rest.iter().chain(before)
    }

    /// The dataset to begin after, in an output.
    pub(super) fn after(&self, root: &OutputRoot) -> Option<&Dataset> {
        self.place.after.as_ref().filter(|_| self.is_at(root))
    }

    fn is_at(&self, root: &OutputRoot) -> bool {
        self.place.output.as_ref() == Some(&root.uri) && self.place.layout == root.layout
    }

    /// Notes where the next sweep begins. Another sweep that noted its own place meanwhile is right too.
    pub(super) async fn write(
        &self,
        documents: &Documents,
        stopped_at: Option<(OutputRoot, Option<Dataset>)>,
    ) -> Result<(), TriggerError> {
        let place = stopped_at.map_or_else(Position::default, |(root, after)| Position {
            output: Some(root.uri),
            layout: root.layout,
            after,
        });
        if place == self.place {
            return Ok(());
        }
        let condition = match &self.version {
            Some(version) => Precondition::IfVersion(version.clone()),
            None => Precondition::IfAbsent,
        };
        documents
            .write(&uri(documents)?, &place, &condition)
            .await?;
        Ok(())
    }
}

fn uri(documents: &Documents) -> Result<S3Uri, TriggerError> {
    let key = Layout::Tree.deployment_control(FILE);
    Ok(S3Uri::new(documents.bucket(), &key)?)
}

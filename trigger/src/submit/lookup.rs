//! What is known of datasets before they are submitted: sizes of inputs, messages of an earlier
//! life, what an earlier run measured, and the resources that follow from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use caldp_core::dataset::{ARCHIVE_SUFFIX, Dataset};
use caldp_core::layout::Layout;
use caldp_core::resources::{
    EarlierRun, Features, MODEL_KEY, Model, mem_model_features, unpacked_mb,
};
use caldp_core::state::State;
use futures_util::{StreamExt, TryStreamExt, stream};
use storage::hint::explain;
use storage::s3::Delimiter;
use storage::uri::S3Uri;
use tokio::sync::OnceCell;

use crate::error::TriggerError;
use crate::output_root::OutputRoot;
use crate::record::documents::{Documents, unreadable};
use crate::resources::Overrides;
use crate::resources::Resources;

/// The most pages of a listing of inputs that are read to learn their sizes.
const MAX_INPUT_PAGES: usize = 200;

/// The largest model of resources that is read, in bytes.
const MAX_MODEL: usize = 4 << 20;

/// The largest file of features that is read, in bytes.
const MAX_FEATURES: usize = 64 << 10;

/// Says what datasets need, by the model of the deployment. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Estimator {
    documents: Documents,
    model: Arc<OnceCell<Model>>,
}

impl Estimator {
    /// An estimator that reads the model when it is first needed, once.
    pub(crate) fn new(documents: Documents) -> Self {
        Self {
            documents,
            model: Arc::default(),
        }
    }

    /// The resources of a dataset: from what an earlier run measured, else from its features, those
    /// kept for it on S3 before those given here; and what the order says.
    pub(crate) async fn resources(
        &self,
        features: Features,
        overrides: Overrides,
    ) -> Result<Resources, TriggerError> {
        let uri = self.documents.measured_file(&features.dataset)?;
        let earlier = self.documents.read::<EarlierRun>(&uri).await?;
        let estimate = match earlier {
            Some((earlier, _)) => earlier.estimate(&features),
            None if features.are_complete() => self.model().await?.estimate(&features),
            None => {
                let kept = self.kept_features(&features.dataset).await?;
                self.model().await?.estimate(&kept.or(&features))
            }
        };
        Ok(Resources::new(&estimate, overrides))
    }

    /// The features in CALCLOUD's file for the dataset, as far as it is there.
    async fn kept_features(&self, dataset: &Dataset) -> Result<Features, TriggerError> {
        let file = mem_model_features::file(dataset);
        let key = Layout::Tree.control(dataset, &file);
        let uri = S3Uri::new(self.documents.bucket(), &key)?;
        Ok(match self.documents.bytes(&uri, MAX_FEATURES).await? {
            Some(bytes) => mem_model_features::parse(dataset, &String::from_utf8_lossy(&bytes)),
            None => Features::of_name(dataset.clone()),
        })
    }

    /// The model installed in the bucket, else the one that comes with the program.
    async fn model(&self) -> Result<&Model, TriggerError> {
        self.model
            .get_or_try_init(|| async {
                let uri = S3Uri::new(self.documents.bucket(), MODEL_KEY)?;
                let installed = self.documents.bytes(&uri, MAX_MODEL).await?;
                match installed.map(|json| Model::parse(&json)) {
                    Some(Ok(model)) => return Ok(model),
                    Some(Err(error)) => {
                        let error = explain(&error).to_string();
                        tracing::error!(%uri, error, "the model that comes with the program is used");
                    }
                    None => {}
                }
                Model::shipped().map_err(|error| unreadable(&uri, error.to_string()))
            })
            .await
    }
}

/// What the size of a dataset's packed inputs says of it.
pub(crate) fn packed(dataset: &Dataset, bytes: Option<u64>) -> Features {
    Features {
        input_mb: bytes.map(unpacked_mb),
        ..Features::of_name(dataset.clone())
    }
}

/// The sizes of packed inputs below a root, in bytes.
pub(crate) async fn input_sizes(
    documents: &Documents,
    root: &OutputRoot,
) -> Result<HashMap<Dataset, u64>, TriggerError> {
    let mut sizes = HashMap::new();
    let prefix = root.prefix("inputs/");
    let bucket = root.uri.bucket();
    let mut pages = documents.s3().list(bucket, &prefix, Delimiter::Slash);
    for _ in 0..MAX_INPUT_PAGES {
        let Some(page) = pages.next_page().await? else {
            break;
        };
        for object in page.objects {
            let name = object.key.strip_prefix(&prefix).unwrap_or_default();
            let name = name.strip_suffix(ARCHIVE_SUFFIX).unwrap_or_default();
            if let Ok(dataset) = name.parse() {
                sizes.insert(dataset, object.size);
            }
        }
    }
    Ok(sizes)
}

/// Datasets that have state messages below a root.
pub(crate) async fn with_messages(
    documents: &Documents,
    root: &OutputRoot,
) -> Result<HashSet<Dataset>, TriggerError> {
    let messages = documents.messages(root);
    let lists = stream::iter(State::ALL).map(|state| messages.list(state));
    let lists: Vec<Vec<Dataset>> = lists.buffered(State::ALL.len()).try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}

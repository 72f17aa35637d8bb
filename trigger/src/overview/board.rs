//! Writes the pages and the table of batches below `blackboard/`: for the schedule, and for `caldp page`.
//!
//! Only batches that are given are read, and they through what is remembered of them; of all others the line that
//! was kept when they ended is shown. So a batch that nobody gives any more costs nothing. What is on a page is for
//! `page`, which batches are looked at for whoever calls.

use std::sync::Arc;

use caldp_core::layout::Layout;
use caldp_core::resources::{BINS, Model};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::s3::Precondition;
use storage::store::{ErrorKind, S3Prefix, Store, StoreError, bytes_if_there};
use storage::uri::S3Uri;

use super::page::{BatchLine, BatchPage, all_batches};
use super::progress::{self, Progress};
use super::snapshot;
use super::summary::{Assumptions, summarize};
use crate::config::Config;
use crate::error::TriggerError;
use crate::output_root::OutputRoot;
use crate::record::documents::{Documents, unreadable};

/// The lines of all batches that were ever looked at.
const LINES: &str = "batches.json";
const PAGE: &str = "index.html";
/// What is kept is not read when it is larger, in bytes.
const MAX_KEPT: usize = 64 << 20;
/// No more batches are listed: the latest.
const MAX_LINES: usize = 2_000;
/// What the page of a whole bucket is called: no batch is.
const WHOLE: &str = "_bucket";

/// Where pages are written, and what figures on them come from.
#[derive(Debug)]
pub struct Board {
    pages: Arc<dyn Store>,
    folder: String,
    prices: [f64; BINS],
    model: Model,
}

/// An output whose page is to be written.
#[derive(Debug, Clone)]
pub struct Output {
    /// What its page is called.
    pub name: String,
    /// Where it is, as people write it.
    pub shown: String,
    /// The same where requests can be made there.
    pub root: Option<OutputRoot>,
    /// Its contents.
    pub store: Arc<dyn Store>,
    /// How they are laid out.
    pub layout: Layout,
    /// The path from its page to them; none where no link leads there.
    pub results: Option<String>,
}

/// What was written of one output.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its line among all.
    pub line: BatchLine,
    /// Its lines in the table.
    rows: Vec<String>,
    path: String,
    /// What could not be remembered, in words.
    pub notes: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    batches: Vec<BatchLine>,
}

impl Board {
    /// Pages in the folder of a store; an empty one is the store's root.
    pub fn new(pages: Arc<dyn Store>, folder: &str, prices: [f64; BINS], model: Model) -> Self {
        Self {
            pages,
            folder: folder.to_owned(),
            prices,
            model,
        }
    }

    /// The pages of a deployment, at its bucket's root.
    ///
    /// # Errors
    /// When the bucket is none or the model cannot be read.
    pub fn of_deployment(documents: &Documents, config: &Config) -> Result<Self, TriggerError> {
        let whole = S3Uri::new(documents.bucket(), "")?;
        let model = Model::shipped().map_err(|error| unreadable(&whole, error.to_string()))?;
        let store = S3Prefix::new(documents.s3().clone(), whole);
        let folder = Layout::Tree.blackboard("");
        let prices = config.memory_bins.prices();
        Ok(Self::new(Arc::new(store), &folder, prices, model))
    }

    /// Reads how an output is doing, unless it was read just now, and writes its page.
    ///
    /// # Errors
    /// When it cannot be read or the page cannot be written.
    pub async fn write(
        &self,
        output: &Output,
        read: Option<Progress>,
    ) -> Result<Written, StoreError> {
        let progress = match read {
            Some(progress) => progress,
            None => progress::read(&output.store, output.layout).await?,
        };
        let at = Timestamp::now();
        let (prices, model) = (self.prices, &self.model);
        let assumed = Assumptions {
            now: at,
            prices,
            model,
        };
        let page = BatchPage {
            name: &output.name,
            output: &output.shown,
            root: output.root.as_ref(),
            layout: output.layout,
            results: output.results.as_deref(),
            all: Some("../index.html"),
            at,
            summary: &summarize(&progress.datasets, assumed),
            datasets: &progress.datasets,
        };
        let line = page.line();
        let html = page.html();
        if line.datasets > 0 {
            self.put(&page_of(&line), html).await?;
        }
        let path = snapshot::path_of(&output.shown);
        Ok(Written {
            rows: snapshot::lines(&progress.datasets, &path, output.layout),
            line,
            path,
            notes: progress.notes,
        })
    }

    /// Writes the page of all batches and the table, with what was written now and what was kept of others. An
    /// output without datasets any more goes from both, and its page goes; where that is not allowed, words say
    /// which page is left. Nothing is done when nothing changes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn publish(&self, written: &[Written]) -> Result<Vec<String>, StoreError> {
        if written.is_empty() {
            return Ok(vec![]);
        }
        let now = Timestamp::now();
        let kept = self.get(LINES).await?;
        let kept: Kept = serde_json::from_str(&kept).unwrap_or_default();
        let emptied = |line: &&BatchLine| {
            let mut now = written.iter().map(|w| &w.line);
            now.any(|now| now.name == line.name && now.datasets == 0)
        };
        let gone: Vec<String> = kept.batches.iter().filter(emptied).map(page_of).collect();
        if gone.is_empty() && written.iter().all(|w| w.line.datasets == 0) {
            return Ok(vec![]);
        }
        let batches = merged(written, kept.batches);
        self.put(PAGE, all_batches(&batches, now)).await?;
        // texts, numbers and times always serialise
        let kept = serde_json::to_string(&Kept { batches }).unwrap_or_default();
        self.put(LINES, kept).await?;
        let rows: Vec<String> = written
            .iter()
            .flat_map(|w| w.rows.iter().cloned())
            .collect();
        let paths: Vec<String> = written.iter().map(|w| w.path.clone()).collect();
        let before = self.get(snapshot::FILE).await?;
        let table = snapshot::table(now, &rows, &paths, &before);
        self.put(snapshot::FILE, table).await?;
        let mut left = vec![];
        for page in gone {
            let key = format!("{}{page}", self.folder);
            match self.pages.delete(&key).await {
                Err(error) if error.kind() == ErrorKind::AccessDenied => left.push(format!(
                    "{key} shows a batch that is gone, and deleting it is not allowed"
                )),
                deleted => deleted?,
            }
        }
        Ok(left)
    }

    async fn put(&self, file: &str, text: String) -> Result<(), StoreError> {
        let key = format!("{}{file}", self.folder);
        let put = self.pages.put_bytes(&key, text.into(), &Precondition::None);
        put.await.map(drop)
    }

    /// A text that was written here; empty when there is none.
    async fn get(&self, file: &str) -> Result<String, StoreError> {
        let key = format!("{}{file}", self.folder);
        let bytes = bytes_if_there(&*self.pages, &key, MAX_KEPT).await?;
        Ok(bytes.map_or_else(String::new, |b| String::from_utf8_lossy(&b).into_owned()))
    }
}

impl Output {
    /// An output in the bucket of a deployment, whose pages are at the bucket's root.
    pub fn in_bucket(documents: &Documents, root: &OutputRoot) -> Self {
        let key = root.uri.key();
        Self {
            name: page_name(&root.uri),
            shown: root.uri.to_string(),
            root: Some(root.clone()),
            store: Arc::new(S3Prefix::new(documents.s3().clone(), root.uri.clone())),
            layout: root.layout,
            results: Some(match key {
                "" => "../../".to_owned(),
                key => format!("../../{key}/"),
            }),
        }
    }
}

/// What the page of an output on S3 is called: the name of its batch, where it is where batches are by default.
pub fn page_name(uri: &S3Uri) -> String {
    let key = uri.key().strip_prefix("data/").unwrap_or(uri.key());
    match key {
        "" => WHOLE.to_owned(),
        key => folder_name(&key.replace('/', ".")),
    }
}

/// A text as the name of a folder that is harmless in paths.
pub fn folder_name(text: &str) -> String {
    let harmless = |c: char| match c {
        c if c.is_alphanumeric() || "-_+.".contains(c) => c,
        _ => '_',
    };
    let name: String = text.chars().map(harmless).collect();
    match name.trim_start_matches('.') {
        "" => WHOLE.to_owned(),
        name => name.to_owned(),
    }
}

/// The file of the page of a batch.
fn page_of(line: &BatchLine) -> String {
    format!("{}/{PAGE}", line.name)
}

/// The lines written now, and those kept of other batches, the latest first.
fn merged(written: &[Written], kept: Vec<BatchLine>) -> Vec<BatchLine> {
    let mut lines: Vec<BatchLine> = written.iter().map(|w| w.line.clone()).collect();
    let others = kept.into_iter().filter(|line| {
        let mut now = written.iter().map(|w| &w.line.name);
        now.all(|name| *name != line.name)
    });
    lines.extend(others);
    lines.retain(|line| line.datasets > 0);
    lines.sort_by_key(|line| std::cmp::Reverse((line.under_way, line.at)));
    lines.truncate(MAX_LINES);
    lines
}

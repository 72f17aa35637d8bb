//! Comparing the tables of a cache for many datasets, each pair of tables once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};

use storage::blocking;
use storage::hint::with_causes;
use tokio::sync::OnceCell;

use super::Client;
use crate::names::{FileName, ReferenceName, ReferenceType};
use crate::table_rows::{ChangedRows, is_table, selecting_columns};

/// What is done for tables that are not in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// They are fetched.
    Fetched,
    /// They are not compared.
    Cached,
}

/// What is known of two deliveries of a reference.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared {
    /// They are no tables.
    NoTable,
    /// Their rows could not be compared, and why.
    NotCompared(String),
    /// In which rows they differ.
    Rows(ChangedRows),
}

/// Compares tables, each pair once.
#[derive(Debug)]
pub struct TableRows<'c> {
    client: &'c Client,
    tables: Tables,
    known: Mutex<HashMap<Pair, Arc<OnceCell<Arc<Compared>>>>>,
}

type Pair = (ReferenceType, ReferenceName, ReferenceName);

impl<'c> TableRows<'c> {
    /// Of a client's references.
    pub fn new(client: &'c Client, tables: Tables) -> Self {
        Self {
            client,
            tables,
            known: Mutex::default(),
        }
    }

    /// Compares two references of a type; the name of the instrument is in lower case.
    pub async fn compare(
        &self,
        instrument: &str,
        reference_type: &ReferenceType,
        old: &ReferenceName,
        new: &ReferenceName,
    ) -> Arc<Compared> {
        let pair = (reference_type.clone(), old.clone(), new.clone());
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(pair).or_default())
        };
        let compare = async || Arc::new(self.compared(instrument, reference_type, old, new).await);
        Arc::clone(cell.get_or_init(compare).await)
    }

    async fn compared(
        &self,
        instrument: &str,
        reference_type: &ReferenceType,
        old: &ReferenceName,
        new: &ReferenceName,
    ) -> Compared {
        let Some(columns) = selecting_columns(instrument, reference_type.as_str()) else {
            return if is_table(reference_type.as_str()) {
                let reason =
                    format!("nothing says which rows of a {reference_type} a dataset uses");
                Compared::NotCompared(reason)
            } else {
                Compared::NoTable
            };
        };
        if self.tables == Tables::Fetched {
            let fetched = self
                .client
                .fetch_references([old.as_str(), new.as_str()], &());
            if let Err(error) = fetched.await {
                return Compared::NotCompared(with_causes(&error).to_string());
            }
        }
        let (old, new) = match (self.path(old), self.path(new)) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(reason), _) | (_, Err(reason)) => return Compared::NotCompared(reason),
        };
        let rows = blocking::run(move || ChangedRows::between(&old, &new, columns)).await;
        match rows {
            Ok(rows) => Compared::Rows(rows),
            Err(error) => Compared::NotCompared(with_causes(&error).to_string()),
        }
    }

    /// Where a table is in the cache, or why it is not there.
    fn path(&self, name: &ReferenceName) -> Result<PathBuf, String> {
        let file = FileName::from_str(name.as_str());
        let file = file.map_err(|error| with_causes(&error).to_string())?;
        match self.client.cache_path(&file) {
            Ok(path) if path.is_file() => Ok(path),
            Ok(_) => Err(format!("{name} is not in the cache")),
            Err(error) => Err(with_causes(&error).to_string()),
        }
    }
}

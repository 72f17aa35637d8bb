//! The rules of one context, loaded once and asked often.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds_core::bestrefs::LookupPath;
use crds_core::dataset::JWST_MODEL_NAMES;
use crds_core::names::{MappingName, ReferenceType};
use crds_core::rules;
use crds_core::{Client, Observatory, Reuse};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use storage::hint::with_causes;

use crate::bulk::{Bulk, Question, Withdrawn};
use crate::files::{Said, located, locations};
use crate::headers::Keys;
use crate::lookup::keys_of;
use crate::session;
use crate::session::parsed;

/// The rules of one context.
#[pyclass(frozen, subclass, module = "crds_core._native")]
pub(crate) struct Context {
    client: Arc<Client>,
    rules: Arc<rules::Context>,
    withdrawn: Withdrawn,
}

#[pymethods]
impl Context {
    #[new]
    fn new(py: Python<'_>, name: Option<&str>, observatory: &str) -> PyResult<Self> {
        let client = session::client(py, session::observatory(py, observatory)?)?;
        let asked = parsed(py, name)?;
        let (rules, withdrawn) = session::wait(py, async {
            let file = client.context_file(asked.as_ref()).await?;
            let rules = client.rules(&file, None).await?;
            let withdrawn = match client.server_config().await {
                Ok(server) => Withdrawn::of(&rules, server),
                Err(error) => {
                    let why = with_causes(&error);
                    tracing::warn!("which files were withdrawn by CRDS is not known: {why}");
                    Withdrawn::default()
                }
            };
            Ok((rules, withdrawn))
        })?;
        Ok(Self {
            client,
            rules,
            withdrawn,
        })
    }

    #[getter]
    fn name(&self) -> &str {
        self.rules.name().as_str()
    }

    #[getter]
    fn observatory(&self) -> &'static str {
        self.rules.observatory().name()
    }

    #[getter]
    fn instruments(&self) -> Vec<&str> {
        self.rules.instruments().collect()
    }

    fn reference_types(&self, instrument: &str) -> Option<Vec<&str>> {
        let types = self.rules.reference_types(&instrument.to_lowercase())?;
        Some(types.into_iter().map(ReferenceType::as_str).collect())
    }

    fn needed_keys(&self, instrument: &str) -> Option<Vec<&str>> {
        self.rules.needed_keys(&instrument.to_lowercase())
    }

    /// The keys that rules of any instrument look at, upper case, by all names they may have.
    fn all_needed_keys(&self) -> BTreeSet<String> {
        let instruments = self.rules.instruments();
        let keys = instruments.flat_map(|name| self.rules.needed_keys(name).unwrap_or_default());
        let mut keys: BTreeSet<String> = keys.map(str::to_uppercase).collect();
        let short: Vec<String> = keys
            .iter()
            .filter_map(|key| Observatory::archive_key(key))
            .map(str::to_owned)
            .collect();
        keys.extend(short);
        if keys_of(self.rules.observatory()) == Keys::Jwst {
            keys.extend(JWST_MODEL_NAMES.map(|(keyword, _)| keyword.to_owned()));
        }
        keys
    }

    fn mappings(&self) -> Vec<&str> {
        let names = self.rules.mappings().into_iter();
        names.map(MappingName::as_str).collect()
    }

    fn references(&self) -> Vec<&str> {
        self.rules.references().into_iter().collect()
    }

    /// Looks up many headers, given as mappings.
    fn bestrefs_of_rows<'py>(
        &self,
        py: Python<'py>,
        headers: &Bound<'py, PyAny>,
        reftypes: Option<Vec<String>>,
        raw: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut bulk = self.bulk(reftypes, raw);
        for header in headers.try_iter()? {
            bulk.headers.push(&header?)?;
            bulk.look_up_if_full(py)?;
        }
        bulk.finish(py)
    }

    /// Looks up many headers, given as columns of the same length; None is a value that is not there.
    fn bestrefs_of_columns<'py>(
        &self,
        py: Python<'py>,
        names: Vec<String>,
        columns: Vec<Bound<'py, PyList>>,
        rows: usize,
        reftypes: Option<Vec<String>>,
        raw: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut bulk = self.bulk(reftypes, raw);
        let mut keys = Vec::new();
        for row in 0..rows {
            if bulk.headers.len() == 0 {
                keys = names.iter().map(|name| bulk.headers.append(name)).collect();
            }
            for (key, column) in keys.iter().zip(&columns) {
                let value = column.get_item(row)?;
                if !value.is_none() {
                    bulk.headers.push_value(key.clone(), &value)?;
                }
            }
            bulk.headers.end_row();
            bulk.look_up_if_full(py)?;
        }
        bulk.finish(py)
    }

    /// The paths of references, by the names given; fetched where the cache lacks them.
    fn paths(
        &self,
        py: Python<'_>,
        names: Vec<String>,
        ignore_cache: bool,
    ) -> PyResult<Vec<String>> {
        let reuse = if ignore_cache {
            Reuse::Nothing
        } else {
            Reuse::Cached
        };
        let plain: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = session::wait(py, locations(&self.client, &plain, reuse, &Said::default()))?;
        let path = |name: &String| found.get(&name.to_ascii_lowercase()).map(located);
        Ok(names.iter().filter_map(path).collect())
    }
}

impl Context {
    fn bulk(&self, reftypes: Option<Vec<String>>, raw: bool) -> Bulk<'_> {
        let path = if raw {
            LookupPath::AsGiven
        } else {
            LookupPath::Conditioned
        };
        let keys = keys_of(self.rules.observatory());
        let question = Question::new(reftypes, path);
        Bulk::new(&self.rules, &self.withdrawn, keys, question)
    }
}

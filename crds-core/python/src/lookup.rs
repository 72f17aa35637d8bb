//! One dataset: which references it should have, and where they are. `getrecommendations` and
//! `getreferences` of the Python client, but for the checks of their arguments.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crds_core::bestrefs::{BestReferences, LookupError, LookupFailure, LookupPath, Outcome, Types};
use crds_core::names::{ContextName, FileName, MappingName, ReferenceType};
use crds_core::observatory::Observatory;
use crds_core::rules::Context;
use crds_core::{Client, ClientError, ReferenceLocation, Reuse};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use storage::hint::explain;

use crate::errors::{Failure, Kind};
use crate::files::{Said, located};
use crate::headers::{Headers, Keys, Row};
use crate::session;

/// What is asked about one dataset.
#[derive(Debug)]
struct DatasetQuestion {
    context: Option<ContextName>,
    types: Option<Vec<String>>,
    reuse: Reuse,
    /// Whether withdrawn rules and references are looked for.
    checks: bool,
}

impl DatasetQuestion {
    fn new(
        py: Python<'_>,
        reftypes: Option<Vec<String>>,
        context: Option<&str>,
        ignore_cache: bool,
        fast: bool,
    ) -> PyResult<Self> {
        Ok(Self {
            context: session::parsed(py, context)?,
            types: reftypes.filter(|types| !types.is_empty()),
            reuse: if ignore_cache {
                Reuse::Nothing
            } else {
                Reuse::Cached
            },
            checks: !fast,
        })
    }
}

/// Whether a text can name a context.
#[pyfunction]
pub(crate) fn is_context_name(text: &str) -> bool {
    text.parse::<ContextName>().is_ok()
}

/// The file name of the rules that a name stands for; without one, of those in use.
#[pyfunction]
pub(crate) fn context_name(
    py: Python<'_>,
    observatory: &str,
    context: Option<&str>,
) -> PyResult<String> {
    let client = session::client(py, session::observatory(py, observatory)?)?;
    let asked = session::parsed(py, context)?;
    session::wait(py, async { Ok(client.context_file(asked.as_ref()).await?) })
}

/// The rules that go with a version of the calibration software; None if only a server could tell
/// and there is none, or it does not know.
#[pyfunction]
pub(crate) fn build_context(
    py: Python<'_>,
    observatory: &str,
    version: &str,
) -> PyResult<Option<String>> {
    let client = session::client(py, session::observatory(py, observatory)?)?;
    if client.config().is_serverless() {
        return Ok(None);
    }
    let params = serde_json::json!([observatory, version]);
    session::wait(py, async {
        match client.ask("get_build_context", params).await {
            Ok(answer) => Ok(answer.as_str().map(str::to_owned)),
            Err(error) => {
                let reason = explain(&error);
                tracing::info!("the server does not tell the context of {version}: {reason}");
                Ok(None)
            }
        }
    })
}

/// The names of a dataset's references by type, as the rules say them.
#[pyfunction]
#[pyo3(signature = (parameters, reftypes, context, ignore_cache, observatory, fast))]
pub(crate) fn getrecommendations<'py>(
    py: Python<'py>,
    parameters: &Bound<'py, PyAny>,
    reftypes: Option<Vec<String>>,
    context: Option<&str>,
    ignore_cache: bool,
    observatory: &str,
    fast: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let observatory = session::observatory(py, observatory)?;
    let client = session::client(py, observatory)?;
    let question = DatasetQuestion::new(py, reftypes, context, ignore_cache, fast)?;
    let header = header_of(observatory, parameters)?;
    let answers = session::wait(py, recommended(&client, &header, &question))?;
    let result = PyDict::new(py);
    for (name, outcome) in answers.iter() {
        result.set_item(name.as_str(), said(py, outcome)?)?;
    }
    Ok(result)
}

/// The paths of a dataset's references by type, fetched where the cache lacks them.
#[pyfunction]
#[pyo3(signature = (parameters, reftypes, context, ignore_cache, observatory, fast))]
pub(crate) fn getreferences<'py>(
    py: Python<'py>,
    parameters: &Bound<'py, PyAny>,
    reftypes: Option<Vec<String>>,
    context: Option<&str>,
    ignore_cache: bool,
    observatory: &str,
    fast: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let observatory = session::observatory(py, observatory)?;
    let client = session::client(py, observatory)?;
    let question = DatasetQuestion::new(py, reftypes, context, ignore_cache, fast)?;
    let header = header_of(observatory, parameters)?;
    let (answers, paths) = session::wait(py, async {
        let answers = recommended(&client, &header, &question).await?;
        let paths = fetched(&client, &answers, question.reuse).await?;
        Ok((answers, paths))
    })?;
    let path_of = |name: &str| paths.get(&name.to_ascii_lowercase()).map(located);
    let result = PyDict::new(py);
    for (name, outcome) in answers.iter() {
        let key = name.as_str();
        match outcome {
            Outcome::File(file) => result.set_item(key, path_of(file.as_str()))?,
            Outcome::Ambiguous(files) => {
                let paths: Vec<_> = files.iter().map(|file| path_of(file)).collect();
                result.set_item(key, PyTuple::new(py, paths)?)?;
            }
            other if mentions_not_applicable(other) => {
                let text = other.to_string();
                let shown = if text.to_uppercase().contains("N/A") {
                    text
                } else {
                    format!("{text} (among them N/A)")
                };
                result.set_item(key, shown)?;
            }
            other => result.set_item(key, other.to_string())?,
        }
    }
    Ok(result)
}

fn header_of(observatory: Observatory, parameters: &Bound<'_, PyAny>) -> PyResult<Headers> {
    let mut headers = Headers::new(keys_of(observatory));
    headers.push(parameters)?;
    Ok(headers)
}

pub(crate) fn keys_of(observatory: Observatory) -> Keys {
    match observatory {
        Observatory::Jwst => Keys::Jwst,
        Observatory::Hst | Observatory::Roman => Keys::AsGiven,
    }
}

/// An outcome as the Python client says it: a text, or a tuple of several equally good names.
pub(crate) fn said<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyAny>> {
    Ok(match outcome {
        Outcome::Ambiguous(names) => PyTuple::new(py, names.iter().map(|name| &**name))?.into_any(),
        other => other.to_string().into_pyobject(py)?.into_any(),
    })
}

async fn recommended(
    client: &Client,
    header: &Headers,
    question: &DatasetQuestion,
) -> Result<BestReferences, Failure> {
    client.refuse_remote()?;
    let row = header.rows().next();
    let row = row.ok_or_else(|| Failure::new(Kind::Crds, "there is no header"))?;
    let context = client.context_file(question.context.as_ref()).await?;
    if question.reuse == Reuse::Nothing {
        renew_rules(client, &context).await?;
    }
    let scope = instrument_of(client.observatory(), row);
    let mut rules = client.rules(&context, scope.as_deref()).await?;
    let asked: Option<Vec<&str>> = question
        .types
        .as_ref()
        .map(|types| types.iter().map(String::as_str).collect());
    let types = asked.as_deref().map_or(Types::All, Types::Only);
    let look_up = |rules: &Context| {
        let mut answers = Vec::new();
        rules
            .lookups()
            .each_reference(
                &row,
                LookupPath::Conditioned,
                types,
                &mut |name, outcome| {
                    answers.push((name.clone(), outcome.clone()));
                },
            )
            .map(|instrument| (answers, instrument.to_owned()))
    };
    let answers = match look_up(&rules) {
        // The rules call the key of the instrument otherwise.
        Err(LookupError::NotLoaded { .. }) => {
            rules = client.rules(&context, None).await?;
            look_up(&rules)
        }
        found => found,
    };
    let (mut answers, instrument) = answers?;
    if asked.is_none() {
        let applicable = client
            .applicable_reference_types(&context, &row.to_header())
            .await;
        narrow(&mut answers, applicable);
    }
    let answers: BestReferences = answers.into_iter().collect();
    if question.checks {
        refuse_withdrawn(client, &rules, &instrument, &answers).await?;
    }
    Ok(answers)
}

/// Leaves the types that the exposure takes. Types of other instruments are among those, too: if
/// there are no others, all count.
fn narrow<T>(answers: &mut Vec<(ReferenceType, T)>, applicable: Option<BTreeSet<String>>) {
    if let Some(types) = applicable
        && answers
            .iter()
            .any(|(name, _)| types.contains(name.as_str()))
    {
        answers.retain(|(name, _)| types.contains(name.as_str()));
    }
}

/// Fetches the rules again, whatever the cache has.
async fn renew_rules(client: &Client, context: &str) -> Result<(), Failure> {
    let rules = client.rules(context, None).await?;
    let names: Vec<&str> = rules
        .mappings()
        .into_iter()
        .map(MappingName::as_str)
        .collect();
    Ok(client.store_mappings(Reuse::Nothing, names).await?)
}

/// The instrument, lower case, by the key that the observatory's rules use: only its rules are
/// loaded then.
fn instrument_of(observatory: Observatory, row: Row<'_>) -> Option<String> {
    use crds_core::header::{Fields as _, condition};
    let key = match observatory {
        Observatory::Hst => "INSTRUME",
        Observatory::Jwst => "META.INSTRUMENT.NAME",
        Observatory::Roman => "ROMAN.META.INSTRUMENT.NAME",
    };
    let mut pairs = row.pairs();
    let (_, value) = pairs.rfind(|(found, _)| found.eq_ignore_ascii_case(key))?;
    let name = condition(value).to_lowercase();
    Some(if name == "wfii" {
        "wfpc2".to_owned()
    } else {
        name
    })
}

/// What a user was warned of, so that it is said once.
static WARNED: Mutex<Option<HashSet<String>>> = Mutex::new(None);

fn warn_once(text: &str) {
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    let warned = warned.get_or_insert_default();
    if warned.insert(text.to_owned()) {
        tracing::warn!("{text}");
    }
}

/// Fails if CRDS has withdrawn the rules or a reference, unless the settings allow that.
async fn refuse_withdrawn(
    client: &Client,
    rules: &Arc<Context>,
    instrument: &str,
    answers: &BestReferences,
) -> Result<(), Failure> {
    let server = client.server_config().await?;
    let config = client.config();
    let bad: Vec<String> = rules
        .mappings_of(instrument)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| server.is_bad(name.as_str()))
        .map(ToString::to_string)
        .collect();
    if !bad.is_empty() {
        let error = ClientError::BadRules {
            context: rules.name().clone(),
            instrument: instrument.to_owned(),
            names: bad,
        };
        if !config.allow_bad_rules {
            return Err(error.into());
        }
        warn_once(&explain(&error).to_string());
    }
    let bad: Vec<String> = answers
        .iter()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::File(name) if server.is_bad(name.as_str()) => Some(name.to_string()),
            _ => None,
        })
        .collect();
    if !bad.is_empty() {
        let error = ClientError::BadReferences { names: bad };
        if !config.allow_bad_references {
            return Err(error.into());
        }
        warn_once(&explain(&error).to_string());
    }
    Ok(())
}

/// Whether the Python client's text of a failure would have `N/A` in it. It takes every such text for
/// an answer, "does not apply", and pipelines rely on it: steps are left out that would else fail.
fn mentions_not_applicable(outcome: &Outcome) -> bool {
    let mentions = |text: &str| text.to_uppercase().contains("N/A");
    match outcome {
        Outcome::Error(failure) => match &**failure {
            LookupFailure::ValueNotListed { value, listed, .. } => {
                mentions(value) || listed.iter().any(mentions)
            }
            other => mentions(&other.to_string()),
        },
        _ => false,
    }
}

fn is_file(name: &str) -> bool {
    name.parse::<FileName>().is_ok() && name.contains('.')
}

/// Where the references are, by name. Types without an answer are the error, the last of them as
/// in the Python client; all are logged.
async fn fetched(
    client: &Client,
    answers: &BestReferences,
    reuse: Reuse,
) -> Result<HashMap<String, ReferenceLocation>, Failure> {
    let mut names: Vec<&str> = Vec::new();
    let mut last = None;
    for (name, outcome) in answers.iter() {
        match outcome {
            Outcome::File(file) => names.push(file.as_str()),
            Outcome::Ambiguous(files) if files.iter().all(|file| is_file(file)) => {
                names.extend(files.iter().map(|file| &**file));
            }
            Outcome::NotApplicable => {}
            outcome if mentions_not_applicable(outcome) => {}
            outcome => {
                let why = outcome.to_string();
                let why = why.strip_prefix("NOT FOUND").unwrap_or(&why);
                let text = format!("Error determining best reference for '{name}'  =  {why}");
                tracing::error!("{text}");
                last = Some(text);
            }
        }
    }
    if let Some(text) = last {
        return Err(Failure::new(Kind::Lookup, text));
    }
    crate::files::locations(client, &names, reuse, &Said::default()).await
}

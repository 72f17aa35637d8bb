//! An output: what `provenance.json` recorded of each dataset's raw files, and for older records the
//! delivered raw files themselves.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::provenance::{self, HeaderRecord, Provenance};
use caldp_core::resources::{EarlierRun, Run};
use caldp_core::state::State;
use crds_core::dataset::set_instrument;
use crds_core::header::Header;
use crds_core::rules::Context;
use storage::store::{Store, StoreError};

use super::delivered::{self, WithHeaders};
use super::{Questions, Subject, quoted};
use crate::records;

/// How deep directories are looked into for a record.
const MAX_DEPTH: usize = 8;

/// Gives the datasets of all records, then those without one. `rules` are those that will be asked.
pub(crate) async fn read(
    store: &Arc<dyn Store>,
    rules: &Context,
    mut give: impl FnMut(Questions) -> bool,
) -> Result<(), StoreError> {
    let mut reader = Reader {
        rules,
        needed: HashMap::new(),
    };
    let output = Arc::clone(store);
    let complete = async move |(key, record): records::Read| match record {
        Ok(record) => Ok(delivered::complete(output, record).await),
        Err(reason) => Err(torn(&key, &reason)),
    };
    let without = records::each(store, complete, |read| {
        let subject = read.map_or_else(|torn| torn, |read| reader.subject(read));
        give(Questions::Subjects(vec![subject]))
    })
    .await?;
    for dataset in without {
        let reason = "it has products, but no provenance.json".to_owned();
        let subject = Subject::unknown(dataset.name(), Some(dataset.clone()), reason);
        if !give(Questions::Subjects(vec![subject])) {
            break;
        }
    }
    Ok(())
}

/// Whether there is any record below a directory.
pub(crate) fn are_in(directory: &Path) -> bool {
    fn found(directory: &Path, depth: usize) -> bool {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return false;
        };
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => files.push(entry.file_name()),
            }
        }
        files.iter().any(|name| name == provenance::FILE)
            || (depth < MAX_DEPTH && folders.iter().any(|folder| found(folder, depth + 1)))
    }
    found(directory, 0)
}

/// What cannot be read is told by its key, and by the dataset that the key names.
fn torn(key: &str, reason: &str) -> Subject {
    let layouts = [Layout::Tree, Layout::Calcloud];
    let dataset = layouts.iter().find_map(|layout| layout.owner(key));
    let id = dataset.as_ref().map_or(key, Dataset::name).to_owned();
    Subject::unknown(&id, dataset, format!("{key} cannot be read: {reason}"))
}

struct Reader<'r> {
    rules: &'r Context,
    /// The keys that the rules of an instrument look at, in upper case.
    needed: HashMap<String, Vec<String>>,
}

impl Reader<'_> {
    fn subject(&mut self, read: WithHeaders) -> Subject {
        let WithHeaders { record, delivered } = read;
        let dataset = record.dataset.clone();
        if record.state != State::Processed {
            let why = record.error.as_deref().unwrap_or("no reason is recorded");
            let reason = format!("its last run failed: {why}");
            return Subject::unknown(record.dataset.name(), Some(dataset), reason);
        }
        Subject {
            id: quoted(dataset.name()),
            features: Run::of_record(&record).ok().map(|run| run.features),
            context: record.context.clone(),
            headers: self.headers(&record, delivered),
            earlier: EarlierRun::of_record(&record).ok(),
            dataset: Some(dataset),
        }
    }

    fn headers(
        &mut self,
        record: &Provenance,
        delivered: Vec<(String, Result<Header, String>)>,
    ) -> Result<Vec<Header>, String> {
        if record.context.is_none() || record.headers.is_empty() {
            return Err("its record names no context that chose references".to_owned());
        }
        let own = record.dataset.instrument();
        let own = own.map(|instrument| instrument.name().to_uppercase());
        let mut headers = Vec::with_capacity(record.headers.len());
        for (file, header) in delivered {
            headers.push(header.map_err(|reason| {
                format!("its record is older than the header values of {file} in it, and {reason}")
            })?);
        }
        let recorded = record.headers.iter().filter(|raw| !raw.parkeys.is_empty());
        for raw in recorded {
            headers.push(self.recorded(raw, own.as_deref())?);
        }
        Ok(headers)
    }

    /// The header as far as it is recorded, which must be as far as the rules look.
    fn recorded(&mut self, raw: &HeaderRecord, instrument: Option<&str>) -> Result<Header, String> {
        let values = raw.parkeys.iter();
        let mut header: Header = values
            .filter_map(|(key, parkey)| Some((key.clone(), parkey.raw.clone()?)))
            .collect();
        let named = set_instrument(&mut header);
        if let (None, Some(instrument)) = (&named, instrument) {
            header.push("INSTRUME", instrument);
        }
        let instrument = named.as_deref().or(instrument).unwrap_or_default();
        let recorded = |key: &String| raw.parkeys.keys().any(|k| k.eq_ignore_ascii_case(key));
        match self.needed(instrument).iter().find(|key| !recorded(key)) {
            Some(key) => Err(format!(
                "its record does not have {key}, which the new rules look at"
            )),
            None => Ok(header),
        }
    }

    fn needed(&mut self, instrument: &str) -> &[String] {
        let rules = self.rules;
        self.needed.entry(instrument.to_owned()).or_insert_with(|| {
            let keys = rules.needed_keys(instrument).unwrap_or_default();
            keys.into_iter().map(str::to_uppercase).collect()
        })
    }
}

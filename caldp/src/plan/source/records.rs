//! An output: what `provenance.json` recorded of each dataset's raw files, and for older records the
//! delivered raw files themselves.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use caldp_core::provenance::{self, DatasetHeader, Provenance};
use caldp_core::resources::{EarlierRun, Run};
use caldp_core::state::State;
use crds_core::dataset::set_instrument;
use crds_core::header::Header;
use crds_core::rules::Context;
use storage::hint::with_causes;
use storage::store::{Place, Store, StoreError};

use super::{Batch, Subject, quoted};
use crate::records;

/// How deep directories are looked into for a record.
const MAX_DEPTH: usize = 8;

/// Gives the datasets of all records, then those without one. `rules` are those that will be asked.
pub(crate) async fn read(
    store: &Arc<dyn Store>,
    rules: &Context,
    mut give: impl FnMut(Batch) -> bool,
) -> Result<(), StoreError> {
    let mut reader = Reader {
        store: store.as_ref(),
        rules,
        needed: HashMap::new(),
    };
    let without = records::each(store, |(key, record)| {
        let subject = match record {
            Ok(record) => reader.subject(&record),
            Err(reason) => torn(&key, &reason),
        };
        give(Batch::Subjects(vec![subject]))
    })
    .await?;
    for dataset in without {
        let reason = "it has products, but no provenance.json".to_owned();
        let subject = Subject::unknown(dataset.name(), Some(dataset.clone()), reason);
        if !give(Batch::Subjects(vec![subject])) {
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
    store: &'r dyn Store,
    rules: &'r Context,
    /// The keys that the rules of an instrument look at, in upper case.
    needed: HashMap<String, Vec<String>>,
}

impl Reader<'_> {
    fn subject(&mut self, record: &Provenance) -> Subject {
        let dataset = record.dataset.clone();
        if record.state != State::Processed {
            let why = record.error.as_deref().unwrap_or("no reason is recorded");
            let reason = format!("its last run failed: {why}");
            return Subject::unknown(record.dataset.name(), Some(dataset), reason);
        }
        Subject {
            id: quoted(dataset.name()),
            features: Run::of_record(record).ok().map(|run| run.features),
            context: record.context.clone(),
            headers: self.headers(record),
            earlier: EarlierRun::of_record(record).ok(),
            dataset: Some(dataset),
        }
    }

    fn headers(&mut self, record: &Provenance) -> Result<Vec<Header>, String> {
        if record.context.is_none() || record.headers.is_empty() {
            return Err("its record names no context that chose references".to_owned());
        }
        let own = record.dataset.instrument();
        let own = own.map(|instrument| instrument.name().to_uppercase());
        let all = record.headers.iter();
        all.map(|raw| {
            if raw.parkeys.is_empty() {
                self.delivered(record, &raw.file)
            } else {
                self.recorded(raw, own.as_deref())
            }
        })
        .collect()
    }

    /// The header of a raw file that was delivered, where files can be read in part.
    fn delivered(&self, record: &Provenance, file: &str) -> Result<Header, String> {
        let older = format!("its record is older than the header values of {file} in it, and");
        let mut outputs = record.outputs.iter();
        if outputs.any(|output| output.name == file && output.archive.is_some()) {
            return Err(format!("{older} the file is packed in an archive"));
        }
        let key = record.layout.file(&record.dataset, Area::Products, file);
        match self.store.place(&key) {
            Ok(Place::File(path)) => {
                let header = crds_core::dataset::read(&path);
                header.map_err(|error| format!("{older} {}", with_causes(&error)))
            }
            Ok(place) => Err(format!("{older} {place} is not on this machine")),
            Err(error) => Err(format!("{older} {}", with_causes(&error))),
        }
    }

    /// The header as far as it is recorded, which must be as far as the rules look.
    fn recorded(
        &mut self,
        raw: &DatasetHeader,
        instrument: Option<&str>,
    ) -> Result<Header, String> {
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

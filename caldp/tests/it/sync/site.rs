//! A directory on site, and a bucket with datasets that were processed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, BatchState, Layout};
use caldp_core::provenance::{FileRecord, Provenance};
use caldp_core::state::State;
use caldp_tests::{Run, World};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use storage::checksum::{Crc64Sum, Sha1Sum};

use crate::CALDP;

pub(super) const BUCKET: &str = World::BUCKET;
pub(super) const BATCH: &str = "spring";

/// The files of a dataset as they are to be on site, by their names below its directory.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

pub(super) struct Site {
    /// The bucket; its directory is that on site.
    pub(super) world: World,
    pub(super) layout: Layout,
    /// What was delivered.
    pub(super) delivered: BTreeMap<Dataset, Files>,
}

pub(super) fn dataset(number: usize) -> Dataset {
    format!("j8c{number:06}").parse().unwrap()
}

/// Bytes that are a file's own.
pub(super) fn content(dataset: &Dataset, name: &str, size: usize) -> Vec<u8> {
    let seed = format!("{dataset}/{name}").bytes().map(u64::from).sum();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut content = format!("{dataset}/{name}\n").into_bytes();
    content.resize_with(size.max(content.len()), || random.u8(..));
    content
}

impl Site {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            world: World::new(),
            layout,
            delivered: BTreeMap::new(),
        }
    }

    /// So many processed datasets in a new batch.
    pub(super) fn with(layout: Layout, datasets: usize) -> Self {
        let mut site = Self::new(layout);
        for number in 0..datasets {
            site.deliver(&dataset(number), 1);
        }
        site.submit(&(0..datasets).map(dataset).collect::<Vec<_>>());
        site
    }

    /// The root's key: a batch has its own in the tree.
    pub(super) fn key(&self, key: &str) -> String {
        match self.layout {
            Layout::Tree => format!("data/{BATCH}/{key}"),
            Layout::Calcloud => key.to_owned(),
        }
    }

    pub(super) fn output(&self) -> String {
        match self.layout {
            Layout::Tree => format!("s3://{BUCKET}/data/{BATCH}"),
            Layout::Calcloud => format!("s3://{BUCKET}"),
        }
    }

    pub(super) fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        self.world.put(&self.key(key), body.into());
    }

    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let body = self.world.get(&self.key(key));
        body.map(|body| body.to_vec())
    }

    pub(super) fn remove(&self, key: &str) {
        self.world.remove(&self.key(key));
    }

    pub(super) fn path(&self) -> &Path {
        self.world.path()
    }

    /// Records a batch as the trigger does.
    pub(super) fn submit(&self, datasets: &[Dataset]) {
        let record = json!({"batch": BATCH, "s3_output_path": self.output(), "layout": self.layout,
            "submissions": ["1"], "jobs": [], "datasets": datasets});
        let key = self
            .layout
            .batch_message(BatchState::New, &BATCH.parse().unwrap());
        self.put(&key, record.to_string());
    }

    /// Stores a dataset as the worker does; `run` tells one delivery from another.
    pub(super) fn deliver(&mut self, dataset: &Dataset, run: u32) {
        let mut files = Files::new();
        // of the many of the long variants not all are large
        let number: usize = dataset.name()[3..].parse().unwrap();
        let large = if number < 100 { 1_200_000 } else { 30_000 };
        for (name, size) in [
            (format!("{}_flt.fits", &dataset.name()[..5]), 20_000),
            (format!("{}_drz.fits", &dataset.name()[..5]), large),
            ("previews/x_drz_thumb.jpg".to_owned(), 3_000),
            ("logs/process.txt".to_owned(), 5_000),
        ] {
            let mut body = content(dataset, &name, size);
            body.extend(format!("run {run}").bytes());
            files.insert(name, body);
        }
        self.store(dataset, files);
    }

    /// Stores these files as a dataset, with a record of the run.
    pub(super) fn store(&mut self, dataset: &Dataset, mut files: Files) {
        let mut record = Provenance::begin(dataset.clone(), self.layout);
        record.state = State::Processed;
        let archive = self.layout.archive(dataset, Area::Products);
        let mut packed = tar::Builder::new(GzEncoder::new(vec![], flate2::Compression::fast()));
        for (name, body) in &files {
            if let Some(log) = name.strip_prefix("logs/") {
                self.put(&self.layout.file(dataset, Area::Logs, log), body.clone());
                continue;
            }
            record.outputs.push(FileRecord {
                name: name.clone(),
                size: body.len() as u64,
                sha1: Sha1Sum::of(body).to_string(),
                crc64: Some(Crc64Sum::of(body).to_string()),
                archive: archive.as_ref().map(|_| dataset.archive_file()),
            });
            if archive.is_some() {
                let mut header = tar::Header::new_gnu();
                header.set_size(body.len() as u64);
                header.set_mode(0o644);
                let name = format!("{dataset}/{name}");
                packed.append_data(&mut header, name, &body[..]).unwrap();
            } else {
                self.put(
                    &format!("{}{name}", self.layout.data_dir(dataset)),
                    body.clone(),
                );
            }
        }
        let mut processed = String::new();
        if let Some(key) = archive {
            let packed = packed.into_inner().unwrap().finish().unwrap();
            record.outputs.push(FileRecord {
                name: dataset.archive_file(),
                size: packed.len() as u64,
                sha1: Sha1Sum::of(&packed).to_string(),
                crc64: Some(Crc64Sum::of(&packed).to_string()),
                archive: None,
            });
            self.put(&key, packed);
            processed = format!("{}/{key}", self.output());
        }
        let record = serde_json::to_vec(&record).unwrap();
        self.put(
            &self.layout.file(dataset, Area::Logs, "provenance.json"),
            record.clone(),
        );
        files.insert("logs/provenance.json".to_owned(), record);
        self.put(&self.layout.message(State::Processed, dataset), processed);
        self.delivered.insert(dataset.clone(), files);
    }

    /// `caldp sync` of an output to a directory.
    pub(super) fn command_to(&self, output: &str, site: &Path, words: &[&str]) -> Command {
        let mut command = self.world.command(CALDP, ["sync", output]);
        command
            .arg(site)
            .args(["--layout", self.layout.name()])
            .args(words);
        command
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        self.command_to(&self.output(), self.path(), words)
    }

    pub(super) fn sync(&self, words: &[&str]) -> Run {
        Run::of(&mut self.command(words))
    }

    /// What `--json` says of a run that ends with a status.
    pub(super) fn report(&self, words: &[&str], status: i32) -> Value {
        let run = self.sync(&[words, &["--json"]].concat());
        run.ended(status).json()
    }

    pub(super) fn batch_directory(&self) -> PathBuf {
        self.path().join(BATCH)
    }

    pub(super) fn file(&self, dataset: &Dataset, name: &str) -> PathBuf {
        let data = Layout::Tree.data_dir(dataset);
        self.batch_directory().join(data).join(name)
    }

    /// The states a dataset has messages of.
    pub(super) fn states(&self, dataset: &Dataset) -> Vec<State> {
        let there = |state: &State| self.get(&self.layout.message(*state, dataset)).is_some();
        State::ALL.into_iter().filter(there).collect()
    }

    pub(super) fn batch_states(&self) -> Vec<BatchState> {
        let batch = BATCH.parse().unwrap();
        let there = |state: &BatchState| {
            self.get(&self.layout.batch_message(*state, &batch))
                .is_some()
        };
        BatchState::ALL.into_iter().filter(there).collect()
    }

    /// Whether everything of a dataset is on site, and announced.
    pub(super) fn assert_on_site(&self, dataset: &Dataset) {
        let files = &self.delivered[dataset];
        for (name, body) in files {
            let path = self.file(dataset, name);
            let found = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(
                found == *body,
                "{} is not what was delivered",
                path.display()
            );
        }
        let message = self
            .batch_directory()
            .join(Layout::Tree.message(State::Synced, dataset));
        let message = fs::read_to_string(message).unwrap();
        let announced: Vec<&str> = message.lines().collect();
        let paths: Vec<PathBuf> = files.keys().map(|name| self.file(dataset, name)).collect();
        let paths: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(announced, paths);
        assert!(paths.iter().all(|path| path.starts_with('/')));
        let here = self.file(dataset, "");
        assert_eq!(
            all_files(&here).len(),
            files.len(),
            "{:?}",
            all_files(&here)
        );
    }

    /// Whether whatever is under a final name is what was delivered.
    pub(super) fn assert_nothing_partial(&self) {
        for (dataset, files) in &self.delivered {
            let here = self.file(dataset, "");
            for path in all_files(&here) {
                let name = path.strip_prefix(&here).unwrap().to_str().unwrap();
                if !name.contains(".unfinished-") {
                    assert!(
                        fs::read(&path).unwrap() == files[name],
                        "{}",
                        path.display()
                    );
                }
            }
        }
    }
}

/// Every file below a directory, if it is there.
pub(super) fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

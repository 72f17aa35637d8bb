//! A host that runs the worker: a world with the CRDS cache as the real bucket has it, a MAST, programs; and what
//! can be seen of a run afterwards.

use crate::CALDP;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use caldp_core::state::State;
use caldp_tests::{MastServer, Programs, World, fixtures, unpack_fixture};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Where the raw files of a run come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Loose files or an archive in a directory.
    Directory,
    /// An archive on S3.
    S3,
    /// MAST.
    Mast,
}

impl Origin {
    pub(crate) const ALL: [Self; 3] = [Self::Directory, Self::S3, Self::Mast];
}

pub(crate) struct Host {
    /// The bucket `hst`, the cache in `crds`, and the home.
    pub(crate) world: World,
    /// What programs take for temporary files.
    pub(crate) temporary: TempDir,
    pub(crate) mast: MastServer,
    pub(crate) programs: Programs,
    pub(crate) layout: Layout,
    /// What the keys of results begin with.
    root: &'static str,
}

impl Host {
    pub(crate) fn new() -> Self {
        let world = World::with_buckets(&["hst", "crds"]);
        for part in ["config", "pickles", "references"] {
            let folder = fixtures().join("crds").join(part);
            world.s3.put_directory("crds", part, &folder);
        }
        Self {
            world,
            temporary: tempfile::tempdir().unwrap(),
            mast: MastServer::start(),
            programs: Programs::new(),
            layout: Layout::Tree,
            root: "",
        }
    }

    /// A host for which the raw files of a bundled dataset are wherever they can come from.
    pub(crate) fn with(dataset: &str) -> Self {
        let host = Self::new();
        host.add(dataset);
        host
    }

    pub(crate) fn in_layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Results go below this folder of the bucket.
    pub(crate) fn storing_below(mut self, root: &'static str) -> Self {
        self.root = root;
        self
    }

    /// With the real drizzlepac in the place of its stand-in.
    pub(crate) fn drizzling_for_real(mut self) -> Self {
        self.programs = Programs::with_real_drizzling();
        self
    }

    pub(crate) fn add(&self, dataset: &str) {
        fs::create_dir_all(self.inputs()).unwrap();
        unpack_fixture(dataset, &self.inputs());
        let archive = fs::read(fixtures().join(format!("raw/{dataset}.tar.gz"))).unwrap();
        self.put_archive(dataset, archive);
        self.mast.add_fixture(dataset);
    }

    pub(crate) fn put_archive(&self, dataset: &str, archive: Vec<u8>) {
        let key = format!("inputs/{dataset}.tar.gz");
        self.world.put(&key, archive);
    }

    pub(crate) fn inputs(&self) -> PathBuf {
        self.world.path().join("inputs")
    }

    /// A run that reads from `from` and stores on S3.
    pub(crate) fn command(&self, dataset: &str, from: Origin) -> Command {
        let input = match from {
            Origin::Directory => format!("file:{}", self.inputs().display()),
            Origin::S3 => "s3://hst/inputs".to_owned(),
            Origin::Mast => "astroquery:".to_owned(),
        };
        let mut command = self.worker();
        command.args(["process", dataset, &input, "s3://hst", "caldp-config-aws"]);
        command
    }

    /// The binary with the environment of a run.
    pub(crate) fn worker(&self) -> Command {
        let home = self.world.path();
        let mut command = self.world.command::<&str>(CALDP, []);
        command
            // the worker needs no AWS Batch
            .env_remove("AWS_ENDPOINT_URL_BATCH")
            .env("PATH", self.programs.path())
            .env("HOME", home)
            .env("CALDP_HOME", home)
            .env("TMPDIR", self.temporary.path())
            .env("CALDP_LAYOUT", self.layout.name())
            .env("CALDP_MAST_URL", self.mast.url())
            .env("CRDSBUCKET", "s3://crds")
            .env("ASTROMETRY_COMPUTE_APOSTERIORI", "off")
            .env("ASTROMETRY_APPLY_APRIORI", "off");
        command
    }

    /// Runs a dataset from S3 to its end.
    pub(crate) fn run(&self, dataset: &str) -> Output {
        self.command(dataset, Origin::S3).output().unwrap()
    }

    /// The one state of a dataset.
    pub(crate) fn state(&self, dataset: &str) -> String {
        let states = self.states_in(&self.world.keys(), dataset);
        assert_eq!(states.len(), 1, "{states:?}");
        states[0].to_owned()
    }

    /// The states of a dataset that these keys tell.
    pub(crate) fn states_in(&self, keys: &[String], dataset: &str) -> Vec<&'static str> {
        let dataset: Dataset = dataset.parse().unwrap();
        let message = |state| format!("{}{}", self.root, self.layout.message(state, &dataset));
        let there = |state: &State| keys.contains(&message(*state));
        let states = State::ALL.into_iter().filter(there);
        states.map(State::name).collect()
    }

    /// The keys below the dataset's directory, without what they all start with.
    pub(crate) fn keys(&self, dataset: &str) -> Vec<String> {
        let directory = self.directory(dataset);
        let keys = self.world.keys().into_iter();
        keys.filter_map(|key| Some(key.strip_prefix(&directory)?.to_owned()))
            .collect()
    }

    fn directory(&self, dataset: &str) -> String {
        let directory = self.layout.data_dir(&dataset.parse().unwrap());
        format!("{}{directory}", self.root)
    }

    pub(crate) fn stored(&self, dataset: &str, name: &str) -> Vec<u8> {
        let key = self.directory(dataset) + name;
        self.world.stored(&key).to_vec()
    }

    /// A log by its bare name.
    pub(crate) fn log(&self, dataset: &str, name: &str) -> Vec<u8> {
        let dataset = dataset.parse().unwrap();
        let key = self.layout.file(&dataset, Area::Logs, name);
        self.world.stored(&format!("{}{key}", self.root)).to_vec()
    }

    pub(crate) fn provenance(&self, dataset: &str) -> Value {
        serde_json::from_slice(&self.log(dataset, "provenance.json")).unwrap()
    }

    /// Products by name, previews as `previews/<name>`, however they are stored.
    pub(crate) fn delivered(&self, dataset: &str) -> BTreeMap<String, Vec<u8>> {
        match self.layout {
            Layout::Tree => {
                let names = self.keys(dataset).into_iter();
                names
                    .filter(|name| !name.starts_with("logs/") && !name.starts_with("failed/"))
                    .map(|name| (name.clone(), self.stored(dataset, &name)))
                    .collect()
            }
            Layout::Calcloud => unpacked(
                &self.stored(dataset, &format!("{dataset}.tar.gz")),
                &format!("{dataset}/"),
            ),
        }
    }

    /// Nothing of a run stays on the machine but the CRDS cache, and no upload half done.
    pub(crate) fn assert_clean(&self) {
        let left = files_below(&self.world.path().join("caldp-work"));
        assert!(left.iter().all(|file| file.ends_with("/.lock")), "{left:?}");
        assert!(left.len() <= 1, "{left:?}");
        assert_eq!(self.world.s3.open_uploads(), 0, "uploads left open");
    }
}

/// The files of an archive, by their names without the prefix that all have.
fn unpacked(archive: &[u8], prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(archive));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let name = name.strip_prefix(prefix).unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    files
}

pub(crate) fn files_below(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let of_entry = |path: PathBuf| {
        if path.is_dir() && !path.is_symlink() {
            files_below(&path)
        } else {
            vec![path.display().to_string()]
        }
    };
    entries
        .flat_map(|entry| of_entry(entry.unwrap().path()))
        .collect()
}

/// The exit code of a run, with what it said if it is not the one that is expected.
#[track_caller]
pub(crate) fn assert_code(output: &Output, code: i32) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
}

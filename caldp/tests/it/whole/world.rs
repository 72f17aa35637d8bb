//! Everything one run needs: a home, an S3 server with the CRDS cache as the real bucket has it, a
//! MAST, programs; and what can be seen of it afterwards.

use caldp_tests::{MastServer, Programs, S3Server, fixtures, unpack_fixture};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

use crate::CALDP;

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

/// How results are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Tree,
    Calcloud,
}

impl Layout {
    fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Calcloud => "calcloud",
        }
    }

    /// The keys of messages of a state start with this.
    fn messages(self, dataset: &str) -> Vec<(String, &'static str)> {
        match self {
            Self::Tree => ["processing", "processed", "error"]
                .map(|state| (format!("messages/dataset-{state}/{dataset}"), state))
                .into(),
            Self::Calcloud => vec![
                (format!("messages/processing-{dataset}"), "processing"),
                (format!("messages/processed-{dataset}.trigger"), "processed"),
                (format!("messages/error-{dataset}"), "error"),
            ],
        }
    }
}

pub(crate) struct World {
    pub(crate) home: TempDir,
    /// What programs take for temporary files.
    pub(crate) temporary: TempDir,
    pub(crate) s3: S3Server,
    pub(crate) mast: MastServer,
    pub(crate) programs: Programs,
    pub(crate) layout: Layout,
}

impl World {
    pub(crate) fn new() -> Self {
        let s3 = S3Server::start(&["crds", "hst"]);
        for part in ["config", "pickles", "references"] {
            s3.put_directory("crds", part, &fixtures().join("crds").join(part));
        }
        Self {
            home: tempfile::tempdir().unwrap(),
            temporary: tempfile::tempdir().unwrap(),
            s3,
            mast: MastServer::start(),
            programs: Programs::new(),
            layout: Layout::Tree,
        }
    }

    /// The world with the raw files of a bundled dataset in it, wherever they can come from.
    pub(crate) fn with(dataset: &str) -> Self {
        let world = Self::new();
        world.add(dataset);
        world
    }

    pub(crate) fn in_layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
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
        self.s3
            .put("hst", &format!("inputs/{dataset}.tar.gz"), archive);
    }

    pub(crate) fn inputs(&self) -> PathBuf {
        self.home.path().join("inputs")
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
        let mut command = Command::new(CALDP);
        command
            .current_dir(self.home.path())
            .env_clear()
            .envs(self.s3.environment())
            .env("PATH", self.programs.path())
            .env("HOME", self.home.path())
            .env("CALDP_HOME", self.home.path())
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
        let states = self.states_in(&self.s3.keys("hst"), dataset);
        assert_eq!(states.len(), 1, "{states:?}");
        states[0].to_owned()
    }

    /// The states of a dataset that these keys tell.
    pub(crate) fn states_in(&self, keys: &[String], dataset: &str) -> Vec<&'static str> {
        let messages = self.layout.messages(dataset).into_iter();
        messages
            .filter_map(|(key, state)| keys.contains(&key).then_some(state))
            .collect()
    }

    /// The keys below the dataset's directory, without what they all start with.
    pub(crate) fn keys(&self, dataset: &str) -> Vec<String> {
        let directory = self.directory(dataset);
        let keys = self.s3.keys("hst").into_iter();
        keys.filter_map(|key| Some(key.strip_prefix(&directory)?.to_owned()))
            .collect()
    }

    pub(crate) fn directory(&self, dataset: &str) -> String {
        match self.layout {
            Layout::Calcloud => format!("outputs/{dataset}/"),
            Layout::Tree => {
                let instrument = match dataset.as_bytes()[0] {
                    b'j' => "acs",
                    b'i' => "wfc3",
                    b'o' => "stis",
                    b'l' => "cos",
                    b's' => "mvm",
                    _ => dataset.split('_').next().unwrap(),
                };
                format!("data/{instrument}/{dataset}/")
            }
        }
    }

    pub(crate) fn stored(&self, dataset: &str, name: &str) -> Vec<u8> {
        let key = self.directory(dataset) + name;
        let bytes = self.s3.get("hst", &key);
        bytes
            .unwrap_or_else(|| panic!("there is no {key}"))
            .to_vec()
    }

    /// A log by its bare name.
    pub(crate) fn log(&self, dataset: &str, name: &str) -> Vec<u8> {
        match self.layout {
            Layout::Tree => self.stored(dataset, &format!("logs/{name}")),
            Layout::Calcloud => self.stored(dataset, name),
        }
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
        let left = files_below(&self.home.path().join("caldp-work"));
        assert!(left.iter().all(|file| file.ends_with("/.lock")), "{left:?}");
        assert!(left.len() <= 1, "{left:?}");
        assert_eq!(self.s3.open_uploads(), 0, "uploads left open");
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

/// Whether the variants that take long were asked for.
pub(crate) fn long_variants() -> bool {
    std::env::var_os("CALDP_TEST_LONG").is_some()
}

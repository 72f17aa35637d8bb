//! The lines that users were promised: every command and example that the seed documents print is in a
//! table here with what it must do, and is run as it is printed, by bash, with the programs installed as
//! `make install` does. The documents are not part of the project; a command in them that the table
//! lacks is a failure, and so is one in the table that they do not print.

use caldp_tests::{
    CrdsServer, MastServer, Programs, S3Server, external_data, fixtures, unpack_fixture,
};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

use crate::CALDP;

const DATASET: &str = "j8cb010b0";
const BUCKET: &str = "calcloud-hst-pipeline-outputs";

/// What becomes of a command.
enum Act {
    /// It is run, and looked at.
    Run(fn(&Reader, &Said)),
    /// This is run in its place: what is printed has words to be replaced.
    As(&'static str, fn(&Reader, &Said)),
    /// A setting: it is taken by `crds` as it stands.
    Setting,
    /// It is about the original's own development or installation, or about another program.
    NotOurs,
}

use Act::{As, NotOurs, Run, Setting};

const COMMANDS: &[(&str, Act)] = &[
    ("git clone", NotOurs),
    ("cd caldp", NotOurs),
    (
        "scripts/caldp-install-all [HSTCAL] [PY_VER] [CONDA_ENV] [CONDA_DIR]",
        NotOurs,
    ),
    ("scripts/caldp-install-conda [CONDA_DIR]", NotOurs),
    ("source ~/.bashrc", NotOurs),
    (
        "scripts/caldp-install-cal [HSTCAL] [PY_VER] [CONDA_ENV] [CONDA_DIR]",
        NotOurs,
    ),
    ("source $CONDA_DIR/etc/profile.d/", NotOurs),
    ("conda activate [CONDA_ENV]", NotOurs),
    (
        "scripts/caldp-install-fitscut ${CONDA_DIR}/envs/${CONDA_ENV}",
        NotOurs,
    ),
    ("pip install .[dev,test]", NotOurs),
    (
        "pytest caldp --cov=caldp --cov-fail-under 80 --capture=tee-sys",
        NotOurs,
    ),
    ("pip install crds[aws]", NotOurs),
    (
        "strun romancal.pipeline.ExposurePipeline l1_img.asdf",
        NotOurs,
    ),
    // For the tests; those read the environment themselves.
    (
        "export CALDP_S3_TEST_INPUTS=s3://caldp-hst-test/inputs/test-batch",
        NotOurs,
    ),
    (
        "export CALDP_S3_TEST_OUTPUTS=s3://caldp-hst-test/outputs/test-batch",
        NotOurs,
    ),
    (
        "caldp-process <ipppssoot> [<input_path>] [<output_path>] [<config>]",
        As("caldp-process --help", |_, said| {
            said.has("<DATASET> [INPUT] [OUTPUT] [CONFIG]");
        }),
    ),
    (
        "caldp-process j8cb010b0",
        Run(|reader, _| reader.has_products(".")),
    ),
    (
        "caldp-process j8cb010b0 file:j8cb010b0_inputs file:j8cb010b0_outputs",
        Run(|reader, _| reader.has_products("j8cb010b0_outputs")),
    ),
    (
        "caldp-process j8cb010b0 astroquery: file:j8cb010b0_outputs",
        Run(|reader, _| reader.has_products("j8cb010b0_outputs")),
    ),
    (
        "caldp-process j8cb010b0 astroquery: s3://calcloud-hst-pipeline-outputs",
        Run(|reader, _| reader.has_objects("")),
    ),
    (
        "caldp-process-aws <s3_output_path> <ipppssoot>",
        As(
            "caldp-process-aws s3://calcloud-hst-pipeline-outputs/batch-22 j8cb010b0",
            |reader, _| {
                reader.has_objects("batch-22/");
            },
        ),
    ),
    (
        "caldp-docker-run-pipeline <ipppssoot> [<input_path>] [<output_path>] [<caldp_process_config>]",
        As("caldp-docker-run-pipeline --help", |_, said| {
            said.has("caldp-docker-run-pipeline");
        }),
    ),
    (
        "caldp-docker-run-pipeline j8cb010b0",
        Run(|_, said| said.has("caldp-process j8cb010b0 file:. file:. caldp-config-offsite")),
    ),
    (
        "caldp-docker-run-pipeline j8cb010b0 file:j8cb010b0_inputs file:j8cb010b0_outputs",
        Run(|_, said| {
            said.has("caldp-process j8cb010b0 file:j8cb010b0_inputs file:j8cb010b0_outputs");
        }),
    ),
    (
        "caldp-docker-run-pipeline j8cb010b0 astroquery: file:j8cb010b0_outputs",
        Run(|_, said| said.has("caldp-process j8cb010b0 astroquery: file:j8cb010b0_outputs")),
    ),
    (
        "caldp-docker-run-pipeline j8cb010b0 astroquery: s3://calcloud-hst-pipeline-outputs/batch-22",
        Run(|_, said| {
            said.has("j8cb010b0 astroquery: s3://calcloud-hst-pipeline-outputs/batch-22");
        }),
    ),
    (
        "caldp-docker-run-container /bin/bash # interactive shell at /home/developer inside the \
         container, nominally as user *developer*.",
        Run(|_, said| said.has("caldp:latest /bin/bash")),
    ),
    (
        "source caldp-config-offsite",
        Run(|_, said| {
            said.sets("CRDS_SERVER_URL", "https://hst-crds.stsci.edu");
            said.sets("CRDS_READONLY_CACHE", "0");
        }),
    ),
    (
        "source crds_s3_set roman ops",
        Run(|_, said| {
            said.sets(
                "CRDS_REFERENCE_URI",
                "s3://stpubdata/roman/crds/references/roman",
            );
            said.sets("CRDS_MODE", "s3");
            said.sets("CRDS_PATH", "/tmp/crds_cache");
        }),
    ),
    ("crds sync --all", Run(|reader, _| reader.has_rules())),
    ("crds sync --clear-locks", Run(|_, _| {})),
    (
        "crds sync --files <test_references_only_the_test_server_has...>",
        As("crds sync --files zz900001i_ccd.fits", |reader, _| {
            reader.has("crds_cache/references/hst/zz900001i_ccd.fits");
        }),
    ),
    ("crds sync --organize=instrument", Run(|_, _| {})),
    ("crds sync --organize=flat", Run(|_, _| {})),
    (
        "crds list --status",
        Run(|_, said| {
            said.has("Cache Locking = 'enabled");
            said.has("Readonly Cache = False");
        }),
    ),
    (
        "export CRDS_DOWNLOAD_PLUGIN='crds_s3_get ${FILENAME} -d ${OUTPUT_PATH} -s ${FILE_SIZE} -c \
         ${FILE_SHA1SUM}'",
        As(PLUGIN_BY_NAME, |reader, _| reader.has("by-plugin.fits")),
    ),
    (
        "export CRDS_DOWNLOAD_PLUGIN='crds_s3_get ${SOURCE_URL} ${OUTPUT_PATH} --file-size \
         ${FILE_SIZE} --file-sha1sum ${FILE_SHA1SUM}'",
        As(PLUGIN_BY_ADDRESS, |reader, _| reader.has("by-plugin.fits")),
    ),
    ("export CRDS_PATH=/path/to/local/cache", Setting),
    ("export CRDS_PATH=/grp/crds/cache", Setting),
    ("export CRDS_PATH=$HOME/crds_cache", Setting),
    ("export CRDS_PATH=${HOME}/crds_cache_test", Setting),
    (
        "export CRDS_MAPPING_URI=s3://stpubdata/roman/crds/mappings/roman",
        Setting,
    ),
    ("export CRDS_DOWNLOAD_MODE=plugin", Setting),
    ("export CRDS_S3_ENABLED=1", Setting),
    ("export CRDS_S3_BUCKET=stpubdata", Setting),
    ("export CRDS_REF_SUBDIR_MODE=flat", Setting),
    (
        "export CRDS_SERVER_URL=https://roman-crds-serverless.stsci.edu",
        Setting,
    ),
    (
        "export CRDS_SERVER_URL=https://crds-serverless-mode.stsci.edu",
        Setting,
    ),
    (
        "export CRDS_SERVER_URL=https://hst-crds-serverless.stsci.edu",
        Setting,
    ),
    (
        "export CRDS_SERVER_URL=https://hst-crds-test.stsci.edu",
        Setting,
    ),
    ("export CRDS_SERVER_URL=https://hst-crds.stsci.edu", Setting),
    (
        "export CRDS_CONFIG_URI=s3://stpubdata/roman/crds/config/roman",
        Setting,
    ),
    (
        "export CRDS_CONFIG_URI=s3://hst-crds-cache-ops/config/hst/",
        Setting,
    ),
    (
        "export CRDS_PICKLE_URI=s3://hst-crds-cache-ops/pickles/hst/",
        Setting,
    ),
    ("export CRDS_S3_PREFIX=/roman/crds", Setting),
    ("export CRDS_OBSERVATORY=roman", Setting),
    (
        "export CRDS_REFERENCE_URI=s3://stpubdata/roman/crds/references/roman",
        Setting,
    ),
    (
        "export CRDS_REFERENCE_URI=s3://hst-crds-cache-ops/references/hst/",
        Setting,
    ),
    ("export CRDS_MODE=s3", Setting),
    ("export CRDS_S3_RETURN_URI=0", Setting),
    ("export CRDS_CONTEXT=hst_1008.pmap", Setting),
    ("export CRDS_LOCKING_MODE=filelock", Setting),
    ("export iref=${CRDS_PATH}/references/hst/", Setting),
    ("export jref=${CRDS_PATH}/references/hst/", Setting),
    ("export oref=${CRDS_PATH}/references/hst/", Setting),
    ("export lref=${CRDS_PATH}/references/hst/", Setting),
    ("export nref=${CRDS_PATH}/references/hst/", Setting),
    ("export uref=${CRDS_PATH}/references/hst/", Setting),
    ("export uref_linux=$uref", Setting),
];

/// What Python's client does with a plugin, for a file of the bundled references.
const PLUGIN_BY_NAME: &str = "
    export CRDS_REFERENCE_URI=s3://crds/references/hst FILENAME=zz900001i_ccd.fits OUTPUT_PATH=by-plugin.fits
    export FILE_SIZE=$(stat -c %s $REFERENCES/$FILENAME) FILE_SHA1SUM=$(sha1sum $REFERENCES/$FILENAME | cut -c -40)
    PRINTED
    eval $CRDS_DOWNLOAD_PLUGIN";
const PLUGIN_BY_ADDRESS: &str = "
    export SOURCE_URL=s3://crds/references/hst/zz900001i_ccd.fits OUTPUT_PATH=by-plugin.fits
    file=$REFERENCES/zz900001i_ccd.fits
    export FILE_SIZE=$(stat -c %s $file) FILE_SHA1SUM=$(sha1sum $file | cut -c -40)
    PRINTED
    eval $CRDS_DOWNLOAD_PLUGIN";

/// The output of a command.
struct Said(String);

impl Said {
    #[track_caller]
    fn has(&self, words: &str) {
        assert!(self.0.contains(words), "{words:?} is not in {}", self.0);
    }

    /// Whether a variable of the shell has a value afterwards.
    #[track_caller]
    fn sets(&self, name: &str, value: &str) {
        let line = format!("{name}={value}");
        assert!(
            self.0.lines().any(|l| l == line),
            "{line} is not in {}",
            self.0
        );
    }
}

/// Somebody who reads the documents and types what they print.
struct Reader {
    /// What is installed.
    installed: TempDir,
    home: TempDir,
    engine: TempDir,
    programs: Programs,
    s3: S3Server,
    mast: MastServer,
    crds: CrdsServer,
}

impl Reader {
    fn new(installed: TempDir) -> Self {
        let s3 = S3Server::start(&["crds", BUCKET]);
        for part in ["config", "pickles", "references"] {
            s3.put_directory("crds", part, &fixtures().join("crds").join(part));
        }
        let reader = Self {
            installed,
            home: tempfile::tempdir().unwrap(),
            engine: tempfile::tempdir().unwrap(),
            programs: Programs::new(),
            s3,
            mast: MastServer::with_fixtures(&[DATASET]),
            crds: CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap"),
        };
        let docker = reader.engine.path().join("docker");
        // It says what it was asked to run.
        let script =
            "#!/bin/sh\ncase $1 in\n run) echo \"$*\" ;;\n image) ;;\n info) echo '[]' ;;\n esac\n";
        fs::write(&docker, script).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&docker, executable).unwrap();
        reader
    }

    /// Types a command in a directory of its own with the raw files of the dataset.
    fn types(&mut self, text: &str, cache: &Path) -> Output {
        self.home = tempfile::tempdir().unwrap();
        let home = self.home.path();
        unpack_fixture(DATASET, home);
        let inputs = home.join(format!("{DATASET}_inputs"));
        fs::create_dir(&inputs).unwrap();
        unpack_fixture(DATASET, &inputs);
        let wrappers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/bin");
        let path = [
            self.engine.path().display().to_string(),
            self.installed.path().join("bin").display().to_string(),
            wrappers.display().to_string(),
            self.programs.path(),
        ];
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("{text}\nstatus=$?\nenv\nexit $status")])
            .current_dir(home)
            .env_clear()
            .envs(self.s3.environment())
            .env("PATH", path.join(":"))
            .env("HOME", home)
            .env("CRDSBUCKET", "s3://crds")
            .env("CALDP_MAST_URL", self.mast.url())
            .env("REFERENCES", fixtures().join("crds/references/hst"));
        if cache.as_os_str().is_empty() {
            return bash.output().unwrap();
        }
        bash.env("CRDS_PATH", cache).output().unwrap()
    }

    /// Types a command of `crds`, with a server and a cache of its own.
    fn types_of_crds(&mut self, text: &str) -> Output {
        let server = format!(
            "export CRDS_SERVER_URL={} CRDS_OBSERVATORY=hst CRDS_PATH=$HOME/crds_cache\n\
             mkdir -p $CRDS_PATH && cp -R $REFERENCES/../../config $CRDS_PATH/\n{text}",
            self.crds.url()
        );
        self.types(&server, Path::new(""))
    }

    #[track_caller]
    fn has(&self, path: &str) {
        let path = self.home.path().join(path);
        assert!(path.exists(), "there is no {}", path.display());
    }

    #[track_caller]
    fn has_products(&self, output: &str) {
        for file in [
            "data/acs/j8cb010b0/j8cb01u2q_flt.fits",
            "data/acs/j8cb010b0/logs/process.txt",
            "data/acs/j8cb010b0/previews/j8cb01u2q_raw.jpg",
            "messages/dataset-processed/j8cb010b0",
        ] {
            self.has(&format!("{output}/{file}"));
        }
    }

    #[track_caller]
    fn has_objects(&self, prefix: &str) {
        let keys = self.s3.keys(BUCKET);
        let wanted = format!("{prefix}data/acs/j8cb010b0/j8cb01u2q_flt.fits");
        assert!(keys.contains(&wanted), "{keys:?}");
        for key in keys {
            self.s3.remove(BUCKET, &key);
        }
    }

    #[track_caller]
    fn has_rules(&self) {
        for mapping in ["hst_9000.pmap", "hst_acs_9001.imap"] {
            self.has(&format!("crds_cache/mappings/hst/{mapping}"));
        }
    }
}

/// Every command of a document, each once, with one blank between words.
fn commands(text: &str) -> BTreeSet<String> {
    let first = ["git", "cd", "source", "conda", "pip", "pytest", "export"];
    let is_command = |line: &str| {
        let word = line.split(' ').next().unwrap_or_default();
        first.contains(&word) || word.starts_with("caldp-") || word.starts_with("scripts/caldp-")
    };
    let printed = |line: &str| match line.trim().strip_prefix("$ ") {
        Some(command) => Some(command.to_owned()),
        None => is_command(line.trim()).then(|| line.trim().to_owned()),
    };
    let words = |line: String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().filter_map(printed).map(words).collect()
}

/// The programs under all their names, as `make install` puts them.
fn install() -> TempDir {
    let prefix = tempfile::tempdir().unwrap();
    let binaries = PathBuf::from(CALDP);
    let binaries = binaries.parent().unwrap();
    assert!(
        binaries.join("crds").is_file(),
        "there is no crds beside caldp: cargo build -p crds-cli"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh");
    let output = Command::new(script)
        .arg("install")
        .args([binaries, prefix.path()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    prefix
}

#[test]
fn every_command_that_users_were_promised_does_what_was_said() {
    let Some(seeds) = external_data("docs/seeds", "the commands of the seed documents") else {
        return;
    };
    let mut printed = BTreeSet::new();
    for name in ["caldp.txt", "crds-aws.txt", "crds-environment.txt"] {
        printed.extend(commands(&fs::read_to_string(seeds.join(name)).unwrap()));
    }
    let known: BTreeSet<String> = COMMANDS
        .iter()
        .map(|(text, _)| (*text).to_owned())
        .collect();
    assert_eq!(printed, known, "the documents and the table");

    let mut reader = Reader::new(install());
    let cache = fixtures().join("crds");
    for (text, act) in COMMANDS {
        let (typed, look): (String, fn(&Reader, &Said)) = match act {
            NotOurs => continue,
            Run(look) => ((*text).to_owned(), *look),
            As(other, look) => (other.replace("PRINTED", text), *look),
            Setting => (format!("{text} && crds env >/dev/null"), |_, _| {}),
        };
        let output = if typed.starts_with("crds ") {
            reader.types_of_crds(&typed)
        } else if typed.starts_with("caldp-process ") {
            reader.types(&typed, &cache)
        } else {
            reader.types(&typed, Path::new(""))
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}: {told}");
        look(&reader, &Said(said));
    }
}

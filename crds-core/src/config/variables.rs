//! The table of variables.
//! Source: CRDS documentation ("Environment Variables", "AWS") and the Python client 14.0.3.

use std::path::PathBuf;
use std::time::Duration;

use super::ConfigError;
use super::types::{CacheMode, Config, DownloadMode};
use crate::names::{ContextName, ContextNameError};

/// How the text of a variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// As it is.
    Text,
    /// As a path, or a URI that can be one: a leading `~` is the home directory.
    Path,
}

/// One environment variable.
pub(super) struct Variable {
    pub(super) name: &'static str,
    /// Empty if there is none.
    pub(super) default: &'static str,
    pub(super) allowed: &'static str,
    pub(super) meaning: &'static str,
    pub(super) kind: ValueKind,
    pub(super) apply: fn(&mut Config, &str) -> Result<(), String>,
}

impl Variable {
    pub(super) fn error(&self, value: &str, reason: String) -> ConfigError {
        ConfigError {
            variable: self.name.to_owned(),
            value: value.to_owned(),
            reason,
            allowed: self.allowed,
        }
    }
}

/// The variable of this name.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

fn path(text: &str) -> PathBuf {
    match text.trim_end_matches('/') {
        "" => "/".into(),
        path => path.into(),
    }
}

fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" => Ok(true),
        "0" | "false" | "f" => Ok(false),
        _ => Err("it is neither yes nor no".into()),
    }
}

fn number<N>(text: &str, from: N, to: N) -> Result<N, String>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
{
    let number: N = text
        .parse()
        .map_err(|_| "it is not a whole number in range".to_owned())?;
    if (from..=to).contains(&number) {
        Ok(number)
    } else {
        Err(format!("it is not between {from} and {to}"))
    }
}

/// A yes-or-no row that sets one field.
macro_rules! switch {
    ($name:literal, $default:literal, $field:ident, $meaning:literal) => {
        Variable {
            name: $name,
            default: $default,
            allowed: FLAG,
            meaning: $meaning,
            kind: ValueKind::Text,
            apply: |config, text| {
                config.$field = flag(text)?;
                Ok(())
            },
        }
    };
}

/// A row for a folder.
macro_rules! folder {
    ($name:literal, $default:literal, $part:ident . $field:ident, $meaning:literal) => {
        Variable {
            name: $name,
            default: $default,
            allowed: "a folder",
            meaning: $meaning,
            kind: ValueKind::Path,
            apply: |config, text| {
                config.locations.$part.$field = Some(path(text));
                Ok(())
            },
        }
    };
}

/// A row whose text is parsed by the type of an optional field.
macro_rules! optional {
    ($name:literal, $field:ident, $allowed:expr, $kind:ident, $meaning:literal) => {
        Variable {
            name: $name,
            default: "",
            allowed: $allowed,
            meaning: $meaning,
            kind: ValueKind::$kind,
            apply: |config, text| {
                config.$field = Some(text.parse().map_err(|error| format!("{error}"))?);
                Ok(())
            },
        }
    };
}

/// A row that is checked and otherwise without effect.
macro_rules! accepted {
    ($name:literal, $default:literal, $allowed:expr, $check:expr, $meaning:literal) => {
        Variable {
            name: $name,
            default: $default,
            allowed: $allowed,
            meaning: $meaning,
            kind: ValueKind::Text,
            apply: |_, text| {
                let check: fn(&str) -> Result<(), String> = $check;
                check(text)
            },
        }
    };
}

const FLAG: &str = "`0`, `1`, `true`, `false`, `t`, `f`";
pub(super) const URI: &str = "`s3://bucket/prefix`, `http(s)://...`, or a folder";

/// Every variable, in the order of the document.
pub(super) const VARIABLES: &[Variable] = &[
    folder!(
        "CRDS_PATH",
        "/grp/crds/cache",
        cache.all,
        "The cache, with folders for several observatories in each part."
    ),
    folder!(
        "CRDS_PATH_SINGLE",
        "",
        cache.single,
        "The cache of a single observatory: no observatory folders. Beats `CRDS_PATH`."
    ),
    folder!(
        "CRDS_MAPPATH",
        "",
        mappings.all,
        "Rules, in a folder for each observatory. Beats `CRDS_PATH` and `CRDS_PATH_SINGLE`."
    ),
    folder!(
        "CRDS_MAPPATH_SINGLE",
        "",
        mappings.single,
        "Rules of a single observatory. Beats all others."
    ),
    folder!(
        "CRDS_REFPATH",
        "",
        references.all,
        "References, in a folder for each observatory. Beats `CRDS_PATH` and `CRDS_PATH_SINGLE`."
    ),
    folder!(
        "CRDS_REFPATH_SINGLE",
        "",
        references.single,
        "References of a single observatory. Beats all others."
    ),
    folder!(
        "CRDS_CFGPATH",
        "",
        config.all,
        "What the server said last, in a folder for each observatory. Beats `CRDS_PATH` and `CRDS_PATH_SINGLE`."
    ),
    folder!(
        "CRDS_CFGPATH_SINGLE",
        "",
        config.single,
        "What the server of a single observatory said last. Beats all others."
    ),
    folder!(
        "CRDS_PICKLEPATH",
        "",
        pickles.all,
        "Pickled contexts, in a folder for each observatory. Beats `CRDS_PATH` and `CRDS_PATH_SINGLE`."
    ),
    folder!(
        "CRDS_PICKLEPATH_SINGLE",
        "",
        pickles.single,
        "Pickled contexts of a single observatory. Beats all others."
    ),
    optional!(
        "CRDS_REF_SUBDIR_MODE",
        subdir_mode,
        "`flat`, `instrument`, `legacy`",
        Text,
        "How references are sorted into folders in a new cache. One that has a file `ref_cache_subdir_mode` keeps to that; `crds sync --organize` changes it."
    ),
    switch!(
        "CRDS_READONLY_CACHE",
        "0",
        readonly_cache,
        "Never write to the cache. References that are missing are an error."
    ),
    optional!(
        "CRDS_OBSERVATORY",
        observatory,
        "`hst`, `jwst`, `roman`",
        Text,
        "The observatory, where neither the server's name nor the files tell."
    ),
    Variable {
        name: "CRDS_CONTEXT",
        default: "",
        allowed: "`hst_1008.pmap`, `latest`, `hst-operational`, `hst-edit`, `hst-2018-01-21T12:46:05`; not one instrument's rules",
        meaning: "The rules to use when a command or call does not say. Without it, what the cache's `server_config` names.",
        kind: ValueKind::Text,
        apply: |config, text| {
            let context: ContextName = text
                .parse()
                .map_err(|error: ContextNameError| error.reason.to_owned())?;
            if !context.is_complete() {
                return Err("it names the rules of one instrument only".into());
            }
            config.context = Some(context);
            Ok(())
        },
    },
    Variable {
        name: "CRDS_MODE",
        default: "auto",
        allowed: "`local`, `auto`, `s3`, `remote`",
        meaning: "Where best references are computed: here (`local`, `auto`), or here with rules from object storage (`s3`). `remote`, by the server, is refused: the answers are the same and no header leaves this machine.",
        kind: ValueKind::Text,
        apply: |config, text| {
            config.mode = match text {
                "local" => CacheMode::Local,
                "remote" => CacheMode::Remote,
                "auto" => CacheMode::Auto,
                "s3" => CacheMode::S3,
                _ => return Err("it is none of the modes".into()),
            };
            Ok(())
        },
    },
    Variable {
        name: "CRDS_SERVER_URL",
        default: "https://crds-serverless-mode.stsci.edu",
        allowed: "`https://...` or `http://...`",
        meaning: "The CRDS server. One with `serverless` or `server-less` in its name is never asked: everything comes from the cache and the URIs below.",
        kind: ValueKind::Text,
        apply: |config, text| {
            let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err("it is not a web address".into());
            }
            config.server_url = Some(text.trim_end_matches('/').to_owned());
            Ok(())
        },
    },
    optional!(
        "CRDS_CONFIG_URI",
        config_uri,
        URI,
        Path,
        "Where `server_config` is, instead of the server. Upper and lower case matter."
    ),
    optional!(
        "CRDS_MAPPING_URI",
        mapping_uri,
        URI,
        Path,
        "Where rules are, instead of the server."
    ),
    optional!(
        "CRDS_REFERENCE_URI",
        reference_uri,
        URI,
        Path,
        "Where references are, instead of the server."
    ),
    optional!(
        "CRDS_PICKLE_URI",
        pickle_uri,
        URI,
        Path,
        "Where pickled contexts are; used for rules that are not in the cache."
    ),
    switch!(
        "CRDS_S3_ENABLED",
        "0",
        s3_enabled,
        "Read rules that are not in the cache from `CRDS_MAPPING_URI`."
    ),
    switch!(
        "CRDS_S3_RETURN_URI",
        "0",
        s3_return_uri,
        "Programs that ask the library where references are get URIs, and nothing is fetched. Commands fetch all the same, as in the Python client."
    ),
    accepted!(
        "CRDS_S3_BUCKET",
        "",
        "any text",
        |_| Ok(()),
        "Set by `crds_s3_set` for its own use. Accepted, without effect: the URIs say where things are."
    ),
    accepted!(
        "CRDS_S3_PREFIX",
        "",
        "any text",
        |_| Ok(()),
        "Set by `crds_s3_set` for its own use. Accepted, without effect."
    ),
    Variable {
        name: "CRDS_DOWNLOAD_MODE",
        default: "",
        allowed: "`http`, `plugin`",
        meaning: "How a missing reference is fetched: from the server or URI directly, or by `CRDS_DOWNLOAD_PLUGIN`. Without it, by the plugin if there is one.",
        kind: ValueKind::Text,
        apply: |config, text| {
            config.download_mode = match text.to_ascii_lowercase().as_str() {
                "http" => Some(DownloadMode::Http),
                "plugin" => Some(DownloadMode::Plugin),
                _ => return Err("it is neither mode".into()),
            };
            Ok(())
        },
    },
    Variable {
        name: "CRDS_DOWNLOAD_PLUGIN",
        default: "",
        allowed: "a shell command",
        meaning: "The command of `plugin` mode. `${SOURCE_URL}`, `${FILENAME}`, `${OUTPUT_PATH}`, `${FILE_SIZE}` and `${FILE_SHA1SUM}` are replaced. `crds_s3_get` is known and done without a command.",
        kind: ValueKind::Text,
        apply: |config, text| {
            config.download_plugin = Some(text.to_owned());
            Ok(())
        },
    },
    switch!(
        "CRDS_DOWNLOAD_CHECKSUMS",
        "1",
        verify_checksums,
        "Check the SHA-1 sum of every fetched file."
    ),
    switch!(
        "CRDS_DOWNLOAD_LENGTHS",
        "1",
        verify_lengths,
        "Check the size of every fetched file."
    ),
    Variable {
        name: "CRDS_CLIENT_RETRY_COUNT",
        default: "1",
        allowed: "a whole number from 1 to 1000",
        meaning: "How often a request is made at most; 1 means no retries.",
        kind: ValueKind::Text,
        apply: |config, text| {
            config.retry_count = number(text, 1, 1000)?;
            Ok(())
        },
    },
    Variable {
        name: "CRDS_CLIENT_RETRY_DELAY_SECONDS",
        default: "0",
        allowed: "a whole number from 0 to 3600",
        meaning: "How long to wait before a request is made again.",
        kind: ValueKind::Text,
        apply: |config, text| {
            config.retry_delay = Duration::from_secs(number(text, 0, 3600)?);
            Ok(())
        },
    },
    Variable {
        name: "CRDS_CLIENT_TIMEOUT_SECONDS",
        default: "3600",
        allowed: "a whole number from 1 to 86400",
        meaning: "How long one request may take.",
        kind: ValueKind::Text,
        apply: |config, text| {
            config.timeout = Duration::from_secs(number(text, 1, 86_400)?);
            Ok(())
        },
    },
    switch!(
        "CRDS_USE_PICKLED_CONTEXTS",
        "0",
        use_pickled_contexts,
        "Read pickled contexts where there are any. They are decoded, never executed."
    ),
    accepted!(
        "CRDS_AUTO_PICKLE_CONTEXTS",
        "0",
        FLAG,
        |text| flag(text).map(drop),
        "Asks the Python client to write pickles. Accepted, without effect: rules load faster than pickles here."
    ),
    switch!(
        "CRDS_FORCE_COMPLETE_LOAD",
        "0",
        force_complete_load,
        "Load all rules of a context at once, so that a damaged one is noticed."
    ),
    switch!(
        "CRDS_IGNORE_MAPPING_CHECKSUM",
        "0",
        ignore_mapping_checksum,
        "Do not check the checksums inside rules; for editing them."
    ),
    switch!(
        "CRDS_ALLOW_BAD_RULES",
        "0",
        allow_bad_rules,
        "Use rules that were found to be scientifically wrong, with a warning."
    ),
    switch!(
        "CRDS_ALLOW_BAD_REFERENCES",
        "0",
        allow_bad_references,
        "Use references that were found to be scientifically wrong, with a warning."
    ),
    switch!(
        "CRDS_USE_LOCKING",
        "1",
        use_locking,
        "Lock files of the cache while they are fetched, so that several processes fetch each only once. Without it they may fetch twice, but still never see half a file."
    ),
    accepted!(
        "CRDS_LOCKING_MODE",
        "filelock",
        "`multiprocessing`, `filelock`, `lockfile`",
        |text| match text {
            "multiprocessing" | "filelock" | "lockfile" => Ok(()),
            _ => Err("it is none of the modes".into()),
        },
        "All three give the same here: advisory locks on files, which hold between threads, processes and terminals and vanish with the process."
    ),
    Variable {
        name: "CRDS_LOCK_PATH",
        default: "",
        allowed: "a folder",
        meaning: "Where lock files are. Without it, in the folder `locks` beside the cache's `server_config`.",
        kind: ValueKind::Path,
        apply: |config, text| {
            config.lock_path = Some(path(text));
            Ok(())
        },
    },
    Variable {
        name: "CRDS_VERBOSITY",
        default: "0",
        allowed: "a whole number, -3 to 100",
        meaning: "How much is logged: 0 the usual, 50 much, 100 everything; -1 nothing but warnings and errors, -2 errors only, -3 nothing.",
        kind: ValueKind::Text,
        apply: |config, text| {
            config.verbosity = number(text, -3, 1000)?.min(100);
            Ok(())
        },
    },
    switch!(
        "CRDS_LOG_TIME",
        "0",
        log_time,
        "Put the time before every log line."
    ),
    accepted!(
        "CRDS_FITS_IGNORE_MISSING_END",
        "0",
        FLAG,
        |text| {
            if flag(text)? {
                return Err(
                    "a header without END belongs to a damaged file, which is never used".into(),
                );
            }
            Ok(())
        },
        "Only no: a FITS file whose header does not end is always an error."
    ),
    accepted!(
        "CRDS_FITS_VERIFY_CHECKSUM",
        "1",
        FLAG,
        |text| flag(text).map(drop),
        "Accepted, without effect on best references, as in the Python client: datasets are read without checking sums. `CHECKSUM` is kept right when headers are updated."
    ),
    accepted!(
        "CRDS_ADD_LOG_MSG_COUNTER",
        "0",
        FLAG,
        |text| flag(text).map(drop),
        "Asks the Python client to number the lines of its log. Accepted, without effect."
    ),
    accepted!(
        "CRDS_EXPLICIT_GARBAGE_COLLECTION",
        "1",
        FLAG,
        |text| flag(text).map(drop),
        "About the memory of the Python client. Accepted, without effect."
    ),
    accepted!(
        "CRDS_ALLOW_BAD_PARKEY_VALUES",
        "0",
        FLAG,
        |text| flag(text).map(drop),
        "About the certification of files that are submitted to CRDS, which this client does not do. Accepted, without effect."
    ),
    accepted!(
        "CRDS_ALLOW_BAD_USEAFTER",
        "0",
        FLAG,
        |text| flag(text).map(drop),
        "As above. Accepted, without effect."
    ),
    accepted!(
        "CRDS_ALLOW_SCHEMA_VIOLATIONS",
        "0",
        FLAG,
        |text| flag(text).map(drop),
        "As above. Accepted, without effect."
    ),
    accepted!(
        "CRDS_INI_FILE",
        "",
        "a file",
        |_| Ok(()),
        "User name and token for submitting files to CRDS. Accepted, without effect: this client does not submit."
    ),
];

//! The settings as types.

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use storage::hint::Hint;

use super::{FileUri, Origin};
use crate::names::ContextName;
use crate::observatory::Observatory;

/// All settings. The defaults are those of a process without any `CRDS_` variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one independent yes-or-no variable"
)]
pub struct Config {
    /// Where the cache and its parts are.
    pub locations: Locations,
    /// How references are sorted into folders in a cache that does not say.
    pub subdir_mode: Option<SubdirMode>,
    /// Nothing may be written to the cache.
    pub readonly_cache: bool,
    /// The observatory, if said outright.
    pub observatory: Option<Observatory>,
    /// The rules to use when a command or call does not say.
    pub context: Option<ContextName>,
    /// Where best references are computed.
    pub mode: CacheMode,
    /// The server; one with `serverless` in its name does not exist.
    pub server_url: Option<String>,
    /// Where `server_config` is, instead of the server.
    pub config_uri: Option<FileUri>,
    /// Where rules are, instead of the server.
    pub mapping_uri: Option<FileUri>,
    /// Where references are, instead of the server.
    pub reference_uri: Option<FileUri>,
    /// Where pickled contexts are, instead of the server.
    pub pickle_uri: Option<FileUri>,
    /// Rules that are not in the cache are read from `mapping_uri`.
    pub s3_enabled: bool,
    /// Results are URIs instead of paths in the cache.
    pub s3_return_uri: bool,
    /// How missing references are fetched, if said outright; see [`Config::plugin`].
    pub download_mode: Option<DownloadMode>,
    /// The command that fetches one file, for a shell.
    pub download_plugin: Option<String>,
    /// Compare SHA-1 sums of fetched files.
    pub verify_checksums: bool,
    /// Compare sizes of fetched files.
    pub verify_lengths: bool,
    /// How often a request is made at most, the first time included.
    pub retry_count: u32,
    /// How long to wait between tries at least.
    pub retry_delay: Duration,
    /// How long one request may take.
    pub timeout: Duration,
    /// Read pickled contexts where there are any.
    pub use_pickled_contexts: bool,
    /// Load all rules of a context at once.
    pub force_complete_load: bool,
    /// Do not check the checksums inside rules.
    pub ignore_mapping_checksum: bool,
    /// Use rules that are known to be bad, with a warning.
    pub allow_bad_rules: bool,
    /// Use references that are known to be bad, with a warning.
    pub allow_bad_references: bool,
    /// Lock files of the cache before writing them.
    pub use_locking: bool,
    /// Where lock files are; in the cache if not given.
    pub lock_path: Option<PathBuf>,
    /// 0 is quiet, 100 says everything.
    pub verbosity: i32,
    /// Put the time before log lines.
    pub log_time: bool,
    /// What a leading `~` stands for.
    pub(super) home: Option<PathBuf>,
    /// Variables beginning with `CRDS_` that are none.
    pub(super) unknown: Vec<String>,
    /// The texts that were given.
    pub(super) given: Vec<(&'static str, String, Origin)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            locations: Locations::default(),
            subdir_mode: None,
            readonly_cache: false,
            observatory: None,
            context: None,
            mode: CacheMode::Auto,
            server_url: None,
            config_uri: None,
            mapping_uri: None,
            reference_uri: None,
            pickle_uri: None,
            s3_enabled: false,
            s3_return_uri: false,
            download_mode: None,
            download_plugin: None,
            verify_checksums: true,
            verify_lengths: true,
            retry_count: 1,
            retry_delay: Duration::ZERO,
            timeout: Duration::from_hours(1),
            use_pickled_contexts: false,
            force_complete_load: false,
            ignore_mapping_checksum: false,
            allow_bad_rules: false,
            allow_bad_references: false,
            use_locking: true,
            lock_path: None,
            verbosity: 0,
            log_time: false,
            home: None,
            unknown: Vec::new(),
            given: Vec::new(),
        }
    }
}

impl Config {
    /// Whether no server can be reached, as the name of the server says.
    pub fn is_serverless(&self) -> bool {
        let says = |url: &String| url.contains("serverless") || url.contains("server-less");
        self.server_url.as_ref().is_none_or(says)
    }

    /// The command that fetches a missing reference, unless it is to be fetched directly.
    pub fn plugin(&self) -> Option<&str> {
        let command = self.download_plugin.as_deref();
        command.filter(|_| self.download_mode != Some(DownloadMode::Http))
    }

    /// The observatory: said outright, or named by the server's URL, or by the context, or by the
    /// first of these file names that begins with one. `None` if nothing tells.
    pub fn observatory_for<'f>(
        &self,
        files: impl IntoIterator<Item = &'f str>,
    ) -> Option<Observatory> {
        let in_url = || {
            let url = self.server_url.as_ref()?;
            Observatory::ALL
                .into_iter()
                .find(|observatory| url.contains(observatory.name()))
        };
        let in_context = || self.context.as_ref()?.observatory();
        self.observatory
            .or_else(in_url)
            .or_else(in_context)
            .or_else(|| files.into_iter().find_map(Observatory::of_name))
    }
}

/// The variables that say where the cache and its parts are. `cache::layout` combines them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations {
    /// `CRDS_PATH` and `CRDS_PATH_SINGLE`.
    pub cache: Part,
    /// `CRDS_MAPPATH...`.
    pub mappings: Part,
    /// `CRDS_REFPATH...`.
    pub references: Part,
    /// `CRDS_CFGPATH...`.
    pub config: Part,
    /// `CRDS_PICKLEPATH...`.
    pub pickles: Part,
}

/// A folder for all observatories, and one for a single observatory, which wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Has one folder for each observatory.
    pub all: Option<PathBuf>,
    /// Has the files themselves.
    pub single: Option<PathBuf>,
}

/// How references are sorted into folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubdirMode {
    /// All in one.
    Flat,
    /// One folder for each instrument.
    Instrument,
    /// Where `$jref` and so on say.
    Legacy,
}

impl SubdirMode {
    /// The word in `ref_cache_subdir_mode`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Instrument => "instrument",
            Self::Legacy => "legacy",
        }
    }
}

/// A text names no way to sort references.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a way to sort references")]
pub struct SubdirModeError(String);

impl Hint for SubdirModeError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("there are flat, instrument and legacy".into())
    }
}

impl FromStr for SubdirMode {
    type Err = SubdirModeError;

    fn from_str(text: &str) -> Result<Self, SubdirModeError> {
        [Self::Flat, Self::Instrument, Self::Legacy]
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| SubdirModeError(text.to_owned()))
    }
}

/// Where best references are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMode {
    /// Here.
    Local,
    /// By the server.
    Remote,
    /// Here, unless the server insists.
    Auto,
    /// Here, with rules from object storage.
    S3,
}

/// How a missing reference is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadMode {
    /// From the server, or from the URI that replaces it.
    Http,
    /// By an external command.
    Plugin,
}

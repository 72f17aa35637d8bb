//! A client: knows which rules apply, where they and the references come from, and what they say
//! about datasets.
//!
//! [`Client::assign`] answers for files, [`Client::fetch_references`] brings the answers into the
//! cache, [`Assignments::write`] puts them into headers. Each does one thing and reports it, so
//! that a caller can stop between them: headers are not touched before everything else is well.
//!
//! ```no_run
//! use crds_core::{AssignOptions, Client, Config, Observatory};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Config::from_env()?, Observatory::Hst);
//! let files = ["j8cb01u2q_raw.fits".into()];
//! let assignments = client.assign(&files, &AssignOptions::default()).await?;
//! assignments.check()?;
//! let fetched = client.fetch_references(assignments.references(), &()).await?;
//! for reference in fetched {
//!     println!("{} {}", reference.name, reference.path.display());
//! }
//! assignments.write()?;
//! # Ok(())
//! # }
//! ```

mod applicable;
mod assign;
mod assignment;
mod current;
mod dataset;
mod datasets;
mod error;
mod fetched;
mod problem;
mod references;
mod rule_file;
mod rule_files;
mod rules;
mod server_info;
mod sharing;
mod tables;
mod version;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::OnceCell;

pub use assign::{AssignOptions, TypeChoice};
pub use assignment::{Assigned, Assignments, BadFiles, FileAssignment, Written};
pub use dataset::{DatasetHeader, UnreadableDataset};
pub use datasets::{CatalogueEntry, header_of_json};
pub use error::ClientError;
pub use fetched::{FetchedReference, Progress, ReferenceLocation, ReferenceOrigin, Reuse};
pub use problem::{AssignError, Problem};
pub use rule_file::{Judgement, Reading, Storing};
pub use rule_files::{RuleFiles, WrongRules};
pub use tables::{Compared, TableRows, Tables};
pub use version::VERSION_TEXT;

use crate::cache::layout::CacheLayout;
use crate::cache::server_config::ServerConfig;
use crate::cache::shared::SharedReferences;
use crate::cache::verified_file::Expected;
use crate::config::{CacheMode, Config, FileUri};
use crate::names::ContextName;
use crate::names::FileName;
use crate::names::MappingName;
use crate::observatory::Observatory;
use crate::rules::Context;
use crate::source::server::Server;
use crate::source::{self, Connections, Source, SourceError};

/// Answers questions about one observatory's references with one set of settings.
///
/// Making one does nothing; what is needed is read or fetched when it is first asked for, and
/// kept.
#[derive(Debug)]
pub struct Client {
    config: Config,
    layout: CacheLayout,
    connections: Arc<Connections>,
    server: Option<Server>,
    server_config: OnceCell<ServerConfig>,
    /// What the server said, while the cache lacks rules of the context it names.
    waiting: Mutex<Option<Vec<u8>>>,
    rules: Mutex<KnownRules>,
    shared: Option<Arc<SharedReferences>>,
    held: Mutex<rule_file::Held>,
    asks_server: bool,
}

/// Rules by their name, and the instrument if they are of one only.
type KnownRules = HashMap<(MappingName, Option<String>), Arc<Context>>;

/// The kinds of files that sources have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Config,
    Mapping,
    Reference,
    Pickle,
}

impl FileKind {
    /// What a file of this name is.
    pub(crate) fn of(name: &FileName) -> Self {
        let name = name.as_str();
        if name == "server_config" || name == "bad_files.txt" {
            return Self::Config;
        }
        match name.rsplit_once('.') {
            Some((_, "pmap" | "imap" | "rmap")) => Self::Mapping,
            Some((_, "pkl")) => Self::Pickle,
            _ => Self::Reference,
        }
    }
}

impl Client {
    /// A client with these settings.
    pub fn new(config: Config, observatory: Observatory) -> Self {
        let connections = Arc::new(Connections::new(&config));
        let url = config
            .server_url
            .clone()
            .filter(|_| !config.is_serverless());
        let server = url.map(|url| Server::new(url, Arc::clone(&connections)));
        Self {
            layout: CacheLayout::new(&config.locations, observatory),
            connections,
            server,
            server_config: OnceCell::new(),
            waiting: Mutex::default(),
            rules: Mutex::default(),
            shared: None,
            held: Mutex::default(),
            asks_server: false,
            config,
        }
    }

    /// The same client, which asks the server even where a read-only cache has an answer of its own:
    /// to see what would become of the cache.
    #[must_use]
    pub fn asking_the_server(self) -> Self {
        Self {
            asks_server: true,
            ..self
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whose references these are.
    pub fn observatory(&self) -> Observatory {
        self.layout.observatory
    }

    /// The folders of the cache.
    pub fn layout(&self) -> &CacheLayout {
        &self.layout
    }

    /// Where a file is in the cache, or would be.
    pub fn cache_path(&self, name: &FileName) -> Result<PathBuf, ClientError> {
        Ok(match FileKind::of(name) {
            FileKind::Config => self.layout.config.join(name.as_str()),
            FileKind::Mapping => self.layout.mapping(name.as_str()),
            FileKind::Pickle => self.layout.pickles.join(name.as_str()),
            FileKind::Reference => self.references()?.path(name)?,
        })
    }

    /// Calls a method of the server, as its JSON-RPC interface has them.
    pub async fn ask(&self, method: &str, params: Value) -> Result<Value, ClientError> {
        let server = self
            .server
            .as_ref()
            .ok_or_else(|| SourceError::Serverless {
                what: method.replace('_', " "),
            })?;
        Ok(server.call(method, params).await?)
    }

    /// Fails if the settings say that best references are computed by the server.
    pub fn refuse_remote(&self) -> Result<(), ClientError> {
        match self.config.mode {
            CacheMode::Remote => Err(ClientError::Remote),
            CacheMode::Local | CacheMode::Auto | CacheMode::S3 => Ok(()),
        }
    }

    /// Where files of a kind come from: the URI of the settings, else the server.
    pub(crate) fn source(&self, kind: FileKind) -> Option<Arc<dyn Source>> {
        let (uri, part) = match kind {
            FileKind::Config => (&self.config.config_uri, "config"),
            FileKind::Mapping => (&self.config.mapping_uri, "mappings"),
            FileKind::Reference => (&self.config.reference_uri, "references"),
            FileKind::Pickle => (&self.config.pickle_uri, "pickles"),
        };
        let of_server = || {
            let url = self.server.as_ref()?.url();
            let observatory = self.observatory();
            Some(FileUri::Http(format!(
                "{url}/unchecked_get/{part}/{observatory}/"
            )))
        };
        let uri = uri.clone().or_else(of_server)?;
        Some(source::open(&uri, &self.connections))
    }

    fn source_of(&self, name: &FileName, folder: Option<&FileUri>) -> Option<Arc<dyn Source>> {
        match folder {
            Some(uri) => Some(source::open(uri, &self.connections)),
            None => self.source(FileKind::of(name)),
        }
    }

    /// Where a file is fetched from: this folder, else where the settings say that files of its
    /// kind are. Nothing if they do not say.
    pub fn file_location(&self, name: &FileName, folder: Option<&FileUri>) -> Option<String> {
        Some(self.source_of(name, folder)?.location(name))
    }

    /// Fetches one file from its [location](Client::file_location) to `target`, in a folder that
    /// exists: complete and as expected, or not at all. Gives its size in bytes.
    pub async fn fetch_file(
        &self,
        name: &FileName,
        folder: Option<&FileUri>,
        target: &Path,
        expected: Expected,
    ) -> Result<u64, SourceError> {
        let source = self
            .source_of(name, folder)
            .ok_or_else(|| SourceError::Serverless {
                what: format!("fetching {name}"),
            })?;
        source.fetch(name, target, expected, &|_| {}).await
    }

    /// The name of the rules that a context's name stands for: this one, else `CRDS_CONTEXT`, else
    /// the one in use.
    pub async fn context_name(
        &self,
        asked: Option<&ContextName>,
    ) -> Result<MappingName, ClientError> {
        let file = self.context_file(asked).await?;
        let plain = file.rsplit('/').next().unwrap_or(&file);
        Ok(plain.parse()?)
    }

    /// Like [`Client::context_name`], perhaps with the folder that was asked for.
    pub async fn context_file(&self, asked: Option<&ContextName>) -> Result<String, ClientError> {
        let name = asked.or(self.config.context.as_ref());
        let other = name.and_then(ContextName::observatory);
        if let (Some(name), Some(found)) = (name, other.filter(|o| *o != self.observatory())) {
            return Err(ClientError::OtherObservatory {
                name: name.to_string(),
                found,
                expected: self.observatory(),
            });
        }
        if let Some(ContextName::File(file)) = name {
            return Ok(file.clone());
        }
        let found = self.server_config().await?.resolve(name)?;
        match &found.part.instrument {
            None => Ok(found.file),
            Some(instrument) => {
                let reference_type = found.part.reference_type.as_deref();
                self.part_of(&found.file.parse()?, instrument, reference_type)
                    .await
            }
        }
    }
}

/// Turns a foreign name into one that is safe to use.
pub(crate) fn file_name(name: &str) -> Result<FileName, ClientError> {
    Ok(name.parse()?)
}

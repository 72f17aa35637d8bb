//! A complete client for the Calibration Reference Data System (CRDS).
//!
//! CRDS decides which reference files calibrate a dataset: its rules (mappings) match a dataset's
//! header against tables kept by the observatories. This crate loads those rules, answers lookups,
//! keeps the cache of rules and references, and writes the answers into dataset headers.
//!
//! Most of it is used through [`Client`], which knows where rules and references come from. Load the rules in use, ask
//! them for a header's references, fetch those into the cache:
//!
//! ```
//! use crds_core::bestrefs::{LookupPath, Outcome, Types};
//! use crds_core::header::Header;
//! use crds_core::{Client, Config, Observatory};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # let folder = tempfile::tempdir()?;
//! # let cache = folder.path().to_str().ok_or("not text")?;
//! # runtime.block_on(async {
//! # let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/crds");
//! # let uri = |part| format!("{published}/{part}/hst");
//! // `Config::from_env()` takes the settings of the environment.
//! let config = Config::from_vars([
//!     ("CRDS_PATH", cache.to_owned()),
//!     ("CRDS_CONFIG_URI", uri("config")),
//!     ("CRDS_MAPPING_URI", uri("mappings")),
//!     ("CRDS_REFERENCE_URI", uri("references")),
//! ])?;
//! let client = Client::new(config, Observatory::Hst);
//!
//! let context = client.context_name(None).await?;
//! let rules = client.rules(context.as_str(), Some("acs")).await?;
//!
//! let mut header = Header::new();
//! header.push("INSTRUME", "ACS");
//! header.push("DETECTOR", "WFC");
//! header.push("DATE-OBS", "2010-01-01");
//! header.push("TIME-OBS", "00:00:00");
//! let asked = Types::Only(&["ccdtab", "darkfile"]);
//! let answers = rules.best_references(&header, LookupPath::Conditioned, asked)?;
//! for (reference_type, outcome) in answers.iter() {
//!     println!("{reference_type}: {outcome}");
//! }
//! let Some(Outcome::File(table)) = answers.get("ccdtab") else {
//!     return Err("no table of detectors".into());
//! };
//!
//! let fetched = client.fetch_references([table.as_str()], &()).await?;
//! assert_eq!(fetched.len(), 1);
//! assert!(fetched[0].path.starts_with(cache) && fetched[0].path.exists());
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! For files there is [`Client::assign`], which reads their headers, and [`Assignments::write`],
//! which updates them.

pub mod bestrefs;
pub mod cache;
mod client;
pub mod config;
pub mod dataset;
mod expression;
pub mod header;
pub mod literal;
pub mod names;
pub mod observatory;
pub mod rules;
mod selector;
pub mod source;
mod text_map;

pub use client::{
    AssignError, AssignOptions, Assigned, Assignments, BadFiles, Client, ClientError,
    DatasetHeader, FetchedReference, FileAssignment, Problem, Progress, ReferenceLocation,
    ReferenceOrigin, Reuse, Storing, TypeChoice, UnreadableDataset, VERSION_TEXT, Written,
};
pub use config::Config;
pub use observatory::Observatory;

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
//! # let elsewhere = tempfile::tempdir()?;
//! # let published = elsewhere.path().to_str().ok_or("not text")?;
//! # let catalogue = "{'observatory': 'hst', 'operational_context': 'hst_0001.pmap', \
//! #     'download_metadata': {'crds_encoded': '1.0', 'crds_payload': \
//! #     'H4sIAAAAAAACA6tWqjAAA8Os+OTkFL20zJJiJSuFaqXizKpUIEPJRElHQak4I9GwuDQXxM/Lz0tVqq0FABv8Rn84AAAA'}}";
//! # let pmap = "header = {'mapping': 'PIPELINE', 'derived_from': 'nothing', 'name': 'hst_0001.pmap', 'observatory': 'HST', \
//! #     'parkey': ('INSTRUME',)}\nselector = {'ACS': 'hst_acs_0001.imap'}\n";
//! # let imap = "header = {'mapping': 'INSTRUMENT', 'derived_from': 'nothing', 'name': 'hst_acs_0001.imap', \
//! #     'observatory': 'HST', 'instrument': 'ACS', 'parkey': ('REFTYPE',)}\n\
//! #     selector = {'ccdtab': 'hst_acs_ccdtab_0001.rmap', 'darkfile': 'N/A'}\n";
//! # let rmap = "header = {'mapping': 'REFERENCE', 'derived_from': 'nothing', 'name': 'hst_acs_ccdtab_0001.rmap', \
//! #     'observatory': 'HST', 'instrument': 'ACS', 'filekind': 'CCDTAB', \
//! #     'parkey': (('DETECTOR',), ('DATE-OBS', 'TIME-OBS'))}\n\
//! #     selector = Match({('WFC',): UseAfter({'1992-01-01 00:00:00': 'x0000001j_ccd.fits'})})\n";
//! # for (name, content) in [
//! #     ("server_config", catalogue),
//! #     ("hst_0001.pmap", pmap),
//! #     ("hst_acs_0001.imap", imap),
//! #     ("hst_acs_ccdtab_0001.rmap", rmap),
//! #     ("x0000001j_ccd.fits", "FITS"),
//! # ] {
//! #     std::fs::write(elsewhere.path().join(name), content)?;
//! # }
//! // `Config::from_env()` takes the settings of the environment.
//! let config = Config::from_vars([
//!     ("CRDS_PATH", cache),
//!     ("CRDS_CONFIG_URI", published),
//!     ("CRDS_MAPPING_URI", published),
//!     ("CRDS_REFERENCE_URI", published),
//! #   ("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
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
//!
//! Below the client, from the bottom up: [`names`] and [`literal`] (what rules and files are called, and the
//! literals they are written in), [`observatory`], [`config`] (the settings), [`header`] and [`dataset`] (a
//! dataset's keywords, read and written), [`source`] and [`cache`] (where files come from, and where they are
//! kept), [`rules`] (loaded and checked), [`bestrefs`] (asked), [`table_rows`] (which rows of a table a dataset
//! uses).

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
pub mod table_rows;
mod text_map;

pub use client::{
    AssignError, AssignOptions, Assigned, Assignments, BadFiles, CatalogueEntry, Client,
    ClientError, Compared, DatasetHeader, FetchedReference, FileAssignment, Judgement, Problem,
    Progress, Reading, ReferenceLocation, ReferenceOrigin, Reuse, RuleFiles, Storing, TableRows,
    Tables, TypeChoice, UnreadableDataset, VERSION_TEXT, Written, WrongRules, header_of_json,
};
pub use config::Config;
pub use observatory::Observatory;

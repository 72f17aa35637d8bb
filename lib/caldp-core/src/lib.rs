//! What every program of the system agrees on: the names of datasets, the keys under which things are
//! stored, the messages that record each dataset's state, and what the worker and the trigger say to each
//! other. Nothing here knows FITS or CRDS.
//!
//! A text becomes a [`dataset::Dataset`] once, at the edge; a [`layout::Layout`] gives its keys and turns
//! keys back into what they stand for; [`messages::Messages`] keeps its state on S3 or on disk:
//!
//! ```
//! use std::sync::Arc;
//! use caldp_core::{dataset::Dataset, layout::Layout, messages::Messages, state::State};
//! use storage::store::Memory;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let dataset: Dataset = "J8CB010B0".parse()?;
//! assert_eq!(Layout::Tree.data_dir(&dataset), "data/acs/j8cb010b0/");
//!
//! let messages = Messages::new(Arc::new(Memory::new()), Layout::Tree);
//! messages.enter(&dataset, State::Processing, b"").await?;
//! messages.advance(&dataset, State::Processing, State::Processed, b"").await?;
//! assert_eq!(messages.look(&dataset).await?.current(), Some(State::Processed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | who | says | to whom |
//! |---|---|---|
//! | trigger | [`job_command`], the lines of an [`mod@array`] job's list | worker |
//! | worker | [`provenance`], an [`exit_code`] | trigger, downloader, people |
//! | both | [`state`], [`messages`], [`layout`] | everybody |
//! | operators | [`batch`] names and job ids | trigger |
//!
//! [`resources`] says from measured runs what a run will need.

pub mod array;
pub mod batch;
pub mod dataset;
pub mod exit_code;
pub mod job_command;
pub mod layout;
pub mod messages;
pub mod provenance;
pub mod resources;
pub mod state;

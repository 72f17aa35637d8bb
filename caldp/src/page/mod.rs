//! `caldp page`: writes the page of an output, or of all batches of a bucket, into the output or into a directory.
//!
//! What is on a page and how it is written is `caldp_trigger::overview`; here are the places and the words.

mod relative;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use storage::hint::{answer, say};

use caldp_core::exit_code::ExitCode as Code;
use caldp_core::layout::Layout;
use caldp_core::resources::Model;
use caldp_trigger::config::hourly_prices;
use caldp_trigger::output_root::OutputRoot;
use caldp_trigger::overview::board::{Board, Output, folder_name, page_name};
use clap::Args;
use storage::store::{self, Dir, ErrorKind, Store, StoreError};
use storage::uri::Location;

use crate::status::{StatusError, block_on, ended, outputs};

/// Writes pages that show how the datasets of an output are doing: states, failures, memory, previews.
#[derive(Debug, Args)]
pub(crate) struct PageArguments {
    /// Where the results are: s3://... of a batch, a bucket for all its batches, or a directory after file:
    #[arg(value_name = "OUTPUT")]
    output: Location,
    /// Write into this directory instead of blackboard/ of the output
    #[arg(long, value_name = "DIRECTORY")]
    to: Option<PathBuf>,
    /// The layout of results and messages
    #[arg(long, env = "CALDP_LAYOUT", default_value_t)]
    layout: Layout,
}

impl PageArguments {
    pub(crate) const HELP: &'static str = "\
Written are index.html with all batches, <batch>/index.html for each, and blackboardAWS.snapshot.
The path of the first is printed, or that of the batch when there is one. With --to, reading the
output is enough. What is on a page is described in caldp/PAGE.md.";
}

pub(crate) fn run(arguments: &PageArguments) -> ExitCode {
    ended(block_on(arguments.run()))
}

impl PageArguments {
    async fn run(&self) -> Result<u8, StatusError> {
        let (pages, folder): (Arc<dyn Store>, _) = match &self.to {
            Some(directory) => (Arc::new(Dir::new(directory)), String::new()),
            None => (store::open(&self.output).await, self.layout.blackboard("")),
        };
        let board = Board::new(
            Arc::clone(&pages),
            &folder,
            hourly_prices()?,
            Model::shipped()?,
        );
        let mut written = vec![];
        for output in outputs::of(&self.output, self.layout).await? {
            let done = board.write(&self.output_at(output).await, None).await;
            written.push(done.map_err(|error| self.failed(error))?);
        }
        let published = board.publish(&written).await;
        let left = published.map_err(|error| self.failed(error))?;
        written.retain(|w| w.line.datasets > 0);
        let page = match written.as_slice() {
            [] => return Err(StatusError::NoDatasets(self.output.to_string())),
            [one] => format!("{folder}{}/index.html", one.line.name),
            _ => format!("{folder}index.html"),
        };
        let notes: BTreeSet<&String> = written.iter().flat_map(|w| &w.notes).chain(&left).collect();
        for note in notes {
            say(format_args!("caldp: {note}"));
        }
        answer(format!("{}\n", pages.place(&page)?))?;
        Ok(Code::Ok.number())
    }

    /// Why a page was not written, with the way out for those who may not write it there.
    fn failed(&self, error: StoreError) -> StatusError {
        match error.kind() {
            ErrorKind::AccessDenied if self.to.is_none() => StatusError::PageRefused(error),
            _ => error.into(),
        }
    }

    /// An output with the way from its page to its results.
    async fn output_at(&self, output: Location) -> Output {
        let (name, root) = match &output {
            Location::S3(uri) => {
                let root = OutputRoot::new(uri.clone(), self.layout);
                (page_name(uri), Some(root))
            }
            Location::Dir(path) => (folder_name(&path_name(path)), None),
        };
        Output {
            results: self.results(&output, &name),
            store: store::open(&output).await,
            shown: output.to_string(),
            layout: self.layout,
            root,
            name,
        }
    }

    fn results(&self, output: &Location, name: &str) -> Option<String> {
        match (&self.to, output, &self.output) {
            (None, Location::S3(uri), Location::S3(whole)) if uri != whole => {
                Some(format!("../../{}/", uri.key()))
            }
            (None, ..) => Some("../../".to_owned()),
            (Some(to), Location::Dir(path), _) => relative::path(&to.join(name), path),
            // no relative link leads from a directory into a bucket
            (Some(_), Location::S3(_), _) => None,
        }
    }
}

/// The name of a directory, however it is written.
fn path_name(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = absolute.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

//! `crds list`: what is in the cache, what the rules consist of, what is in use.

mod cat;
mod datasets;
mod properties;
mod rules;
mod status;

use std::io::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::contexts::Choice;
use crate::failure::Failure;
use crate::{json, log, options};
use crds_core::Client;
use crds_core::cache::inventory::{self, CachedFile};
use crds_core::config::Config;
use crds_core::names::{ContextName, ContextNameError};

/// Prints what the cache has, what rules consist of, and which rules are in use
///
/// Exit status: 0 without errors, 1 with some, 2 for wrong arguments, 255 if nothing could be done.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    #[command(flatten)]
    contexts: Choice,
    /// The settings that matter most
    #[arg(long)]
    status: bool,
    /// All settings, as `crds env` shows them
    #[arg(long)]
    config: bool,
    /// The rules in use
    #[arg(long, visible_alias = "operational-context")]
    latest_context: bool,
    /// The newest rules, perhaps not in use yet
    #[arg(long)]
    edit_context: bool,
    /// The rules that this pipeline told the server to be in use there
    #[arg(long, value_name = "PIPELINE")]
    remote_context: Option<String>,
    /// When which rules came into use, oldest first
    #[arg(long)]
    context_history: bool,
    /// The rules that the names of contexts stand for
    #[arg(long)]
    resolve_contexts: bool,
    /// The rule files of the contexts
    #[arg(long)]
    mappings: bool,
    /// The references that the contexts can give
    #[arg(long)]
    references: bool,
    /// The rule files in the cache
    #[arg(long)]
    cached_mappings: bool,
    /// The references in the cache
    #[arg(long)]
    cached_references: bool,
    /// The pickled contexts in the cache
    #[arg(long)]
    cached_pickles: bool,
    /// Print paths instead of names
    #[arg(long)]
    full_path: bool,
    /// Print the text of these rules, and the headers of these references; with --mappings or
    /// --references also of those of the contexts
    #[arg(long, num_args = 0.., value_name = "FILE")]
    cat: Option<Vec<String>>,
    /// Of headers, only keys that contain one of these
    #[arg(long, num_args = 1.., value_name = "KEY", requires = "cat")]
    keywords: Vec<String>,
    /// Put the name of the file before each line of it
    #[arg(long, requires = "cat")]
    add_filenames: bool,
    /// Accepted: tables of files are never printed
    #[arg(long)]
    no_arrays: bool,
    /// The header keys that the rules look at, for each instrument, or type of an instrument
    #[arg(long)]
    required_parkeys: bool,
    /// The instrument and type of these files; with --mappings or --references also of those of
    /// the contexts
    #[arg(long, num_args = 0.., value_name = "FILE")]
    file_properties: Option<Vec<String>>,
    /// The ids of all datasets of these instruments in the server's catalogue
    #[arg(long, num_args = 1.., value_name = "INSTRUMENT")]
    dataset_ids_for_instruments: Vec<String>,
    /// The headers of these datasets in the server's catalogue
    ///
    /// With --json one line {"id": {header}} each, as `crds bestrefs --load-pickles` reads them.
    #[arg(long, num_args = 1.., value_name = "ID")]
    dataset_headers: Vec<String>,
    /// Of headers, only the keys that the rules look at
    #[arg(long, requires = "dataset_headers")]
    minimize_headers: bool,
    /// Only the ids of the exposures
    #[arg(long, requires = "dataset_headers")]
    id_expansions_only: bool,
    /// Of each product only the first exposure
    #[arg(long, requires = "dataset_headers")]
    first_id_expansion_only: bool,
}

/// What was asked for: names, and lines, in the order in which they are printed.
#[derive(Default)]
struct Lists(Vec<(&'static str, Value, Vec<String>)>);

impl Lists {
    fn add(&mut self, name: &'static str, lines: Vec<String>) {
        self.0.push((name, json!(lines), lines));
    }

    /// Something that is more than lines.
    fn add_as(&mut self, name: &'static str, value: Value, lines: Vec<String>) {
        self.0.push((name, value, lines));
    }

    /// Whether headers of datasets are all that was asked for.
    fn are_headers(&self) -> bool {
        matches!(self.0.as_slice(), [(datasets::HEADERS, ..)])
    }

    /// Prints the lines there are, and forgets them.
    fn print(&mut self) -> Result<(), Failure> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for line in self.0.drain(..).flat_map(|(_, _, lines)| lines) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        Ok(())
    }
}

pub(crate) async fn run(args: &Args, config: Config, json: bool) -> Result<u8, Failure> {
    let files = args.cat.iter().chain(&args.file_properties).flatten();
    let named = files.map(String::as_str);
    let client = options::client(config, args.contexts.a_name(), named);
    let mut lists = Lists::default();
    of_server(args, &client, &mut lists).await?;
    rules::list(args, &client, &mut lists).await?;
    of_cache(args, &client, &mut lists)?;
    datasets::list(args, &client, &mut lists).await?;
    if args.config {
        if json {
            crate::env::show(client.config(), true)?;
            return Ok(0);
        }
        lists.print()?;
        crate::env::show(client.config(), false)?;
    }
    if args.status {
        lists.add("status", status::status(&client).await);
    }
    if args.required_parkeys {
        rules::keys(args, &client, &mut lists).await?;
    }
    if json && lists.are_headers() && !args.id_expansions_only {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let headers = lists.0.iter().filter_map(|(_, all, _)| all.as_array());
        for header in headers.flatten() {
            writeln!(out, "{header}")?;
        }
        out.flush()?;
    } else if json {
        let named = lists
            .0
            .into_iter()
            .map(|(name, value, _)| (name.to_owned(), value));
        json::print(&Value::Object(named.collect::<Map<_, _>>()))?;
    } else {
        lists.print()?;
    }
    Ok(u8::from(log::errors() > 0))
}

async fn of_server(args: &Args, client: &Client, lists: &mut Lists) -> Result<(), Failure> {
    if args.latest_context {
        let name: ContextName = named(client, "operational")?;
        lists.add(
            "latest_context",
            vec![client.context_file(Some(&name)).await?],
        );
    }
    if args.edit_context {
        let name: ContextName = named(client, "edit")?;
        lists.add(
            "edit_context",
            vec![client.context_file(Some(&name)).await?],
        );
    }
    if let Some(pipeline) = &args.remote_context {
        let asked = json!([client.observatory().name(), pipeline]);
        let answer = client.ask("get_remote_context", asked).await?;
        let name = answer.as_str().map(str::to_owned);
        let unknown = || Failure::fatal(format!("the server knows no pipeline {pipeline}"));
        lists.add("remote_context", vec![name.ok_or_else(unknown)?]);
    }
    if args.context_history {
        let server = client.server_config().await?;
        let entries = server.history().iter().rev();
        let lines = entries.map(|e| format!("{}\t{}\t{}", e.date, e.context, e.description));
        lists.add("context_history", lines.collect());
    }
    Ok(())
}

fn named(client: &Client, tag: &str) -> Result<ContextName, Failure> {
    format!("{}-{tag}", client.observatory())
        .parse()
        .map_err(|error: ContextNameError| Failure::new(Failure::FATAL, error))
}

fn shown(args: &Args, folder: &Path, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let path = |name: String| {
        if args.full_path {
            folder.join(name).display().to_string()
        } else {
            name
        }
    };
    names.into_iter().map(path).collect()
}

fn of_cache(args: &Args, client: &Client, lists: &mut Lists) -> Result<(), Failure> {
    let layout = client.layout();
    let failed =
        |error: std::io::Error| Failure::fatal(format!("the cache cannot be read: {error}"));
    let lines = |files: Vec<CachedFile>| {
        let line = |file: CachedFile| {
            if args.full_path {
                file.path.display().to_string()
            } else {
                file.name
            }
        };
        files.into_iter().map(line).collect()
    };
    if args.cached_references {
        let files = inventory::references(layout).map_err(failed)?;
        lists.add("cached_references", lines(files));
    }
    if args.cached_mappings {
        let files = inventory::mappings(layout).map_err(failed)?;
        lists.add("cached_mappings", lines(files));
    }
    if args.cached_pickles {
        let mut names: Vec<String> = match std::fs::read_dir(&layout.pickles) {
            Ok(entries) => entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| Path::new(name).extension().is_some_and(|e| e == "pkl"))
                .filter(|name| !name.starts_with('.'))
                .collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        names.sort_unstable();
        lists.add("cached_pickles", shown(args, &layout.pickles, names));
    }
    Ok(())
}

//! `crds list`: what is in the cache, what the rules consist of, what is in use.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::{json, options};
use crds_core::cache::inventory::{self, CachedFile};
use crds_core::config::{CacheMode, Config};
use crds_core::names::{ContextName, ContextNameError, FileNameError};
use crds_core::{Client, VERSION_TEXT};
use storage::hint::{explain, parsed, with_causes};

/// Prints what the cache has, what rules consist of, and which rules are in use
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
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
    /// When which rules came into use, oldest first
    #[arg(long)]
    context_history: bool,
    /// The rules that the names given with --contexts stand for
    #[arg(long)]
    resolve_contexts: bool,
    /// Rules, by name [default: `CRDS_CONTEXT`, else those in use]
    #[arg(long, visible_alias = "context", num_args = 1.., value_name = "CONTEXT", value_parser = parsed::<ContextName>)]
    contexts: Vec<ContextName>,
    /// The rule files of the contexts; all that the server knows, without --contexts
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
    /// Print what is in these files of the cache
    #[arg(long, num_args = 1.., value_name = "FILE")]
    cat: Vec<String>,
    /// The header keys that the rules look at, for each instrument
    #[arg(long)]
    required_parkeys: bool,
    /// What the names of these references say: instrument and file
    #[arg(long, num_args = 1.., value_name = "FILE")]
    file_properties: Vec<String>,
}

/// What was asked for, by its name.
#[derive(Default)]
struct Lists(Map<String, Value>);

impl Lists {
    fn add(&mut self, name: &str, lines: Vec<String>) {
        self.0.insert(name.to_owned(), lines.into());
    }
}

pub(crate) async fn run(args: &Args, config: Config, json: bool) -> Result<u8, Failure> {
    if args.config {
        crate::env::show(&config, json)?;
    }
    let named = args
        .file_properties
        .iter()
        .chain(&args.cat)
        .map(String::as_str);
    let client = options::client(config, args.contexts.first(), named);
    let mut lists = Lists::default();
    if args.status {
        lists.add("status", status(&client).await);
    }
    of_server(args, &client, &mut lists).await?;
    of_contexts(args, &client, &mut lists).await?;
    of_cache(args, &client, &mut lists)?;
    for name in &args.cat {
        cat(&client, name)?;
    }
    if !args.file_properties.is_empty() {
        lists.add("file_properties", properties(args));
    }
    if json {
        if !args.config {
            json::print(&Value::Object(lists.0))?;
        }
        return Ok(0);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lists.0.values().filter_map(Value::as_array).flatten() {
        writeln!(out, "{}", line.as_str().unwrap_or_default())?;
    }
    out.flush()?;
    Ok(0)
}

async fn status(client: &Client) -> Vec<String> {
    let config = client.config();
    let mode = match config.mode {
        CacheMode::Local => "local",
        CacheMode::Remote => "remote",
        CacheMode::Auto => "auto",
        CacheMode::S3 => "s3",
    };
    let setting = |name: &str| {
        let mut settings = config.settings();
        let found = settings.find(|setting| setting.name == name);
        found.map_or(String::new(), |setting| setting.value)
    };
    let context = match client.context_name(None).await {
        Ok(name) => name.to_string(),
        Err(error) => format!("unknown: {}", with_causes(&error)),
    };
    let synced = match client.server_config().await {
        Ok(server) => server.synchronised().unwrap_or("unknown").to_owned(),
        Err(_) => "unknown".to_owned(),
    };
    let locking = if config.use_locking && !config.readonly_cache {
        "enabled, filelock"
    } else {
        "disabled"
    };
    [
        ("CRDS Version", VERSION_TEXT),
        ("CRDS_MODE", mode),
        ("CRDS_PATH", &setting("CRDS_PATH")),
        ("CRDS_SERVER_URL", &setting("CRDS_SERVER_URL")),
        ("Cache Locking", locking),
        ("Effective Context", &context),
        ("Last Synced", &synced),
        ("Observatory", client.observatory().name()),
    ]
    .into_iter()
    .map(|(name, value)| format!("{name} = '{value}'"))
    .chain([format!(
        "Readonly Cache = {}",
        if config.readonly_cache {
            "True"
        } else {
            "False"
        }
    )])
    .collect()
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

async fn of_contexts(args: &Args, client: &Client, lists: &mut Lists) -> Result<(), Failure> {
    if args.mappings && args.contexts.is_empty() {
        let server = client.server_config().await?;
        let mut names: Vec<String> = server.mappings().map(str::to_owned).collect();
        names.sort_unstable();
        lists.add("mappings", names);
    }
    let needs_rules =
        args.references || args.required_parkeys || (args.mappings && !args.contexts.is_empty());
    if !needs_rules && !args.resolve_contexts {
        return Ok(());
    }
    let asked: Vec<Option<&ContextName>> = match args.contexts.as_slice() {
        [] => vec![None],
        contexts => contexts.iter().map(Some).collect(),
    };
    let mut files = Vec::new();
    for name in asked {
        files.push(client.context_file(name).await?);
    }
    if args.resolve_contexts {
        lists.add("contexts", files.clone());
    }
    if !needs_rules {
        return Ok(());
    }
    let mut mappings = std::collections::BTreeSet::new();
    let mut references = std::collections::BTreeSet::new();
    let mut keys = Vec::new();
    for file in &files {
        let rules = client.rules(file, None).await?;
        for (instrument, error) in rules.broken() {
            tracing::error!("{file}: {instrument}: {}", explain(error));
        }
        mappings.extend(rules.mappings().into_iter().map(ToString::to_string));
        references.extend(rules.references().into_iter().map(str::to_owned));
        keys.push(format!(
            "------------------ Parkeys required for '{file}' ------------------"
        ));
        for instrument in rules.instruments() {
            let needed = rules.needed_keys(instrument).unwrap_or_default();
            let needed: Vec<String> = needed.iter().map(|key| format!("'{key}'")).collect();
            keys.push(format!("{instrument} = [{}]", needed.join(", ")));
        }
    }
    if args.mappings && !args.contexts.is_empty() {
        lists.add("mappings", shown(args, &client.layout().mappings, mappings));
    }
    if args.references {
        let folders = client.references()?;
        let path = |name: &String| match name.parse() {
            Ok(name) if args.full_path => folders.path(&name).ok(),
            _ => None,
        };
        let lines = references.iter();
        let lines = lines.map(|n| path(n).map_or_else(|| n.clone(), |p| p.display().to_string()));
        lists.add("references", lines.collect());
    }
    if args.required_parkeys {
        lists.add("required_parkeys", keys);
    }
    Ok(())
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
    if args.cached_mappings {
        let files = inventory::mappings(layout).map_err(failed)?;
        lists.add("cached_mappings", lines(files));
    }
    if args.cached_references {
        let files = inventory::references(layout).map_err(failed)?;
        lists.add("cached_references", lines(files));
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

fn cat(client: &Client, name: &str) -> Result<(), Failure> {
    let path: PathBuf = if name.contains('/') {
        name.into()
    } else {
        let plain = name.parse();
        let plain = plain.map_err(|error: FileNameError| Failure::new(2, error))?;
        client.cache_path(&plain)?
    };
    let failed = |error: std::io::Error| Failure::fatal(format!("{}: {error}", path.display()));
    let mut file = std::fs::File::open(&path).map_err(failed)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", "#".repeat(80))?;
    writeln!(out, "File: {}", path.display())?;
    writeln!(out, "{}", "-".repeat(80))?;
    std::io::copy(&mut file, &mut out)?;
    Ok(())
}

fn properties(args: &Args) -> Vec<String> {
    let line = |name: &String| {
        let plain = name.rsplit('/').next().unwrap_or(name);
        let instrument = crds_core::observatory::hst::instrument_of_reference(plain);
        format!("{} {plain}", instrument.unwrap_or("unknown"))
    };
    args.file_properties.iter().map(line).collect()
}

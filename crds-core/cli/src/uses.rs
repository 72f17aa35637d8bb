//! `crds uses`: which rule files, up to the contexts, name a file.

use std::collections::BTreeSet;
use std::io::Write as _;

use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::{json, log, options};
use crds_core::Config;
use crds_core::names::{FileName, MappingKind, MappingName};
use crds_core::rules::{MappingDirectory, Uses};

/// Prints the rule files of the cache that name a reference or rule file, up to the contexts
///
/// Exit status: 0 the files are known, 1 one is not: no rule file and no catalogue names it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// References and rule files, by name; @LIST reads names from a file
    #[arg(value_name = "FILE", required_unless_present = "files")]
    names: Vec<String>,
    /// The same, as the Python client has it
    #[arg(long, num_args = 1.., value_name = "FILE")]
    files: Vec<String>,
    /// Begin each line with the file that is used
    #[arg(short, long)]
    include_used: bool,
    /// Only contexts
    #[arg(long)]
    only_contexts: bool,
}

pub(crate) async fn run(args: &Args, config: Config, json: bool) -> Result<u8, Failure> {
    let mut files = options::expanded(&[&args.names[..], &args.files].concat())?;
    for file in &mut files {
        if let Some((_, plain)) = file.rsplit_once('/') {
            *file = plain.to_owned();
        }
    }
    let client = options::client(config, None, files.iter().map(String::as_str));
    let folder = client.layout().mappings.clone();
    let mappings: BTreeSet<MappingName> = std::fs::read_dir(&folder)
        .map_err(|error| Failure::fatal(format!("{}: {error}", folder.display())))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let source = MappingDirectory::new(&folder);
    let uses = Uses::find(&source, &mappings, files.iter().cloned());
    for name in &uses.unread {
        tracing::error!("{name} cannot be read: it may name any file");
    }
    let is_context = |name: &&MappingName| name.kind() == MappingKind::Pipeline;
    let shown = |name: &&MappingName| !args.only_contexts || is_context(name);
    let mut found = Map::new();
    let mut out = std::io::stdout().lock();
    for file in &files {
        let Some(above) = uses.files.get(file) else {
            continue;
        };
        let is_mapping = file
            .parse()
            .is_ok_and(|name: MappingName| mappings.contains(&name));
        if above.is_empty() && !is_mapping {
            let config = client.server_config().await;
            let catalogue = config.ok().and_then(|config| config.catalogue().ok());
            let name: Option<FileName> = file.parse().ok();
            let known = name.and_then(|name| catalogue?.expected(name.as_str()));
            if known.is_none() {
                tracing::error!("{file} is not known: no rule file of the cache names it");
                continue;
            }
        }
        if json {
            let names = |names: Vec<&MappingName>| -> Vec<Value> {
                names.iter().map(|name| name.as_str().into()).collect()
            };
            let contexts = names(above.iter().filter(is_context).collect());
            let mappings = names(above.iter().filter(shown).collect());
            found.insert(
                file.clone(),
                json!({"mappings": mappings, "contexts": contexts}),
            );
            continue;
        }
        for name in above.iter().filter(shown) {
            if args.include_used {
                writeln!(out, "{file} {name}")?;
            } else {
                writeln!(out, "{name}")?;
            }
        }
    }
    drop(out);
    if json {
        json::print(&Value::Object(found))?;
    }
    Ok(u8::from(log::errors() > 0))
}

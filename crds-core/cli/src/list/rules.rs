//! What contexts consist of: rule files, references, and the header keys they look at.

use std::collections::BTreeSet;

use super::{Args, Lists, cat, properties, shown};
use crate::failure::Failure;
use crate::pretty::quoted;
use crds_core::names::MappingKind;
use crds_core::rules::Context;
use crds_core::{Client, Reading, Reuse, Storing};
use storage::hint::explain;

/// How wide a divider is.
const WIDTH: usize = 75;

/// The files that contexts lead to.
#[derive(Debug, Default)]
struct Files {
    mappings: BTreeSet<String>,
    references: BTreeSet<String>,
}

pub(super) async fn list(args: &Args, client: &Client, lists: &mut Lists) -> Result<(), Failure> {
    let needs_files = args.mappings || args.references;
    if !needs_files && !args.resolve_contexts {
        return named(args, client, &Files::default(), lists).await;
    }
    let contexts = args.contexts.files(client).await?;
    if args.resolve_contexts {
        lists.add("contexts", contexts.clone());
    }
    if !needs_files {
        return named(args, client, &Files::default(), lists).await;
    }
    let mut files = Files::default();
    if args.references || !args.contexts.are_all() {
        files = Files::of(client, &contexts).await?;
    }
    if args.contexts.are_all() {
        // With those that no context names.
        let server = client.server_config().await?;
        files.mappings.extend(server.mappings().map(str::to_owned));
    }
    if args.cat.is_some() || args.file_properties.is_some() {
        return named(args, client, &files, lists).await;
    }
    if args.references {
        let folders = client.references()?;
        let path = |name: &String| match name.parse() {
            Ok(name) if args.full_path => folders.path(&name).ok(),
            _ => None,
        };
        let lines = files.references.iter();
        let lines = lines.map(|n| path(n).map_or_else(|| n.clone(), |p| p.display().to_string()));
        lists.add("references", lines.collect());
    }
    if args.mappings {
        let folder = &client.layout().mappings;
        lists.add("mappings", shown(args, folder, files.mappings));
    }
    Ok(())
}

/// What is asked about files that are named, here or by contexts.
async fn named(
    args: &Args,
    client: &Client,
    files: &Files,
    lists: &mut Lists,
) -> Result<(), Failure> {
    let of_contexts = || {
        let mappings = files.mappings.iter().filter(|_| args.mappings);
        let references = files.references.iter().filter(|_| args.references);
        mappings.chain(references).cloned()
    };
    if let Some(names) = &args.cat {
        let names = names.iter().cloned().chain(of_contexts()).collect();
        cat::list(args, client, names, lists).await?;
    }
    if let Some(names) = &args.file_properties {
        let names = names.iter().cloned().chain(of_contexts()).collect();
        properties::list(client, names, lists).await?;
    }
    Ok(())
}

impl Files {
    async fn of(client: &Client, contexts: &[String]) -> Result<Self, Failure> {
        let config = client.config();
        let mut files = Self::default();
        if config.pickle_uri.is_some() || config.use_pickled_contexts {
            for context in contexts {
                files.take(client.rules_for_once(context).await?.as_ref());
            }
            return Ok(files);
        }
        let reading = Reading {
            reuse: Reuse::Cached,
            storing: Storing::IfPossible,
            judgement: None,
        };
        let names = contexts.iter().filter(|name| !name.contains('/'));
        let found = client
            .rule_files(names.map(String::as_str), reading)
            .await?;
        files.mappings = found.mappings.iter().map(ToString::to_string).collect();
        files.references = found.references;
        for (name, error) in &found.failures {
            if contexts.iter().any(|context| context == name.as_str()) {
                // It may be pickled. One of several that cannot be had leaves the others.
                match client.rules_for_once(name.as_str()).await {
                    Ok(rules) => files.take(&rules),
                    Err(error) if contexts.len() == 1 => return Err(error.into()),
                    Err(error) => tracing::error!("{}", explain(&error)),
                }
            } else {
                tracing::error!("{}", explain(error));
            }
        }
        for path in contexts.iter().filter(|name| name.contains('/')) {
            files.take(client.rules_for_once(path).await?.as_ref());
        }
        Ok(files)
    }

    fn take(&mut self, rules: &Context) {
        broken(rules);
        let mappings = rules.mappings().into_iter().map(ToString::to_string);
        self.mappings.extend(mappings);
        let references = rules.references().into_iter().map(str::to_owned);
        self.references.extend(references);
    }
}

/// Says which instruments' rules cannot be used.
fn broken(rules: &Context) {
    for (instrument, error) in rules.broken() {
        tracing::error!("{}: {instrument}: {}", rules.name(), explain(error));
    }
}

/// The header keys that the contexts look at: by instrument, or of one instrument by type.
pub(super) async fn keys(args: &Args, client: &Client, lists: &mut Lists) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for context in args.contexts.files(client).await? {
        let rules = client.rules_for_once(&context).await?;
        broken(&rules);
        let mut instruments: Vec<&str> = rules.instruments().collect();
        instruments.sort_unstable();
        let plain = rules.name().as_str();
        if let Some(key) = rules.instrument_key() {
            lines.push(divider(&format!("Parkeys required for {}", quoted(plain))));
            for instrument in instruments {
                let needed = rules.needed_keys(instrument).unwrap_or_default();
                let mut needed: BTreeSet<&str> = needed.into_iter().collect();
                needed.insert("REFTYPE");
                needed.remove(key);
                let all = [key].into_iter().chain(needed);
                lines.push(format!("{instrument} = {}", listed(all)));
            }
            continue;
        }
        let is_table = rules.name().kind() == MappingKind::Reference;
        for instrument in instruments {
            let mut types = rules.reference_types(instrument).unwrap_or_default();
            types.sort_unstable();
            for reference_type in types {
                let name = if is_table {
                    plain
                } else {
                    reference_type.as_str()
                };
                let keys = match rules.keys_of(instrument, reference_type.as_str()) {
                    Some(keys) => listed(keys.iter().map(String::as_str)),
                    None => quoted("N/A").to_string(),
                };
                lines.push(format!("{name}: {keys}"));
            }
        }
    }
    lists.add("required_parkeys", lines);
    Ok(())
}

/// The names as a Python list.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.map(|name| quoted(name).to_string()).collect();
    format!("[{}]", names.join(", "))
}

fn divider(text: &str) -> String {
    let dashes = "-".repeat(WIDTH.saturating_sub(text.len() + 2) / 2);
    format!("{dashes} {text} {dashes}")
}

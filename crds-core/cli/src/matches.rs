//! `crds matches`: which rows of the rules choose a reference.

use std::io::Write as _;

use serde_json::json;

use crate::failure::Failure;
use crate::{json, log, options};
use crds_core::Config;
use crds_core::Observatory;
use crds_core::literal::Literal;
use crds_core::names::ContextName;
use crds_core::rules::RuleRow;
use storage::hint::parsed;

/// Prints the rows of the rules that choose references: context, file, and what the row asks for
#[derive(Debug, clap::Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    /// The rules to search [default: `CRDS_CONTEXT`, else those in use]
    #[arg(long, visible_alias = "context", num_args = 1.., value_name = "CONTEXT", value_parser = parsed::<ContextName>)]
    contexts: Vec<ContextName>,
    /// The references, by name; @LIST reads names from a file
    #[arg(short, long, num_args = 1.., value_name = "FILE")]
    files: Vec<String>,
    /// All references of the rules
    #[arg(long)]
    files_from_contexts: bool,
    /// Only rows that list this value, in any case, or do not ask for the key; several must all hold
    #[arg(long, num_args = 1.., value_name = "KEY=VALUE", value_parser = filter)]
    filters: Vec<(String, String)>,
    /// Leave out the instrument and type
    #[arg(short, long)]
    brief_paths: bool,
    /// Leave out the names of keys
    #[arg(short, long)]
    omit_parameter_names: bool,
    /// Print Python tuples
    #[arg(short, long)]
    tuple_format: bool,
}

fn filter(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_uppercase()))
}

pub(crate) async fn run(args: &Args, config: Config, json: bool) -> Result<u8, Failure> {
    if args.files.is_empty() && !args.files_from_contexts {
        return Err(Failure::usage(
            "name references with --files, or give --files-from-contexts",
        ));
    }
    let files = options::expanded(&args.files)?;
    let names = files.iter().map(String::as_str);
    let client = options::client(config, args.contexts.first(), names);
    let several = args.contexts.len() > 1;
    let contexts: Vec<Option<&ContextName>> = match args.contexts.as_slice() {
        [] => vec![None],
        contexts => contexts.iter().map(Some).collect(),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut found = Vec::new();
    for context in contexts {
        let file = client.context_file(context).await?;
        let rules = client.rules(&file, None).await?;
        let shown = if several { file.as_str() } else { "" };
        let all = args.files_from_contexts.then(|| rules.references());
        let listed = files.iter().map(String::as_str);
        for name in listed.chain(all.into_iter().flatten()) {
            for row in rules.rows_choosing(name) {
                if !args
                    .filters
                    .iter()
                    .all(|(key, value)| row.admits(key, value))
                {
                    continue;
                }
                if json {
                    let parameters = row
                        .parameters
                        .iter()
                        .map(|(k, v)| ((*k).to_owned(), v.as_str().into()));
                    found.push(json!({
                        "context": file, "file": name, "instrument": row.instrument,
                        "type": row.reference_type,
                        "parameters": parameters.collect::<serde_json::Map<_, _>>(),
                    }));
                } else {
                    writeln!(
                        out,
                        "{shown} {name} : {}",
                        args.text(&row, rules.observatory())
                    )?;
                }
            }
        }
    }
    out.flush()?;
    if json {
        json::print(&json!(found))?;
    }
    Ok(u8::from(log::errors() > 0))
}

/// The text as Python writes it.
fn quoted(text: &str) -> Literal<'_> {
    Literal::Str(text.into())
}

impl Args {
    fn text(&self, row: &RuleRow<'_>, observatory: Observatory) -> String {
        if self.tuple_format {
            return self.tuple(row, observatory).to_string();
        }
        let mut words = Vec::new();
        if !self.brief_paths {
            words.push(row.instrument.to_uppercase());
            words.push(row.reference_type.to_uppercase());
        }
        words.extend(row.parameters.iter().map(|(key, value)| {
            if self.omit_parameter_names {
                quoted(value).to_string()
            } else {
                format!("{key}={}", quoted(value))
            }
        }));
        words.join(" ")
    }

    fn tuple<'r>(&self, row: &'r RuleRow<'_>, observatory: Observatory) -> Literal<'r> {
        let pair = |key, value| Literal::Tuple(vec![quoted(key), value]);
        let upper = |text: &str| Literal::Str(text.to_uppercase().into());
        let mut parts = Vec::new();
        if !self.brief_paths {
            parts.push(pair("OBSERVATORY", upper(observatory.name())));
            parts.push(pair("INSTRUMENT", upper(row.instrument)));
            parts.push(pair("FILEKIND", upper(row.reference_type)));
        }
        parts.extend(row.parameters.iter().map(|(key, value)| {
            if self.omit_parameter_names {
                quoted(value)
            } else {
                pair(*key, quoted(value))
            }
        }));
        Literal::Tuple(parts)
    }
}

//! `crds diff`: what is different between two sets of rules.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::{json, options};
use crds_core::names::{ContextName, ReferenceType};
use crds_core::rules::{Context, RowChoice, Rule, RuleRow, RulesChanges, TypeChanges};
use crds_core::{Client, Config};
use storage::hint::{Hint, known_names, parsed};

/// Prints what is different between two contexts: types, files added and removed, rows
///
/// Exit status: 0 nothing is different, 1 something is, 2 the rules cannot be had.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The old rules: a context, or a rule file of one instrument or type
    #[arg(value_parser = parsed::<ContextName>)]
    old: ContextName,
    /// The new rules
    #[arg(value_parser = parsed::<ContextName>)]
    new: ContextName,
    /// Only these instruments
    #[arg(long, num_args = 1.., value_name = "INSTRUMENT")]
    instruments: Vec<String>,
    /// Only these types of references
    #[arg(short, long, num_args = 1.., value_name = "TYPE")]
    types: Vec<String>,
}

/// An instrument or a type that was asked for and is in neither context.
#[derive(Debug, thiserror::Error)]
#[error("neither context has the {what} {name:?}")]
struct Unknown {
    what: &'static str,
    name: String,
    hint: String,
}

impl Hint for Unknown {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(self.hint.as_str().into())
    }
}

/// Nothing can be compared.
const TROUBLE: u8 = 2;

pub(crate) async fn run(args: &Args, config: Config, json: bool) -> Result<u8, Failure> {
    let client = options::client(config, Some(&args.old), []);
    let old = rules(&client, &args.old).await?;
    let new = rules(&client, &args.new).await?;
    known(args, [&old, &new])?;
    let mut changes = RulesChanges::between(&old, &new);
    let asked = |names: &[String], name: &str| {
        names.is_empty() || names.iter().any(|asked| asked.eq_ignore_ascii_case(name))
    };
    changes.types.retain(|(instrument, name), _| {
        asked(&args.instruments, instrument) && asked(&args.types, name.as_str())
    });
    for instruments in [
        &mut changes.instruments_added,
        &mut changes.instruments_removed,
    ] {
        instruments.retain(|name| asked(&args.instruments, name) && args.types.is_empty());
    }
    let printed = if json {
        json::print(&as_json(old.name().as_str(), new.name().as_str(), &changes))
    } else {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let printed = print(&mut out, &changes).and_then(|()| out.flush());
        printed.map_err(Failure::from)
    };
    match printed {
        // The status is an answer, too, for a reader that has seen enough.
        Err(failure) if failure.cause.is_some() => Err(failure),
        _ => Ok(u8::from(!changes.is_empty())),
    }
}

/// Fails if an instrument or a type was asked for that neither context has.
fn known(args: &Args, contexts: [&Context; 2]) -> Result<(), Failure> {
    let instruments = contexts
        .into_iter()
        .flat_map(Context::instruments)
        .collect();
    let types = contexts.into_iter().flat_map(|context| {
        let of_instrument = |name| context.reference_types(name).into_iter().flatten();
        context.instruments().flat_map(of_instrument)
    });
    let types: BTreeSet<&str> = types.map(ReferenceType::as_str).collect();
    let asked = [
        ("instrument", &args.instruments, instruments),
        ("type of references", &args.types, types),
    ];
    for (what, names, known) in asked {
        let is_known = |name: &&String| known.contains(&*name.to_lowercase());
        if let Some(name) = names.iter().find(|name| !is_known(name)) {
            let (name, hint) = (name.clone(), known_names(name, known));
            return Err(Failure::new(TROUBLE, Unknown { what, name, hint }));
        }
    }
    Ok(())
}

async fn rules(client: &Client, name: &ContextName) -> Result<std::sync::Arc<Context>, Failure> {
    let rules = async {
        let file = client.context_file(Some(name)).await?;
        client.rules(&file, None).await
    };
    let rules = rules.await.map_err(|error| Failure::new(TROUBLE, error))?;
    // Rules that are broken would be told as removed.
    if let Some((instrument, error)) = rules.broken().next() {
        let reason = storage::hint::with_causes(error);
        let text = format!("the rules of {instrument} in {name} cannot be used: {reason}");
        return Err(Failure::said(TROUBLE, text, None));
    }
    Ok(rules)
}

fn rule<'c>(rule: &Rule<'c>) -> &'c str {
    match rule {
        Rule::Absent => "none",
        Rule::NotApplicable => "N/A",
        Rule::Omitted => "OMIT",
        Rule::Table(name) => name.as_str(),
    }
}

/// What a row asks for, on one line.
fn cells(row: &RuleRow<'_>) -> String {
    let cells = row.parameters.iter();
    let cells = cells.map(|(key, value)| format!("{key}={value}"));
    cells.collect::<Vec<_>>().join(" ")
}

/// From when on a row holds.
fn since(row: &RuleRow<'_>) -> String {
    let first = row.parameters.len().saturating_sub(row.since);
    let cells = row.parameters.iter().skip(first);
    cells
        .map(|(_, value)| value.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

fn print(out: &mut impl Write, changes: &RulesChanges<'_>) -> io::Result<()> {
    for name in &changes.instruments_removed {
        writeln!(out, "- instrument {name}")?;
    }
    for name in &changes.instruments_added {
        writeln!(out, "+ instrument {name}")?;
    }
    for ((instrument, name), changes) in &changes.types {
        let (old, new) = (rule(&changes.old), rule(&changes.new));
        writeln!(out, "{instrument} {name}: {old} -> {new}")?;
        for field in &changes.header {
            writeln!(out, "  ~ header {field}")?;
        }
        for file in &changes.files_removed {
            writeln!(out, "  - file {file}")?;
        }
        for file in &changes.files_added {
            writeln!(out, "  + file {file}")?;
        }
        for row in &changes.rows_replaced {
            writeln!(
                out,
                "  ~ row {}: {} -> {}",
                cells(&row.row),
                row.old,
                row.new
            )?;
        }
        for row in &changes.rows_moved {
            let (old, new) = (since(&row.old), since(&row.new));
            writeln!(
                out,
                "  ~ row {}: from {old} -> {new}: {}",
                cells(&row.new),
                row.file
            )?;
        }
        for row in &changes.rows_removed {
            writeln!(out, "  - row {}: {}", cells(&row.row), row.file)?;
        }
        for row in &changes.rows_added {
            writeln!(out, "  + row {}: {}", cells(&row.row), row.file)?;
        }
    }
    Ok(())
}

fn as_json(old: &str, new: &str, changes: &RulesChanges<'_>) -> Value {
    let types = changes.types.iter();
    let types = types.map(|((instrument, name), changes)| {
        let mut value = type_as_json(changes);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("instrument".to_owned(), (*instrument).into());
            fields.insert("type".to_owned(), name.as_str().into());
        }
        value
    });
    json!({
        "old_context": old,
        "new_context": new,
        "instruments_removed": changes.instruments_removed,
        "instruments_added": changes.instruments_added,
        "types": types.collect::<Vec<_>>(),
    })
}

fn parameters(row: &RuleRow<'_>) -> Value {
    let cells = row.parameters.iter();
    let cells = cells.map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str())));
    Value::Object(cells.collect())
}

fn type_as_json(changes: &TypeChanges<'_>) -> Value {
    let rows = |rows: &[RowChoice<'_>]| -> Vec<Value> {
        let rows = rows.iter();
        rows.map(|row| json!({"parameters": parameters(&row.row), "file": row.file}))
            .collect()
    };
    let replaced = changes
        .rows_replaced
        .iter()
        .map(|row| json!({"parameters": parameters(&row.row), "old": row.old, "new": row.new}));
    let moved = changes.rows_moved.iter().map(|row| {
        json!({"parameters": parameters(&row.new), "file": row.file,
            "old_from": since(&row.old), "new_from": since(&row.new)})
    });
    json!({
        "old": rule(&changes.old),
        "new": rule(&changes.new),
        "header": changes.header,
        "files_removed": changes.files_removed,
        "files_added": changes.files_added,
        "rows_replaced": replaced.collect::<Vec<_>>(),
        "rows_moved": moved.collect::<Vec<_>>(),
        "rows_removed": rows(&changes.rows_removed),
        "rows_added": rows(&changes.rows_added),
    })
}

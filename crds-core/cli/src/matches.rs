//! `crds matches`: which rows of the rules choose a reference.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use serde_json::{Map, Value, json};

use crate::catalogue::{self, Values, same_id};
use crate::contexts::Choice;
use crate::failure::Failure;
use crate::pretty::quoted;
use crate::{json, log, options};
use crds_core::Config;
use crds_core::Observatory;
use crds_core::header::condition;
use crds_core::literal::Literal;
use crds_core::rules::RuleRow;

/// Prints the rows of the rules that choose references: context, file, and what the row asks for
#[derive(Debug, clap::Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    #[command(flatten)]
    contexts: Choice,
    /// The references, by name; @LIST reads names from a file
    #[arg(short, long, num_args = 1.., value_name = "FILE")]
    files: Vec<String>,
    /// All references of the rules
    #[arg(long)]
    files_from_contexts: bool,
    /// Only rows that list this value, in any case, or do not ask for the key; several must all hold
    #[arg(long, num_args = 1.., value_name = "KEY=VALUE", value_parser = filter)]
    filters: Vec<(String, String)>,
    /// The headers of these datasets in the server's catalogue, instead of rows of the rules
    #[arg(short, long, num_args = 1.., value_name = "ID", conflicts_with_all = ["files", "files_from_contexts"])]
    datasets: Vec<String>,
    /// The headers of all datasets of this instrument in the server's catalogue
    #[arg(short, long, value_name = "INSTRUMENT", conflicts_with_all = ["files", "files_from_contexts", "datasets"])]
    instrument: Option<String>,
    /// Show the values of headers as rules compare them
    #[arg(short, long)]
    condition_values: bool,
    /// Show only the keys of headers that the rules look at
    #[arg(short, long)]
    minimize_headers: bool,
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
    if !args.datasets.is_empty() || args.instrument.is_some() {
        return headers(args, config, json).await;
    }
    args.check_for_rows()?;
    let mut files = options::expanded(&args.files)?;
    for file in &mut files {
        if let Some((_, plain)) = file.rsplit_once('/') {
            *file = plain.to_owned();
        }
    }
    let names = files.iter().map(String::as_str);
    let client = options::client(config, args.contexts.a_name(), names);
    let contexts = args.contexts.files(&client).await?;
    let several = contexts.len() > 1;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut found = Vec::new();
    // Files that have not been seen yet, among those asked for.
    let mut unseen: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let mut any = false;
    for file in &contexts {
        let rules = client.rules_for_once(file).await?;
        let shown = if several { file.as_str() } else { "" };
        let all = args.files_from_contexts.then(|| rules.references());
        let listed = files.iter().map(String::as_str);
        for name in listed.chain(all.into_iter().flatten()) {
            let mut rows = rules.rows_choosing(name);
            rows.retain(|row| args.admits(row));
            if !rows.is_empty() {
                unseen.remove(name);
                any = true;
            }
            for row in &rows {
                if json {
                    found.push(as_json(file, name, row));
                } else {
                    let text = args.text(row, rules.observatory());
                    writeln!(out, "{shown} {name} : {text}")?;
                }
            }
        }
    }
    out.flush()?;
    if json {
        json::print(&json!(found))?;
    }
    args.say_what_is_missing(&unseen, any);
    Ok(u8::from(log::errors() > 0))
}

impl Args {
    /// Whether these arguments ask for rows of the rules, and for nothing that only headers have.
    fn check_for_rows(&self) -> Result<(), Failure> {
        if self.files.is_empty() && !self.files_from_contexts {
            return Err(Failure::misuse(
                "nothing says what to show",
                "name references with --files, give --files-from-contexts, or name datasets with --datasets",
            ));
        }
        if self.condition_values || self.minimize_headers {
            return Err(Failure::misuse(
                "--condition-values and --minimize-headers are for headers of datasets",
                "name datasets with --datasets, or all with --instrument",
            ));
        }
        Ok(())
    }

    fn say_what_is_missing(&self, unseen: &BTreeSet<&str>, any: bool) {
        let filtered = if self.filters.is_empty() {
            ""
        } else {
            " that the filters let pass"
        };
        for name in unseen {
            tracing::error!("no row of the rules{filtered} chooses {name}");
        }
        if unseen.is_empty() && !any {
            tracing::error!("the rules have no rows{filtered}");
        }
    }
}

/// The headers of datasets in the server's catalogue.
async fn headers(args: &Args, config: Config, json: bool) -> Result<u8, Failure> {
    let client = options::client(config, args.contexts.a_name(), []);
    let mut files = args.contexts.files(&client).await?;
    // By id, then in the order of the contexts' names, as it has always been.
    files.sort_unstable();
    let mut shown: BTreeMap<String, Vec<(&str, Values)>> = BTreeMap::new();
    for file in &files {
        let rules = if args.minimize_headers {
            Some(client.rules(file, None).await?)
        } else {
            None
        };
        let ids = match &args.instrument {
            None => args.datasets.clone(),
            Some(name) => client.dataset_ids(file, &name.to_lowercase(), None).await?,
        };
        for (id, header) in catalogue::headers(&client, file, &ids).await? {
            let mut header = catalogue::values(&client, &header, rules.as_deref());
            if args.condition_values {
                for value in header.values_mut() {
                    *value = condition(value).into_owned();
                }
            }
            shown.entry(id).or_default().push((file, header));
        }
    }
    if let Some(name) = args.instrument.as_ref().filter(|_| shown.is_empty()) {
        tracing::error!("the server has no datasets of {name}");
    }
    let missing = |id: &&String| !shown.keys().any(|known| same_id(id, known));
    for id in args.datasets.iter().filter(missing) {
        tracing::error!("the server has no header of {id}");
    }
    if json {
        json::print(&shown)?;
    } else {
        let mut out = std::io::stdout().lock();
        for (id, headers) in &shown {
            for (file, header) in headers {
                let values = header
                    .iter()
                    .map(|(key, value)| format!("{key}={}", quoted(value)));
                let values = values.collect::<Vec<_>>().join(" ");
                match files.len() {
                    1 => writeln!(out, "{id} : {values}")?,
                    _ => writeln!(out, "{id} : {file} : {values}")?,
                }
            }
        }
    }
    Ok(u8::from(log::errors() > 0))
}

fn as_json(context: &str, name: &str, row: &RuleRow<'_>) -> Value {
    let parameters = row.parameters.iter();
    let parameters = parameters.map(|(k, v)| ((*k).to_owned(), v.as_str().into()));
    json!({
        "context": context, "file": name, "instrument": row.instrument,
        "type": row.reference_type,
        "parameters": parameters.collect::<Map<_, _>>(),
    })
}

impl Args {
    fn admits(&self, row: &RuleRow<'_>) -> bool {
        let mut filters = self.filters.iter();
        filters.all(|(key, value)| row.admits(key, value))
    }

    fn text(&self, row: &RuleRow<'_>, observatory: Observatory) -> String {
        if self.tuple_format {
            return self.tuple(row, observatory).to_string();
        }
        // Without its first words a line keeps the blank that they would be followed by.
        let mut words = if self.brief_paths {
            vec![String::new()]
        } else {
            let words = [row.instrument, row.reference_type];
            words.map(str::to_uppercase).to_vec()
        };
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

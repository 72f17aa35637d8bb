//! `crds list --cat`: the text of rules, and the headers of references, never their data.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{Args, Lists};
use crate::failure::Failure;
use crate::pretty;
use crds_core::names::{ContextName, FileName, FileNameError, MappingName};
use crds_core::{Client, dataset};
use storage::bounded;
use storage::hint::{Hint, explain};

/// The longest text that is shown, in bytes.
const MAX_TEXT: usize = 64 << 20;

/// What is shown of a file.
enum Shown {
    Text(String),
    Header(Vec<(String, String)>),
}

pub(super) async fn list(
    args: &Args,
    client: &Client,
    names: Vec<String>,
    lists: &mut Lists,
) -> Result<(), Failure> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    for name in crate::options::expanded(&names)? {
        let (path, found) = match shown(args, client, &name).await {
            Ok(found) => found,
            Err(failure) => {
                if let Some(cause) = &failure.cause {
                    tracing::error!("{}", explain(cause.as_ref()));
                }
                continue;
            }
        };
        lines.push("#".repeat(80));
        lines.push(format!("File: {}", path.display()));
        lines.push("-".repeat(80));
        let text = match &found {
            Shown::Text(text) => text.clone(),
            Shown::Header(fields) => pretty::dictionary(fields),
        };
        let plain = path.file_name().unwrap_or_default().to_string_lossy();
        lines.extend(text.lines().map(|line| {
            let line = line.trim_end();
            if args.add_filenames {
                format!("{plain}: {line}")
            } else {
                line.to_owned()
            }
        }));
        values.push(match found {
            Shown::Text(text) => json!({"file": path, "text": text}),
            Shown::Header(fields) => {
                let fields = fields.into_iter().map(|(key, value)| (key, value.into()));
                let fields: Map<String, Value> = fields.collect();
                json!({"file": path, "header": fields})
            }
        });
    }
    lists.add_as("cat", json!(values), lines);
    Ok(())
}

/// Where a file is, and what it says.
async fn shown(args: &Args, client: &Client, name: &str) -> Result<(PathBuf, Shown), Failure> {
    // A context by any of its names.
    let name = match name.parse::<ContextName>() {
        Ok(context) if !matches!(context, ContextName::File(_)) => {
            client.context_file(Some(&context)).await?
        }
        _ => name.to_owned(),
    };
    if let Ok(rules) = name.parse::<MappingName>() {
        let bytes = client.rule_text(&rules).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return Ok((client.cache_path(rules.as_file())?, Shown::Text(text)));
    }
    let path: PathBuf = if name.contains('/') {
        name.clone().into()
    } else {
        let plain: FileName = name.parse().map_err(|e: FileNameError| wrong(e))?;
        client.cache_path(&plain)?
    };
    let is_text = [".pmap", ".imap", ".rmap", "server_config", "bad_files.txt"];
    if is_text.iter().any(|end| name.ends_with(end)) {
        let text = bounded::read_text(&path, MAX_TEXT);
        let text = text.map_err(|e| Failure::said(1, format!("{}: {e}", path.display()), None))?;
        return Ok((path, Shown::Text(text)));
    }
    let header = dataset::read(&path).map_err(wrong)?;
    let is_wanted = |key: &str| {
        args.keywords.is_empty() || args.keywords.iter().any(|part| key.contains(&**part))
    };
    let fields = header.iter().filter(|(key, _)| is_wanted(key));
    let mut fields: Vec<(String, String)> = fields
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    fields.sort();
    Ok((path, Shown::Header(fields)))
}

fn wrong(cause: impl Hint + Send + Sync + 'static) -> Failure {
    Failure::new(1, cause)
}

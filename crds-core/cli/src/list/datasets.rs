//! What the server's catalogue of datasets has: ids, and headers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Args, Lists};
use crate::catalogue::{self, Values, same_id};
use crate::failure::Failure;
use crate::{options, pretty};
use crds_core::Client;

/// The name of the list of headers.
pub(super) const HEADERS: &str = "dataset_headers";

pub(super) async fn list(args: &Args, client: &Client, lists: &mut Lists) -> Result<(), Failure> {
    if args.dataset_ids_for_instruments.is_empty() && args.dataset_headers.is_empty() {
        return Ok(());
    }
    let contexts = args.contexts.files(client).await?;
    if !args.dataset_ids_for_instruments.is_empty() {
        let mut lines = Vec::new();
        for instrument in &args.dataset_ids_for_instruments {
            for context in &contexts {
                let ids = client.dataset_ids(context, instrument, None).await?;
                if ids.is_empty() {
                    tracing::error!("the server has no datasets of {instrument}");
                }
                lines.extend(ids.into_iter().map(|id| match contexts.len() {
                    1 => id,
                    _ => format!("{context} {id}"),
                }));
            }
        }
        lists.add("dataset_ids", lines);
    }
    if !args.dataset_headers.is_empty() {
        let ids = options::expanded(&args.dataset_headers)?;
        let (mut values, mut lines) = (Vec::new(), Vec::new());
        for context in &contexts {
            let headers = headers(args, client, context, &ids).await?;
            for (id, header) in headers {
                if args.id_expansions_only {
                    lines.push(match contexts.len() {
                        1 => id.clone(),
                        _ => format!("{id} {context}"),
                    });
                    values.push(json!(id));
                    continue;
                }
                let fields = header.iter().map(|(k, v)| (k.clone(), v.as_str().into()));
                values.push(json!({id.clone(): fields.collect::<Map<String, Value>>()}));
                lines.extend(described(context, &id, header));
            }
        }
        if args.id_expansions_only {
            lines.sort_unstable();
        }
        lists.add_as(HEADERS, Value::Array(values), lines);
    }
    Ok(())
}

/// The headers that were asked for, by id.
async fn headers(
    args: &Args,
    client: &Client,
    context: &str,
    ids: &[String],
) -> Result<Vec<(String, Values)>, Failure> {
    let found = catalogue::headers(client, context, ids).await?;
    let has = |id: &str| {
        let product = |known: &str| known.split(':').next().unwrap_or_default().to_lowercase();
        let mut known = found.keys();
        known.any(|known| same_id(id, known) || product(known) == id.to_lowercase())
    };
    for id in ids.iter().filter(|id| !has(id)) {
        tracing::error!("the server has no header of {id}");
    }
    let rules = if args.minimize_headers {
        Some(client.rules(context, None).await?)
    } else {
        None
    };
    let mut products = BTreeSet::new();
    let mut headers = Vec::new();
    for (id, header) in found {
        let product = id.split(':').next().unwrap_or_default().to_owned();
        if !products.insert(product) && args.first_id_expansion_only {
            continue;
        }
        let values = catalogue::values(client, &header, rules.as_deref());
        headers.push((id, values));
    }
    Ok(headers)
}

/// A header as it has always been printed.
fn described(context: &str, id: &str, mut header: Values) -> Vec<String> {
    header.remove("REFTYPE");
    header.insert("dataset_id".to_owned(), id.to_owned());
    header.insert("CRDS_CTX".to_owned(), context.to_owned());
    let fields: Vec<(String, String)> = header.into_iter().collect();
    let text = format!(
        "Dataset pars for {} with respect to {}:\n {}",
        pretty::quoted(id),
        pretty::quoted(context),
        pretty::dictionary(&fields)
    );
    text.lines().map(str::to_owned).collect()
}

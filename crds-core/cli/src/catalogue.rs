//! The server's catalogue of datasets: which there are, and their headers.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;
use crds_core::header::Header;
use crds_core::rules::Context;
use crds_core::{Client, Observatory};

/// `J8BT06NYQ` is also `J8BT06NYQ:J8BT06NYQ`.
pub(crate) fn same_id(name: &str, id: &str) -> bool {
    let parts = |text: &str| {
        let text = text.to_uppercase();
        let (first, second) = text.split_once(':').unwrap_or((&text, &text));
        (first.to_owned(), second.to_owned())
    };
    parts(name) == parts(id)
}

/// Keys and values of a header.
pub(crate) type Values = BTreeMap<String, String>;

/// The values of a header: all, or of the keys that the rules of its instrument look at.
pub(crate) fn values(client: &Client, header: &Header, rules: Option<&Context>) -> Values {
    // Put there for lookups; the catalogue of HST knows no such key.
    let added =
        |key: &str| client.observatory() == Observatory::Hst && key == "META.INSTRUMENT.NAME";
    let mut values: Values = header
        .iter()
        .filter(|(key, _)| !added(key))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let Some(keys) = rules.and_then(|rules| needed(rules, header)) else {
        return values;
    };
    let minimal = keys.into_iter().map(|key| {
        let value = values.remove(&key);
        (key, value.unwrap_or_else(|| "UNDEFINED".to_owned()))
    });
    minimal.collect()
}

/// The keys that the rules of the header's instrument look at, upper case.
fn needed(rules: &Context, header: &Header) -> Option<BTreeSet<String>> {
    let keys = rules.needed_keys(header.get("INSTRUME")?)?;
    let mut keys: BTreeSet<String> = keys.into_iter().map(str::to_uppercase).collect();
    keys.insert("INSTRUME".to_owned());
    Some(keys)
}

/// The headers of datasets, with the ids that the server gives them; what it has not is logged.
pub(crate) async fn headers(
    client: &Client,
    context: &str,
    ids: &[String],
) -> Result<BTreeMap<String, Header>, Failure> {
    let mut headers = BTreeMap::new();
    for ids in ids.chunks(client.datasets_at_once().await?) {
        for (id, header) in client.dataset_headers(context, ids).await? {
            match header {
                Ok(header) => {
                    headers.insert(id, header);
                }
                Err(reason) => tracing::error!("{id}: {reason}"),
            }
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_as_people_write_them() {
        assert!(same_id("j8bt06nyq", "J8BT06NYQ:J8BT06NYQ"));
        assert!(!same_id("j8bt06010:j8bt06nyq", "J8BT06NYQ:J8BT06NYQ"));
    }
}

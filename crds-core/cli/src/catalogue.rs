//! The server's catalogue of datasets: which there are, and their headers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crds_core::dataset::set_instrument;
use crds_core::header::{Header, float_text};
use crds_core::rules::Context;
use crds_core::{Client, Observatory};

/// How many headers a server is asked for at once, unless it says otherwise.
const HEADERS_AT_ONCE: usize = 500;

/// `J8BT06NYQ` is also `J8BT06NYQ:J8BT06NYQ`.
pub(crate) fn same_id(name: &str, id: &str) -> bool {
    let parts = |text: &str| {
        let text = text.to_uppercase();
        let (first, second) = text.split_once(':').unwrap_or((&text, &text));
        (first.to_owned(), second.to_owned())
    };
    parts(name) == parts(id)
}

/// The header that a JSON object is.
pub(crate) fn header(fields: &Map<String, Value>) -> Result<Header, String> {
    let mut header = Header::new();
    for (key, value) in fields {
        let text = match value {
            Value::Null => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                Some(float) => float_text(float),
                None => number.to_string(),
            },
            Value::String(text) => text.clone(),
            // Earlier answers, which some of these files carry along.
            Value::Object(_) => continue,
            Value::Array(_) => return Err(format!("{key} is a list, not a header value")),
        };
        header.push(key.to_uppercase(), text);
    }
    set_instrument(&mut header);
    Ok(header)
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
fn needed(rules: &Context, header: &Header) -> Option<Vec<String>> {
    let keys = rules.needed_keys(header.get("INSTRUME")?)?;
    let mut keys: Vec<String> = keys.into_iter().map(str::to_uppercase).collect();
    keys.push("INSTRUME".to_owned());
    Some(keys)
}

/// The ids of an instrument's datasets, those that were taken before `since` left out.
pub(crate) async fn ids(
    client: &Client,
    context: &str,
    instrument: &str,
    since: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let asked = json!([context, instrument, since]);
    let answer = client.ask("get_dataset_ids", asked).await?;
    let listed = answer.as_array().into_iter().flatten();
    Ok(listed
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect())
}

/// The headers of datasets, with the ids that the server gives them; what it has not is logged.
pub(crate) async fn headers(
    client: &Client,
    context: &str,
    ids: &[String],
) -> Result<BTreeMap<String, Header>, Failure> {
    let mut headers = BTreeMap::new();
    for ids in ids.chunks(HEADERS_AT_ONCE) {
        let asked = json!([context, ids, null]);
        let answer = client.ask("get_dataset_headers_by_id", asked).await?;
        for (id, fields) in answer.as_object().into_iter().flatten() {
            match fields {
                Value::Object(fields) => match header(fields) {
                    Ok(header) => {
                        headers.insert(id.clone(), header);
                    }
                    Err(reason) => tracing::error!("{id}: {reason}"),
                },
                other => tracing::error!("{id}: the server has no header: {other}"),
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

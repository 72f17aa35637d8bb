//! The server's catalogue of datasets: which there are, and their headers, page by page.

use serde_json::{Map, Value, json};

use super::{Client, ClientError};
use crate::dataset::set_instrument;
use crate::header::{Header, float_text};

/// How many headers a server is asked for at once at most.
const HEADERS_AT_ONCE: usize = 500;

/// A dataset of the catalogue by its id, and its header or why there is none.
pub type CatalogueEntry = (String, Result<Header, String>);

impl Client {
    /// The ids of an instrument's datasets in the server's catalogue, those that were taken before a
    /// date left out.
    pub async fn dataset_ids(
        &self,
        context: &str,
        instrument: &str,
        since: Option<&str>,
    ) -> Result<Vec<String>, ClientError> {
        let asked = json!([context, instrument, since]);
        let answer = self.ask("get_dataset_ids", asked).await?;
        let listed = answer.as_array().into_iter().flatten();
        let listed = listed.filter_map(Value::as_str);
        Ok(listed.map(str::to_owned).collect())
    }

    /// How many headers the server is to be asked for at once.
    pub async fn datasets_at_once(&self) -> Result<usize, ClientError> {
        let server = self.ask("get_server_info", json!([])).await?;
        let said = server.get("max_headers_per_rpc").and_then(Value::as_u64);
        let said = said.and_then(|most| usize::try_from(most).ok());
        Ok(said.unwrap_or(HEADERS_AT_ONCE).clamp(1, HEADERS_AT_ONCE))
    }

    /// The headers of datasets, no more than [`Client::datasets_at_once`] says, with the ids that the
    /// server gives them.
    pub async fn dataset_headers(
        &self,
        context: &str,
        ids: &[String],
    ) -> Result<Vec<CatalogueEntry>, ClientError> {
        let asked = json!([context, ids, null]);
        let answer = self.ask("get_dataset_headers_by_id", asked).await?;
        let entries = answer.as_object().into_iter().flatten();
        let entries = entries.map(|(id, fields)| {
            let header = match fields {
                Value::Object(fields) => header_of_json(fields),
                other => Err(format!("the server has no header: {other}")),
            };
            (id.clone(), header)
        });
        Ok(entries.collect())
    }
}

/// The header that a JSON object is, as catalogues and the Python client's files have them.
pub fn header_of_json(fields: &Map<String, Value>) -> Result<Header, String> {
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

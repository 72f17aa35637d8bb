//! The CRDS server, spoken to as the Python client does: JSON-RPC 1.0 over POST, large answers
//! compressed inside the JSON.
//! Source: CRDS 14 `crds.client.proxy`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use storage::retry::{Failure, RetryStats};

use super::http::{bounded, transfer, usable};
use super::{Connections, SourceError};
use crate::cache::payload;

/// A CRDS server that can be asked.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    calls: AtomicU32,
    connections: Arc<Connections>,
}

impl Server {
    /// The server at `url`, which has no slash at its end.
    pub(crate) fn new(url: String, connections: Arc<Connections>) -> Self {
        Self {
            url,
            calls: AtomicU32::new(0),
            connections,
        }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Calls a method and gives its result, unpacked.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, SourceError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!(
            "crds-{}-{}-{number:08x}",
            env!("CARGO_PKG_VERSION"),
            std::process::id()
        );
        let address = format!("{}/json/{method}/{id}/", self.url);
        let body = json!({"jsonrpc": "1.0", "method": method, "params": params, "id": id});
        let body = body.to_string();
        let attempt = || self.post(&address, &body);
        let answer = self.connections.retry(attempt).await?;
        self.result(method, answer)
    }

    async fn post(&self, address: &str, body: &str) -> Result<Value, Failure<SourceError>> {
        let client = self.connections.http().map_err(Failure::Permanent)?;
        let sent = client
            .post(address)
            .header("content-type", "application/json")
            .body(body.to_owned())
            .send()
            .await
            .map_err(|error| transfer(address, &error))?;
        let content = bounded(address, usable(address, sent)?).await?;
        serde_json::from_slice(&content).map_err(|error| {
            Failure::Transient(SourceError::Transfer {
                location: address.to_owned(),
                reason: format!("the answer is no JSON: {error}"),
                stats: RetryStats::ONCE,
            })
        })
    }

    fn result(&self, method: &str, mut answer: Value) -> Result<Value, SourceError> {
        let failed = |message: String| SourceError::Server {
            url: self.url.clone(),
            method: method.to_owned(),
            message,
        };
        match answer.get("error") {
            None | Some(Value::Null) => {}
            Some(error) => {
                let message = error.get("message").and_then(Value::as_str);
                return Err(failed(message.map_or(error.to_string(), unescape)));
            }
        }
        let result = answer.get_mut("result").map(Value::take);
        let result = result.ok_or_else(|| failed("the answer has no result".into()))?;
        unpack(result).map_err(|reason| failed(format!("the answer cannot be unpacked: {reason}")))
    }
}

/// Replaces what is packed by what is inside.
fn unpack(value: Value) -> Result<Value, String> {
    match value.get("crds_payload").and_then(Value::as_str) {
        Some(packed) => payload::unpack(packed),
        None => Ok(value),
    }
}

/// The server escapes its messages for HTML.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn messages_and_packed_answers_are_read() {
        assert_eq!(unescape("no &#39;x&#39; &amp;lt; y"), "no 'x' &lt; y");
        let plain = json!({"size": "1"});
        assert_eq!(unpack(plain.clone()).unwrap(), plain);
        assert!(unpack(json!({"crds_encoded": "1.0", "crds_payload": "!"})).is_err());
        assert!(unpack(json!({"crds_encoded": "1.0", "crds_payload": "AAAA"})).is_err());
    }
}

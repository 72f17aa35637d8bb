//! What the server says about itself, its rules and its files: asked of the server, or read where
//! someone left it.

use std::borrow::Cow;
use storage::hint::with_causes;

use serde_json::{Value, json};

use super::{Client, ClientError, FileKind, file_name};
use crate::cache::server_config::ServerConfig;
use crate::literal::Literal;

impl Client {
    /// What the server said: from `CRDS_CONFIG_URI`, else from the server, else from the cache.
    ///
    /// A cache that may be written keeps what a server says, once it has the rules of its context. One that may not is its own
    /// authority, so that many readers of one cache see the same; so is the cache when the server
    /// cannot be reached.
    pub async fn server_config(&self) -> Result<&ServerConfig, ClientError> {
        self.server_config
            .get_or_try_init(|| self.load_server_config())
            .await
    }

    /// Whether what the server says is asked of it in this run, as far as it can be reached.
    pub(super) fn asks_anew(&self) -> bool {
        let has_one = self.layout.server_config().exists();
        let is_settled = self.config.readonly_cache && has_one && !self.asks_server;
        self.config.config_uri.is_none() && self.server.is_some() && !is_settled
    }

    async fn load_server_config(&self) -> Result<ServerConfig, ClientError> {
        if self.config.config_uri.is_some()
            && let Some(source) = self.source(FileKind::Config)
        {
            let name = file_name("server_config")?;
            let text = source.read(&name).await?;
            let location = source.location(&name);
            return Ok(ServerConfig::parse(&text, self.observatory(), &location)?);
        }
        let cached = || ServerConfig::load(&self.layout);
        let has_one = self.layout.server_config().exists();
        if !self.asks_anew() {
            return Ok(cached()?);
        }
        match self.ask_server_config().await {
            Ok(config) => Ok(config),
            Err(error) if has_one => {
                tracing::warn!(
                    "the cached configuration is used, because {}",
                    with_causes(&error)
                );
                Ok(cached()?)
            }
            Err(error) => Err(ClientError::NoServer {
                source: Box::new(error),
                folder: self.layout.config.display().to_string(),
            }),
        }
    }

    async fn ask_server_config(&self) -> Result<ServerConfig, ClientError> {
        let Some(server) = &self.server else {
            return Ok(ServerConfig::load(&self.layout)?);
        };
        let mut info = server.call("get_server_info", json!([])).await?;
        let Some(fields) = info.as_object_mut() else {
            return Err(ClientError::Answer {
                method: "get_server_info",
                reason: "it is not a dictionary".to_owned(),
            });
        };
        // Clients keep the second of the two sets of addresses, in place of both.
        for url in ["config_url", "mapping_url", "reference_url", "pickle_url"] {
            if let Some(unchecked) = fields
                .get_mut(url)
                .and_then(|urls| urls.get_mut("unchecked"))
            {
                let unchecked = unchecked.take();
                fields.insert(url.to_owned(), unchecked);
            }
        }
        fields.insert("status".to_owned(), json!("server"));
        fields.insert("connected".to_owned(), json!(true));
        let text = python(&info).to_string().into_bytes();
        let config = ServerConfig::parse(&text, self.observatory(), server.url())?;
        self.keep_server_config(&config, text);
        Ok(config)
    }
}

/// The value as Python would write it.
fn python(value: &Value) -> Literal<'_> {
    match value {
        Value::Null => Literal::None,
        Value::Bool(value) => Literal::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Literal::Int(integer),
            None => Literal::Float(number.as_f64().unwrap_or(0.0)),
        },
        Value::String(text) => Literal::Str(Cow::Borrowed(text)),
        Value::Array(items) => Literal::List(items.iter().map(python).collect()),
        Value::Object(fields) => Literal::Dict(
            fields
                .iter()
                .map(|(key, value)| (Literal::Str(Cow::Borrowed(key.as_str())), python(value)))
                .collect(),
        ),
    }
}

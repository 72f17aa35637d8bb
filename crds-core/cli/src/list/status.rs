//! `crds list --status`: the settings that matter most.

use crds_core::config::CacheMode;
use crds_core::{Client, VERSION_TEXT};
use storage::hint::with_causes;

pub(super) async fn status(client: &Client) -> Vec<String> {
    let config = client.config();
    let mode = match config.mode {
        CacheMode::Local => "local",
        CacheMode::Remote => "remote",
        CacheMode::Auto => "auto",
        CacheMode::S3 => "s3",
    };
    let setting = |name: &str| {
        let mut settings = config.settings();
        let found = settings.find(|setting| setting.name == name);
        found.map_or(String::new(), |setting| setting.value)
    };
    let context = match client.context_name(None).await {
        Ok(name) => name.to_string(),
        Err(error) => format!("unknown: {}", with_causes(&error)),
    };
    let synced = match client.server_config().await {
        Ok(server) => server.synchronised().unwrap_or("unknown").to_owned(),
        Err(_) => "unknown".to_owned(),
    };
    let locking = if config.use_locking && !config.readonly_cache {
        "enabled, filelock"
    } else {
        "disabled"
    };
    [
        ("CRDS Version", VERSION_TEXT),
        ("CRDS_MODE", mode),
        ("CRDS_PATH", &setting("CRDS_PATH")),
        ("CRDS_SERVER_URL", &setting("CRDS_SERVER_URL")),
        ("Cache Locking", locking),
        ("Effective Context", &context),
        ("Last Synced", &synced),
        ("Observatory", client.observatory().name()),
    ]
    .into_iter()
    .map(|(name, value)| format!("{name} = '{value}'"))
    .chain([format!(
        "Readonly Cache = {}",
        if config.readonly_cache {
            "True"
        } else {
            "False"
        }
    )])
    .collect()
}

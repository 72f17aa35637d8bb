//! The context that the cache says is in use: what it was, and whether it has changed.

use super::Args;
use crate::failure::Failure;
use crds_core::Client;
use crds_core::cache::server_config::ServerConfig;

/// The context in use, by what the cache has.
pub(super) fn in_use(client: &Client) -> Option<String> {
    let config = ServerConfig::load(client.layout()).ok()?;
    config.resolve(None).ok().map(|found| found.file)
}

/// Keeps what the server says if that is to be forced, and compares it with what was in use before.
pub(super) async fn settle(
    args: &Args,
    client: &Client,
    before: Option<&str>,
) -> Result<(), Failure> {
    if args.force_config_update {
        client.server_config().await?;
        client.keep_server_answer();
    }
    if !args.verify_context_change {
        return Ok(());
    }
    client.server_config().await?;
    let quoted = |name: Option<&str>| name.map_or("nothing".to_owned(), |n| format!("'{n}'"));
    let now = in_use(client);
    if now.as_deref() == before {
        tracing::error!(
            "Expected latest context switch but starting and post-sync contexts are both {}",
            quoted(before)
        );
    } else {
        tracing::info!(
            "Latest context updated from {} to {}",
            quoted(before),
            quoted(now.as_deref())
        );
    }
    Ok(())
}

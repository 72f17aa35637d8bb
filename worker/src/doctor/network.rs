//! Whether a web server answers at all: one request, whatever the answer says.

use crate::input::mast::is_loopback;
use reqwest::Url;
use std::error::Error;
use std::time::{Duration, Instant};

const CONNECT: Duration = Duration::from_secs(4);
const ANSWER: Duration = Duration::from_secs(6);

/// Asks `url` and says how long the answer took.
///
/// # Errors
/// A phrase that says why there is none, or that the server itself is in trouble.
pub(super) async fn reach(url: &Url) -> Result<Duration, String> {
    let started = Instant::now();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("caldp/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::none());
    if is_loopback(url) {
        // No proxy reaches this machine's own addresses.
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(|error| innermost(&error))?;
    let answer = client.get(url.clone()).send().await.map_err(|error| {
        if error.is_timeout() {
            format!("no answer within {} s", ANSWER.as_secs())
        } else {
            innermost(&error)
        }
    })?;
    if answer.status().is_server_error() {
        return Err(format!("it answers {}", answer.status()));
    }
    Ok(started.elapsed())
}

/// The cause that says what happened.
fn innermost(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}

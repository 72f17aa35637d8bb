//! Where the archive is and how patiently it is asked: read once from the environment.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use storage::retry::RetryPolicy;

use super::error::MastError;
use crate::config::variables;

/// The archive, unless `CALDP_MAST_URL` names another.
pub const DEFAULT_URL: &str = "https://mast.stsci.edu";
/// Names the server.
pub const URL_VARIABLE: &str = variables::MAST_URL;
/// Holds the token of an account that may see exclusive data.
pub const TOKEN_VARIABLE: &str = variables::MAST_TOKEN;

/// For the next bytes to arrive; the archive can think long about a question.
const READ_TIMEOUT: Duration = Duration::from_mins(2);

/// Where the archive is and how patiently it is asked.
#[derive(Clone)]
pub struct MastSettings {
    /// The server's address; a path in it is kept.
    pub(crate) url: Url,
    /// The value of the `Authorization` header.
    pub(super) token: Option<HeaderValue>,
    /// How often and how long a request is tried.
    pub retry: RetryPolicy,
    /// How often and how long a service that is still executing is asked again.
    pub executing: RetryPolicy,
    /// How long nothing may arrive.
    pub read_timeout: Duration,
}

impl MastSettings {
    /// Reads [`URL_VARIABLE`] and [`TOKEN_VARIABLE`] through `variable`.
    ///
    /// # Errors
    /// [`MastError::Setting`] when one of them cannot be used.
    pub fn from_variables(
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, MastError> {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        let url = parse_url(set(URL_VARIABLE).as_deref().unwrap_or(DEFAULT_URL))?;
        let token = set(TOKEN_VARIABLE).map(|token| parse_token(&token, &url));
        Ok(Self {
            url,
            token: token.transpose()?,
            retry: RetryPolicy {
                tries: 8,
                total: Duration::from_mins(20),
                base: Duration::from_millis(500),
                cap: Duration::from_secs(20),
            },
            executing: RetryPolicy {
                tries: 100,
                total: Duration::from_mins(10),
                base: Duration::from_secs(1),
                cap: Duration::from_secs(15),
            },
            read_timeout: READ_TIMEOUT,
        })
    }
}

impl MastSettings {
    /// Whether an account's token is sent.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }
}

impl fmt::Debug for MastSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url.as_str())
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("retry", &self.retry)
            .field("executing", &self.executing)
            .field("read_timeout", &self.read_timeout)
            .finish()
    }
}

fn parse_url(text: &str) -> Result<Url, MastError> {
    let wrong = |reason: String| MastError::Setting {
        variable: URL_VARIABLE,
        reason,
        hint: "write the address of the server as in https://mast.stsci.edu",
    };
    let url = Url::parse(text.trim()).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("it is no http address".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it has a user name or password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it has a query".to_owned()));
    }
    Ok(url)
}

fn parse_token(text: &str, url: &Url) -> Result<HeaderValue, MastError> {
    let wrong = |reason: &str| MastError::Setting {
        variable: TOKEN_VARIABLE,
        reason: reason.to_owned(),
        hint: "set it to a token as auth.mast.stsci.edu gives it, or unset it",
    };
    let token = text.trim();
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("it has characters that no token has"));
    }
    if url.scheme() != "https" && !is_loopback(url) {
        return Err(wrong(
            "it would be sent over a connection that is not secure",
        ));
    }
    let mut value = HeaderValue::from_str(&format!("token {token}"))
        .map_err(|_| wrong("it has characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether the address is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::input::mast::MastClient;

    fn settings(url: Option<&str>, token: Option<&str>) -> Result<MastSettings, MastError> {
        MastSettings::from_variables(|name| {
            let value = match name {
                URL_VARIABLE => url,
                _ => token,
            };
            value.map(str::to_owned)
        })
    }

    #[test]
    fn without_settings_it_is_the_archive_without_a_token() {
        for empty in [None, Some(""), Some(" ")] {
            let settings = settings(empty, empty).unwrap();
            assert_eq!(settings.url.as_str(), "https://mast.stsci.edu/");
            assert!(settings.token.is_none());
        }
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        for url in [
            "mast",
            "ftp://x/",
            "https://u:p@x/",
            "https://x/?q",
            "https://",
        ] {
            let error = settings(Some(url), None).unwrap_err();
            let text = storage::hint::explain(&error).to_string();
            assert!(
                text.contains("CALDP_MAST_URL") && text.contains("hint:"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_token_is_never_shown_and_never_sent_in_the_clear() {
        let settings_shown = settings(None, Some("s3cret")).unwrap();
        let token_shown = format!("{:?}", settings_shown.token);
        let settings_shown = format!("{settings_shown:?}");
        let client = MastClient::new(settings(None, Some("s3cret")).unwrap()).unwrap();
        for text in [settings_shown, token_shown, format!("{client:?}")] {
            assert!(!text.contains("s3cret"), "{text}");
        }
        for (url, token) in [
            (None, "s3cret\nHost: x"),
            (None, "s3cret x"),
            (None, "s3creté"),
            (Some("http://mast.stsci.edu"), "s3cret"),
        ] {
            let error = settings(url, Some(token)).unwrap_err().to_string();
            assert!(error.contains("MAST_API_TOKEN"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!(settings(Some("http://127.0.0.1:8000"), Some("s3cret")).is_ok());
        assert!(settings(Some("http://[::1]:8000"), Some("s3cret")).is_ok());
    }
}

//! The HTTP side: addresses, token, timeouts, asking until an answer is complete.
//!
//! The token goes to the configured server only. `reqwest` drops it when a redirect leaves that
//! server, and a redirect from `https` to `http` is refused.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use storage::retry::{Failure, GaveUp, RetryPolicy, RetryStats};

use super::error::{MastError, TransferError};
use super::protocol::{self, Answer, Page, Query};
use super::settings::{MastSettings, is_loopback};
use crate::membership::file_name::FileName;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// No answer to a question is larger.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// No question about one dataset has more pages, or larger answers all together.
const MAX_PAGES: u64 = 100;
const MAX_PAGES_BYTES: usize = 256 << 20;
const MAX_REDIRECTS: usize = 5;
/// The longest wait that a server is granted before the next try.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// What happens while files arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// It is known what is to come.
    Planned {
        /// How many files.
        files: usize,
        /// Their sizes together, as far as MAST says them.
        bytes: u64,
    },
    /// More of a file is there.
    Received {
        /// The file.
        file: &'a FileName,
        /// How much of it there is now; smaller than before when it had to be begun again.
        bytes: u64,
    },
    /// A file is complete and stored.
    Finished {
        /// The file.
        file: &'a FileName,
        /// Its size.
        bytes: u64,
    },
    /// A file was there already.
    Present {
        /// The file.
        file: &'a FileName,
    },
}

type Hook = Arc<dyn Fn(&Progress<'_>) + Send + Sync>;

/// Asks the archive and downloads from it.
#[derive(Clone)]
pub struct MastClient {
    http: reqwest::Client,
    settings: MastSettings,
    host: String,
    hook: Option<Hook>,
}

impl fmt::Debug for MastClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MastClient")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl MastClient {
    /// A client of the server that the settings name.
    ///
    /// # Errors
    /// When secure connections cannot be set up.
    pub fn new(settings: MastSettings) -> Result<Self, MastError> {
        let follow = redirect::Policy::custom(|attempt| {
            let from_https = attempt
                .previous()
                .last()
                .is_some_and(|url| url.scheme() == "https");
            if attempt.previous().len() > MAX_REDIRECTS {
                attempt.error("too many redirects")
            } else if from_https && attempt.url().scheme() != "https" {
                attempt.error("a redirect to an address that is not secure")
            } else {
                attempt.follow()
            }
        });
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("caldp/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(settings.read_timeout)
            .redirect(follow)
            .referer(false)
            .retry(reqwest::retry::never());
        if is_loopback(&settings.url) {
            // No proxy reaches this machine's own addresses.
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().map_err(MastError::Setup)?,
            host: settings.url.host_str().unwrap_or_default().to_owned(),
            settings,
            hook: None,
        })
    }

    /// Has `hook` called with everything that happens; it must be quick.
    #[must_use]
    pub fn with_progress(mut self, hook: impl Fn(&Progress<'_>) + Send + Sync + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// The server's name, for messages.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn policy(&self) -> RetryPolicy {
        self.settings.retry
    }

    pub(super) fn report(&self, progress: &Progress<'_>) {
        if let Some(hook) = &self.hook {
            hook(progress);
        }
    }

    /// All rows that answer a query; `what` says in messages what was asked for.
    pub(super) async fn rows<R: for<'de> Deserialize<'de>>(
        &self,
        query: &Query,
        what: &str,
    ) -> Result<Vec<R>, MastError> {
        let mut rows = Vec::new();
        let mut number = 1;
        let mut bytes = 0_usize;
        loop {
            let page: Page<R> = self.page(query, number, what).await?;
            let (pages, total) = (page.pages, page.total);
            bytes = bytes.saturating_add(page.bytes);
            if bytes > MAX_PAGES_BYTES {
                return Err(self.unusable(what, "the answer is too large".to_owned()));
            }
            rows.extend(page.rows);
            if u64::from(number) >= pages {
                return match total {
                    Some(total) if total != rows.len() as u64 => Err(self.unusable(
                        what,
                        format!("{total} rows were announced and {} came", rows.len()),
                    )),
                    _ => Ok(rows),
                };
            }
            if pages > MAX_PAGES {
                return Err(self.unusable(what, format!("{pages} pages were announced")));
            }
            number += 1;
        }
    }

    /// One page: each request is tried until it is answered, and repeated while the service is
    /// still executing.
    async fn page<R: for<'de> Deserialize<'de>>(
        &self,
        query: &Query,
        number: u32,
        what: &str,
    ) -> Result<Page<R>, MastError> {
        let request = |tries| async move {
            let answer = self.answer(query, number).await;
            answer.map_err(|trouble| trouble.classify(tries))
        };
        let words =
            |error: &TransferError| format!("{} did not list {what} yet: {error}", self.host);
        let waiting =
            |error: &Unanswered| format!("{} did not list {what} yet: {error}", self.host);
        let ready = |_| async {
            match self.settings.retry.run(words, request).await {
                Ok(Some(page)) => Ok(page),
                Ok(None) => Err(Failure::Transient(Unanswered::Executing)),
                Err(gave_up) => Err(Failure::Permanent(Unanswered::GaveUp(gave_up))),
            }
        };
        self.settings
            .executing
            .run(waiting, ready)
            .await
            .map_err(|outer| {
                let gave_up = match outer.error {
                    Unanswered::GaveUp(inner) => inner,
                    Unanswered::Executing => GaveUp {
                        error: TransferError::Executing,
                        stats: outer.stats,
                    },
                };
                MastError::query(what, &self.host)(gave_up)
            })
    }

    /// One request for a page; none when the service is still executing.
    async fn answer<R: for<'de> Deserialize<'de>>(
        &self,
        query: &Query,
        number: u32,
    ) -> Result<Option<Page<R>>, TransferError> {
        let form = [("request", protocol::request(query, number))];
        let request = self.authorised(self.http.post(self.address("api/v0/invoke")));
        let response = request
            .form(&form)
            .send()
            .await
            .map_err(TransferError::connection)?;
        let bytes = self.body(response).await?;
        match protocol::answer(&bytes).map_err(|error| TransferError::Answer(error.to_string()))? {
            Answer::Executing => Ok(None),
            Answer::Error(message) => Err(TransferError::Service(message)),
            Answer::Page(page) if page.number.is_some_and(|n| n != u64::from(number)) => Err(
                TransferError::Answer(format!("page {number} was asked for and another came")),
            ),
            Answer::Page(page) => Ok(Some(page)),
        }
    }

    pub(super) fn download_url(&self, file: &FileName) -> Url {
        let mut url = self.address("api/v0.1/Download/file");
        url.set_query(Some(&format!("uri={}", product_uri(file))));
        url
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.authorised(self.http.get(url))
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.settings.token {
            Some(token) => request.header(AUTHORIZATION, token.clone()),
            None => request,
        }
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.settings.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }

    /// What an answer that is no success means. Waits as long as the server asks for, in bounds.
    pub(super) async fn refusal(&self, response: Response) -> TransferError {
        let status = response.status();
        let wait = response.headers().get(RETRY_AFTER).and_then(|wait| {
            let seconds = wait.to_str().ok()?.parse().ok()?;
            Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
        });
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => TransferError::Denied {
                status,
                with_token: self.settings.token.is_some(),
            },
            StatusCode::NOT_FOUND | StatusCode::GONE => TransferError::NotThere(status),
            _ => {
                tokio::time::sleep(wait.unwrap_or_default()).await;
                TransferError::Status(status)
            }
        }
    }

    /// The body of a success, bounded.
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, TransferError> {
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(TransferError::connection)? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(TransferError::Answer("the answer is too large".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn unusable(&self, what: &str, reason: String) -> MastError {
        MastError::Query {
            what: what.to_owned(),
            host: self.host.clone(),
            source: TransferError::Answer(reason),
            stats: RetryStats::ONCE,
        }
    }
}

/// Why there is no page yet.
enum Unanswered {
    Executing,
    GaveUp(GaveUp<TransferError>),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Executing => TransferError::Executing.fmt(f),
            Self::GaveUp(gave_up) => gave_up.error.fmt(f),
        }
    }
}

/// What MAST calls a file of the archive.
fn product_uri(file: &FileName) -> String {
    format!("mast:HST/product/{file}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_keep_the_path_of_the_server() {
        for base in ["http://127.0.0.1:80/mast", "http://127.0.0.1:80/mast/"] {
            let settings = MastSettings::from_variables(|name| {
                (name == crate::input::mast::URL_VARIABLE).then(|| base.to_owned())
            });
            let client = MastClient::new(settings.unwrap()).unwrap();
            let file = FileName::parse("x_raw.fits").unwrap();
            assert_eq!(
                client.download_url(&file).as_str(),
                "http://127.0.0.1/mast/api/v0.1/Download/file?uri=mast:HST/product/x_raw.fits"
            );
        }
    }
}

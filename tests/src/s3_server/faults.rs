//! How the server is made to fail: some of its requests, chosen by a seed, in chosen ways.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, StatusCode};
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse};

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 500 `InternalError`; nothing is done.
    InternalError,
    /// 503 `SlowDown`; nothing is done.
    SlowDown,
    /// 403 `AccessDenied`; nothing is done.
    AccessDenied,
    /// The connection is closed; nothing is done.
    Reset,
    /// The request is carried out and the connection closed before it is answered.
    LostAnswer,
    /// The answer stops in the middle of its body and the connection is closed.
    Truncate,
    /// The answer stops in the middle of its body and the connection stays open.
    Stall,
    /// The answer comes, but late.
    Slow(Duration),
}

/// Which requests fail, and how.
#[derive(Debug, Clone)]
pub struct Faults {
    random: fastrand::Rng,
    one_in: u32,
    kinds: Vec<Fault>,
    left: u64,
}

impl Faults {
    /// One in `one_in` requests fails on average, in a way drawn from `kinds`.
    pub fn one_in(one_in: u32, kinds: &[Fault]) -> Self {
        Self {
            random: fastrand::Rng::with_seed(1),
            one_in,
            kinds: kinds.to_vec(),
            left: u64::MAX,
        }
    }

    /// Every request fails.
    pub fn always(kind: Fault) -> Self {
        Self::one_in(1, &[kind])
    }

    /// The same with another seed.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.random = fastrand::Rng::with_seed(seed);
        self
    }

    /// The same, ending after `count` failures.
    #[must_use]
    pub fn at_most(mut self, count: u64) -> Self {
        self.left = count;
        self
    }

    pub(super) fn next(&mut self) -> Option<Fault> {
        if self.left == 0 || self.kinds.is_empty() || self.random.u32(..self.one_in.max(1)) != 0 {
            return None;
        }
        self.left -= 1;
        self.random.choice(&self.kinds).copied()
    }
}

/// Answers a request, failing as told.
pub(super) async fn answer(
    fault: Option<Fault>,
    service: S3Service,
    request: Request<Incoming>,
) -> Result<HttpResponse, HttpError> {
    let refuse = |status, code| Ok(refusal(status, code));
    match fault {
        Some(Fault::InternalError) => {
            drain(request).await;
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
        Some(Fault::SlowDown) => {
            drain(request).await;
            refuse(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")
        }
        Some(Fault::AccessDenied) => {
            drain(request).await;
            refuse(StatusCode::FORBIDDEN, "AccessDenied")
        }
        Some(Fault::Reset) => Err(closed()),
        Some(Fault::LostAnswer) => {
            let response = service.call(request.map(Body::from)).await?;
            drop(BodyExt::collect(response.into_body()).await);
            Err(closed())
        }
        Some(Fault::Truncate) => cut(&service, request, Ending::Close).await,
        Some(Fault::Stall) => cut(&service, request, Ending::Hang).await,
        Some(Fault::Slow(delay)) => {
            tokio::time::sleep(delay).await;
            service.call(request.map(Body::from)).await
        }
        None => service.call(request.map(Body::from)).await,
    }
}

#[derive(Clone, Copy)]
enum Ending {
    Close,
    Hang,
}

/// Answers with the first half of the body; an answer without one is not sent at all.
async fn cut(
    service: &S3Service,
    request: Request<Incoming>,
    ending: Ending,
) -> Result<HttpResponse, HttpError> {
    let response = service.call(request.map(Body::from)).await?;
    let (parts, body) = response.into_parts();
    let whole = BodyExt::collect(body)
        .await
        .map_err(|_| closed())?
        .to_bytes();
    if whole.is_empty() {
        if matches!(ending, Ending::Hang) {
            std::future::pending::<()>().await;
        }
        return Err(closed());
    }
    let half = whole.slice(..whole.len() / 2);
    let rest = futures_util::stream::once(async move {
        if matches!(ending, Ending::Hang) {
            std::future::pending::<()>().await;
        }
        Err::<Frame<Bytes>, _>(std::io::Error::other("cut"))
    });
    let frames = futures_util::stream::once(async move { Ok(Frame::data(half)) }).chain(rest);
    Ok(HttpResponse::from_parts(
        parts,
        Body::http_body_unsync(StreamBody::new(frames)),
    ))
}

/// Reads the body, so that the client sees the answer rather than a broken pipe.
async fn drain(request: Request<Incoming>) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}

fn refusal(status: StatusCode, code: &str) -> HttpResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>made to fail</Message></Error>"
    );
    let mut response = HttpResponse::new(Body::from(body));
    *response.status_mut() = status;
    response
}

/// An error in place of an answer: the connection is closed.
fn closed() -> HttpError {
    HttpError::new("made to fail".into())
}

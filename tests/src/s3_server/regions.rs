//! Buckets of other regions: a request that comes to the wrong region is refused as AWS refuses it.
//!
//! A signed request tells its region in its signature. One without has none: it tells it as the first folder
//! of its path, where AWS has it in the name of the server.

use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use s3s::{Body, HttpResponse};

/// How requests are refused that come to the wrong region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 301 `PermanentRedirect`: the server of another region was asked.
    Redirect,
    /// 400 `AuthorizationHeaderMalformed`: the signature is for another region.
    Malformed,
}

/// Where a bucket is.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) region: String,
    pub(super) refusal: Refusal,
}

/// Takes the folder away that stands for a region.
pub(super) fn taken_from_path<B>(request: &mut Request<B>, regions: &[String]) -> Option<String> {
    let path = request.uri().path_and_query()?.as_str().to_owned();
    let (first, rest) = path.trim_start_matches('/').split_once('/')?;
    let region = regions.iter().find(|region| *region == first)?.clone();
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(format!("/{rest}").parse().ok()?);
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    Some(region)
}

/// The region of a signature: `Credential=<key>/<date>/<region>/s3/aws4_request`.
pub(super) fn signed_for(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let (_, scope) = header.split_once("Credential=")?;
    Some(scope.split('/').nth(2)?.to_owned())
}

pub(super) fn refuse(
    bucket: &str,
    located: &Located,
    asked: &str,
    method: &Method,
) -> HttpResponse {
    let region = &located.region;
    let (status, body) = match located.refusal {
        Refusal::Redirect => (
            StatusCode::MOVED_PERMANENTLY,
            format!(
                "<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be \
                 addressed using the specified endpoint. Please send all future requests to this endpoint.</Message>\
                 <Endpoint>{bucket}.s3.{region}.amazonaws.com</Endpoint><Bucket>{bucket}</Bucket></Error>"
            ),
        ),
        Refusal::Malformed => (
            StatusCode::BAD_REQUEST,
            format!(
                "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the \
                 region '{asked}' is wrong; expecting '{region}'</Message><Region>{region}</Region></Error>"
            ),
        ),
    };
    let head = *method == Method::HEAD;
    let mut response = HttpResponse::new(Body::from(if head { String::new() } else { body }));
    *response.status_mut() = status;
    // The body of a refused signature tells it; answers to HEAD have none.
    if (head || located.refusal == Refusal::Redirect)
        && let Ok(value) = region.parse()
    {
        response.headers_mut().insert("x-amz-bucket-region", value);
    }
    response
}

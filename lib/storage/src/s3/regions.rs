//! The region of each bucket. A client begins with one region; a bucket that is elsewhere says so when it
//! is first asked, and is asked there from then on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::http::HttpResponse;

/// Stands for the region in the address of a server that is not AWS.
const REGION: &str = "{region}";
/// The header in which S3 names a bucket's region.
const HEADER: &str = "x-amz-bucket-region";
/// Names of regions are shorter.
const MAX_NAME: usize = 32;
/// No run has to do with more buckets that are elsewhere.
const MAX_BUCKETS: usize = 100;
/// How much of an answer is looked through for the region.
const MAX_BODY: usize = 4096;

/// One client for each region that is in use.
#[derive(Debug, Clone)]
pub(super) struct Regions {
    first: Client,
    /// With a place for the region in it.
    endpoint: Option<Arc<str>>,
    elsewhere: Arc<Mutex<HashMap<Box<str>, Client>>>,
}

/// The address of a server in a region.
pub(super) fn endpoint(template: &str, region: &str) -> String {
    template.replace(REGION, region)
}

impl Regions {
    pub(super) fn new(first: Client, endpoint: Option<&str>) -> Self {
        let endpoint = endpoint.filter(|endpoint| endpoint.contains(REGION));
        Self {
            first,
            endpoint: endpoint.map(Arc::from),
            elsewhere: Arc::default(),
        }
    }

    /// The client for a bucket, where it is as far as is known.
    pub(super) fn client(&self, bucket: &str) -> Client {
        let elsewhere = self
            .elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        elsewhere.get(bucket).unwrap_or(&self.first).clone()
    }

    /// Remembers where a bucket is; whether it can be asked there. Another request may have found out first.
    pub(super) fn moved(&self, bucket: &str, region: &str) -> bool {
        let known = self.client(bucket);
        if known
            .config()
            .region()
            .is_some_and(|known| known.as_ref() == region)
        {
            return true;
        }
        let mut config = known.config().to_builder();
        config.set_region(Some(Region::new(region.to_owned())));
        if let Some(template) = &self.endpoint {
            config.set_endpoint_url(Some(endpoint(template, region)));
        }
        let mut elsewhere = self
            .elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let room = elsewhere.len() < MAX_BUCKETS || elsewhere.contains_key(bucket);
        if room {
            tracing::debug!("s3://{bucket} is in {region}");
            elsewhere.insert(bucket.into(), Client::from_conf(config.build()));
        }
        room
    }
}

/// The region that a refusal names: in its header, or in its body where a signature is for another.
pub(super) fn told(answer: &HttpResponse, code: Option<&str>) -> Option<String> {
    let status = answer.status().as_u16();
    let elsewhere = matches!(status, 301 | 302 | 307)
        || matches!(code, Some("AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"))
        // HEAD has no code
        || (status == 400 && code.is_none());
    let in_header = || answer.headers().get(HEADER).map(str::to_owned);
    let in_body = || {
        let body = answer.body().bytes()?;
        let text = String::from_utf8_lossy(body.get(..MAX_BODY).unwrap_or(body)).into_owned();
        let (_, rest) = text.split_once("<Region>")?;
        Some(rest.split_once("</Region>")?.0.to_owned())
    };
    let region = elsewhere.then(|| in_header().or_else(in_body))??;
    is_name(&region).then_some(region)
}

/// Whether this can be a region's name: it becomes part of a server's.
fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    fn answer(status: u16, header: Option<&'static str>, body: &'static str) -> HttpResponse {
        let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        if let Some(region) = header {
            answer.headers_mut().insert(HEADER, region);
        }
        answer
    }

    #[test]
    fn a_region_is_read_only_where_the_bucket_is_elsewhere() {
        let malformed = Some("AuthorizationHeaderMalformed");
        let body = "<Error><Code>x</Code><Region>eu-west-1</Region></Error>";
        for (answer, code, region) in [
            (
                answer(301, Some("us-east-1"), ""),
                Some("PermanentRedirect"),
                Some("us-east-1"),
            ),
            (
                answer(307, Some("us-east-1"), ""),
                Some("TemporaryRedirect"),
                Some("us-east-1"),
            ),
            (answer(301, Some("us-east-1"), ""), None, Some("us-east-1")),
            (answer(400, Some("us-west-2"), ""), None, Some("us-west-2")),
            (answer(400, None, body), malformed, Some("eu-west-1")),
            (answer(400, None, "<Region>"), malformed, None),
            (answer(400, None, ""), None, None),
            (
                answer(400, Some("us-east-1"), ""),
                Some("InvalidArgument"),
                None,
            ),
            (
                answer(403, Some("us-east-1"), ""),
                Some("AccessDenied"),
                None,
            ),
            (answer(301, Some("example.org/"), ""), None, None),
            (answer(301, Some("US-EAST-1"), ""), None, None),
            (answer(301, Some(""), ""), None, None),
        ] {
            assert_eq!(told(&answer, code).as_deref(), region, "{answer:?}");
        }
    }
}

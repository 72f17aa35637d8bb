//! Answers to requests, good ones and scripted ones.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LOCATION, RANGE, RETRY_AFTER,
};
use hyper::http::request::Parts;
use hyper::http::response::Builder;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Asked, MastContents, Trick};
use crate::http::{closed, lock};

type Body = BoxBody<Bytes, std::io::Error>;
type Answer = Result<Response<Body>, std::io::Error>;

const INVOKE: &str = "/api/v0/invoke";
const DOWNLOAD: &str = "/api/v0.1/Download/file";
const PRODUCT: &str = "mast:HST/product/";

/// Answers a request; an error closes the connection.
pub(super) async fn answer(shared: Arc<Mutex<MastContents>>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?;
    let question = question(&body.to_bytes());
    let asked = match (parts.uri.path(), question["service"].as_str()) {
        (INVOKE, Some("Mast.Caom.Filtered")) => Asked::Observations,
        (INVOKE, Some("Mast.Caom.Products")) => Asked::Products,
        (DOWNLOAD, _) => {
            Asked::Download(uris(&parts).pop().unwrap_or_default().replace(PRODUCT, ""))
        }
        _ => Asked::Other,
    };
    let trick = lock(&shared).see(asked.clone(), &parts.headers);
    match trick {
        Some(Trick::Late(pause)) => tokio::time::sleep(pause).await,
        Some(Trick::Reset) => return Err(closed()),
        Some(Trick::Status(status)) => return status_only(status),
        Some(Trick::Busy(seconds)) => {
            return respond(status(503).header(RETRY_AFTER, seconds), full("busy"));
        }
        Some(Trick::Executing) => return json_answer(&json!({"status": "EXECUTING", "msg": ""})),
        Some(Trick::ServiceError(msg)) => {
            return json_answer(&json!({"status": "ERROR", "msg": msg, "data": {}}));
        }
        Some(Trick::Text(text)) => return respond(status(200), full(text)),
        Some(Trick::Redirect(to)) => {
            let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
            return respond(
                status(302).header(LOCATION, format!("{to}{path}")),
                full(""),
            );
        }
        _ => {}
    }
    let state = lock(&shared);
    match asked {
        Asked::Observations => {
            let rows = state
                .archive
                .observations(&question["params"]["filters"][0]);
            json_answer(&page(&state, &question, rows))
        }
        Asked::Products => {
            let numbers = question["params"]["obsid"].as_str().unwrap_or_default();
            let rows = state.archive.products(numbers);
            json_answer(&page(&state, &question, rows))
        }
        Asked::Download(file) => download(&state, &parts, &file, trick.as_ref()),
        Asked::Other => status_only(404),
    }
}

/// The JSON of the form field `request`.
fn question(body: &[u8]) -> Value {
    form_urlencoded::parse(body)
        .find(|(name, _)| name == "request")
        .and_then(|(_, text)| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

fn uris(parts: &Parts) -> Vec<String> {
    let query = parts.uri.query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .filter(|(name, _)| name == "uri")
        .map(|(_, uri)| uri.into_owned())
        .collect()
}

/// The rows of the page asked for.
fn page(state: &MastContents, question: &Value, rows: Vec<Value>) -> Value {
    let count = |name: &str| {
        question[name]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
    };
    let number = count("page").unwrap_or(1).max(1);
    let asked = count("pagesize").unwrap_or(50_000);
    let size = state.page_size.unwrap_or(asked).min(asked).max(1);
    let total = rows.len();
    let data: Vec<Value> = rows
        .into_iter()
        .skip((number - 1) * size)
        .take(size)
        .collect();
    let fields: Vec<Value> = data
        .first()
        .and_then(Value::as_object)
        .map(|row| {
            row.keys()
                .map(|name| json!({"name": name, "type": "string"}))
                .collect()
        })
        .unwrap_or_default();
    json!({
        "status": "COMPLETE",
        "msg": "",
        "fields": fields,
        "paging": {
            "page": number,
            "pageSize": size,
            "pagesFiltered": total.div_ceil(size),
            "rows": data.len(),
            "rowsFiltered": total,
            "rowsTotal": total,
        },
        "data": data,
    })
}

fn download(state: &MastContents, parts: &Parts, file: &str, trick: Option<&Trick>) -> Answer {
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if let Some(token) = &state.token
        && header(hyper::header::AUTHORIZATION) != Some(&format!("token {token}"))
    {
        return status_only(401);
    }
    let Some(content) = state.archive.files.get(file) else {
        return status_only(404);
    };
    let mut content = Bytes::copy_from_slice(content);
    if let Some(Trick::Shorter(by)) = trick {
        content.truncate(content.len().saturating_sub(*by));
    }
    let tag = (!state.unmarked).then(|| tag(&content));
    let current = header(IF_RANGE).is_none_or(|range_of| Some(range_of) == tag.as_deref());
    let first: Option<usize> = header(RANGE)
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .filter(|_| current && trick != Some(&Trick::IgnoreRange));
    let total = content.len();
    let answer = match first {
        Some(first) if first >= total => {
            let range = format!("bytes */{total}");
            return respond(status(416).header(CONTENT_RANGE, range), full(""));
        }
        Some(first) => {
            content = content.slice(first..);
            let range = format!("bytes {first}-{}/{total}", total - 1);
            status(206).header(CONTENT_RANGE, range)
        }
        None => status(200),
    };
    let mut answer = answer
        .header(ACCEPT_RANGES, "bytes")
        .header(CONTENT_LENGTH, content.len());
    if let Some(tag) = tag {
        answer = answer.header(ETAG, tag);
    }
    let body = match trick {
        Some(Trick::Cut(after)) => pieces(&content, 1 << 16, Duration::ZERO, Some(*after)),
        Some(Trick::Slow(size, pause)) => pieces(&content, *size, *pause, None),
        _ => full(content),
    };
    respond(answer, body)
}

fn tag(content: &Bytes) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// A body in pieces, broken off after so many bytes if asked to.
fn pieces(content: &Bytes, size: usize, pause: Duration, cut: Option<usize>) -> Body {
    let content = content.slice(..cut.unwrap_or(content.len()).min(content.len()));
    let pieces = stream::unfold(Some(content), move |rest| async move {
        let mut rest = rest?;
        if rest.is_empty() {
            let broken = Err(std::io::Error::other("scripted"));
            // What was sent is to arrive before the connection breaks.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return cut.map(|_| (broken, None));
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok(Frame::data(piece)), Some(rest)))
    });
    BodyExt::boxed(StreamBody::new(pieces))
}

fn full(content: impl Into<Bytes>) -> Body {
    let never = |never: Infallible| match never {};
    Full::new(content.into()).map_err(never).boxed()
}

fn status(code: u16) -> Builder {
    Response::builder().status(StatusCode::from_u16(code).unwrap_or_default())
}

fn status_only(code: u16) -> Answer {
    respond(status(code), full(""))
}

fn json_answer(value: &Value) -> Answer {
    respond(
        status(200).header("content-type", "application/json"),
        full(value.to_string()),
    )
}

fn respond(answer: Builder, body: Body) -> Answer {
    answer.body(body).map_err(std::io::Error::other)
}

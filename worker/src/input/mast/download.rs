//! Downloading one file: continued where a try stopped, checked, and stored under its name only
//! when complete.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::header::{
    CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Response, StatusCode};
use tokio::sync::Mutex;

use super::client::{MastClient, Progress};
use super::error::{MastError, TransferError};
use super::part::{Part, is_complete};
use super::select::Product;

/// A transfer that brings less than this in [`STALL_WINDOW`] is broken off.
const STALL_BYTES: u64 = 64 << 10;
const STALL_WINDOW: Duration = Duration::from_mins(1);

/// Brings one file into `directory` and returns its path. A file that is there already, with the
/// size that MAST lists, is left as it is.
pub(super) async fn download(
    client: &MastClient,
    product: &Product,
    directory: &Path,
) -> Result<PathBuf, MastError> {
    let target = directory.join(&product.file);
    let store = |source| MastError::Store {
        path: target.clone(),
        source,
    };
    if product.size.is_some_and(|size| is_complete(&target, size)) {
        client.report(&Progress::Present {
            file: &product.file,
        });
        return Ok(target);
    }
    let part = Mutex::new(Part::open(directory, &product.file).map_err(store)?);
    let attempt = |tries| {
        let part = &part;
        async move {
            let mut part = part.lock().await;
            let outcome = attempt(client, product, &mut part).await;
            outcome.map_err(|trouble| trouble.classify(tries))
        }
    };
    let words = |error: &TransferError| {
        let host = client.host();
        format!("cannot download {} from {host} yet: {error}", product.file)
    };
    let done = client.policy().run(words, attempt).await;
    done.map_err(MastError::download(&product.file, client.host()))?;
    let part = part.into_inner();
    let bytes = part.length();
    let path = part.finish().await.map_err(store)?;
    let file = &product.file;
    client.report(&Progress::Finished { file, bytes });
    Ok(path)
}

/// One try: leaves the part complete, or as far as it came.
async fn attempt(
    client: &MastClient,
    product: &Product,
    part: &mut Part,
) -> Result<(), TransferError> {
    // A killed run may have left everything but the last step.
    if part.length() > 0 && product.size == Some(part.length()) {
        return check(product, part).await;
    }
    let continued = part.length() > 0 && (part.mark().is_some() || product.size.is_some());
    let mut request = client.get(client.download_url(&product.file));
    if continued {
        request = request.header(RANGE, format!("bytes={}-", part.length()));
        if let Some(mark) = part.mark() {
            request = request.header(IF_RANGE, mark);
        }
    }
    let response = request.send().await.map_err(TransferError::connection)?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT if continued => {
            if !continues(&response, product, part) {
                part.restart(None).await?;
                return Err(TransferError::Resumed);
            }
        }
        StatusCode::OK => {
            if let (Some(expected), Some(found)) = (product.size, content_length(&response))
                && expected != found
            {
                return Err(TransferError::Size { expected, found });
            }
            part.restart(mark(response.headers())).await?;
        }
        StatusCode::RANGE_NOT_SATISFIABLE if continued => {
            part.restart(None).await?;
            return Err(TransferError::Resumed);
        }
        _ => return Err(client.refusal(response).await),
    }
    let received = receive(client, product, part, response).await;
    // What came is kept for the next try even when the rest did not.
    part.flush().await?;
    received?;
    check(product, part).await
}

/// Appends the body to the part.
async fn receive(
    client: &MastClient,
    product: &Product,
    part: &mut Part,
    mut response: Response,
) -> Result<(), TransferError> {
    let mut window = (Instant::now(), part.length());
    while let Some(chunk) = response.chunk().await.map_err(TransferError::connection)? {
        part.append(&chunk).await?;
        let bytes = part.length();
        if let Some(expected) = product.size
            && bytes > expected
        {
            part.restart(None).await?;
            let found = bytes;
            return Err(TransferError::Size { expected, found });
        }
        let file = &product.file;
        client.report(&Progress::Received { file, bytes });
        if window.0.elapsed() > STALL_WINDOW {
            if bytes - window.1 < STALL_BYTES {
                return Err(TransferError::Stalled);
            }
            window = (Instant::now(), bytes);
        }
    }
    Ok(())
}

/// Whether the part is the file that was asked for; what is not is thrown away.
async fn check(product: &Product, part: &mut Part) -> Result<(), TransferError> {
    let found = part.length();
    let trouble = match product.size {
        Some(expected) if expected != found => TransferError::Size { expected, found },
        None if !part.is_whole_fits().await? => TransferError::NotFits,
        _ if !part.is_fits().await? => TransferError::NotFits,
        _ => return Ok(()),
    };
    part.restart(None).await?;
    Err(trouble)
}

/// Whether an answer of status 206 begins where the part ends and is of the size and version that
/// the part is of.
fn continues(response: &Response, product: &Product, part: &Part) -> bool {
    let headers = response.headers();
    let range = headers.get(CONTENT_RANGE).and_then(|range| {
        let range = range.to_str().ok()?.strip_prefix("bytes ")?;
        let (span, total) = range.split_once('/')?;
        let (first, last) = span.split_once('-')?;
        let total: u64 = total.parse().ok()?;
        Some((
            first.parse::<u64>().ok()?,
            last.parse::<u64>().ok()?.checked_add(1)?,
            total,
        ))
    });
    let Some((first, end, total)) = range else {
        return false;
    };
    let same_version = match (part.mark(), mark(headers)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => true,
    };
    let same_size = product.size.is_none_or(|size| size == total);
    first == part.length() && end == total && same_size && same_version
}

/// What marks a version: a strong entity tag, else the date of the last change (RFC 9110,
/// section 13.1.5).
fn mark(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
    text(ETAG)
        .filter(|tag| tag.starts_with('"'))
        .or_else(|| text(LAST_MODIFIED))
        .filter(|mark: &String| !mark.is_empty() && mark.len() < 512)
}

fn content_length(response: &Response) -> Option<u64> {
    let length = response.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

//! Reading a part of an object into memory, and what an answer with a part says of the whole.

use std::ops::Range;

use bytes::BytesMut;

use super::S3;
use super::classify::classify;
use crate::error::{AttemptError, ErrorKind, StoreError};
use crate::object::{Part, Version};
use crate::retry::Failure;
use crate::uri::S3Uri;

impl S3 {
    /// The bytes of a range of an object: fewer where the object ends before the range does, none
    /// where it ends before the range begins.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no object, others as they come.
    pub async fn get_range(&self, uri: &S3Uri, range: Range<u64>) -> Result<Part, StoreError> {
        if range.is_empty() {
            return self.nothing_of(uri).await;
        }
        let got = self.retry("read", uri.bucket(), uri, |_| {
            self.try_get_range(uri, &range)
        });
        match got.await {
            // no range behind the end can be had
            Err(error) if error.kind() == ErrorKind::Invalid => {
                let nothing = self.nothing_of(uri).await?;
                if nothing.size > range.start {
                    return Err(error);
                }
                Ok(nothing)
            }
            got => got,
        }
    }

    async fn nothing_of(&self, uri: &S3Uri) -> Result<Part, StoreError> {
        let head = self.head(uri).await?;
        Ok(Part {
            bytes: bytes::Bytes::new(),
            size: head.size,
            version: head.version,
        })
    }

    async fn try_get_range(
        &self,
        uri: &S3Uri,
        range: &Range<u64>,
    ) -> Result<Part, Failure<AttemptError>> {
        // servers read it as a signed number
        let last = range.end.min(i64::MAX.unsigned_abs()) - 1;
        let answer = self
            .client(uri.bucket())
            .get_object()
            .bucket(uri.bucket())
            .key(uri.key())
            .range(format!("bytes={}-{last}", range.start))
            .send()
            .await
            .map_err(classify)?;
        let length = super::size(answer.content_length)?;
        let size = match answer.content_range.as_deref() {
            Some(text) => total(text, range.clone(), length)?,
            // a server without ranges sends everything, of which the beginning will do
            None if range.start == 0 => length,
            None => return Err(no_ranges()),
        };
        let wanted = size.min(range.end).saturating_sub(range.start);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut body = answer.body;
        let mut content = BytesMut::new();
        while content.len() < wanted
            && let Some(chunk) = self.next_chunk(&mut body).await?
        {
            content.extend_from_slice(&chunk);
        }
        if content.len() < wanted {
            return Err(AttemptError::unreachable("the answer broke off"));
        }
        content.truncate(wanted);
        Ok(Part {
            bytes: content.freeze(),
            size,
            version: answer.e_tag.map(Version),
        })
    }
}

/// The size of the whole from `bytes <start>-<end>/<size>`, which must be the range asked for as far
/// as there is something in it.
pub(super) fn total(
    content_range: &str,
    asked: Range<u64>,
    length: u64,
) -> Result<u64, Failure<AttemptError>> {
    let parse = || {
        let (range, total) = content_range.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let total: u64 = total.parse().ok()?;
        let rest = total.min(asked.end).checked_sub(asked.start)?;
        let right =
            first == asked.start && length == rest && last.checked_sub(first)? + 1 == length;
        right.then_some(total)
    };
    parse()
        .ok_or_else(|| AttemptError::damaged("the server sent another range than it was asked for"))
}

/// A server sent everything where a part was asked for.
pub(super) fn no_ranges() -> Failure<AttemptError> {
    AttemptError::damaged("the server ignores ranges")
}

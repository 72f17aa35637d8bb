//! How an upload is cut into parts: of one size, so large that S3's limit on their number is kept,
//! and no more of them in memory at once than there is room for. Sending them is left to `upload`.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::OwnedSemaphorePermit;

use super::S3;
use crate::error::{AttemptError, ErrorKind};
use crate::object::Length;

const MIB: u64 = 1024 * 1024;

/// The size of parts in bytes, unless the whole would need too many. Smaller bodies are sent
/// with one request.
const PART: u64 = 6 * MIB;

/// How many MiB of parts are in memory at once, being filled or sent, over all uploads of a client:
/// four of the usual parts. A part that is larger than this, of an object of more than 234 GiB, is
/// there alone.
pub(super) const ROOM: usize = 24;

/// The most parts S3 takes.
pub(super) const MAX_PARTS: u64 = 10_000;

/// The largest object S3 takes, in bytes.
const MAX_OBJECT: u64 = 5 * 1024 * 1024 * MIB;

impl Length {
    /// The size of the parts.
    pub(super) fn part(self) -> Result<u64, AttemptError> {
        if self.most() > MAX_OBJECT {
            let detail = format!(
                "S3 takes at most 5 TiB, and it may have {} bytes",
                self.most()
            );
            return Err(AttemptError::new(ErrorKind::TooLarge, detail));
        }
        Ok(PART.max(self.most().div_ceil(MAX_PARTS)))
    }
}

/// A part in memory, counted among those that are.
pub(super) struct UploadPart {
    pub(super) body: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
}

impl UploadPart {
    pub(super) fn size(&self) -> u64 {
        self.body.len() as u64
    }
}

/// How many MiB of the room a part takes: no more than there is, or it would wait for ever.
fn room(part: u64) -> u32 {
    let wanted = part.div_ceil(MIB).min(ROOM as u64);
    u32::try_from(wanted).unwrap_or(u32::MAX)
}

impl S3 {
    /// Reads up to a whole part, when there is room for one more.
    pub(super) async fn fill(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        part: u64,
    ) -> Result<UploadPart, AttemptError> {
        // none only if closed, which never happens
        let permit = Arc::clone(&self.parts)
            .acquire_many_owned(room(part))
            .await
            .ok();
        let mut buffer = Vec::with_capacity(usize::try_from(part).unwrap_or_default());
        reader
            .take(part)
            .read_to_end(&mut buffer)
            .await
            .map_err(|error| AttemptError::local("reading what is to be uploaded failed", error))?;
        Ok(UploadPart {
            body: buffer.into(),
            _permit: permit,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GIB: u64 = 1024 * MIB;

    #[test]
    fn whatever_s3_takes_fits_into_the_parts_it_takes() {
        for size in [
            0,
            1,
            PART,
            58 * GIB,
            59 * GIB,
            234 * GIB,
            1024 * GIB,
            MAX_OBJECT,
        ] {
            for length in [Length::Exactly(size), Length::AtMost(size)] {
                let part = length.part().unwrap();
                assert!(part * MAX_PARTS >= size, "{size}");
                // What S3 takes of one part.
                assert!((5 * MIB..=5 * GIB).contains(&part), "{size}");
            }
        }
        let error = Length::AtMost(MAX_OBJECT + 1).part().unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge);
    }

    #[test]
    fn parts_in_memory_are_as_many_as_there_is_room_for() {
        let at_once = |size| ROOM as u64 / u64::from(room(Length::AtMost(size).part().unwrap()));
        assert_eq!(at_once(GIB), 4);
        assert_eq!(at_once(100 * GIB), 2);
        assert_eq!(at_once(234 * GIB), 1);
        // It must not wait for room that there never is.
        assert_eq!(at_once(MAX_OBJECT), 1);
    }
}

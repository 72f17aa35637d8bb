//! The identity of an order that came without an object: its words and the time, in slots.
//!
//! The AWS command line gives up waiting after a minute and invokes the function again, with another
//! request id. The same words in the same slot or the next are the same order; later they are a new one.

use jiff::Timestamp;
use serde_json::Value;

use super::planned::submission_id;
use crate::error::TriggerError;
use crate::record::documents::Documents;
use crate::record::transition::digest;

/// The length of a slot of time, in seconds: as long as an invocation may take.
const SLOT: i64 = 15 * 60;

/// The origin of a direct invocation's order.
pub(super) async fn identity(
    documents: &Documents,
    words: &Value,
    now: Timestamp,
) -> Result<String, TriggerError> {
    // the fields of a JSON object are kept in the order of their names
    let words = digest(&[&words.to_string()]);
    let slot = now.as_second().div_euclid(SLOT);
    let of_slot = |slot: i64| format!("invocation:{words}:{slot}");
    let before = of_slot(slot - 1);
    let planned = documents.submission_file(&submission_id(&before)?, "request.json")?;
    if documents.exists(&planned).await? {
        return Ok(before);
    }
    Ok(of_slot(slot))
}

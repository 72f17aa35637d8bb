//! What the CRDS server packs: `{"crds_encoded": "1.0", "crds_payload": base64 of gzip of JSON}`.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

/// The most that is unpacked, in bytes. The largest real catalogue takes 6 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Reads what is in a `crds_payload`.
pub(crate) fn unpack<T: DeserializeOwned>(payload: &str) -> Result<T, String> {
    let packed = STANDARD
        .decode(payload)
        .map_err(|error| error.to_string())?;
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice())
        .take(MAX_BYTES)
        .read_to_end(&mut json)
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

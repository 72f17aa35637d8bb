//! What an object's name says of its content: browsers ask S3, which knows only what it was told.

/// The media type of a key by its extension; none where S3's own default is as good.
pub(super) fn of(key: &str) -> Option<&'static str> {
    let (_, extension) = key.rsplit_once('.')?;
    Some(match extension {
        "csv" => "text/csv; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "jpg" => "image/jpeg",
        "json" => "application/json",
        "png" => "image/png",
        "snapshot" | "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

//! Removes files of the cache. What is gone already is as good as removed; what cannot be removed is told and counted.

use std::path::Path;

/// Removes one file.
pub(super) fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::error!("{} cannot be removed: {error}", path.display());
        }
        _ => {}
    }
}

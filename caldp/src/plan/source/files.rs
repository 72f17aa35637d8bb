//! FITS files in a directory: raw files where there are any, else all.

use std::io;
use std::path::{Path, PathBuf};

use caldp_core::dataset::Dataset;
use crds_core::dataset::read;
use crds_core::header::Header;
use storage::hint::with_causes;

use super::{Questions, Subject, dataset_of, quoted};
use crate::resources::features::of_fields;

/// How many files are asked about at once.
const PIECE: usize = 64;

/// How deep directories are looked into.
const MAX_DEPTH: usize = 16;

/// Gives the headers of all files, in the order of their names.
pub(crate) fn read_all(
    directory: &Path,
    mut give: impl FnMut(Questions) -> bool,
) -> io::Result<()> {
    let mut files = Vec::new();
    find(directory, 0, &mut files)?;
    let is_raw = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.contains("_raw"))
    };
    if files.iter().any(is_raw) {
        files.retain(is_raw);
    }
    files.sort_unstable();
    for paths in files.chunks(PIECE) {
        let subjects = paths.iter().map(|path| subject(path)).collect();
        if !give(Questions::Subjects(subjects)) {
            break;
        }
    }
    Ok(())
}

/// Whether a path is the name of a FITS file.
pub(crate) fn is_fits(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "fits")
}

fn find(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if directory.is_file() {
        files.push(directory.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if depth < MAX_DEPTH {
                find(&path, depth + 1, files)?;
            }
        } else if is_fits(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn subject(path: &Path) -> Subject {
    let id = path.display().to_string();
    let headers = read(path)
        .map(|header| vec![header])
        .map_err(|error| with_causes(&error).to_string());
    let header = headers.as_ref().ok().and_then(|headers| headers.first());
    let dataset = header.and_then(association).or_else(|| dataset_of(&id));
    let features = dataset.clone().zip(header);
    Subject {
        id: quoted(&id),
        context: header
            .and_then(|header| header.get("CRDS_CTX"))
            .map(|name| name.trim().to_owned()),
        features: features.map(|(dataset, header)| of_fields(dataset, header)),
        dataset,
        headers,
        earlier: None,
    }
}

/// The association that an exposure is processed in.
fn association(header: &Header) -> Option<Dataset> {
    Dataset::parse(header.get("ASN_ID")?.trim()).ok()
}

//! The raw files: whether they are where they are said to be, and how large they are. Inputs that
//! are not on this machine are looked for with what gives access to them.

use super::finding::{Area, Finding, Level};
use super::{Request, size};
use crate::input::error::InputError;
use crate::input::source::Source;
use crate::input::{Offer, offer};
use caldp_core::dataset::Dataset;
use std::path::{Path, PathBuf};

/// What is known of the inputs without asking anybody.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// The directory they are in, with what it has; none when they are elsewhere.
    pub(super) local: Option<(PathBuf, Offer)>,
    /// Their size in bytes, compressed if they are; 0 when it is not known.
    pub(super) bytes: u64,
    pub(super) findings: Vec<Finding>,
}

impl Inputs {
    /// Looks into the directory of the request.
    pub(super) fn look(request: &Request) -> Self {
        let Some(dataset) = &request.dataset else {
            return Self::default();
        };
        match &request.input {
            Some(Source::Dir(directory)) => Self::in_directory(dataset, directory, Level::Problem),
            Some(_) => Self::default(),
            // Nobody said where they are; the default of a run may be none of the user's.
            None => Self::in_directory(dataset, Path::new("."), Level::Warning),
        }
    }

    fn in_directory(dataset: &Dataset, directory: &Path, missing: Level) -> Self {
        let shown = format!("file:{}", directory.display());
        let none = |text: String| Self {
            findings: vec![
                Finding::new(Area::Inputs, shown.clone(), missing, text).hint(
                    "name the place of the raw files with --input: file:<directory>, s3://..., \
                     astroquery: or stpubdata:",
                ),
            ],
            ..Self::default()
        };
        let offer = match offer(directory, dataset) {
            Ok(offer) => offer,
            Err(InputError::Local { source, .. }) => {
                return none(format!("it cannot be listed: {source}"));
            }
            Err(error) => {
                let found = Finding::of_error(Area::Inputs, shown, missing, &error);
                return Self {
                    findings: vec![found],
                    ..Self::default()
                };
            }
        };
        let found = if offer.archives.is_empty() {
            &offer.loose
        } else {
            &offer.archives
        };
        if found.is_empty() {
            let ippps = dataset.ippps().unwrap_or(dataset.name());
            return none(format!(
                "neither {dataset}.tar.gz nor {ippps}*.fits is there"
            ));
        }
        let length = |name: &String| directory.join(name).metadata().map_or(0, |m| m.len());
        let bytes = found.iter().map(length).sum();
        let what = match found.as_slice() {
            [one] => one.clone(),
            several => format!("{} files", several.len()),
        };
        let text = format!("{what}, {}", size(bytes));
        let finding =
            Finding::new(Area::Inputs, shown, Level::Ok, text).detail("bytes", bytes.to_string());
        Self {
            local: Some((directory.to_owned(), offer)),
            bytes,
            findings: vec![finding],
        }
    }
}

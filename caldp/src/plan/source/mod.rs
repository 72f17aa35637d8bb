//! Where datasets are known from, each as batches of headers to be asked about.

mod delivered;
pub(super) mod files;
pub(super) mod lines;
pub(super) mod records;
pub(super) mod server;

use caldp_core::dataset::Dataset;
use caldp_core::resources::{EarlierRun, Features};
use crds_core::header::Header;

/// What is asked about at once; as much as a thread works on without looking up.
#[derive(Debug)]
pub(super) enum Questions {
    /// Lines of headers, and the number of the first.
    Lines(u64, Vec<u8>),
    /// Datasets whose headers were read.
    Subjects(Vec<Subject>),
}

/// One dataset, as its source knows it.
#[derive(Debug)]
pub(super) struct Subject {
    /// Its id as JSON.
    pub(super) id: Box<str>,
    pub(super) dataset: Option<Dataset>,
    /// The context that chose its references, where that is known.
    pub(super) context: Option<String>,
    /// The headers of its raw files, or why there are none.
    pub(super) headers: Result<Vec<Header>, String>,
    /// What is known of it for an estimate.
    pub(super) features: Option<Features>,
    /// What its last run needed.
    pub(super) earlier: Option<EarlierRun>,
}

impl Subject {
    /// A dataset that cannot be asked about.
    pub(super) fn unknown(id: &str, dataset: Option<Dataset>, reason: String) -> Self {
        Self {
            id: quoted(id),
            dataset,
            context: None,
            headers: Err(reason),
            features: None,
            earlier: None,
        }
    }
}

/// The dataset that an id stands for: a name, the name of a file of it, or `association:exposure` as
/// CRDS servers have them.
pub(super) fn dataset_of(id: &str) -> Option<Dataset> {
    let id = id.split(':').next().unwrap_or(id);
    let file = id.rsplit('/').next().unwrap_or(id);
    let name = match file.split_once('.') {
        Some((stem, "fits" | "fits.gz")) => stem.split('_').next().unwrap_or(stem),
        _ => file,
    };
    Dataset::parse(name).ok()
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> Box<str> {
    serde_json::Value::from(text).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_all_sources_name_datasets() {
        let name = |id| dataset_of(id).map(|dataset| dataset.name().to_owned());
        for id in [
            "J8CB010B0",
            "j8cb010b0:j8cb01u2q",
            "j8cb010b0_raw.fits",
            "a/b/j8cb010b0_raw.fits.gz",
        ] {
            assert_eq!(name(id).as_deref(), Some("j8cb010b0"), "{id}");
        }
        assert_eq!(name("17"), None);
    }
}

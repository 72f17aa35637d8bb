//! What the record of a dataset keeps of a run's own record, so that an overview of ten thousand datasets reads one
//! document for each: peak memory, the preview to show, the names of products.
//!
//! What is learnt from a run for the next is `caldp_core::resources::EarlierRun`.

use caldp_core::provenance::Provenance;
use serde::{Deserialize, Serialize};

/// So many names of products are kept; the others are in the run's record.
const MAX_PRODUCTS: usize = 16;
/// No longer name is kept, in bytes: nothing of HST has one.
const MAX_NAME: usize = 120;
/// What the name of a small preview has at its end, before the extension.
const THUMBNAIL: &str = "_thumb";
/// Where previews are, in a dataset's directory.
const PREVIEWS: &str = "previews/";

/// What a run needed and delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// The most memory it held, in KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_kib: Option<u64>,
    /// The preview to show in a gallery, in the dataset's directory; none where it is in an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// The first products, by their names in the dataset's directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// How many files were delivered, without logs.
    pub files: usize,
}

impl Measured {
    /// What the record of a run says.
    pub fn of(run: &Provenance) -> Self {
        let container = run.needs.as_ref().and_then(|n| n.container_peak_kib);
        let loose = run.outputs.iter().filter(|file| file.archive.is_none());
        let names = || loose.clone().map(|file| file.name.as_str());
        let thumbnail = names().find(|name| {
            let stem = name.rsplit_once('.').map_or(*name, |(stem, _)| stem);
            name.starts_with(PREVIEWS) && stem.ends_with(THUMBNAIL) && is_plain(name)
        });
        let products = names().filter(|name| !name.contains('/') && is_plain(name));
        Self {
            peak_kib: container.or(run.peak_memory_kib()),
            thumbnail: thumbnail.map(str::to_owned),
            products: products.take(MAX_PRODUCTS).map(str::to_owned).collect(),
            files: run.outputs.len(),
        }
    }
}

/// Whether a name is one that a run gives to what it delivers.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+".contains(c);
    name.len() <= MAX_NAME && name.chars().all(plain) && !name.contains("..")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_loose_files_with_plain_names_are_shown() {
        let run: Provenance = serde_json::from_value(serde_json::json!({
            "dataset": "j8cb010b0", "state": "processed",
            "programs": [{"peak_memory_kib": 5000}],
            "outputs": [{"name": "j8cb010b0_drz.fits"}, {"name": "../x.fits"}, {"name": "a<b>.fits"},
                {"name": "previews/j8cb010b0_drz.jpg"}, {"name": "previews/j8cb010b0_drz_thumb.jpg"},
                {"name": "packed.fits", "archive": "j8cb010b0.tar.gz"}]}))
        .unwrap();
        let measured = Measured::of(&run);
        assert_eq!(measured.peak_kib, Some(5000));
        assert_eq!(measured.products, ["j8cb010b0_drz.fits"]);
        assert_eq!(
            measured.thumbnail.as_deref(),
            Some("previews/j8cb010b0_drz_thumb.jpg")
        );
        assert_eq!(measured.files, 6);
    }
}

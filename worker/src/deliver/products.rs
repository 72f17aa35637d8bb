//! Which files of a working directory are products, by the patterns operators know.

use super::{DeliveryError, local};
use caldp_core::dataset::Dataset;
use std::path::Path;

/// The names of the products in a working directory, sorted: what belongs to the dataset by its
/// name, without what programs leave half done.
///
/// # Errors
/// [`DeliveryError::Local`] when the directory cannot be read.
pub fn products(dataset: &Dataset, folder: &Path) -> Result<Vec<String>, DeliveryError> {
    let mut names = list(folder)?;
    names.retain(|name| is_product(dataset, name));
    Ok(names)
}

/// The names of all files in a directory, sorted.
///
/// # Errors
/// [`DeliveryError::Local`] when the directory cannot be read.
pub fn list(folder: &Path) -> Result<Vec<String>, DeliveryError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(local(folder))? {
        let entry = entry.map_err(local(folder))?;
        if let (true, Ok(name)) = (entry.path().is_file(), entry.file_name().into_string()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether a file of the working directory is a product, by the patterns operators know.
fn is_product(dataset: &Dataset, name: &str) -> bool {
    use caldp_core::dataset::Kind;
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    match (dataset.kind(), dataset.ippps(), dataset.ipppss()) {
        (Kind::Ipppssoot, Some(ippps), _) => {
            // HSTCAL's intermediate files; one that is left means that its program failed.
            let intermediate = stem.ends_with("_blv_tmp") || stem.ends_with("_crj_tmp");
            name.starts_with(ippps) && matches!(extension, "fits" | "tra") && !intermediate
        }
        (Kind::Svm, _, Some(ipppss)) => {
            name.starts_with("hst_")
                && name.contains(ipppss)
                && matches!(extension, "fits" | "txt" | "ecsv")
                || name == format!("{dataset}_manifest.txt")
                || name == "astrodrizzle.log"
        }
        _ => {
            name.starts_with(&format!("hst_{dataset}")) && matches!(extension, "fits" | "txt")
                || name == format!("{dataset}_manifest.txt")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn products_are_known_by_their_names() {
        for (dataset, product, other) in [
            ("j8cb010b0", "j8cb01u2q_flt.fits", "j8cb01u2q_blv_tmp.fits"),
            ("j8cb010b0", "j8cb010b0.tra", "j8cb010b0_cal_env.txt"),
            (
                "acs_8ph_01",
                "hst_9999_01_acs_j8ph01_drc.fits",
                "j8ph01abq_flc.fits",
            ),
            (
                "acs_8ph_01",
                "acs_8ph_01_manifest.txt",
                "acs_8ph_01_input.out",
            ),
            (
                "skycell-p1234x05y06",
                "hst_skycell-p1234x05y06_drc.fits",
                "hst_other.fits",
            ),
        ] {
            let dataset = dataset.parse().unwrap();
            assert!(is_product(&dataset, product), "{product}");
            assert!(!is_product(&dataset, other), "{other}");
        }
    }
}

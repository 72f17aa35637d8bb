//! The public bucket (`stpubdata:`): where it keeps a dataset's files, which of those found there
//! are inputs, and what is still missing. Pure functions: listing and getting objects is left to
//! `caldp-core`, and what the bucket does not have comes from MAST, file by file, because
//! [`super::fetch`] leaves alone what is there.
//!
//! The layout is `hst/public/<first four>/<name>/<file>` for the name of an association or of an
//! exposure; an association's folder may or may not have the files of its members.

use caldp_core::dataset::Dataset;

use super::name::FileName;
use super::select::{is_exposure, suffixes};

/// The bucket.
pub const BUCKET: &str = "stpubdata";

/// What the keys of all HST data begin with.
const ROOT: &str = "hst/public";
/// How many files one `path_lookup` may name before its address is too long.
pub(super) const LOOKUPS_PER_QUESTION: usize = 50;
/// Letters and digits in the name of an exposure or association.
const NAME_LENGTH: usize = 9;

/// The prefix, with a slash at its end, of the files of an exposure or association; none for a
/// text that is not the name of one, as a damaged association table may have it.
pub fn prefix(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let plain = name.len() == NAME_LENGTH && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let program = name.get(..4).filter(|_| plain)?;
    Some(format!("{ROOT}/{program}/{name}/"))
}

/// The inputs of `dataset` among the keys listed below a [`prefix`], with the names they will
/// have. Keys of anything else, deeper ones and unsafe names included, are left out.
pub fn inputs<'a>(
    dataset: &Dataset,
    keys: impl IntoIterator<Item = &'a str>,
) -> Vec<(&'a str, FileName)> {
    let wanted = dataset.instrument().map_or(&[][..], suffixes);
    let file = |key: &'a str| {
        let (folder, name) = key.rsplit_once('/')?;
        let (_, owner) = folder.rsplit_once('/')?;
        let of_owner = prefix(owner).is_some_and(|p| p.trim_end_matches('/') == folder);
        let suffix = suffix(name)?;
        let is_input = of_owner && wanted.contains(&suffix.as_str());
        FileName::parse(name)
            .ok()
            .filter(|_| is_input)
            .map(|name| (key, name))
    };
    keys.into_iter().filter_map(file).collect()
}

/// Whether `files` hold an exposure of the dataset itself, as they must when it is no association.
pub fn has_exposure(dataset: &Dataset, files: &[&str]) -> bool {
    files.iter().any(|file| {
        let own = file.starts_with(dataset.name());
        let suffix = suffix(file).unwrap_or_default();
        own && dataset
            .instrument()
            .is_some_and(|i| is_exposure(i, &suffix))
    })
}

/// The members of which `files` hold no raw file: what still has to be found elsewhere. `members`
/// are the exposures that the association lists as present.
pub fn missing_members<'a>(
    members: impl IntoIterator<Item = &'a str>,
    files: &[&str],
) -> Vec<&'a str> {
    let has_raw = |member: &str| {
        files.iter().any(|file| {
            file.strip_prefix(member)
                .is_some_and(|rest| rest.starts_with("_raw"))
        })
    };
    members
        .into_iter()
        .filter(|member| !has_raw(member))
        .collect()
}

/// The key that a path of `path_lookup` stands for; none when it is not a path to `file`.
pub(super) fn key_of_path(file: &FileName, path: &str) -> Option<String> {
    let key = path.trim_start_matches('/');
    let (_, name) = key.rsplit_once('/')?;
    let safe = storage::uri::S3Uri::new(BUCKET, key).is_ok();
    (safe && name == file.as_str()).then(|| key.to_owned())
}

/// The suffix in capitals of `<name>_<suffix>.fits`.
fn suffix(file: &str) -> Option<String> {
    let (_, suffix) = file.strip_suffix(".fits")?.split_once('_')?;
    Some(suffix.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_prefix_is_of_a_name_only() {
        assert_eq!(prefix("J8CB010B0").unwrap(), "hst/public/j8cb/j8cb010b0/");
        for bad in [
            "",
            "j8cb010b",
            "j8cb010b00",
            "../cb010b",
            "j8cb/10b0",
            "j8cb é1b",
        ] {
            assert_eq!(prefix(bad), None, "{bad}");
        }
    }

    #[test]
    fn inputs_are_told_from_everything_else() {
        let dataset: Dataset = "lcxv13040".parse().unwrap();
        let found = inputs(
            &dataset,
            [
                "hst/public/lcxv/lcxv13040/lcxv13040_asn.fits",
                "hst/public/lcxv/lcxv13040/lcxv13040_x1dsum.fits",
                "hst/public/lcxv/lcxv13f1q/lcxv13f1q_rawtag_a.fits",
                "hst/public/lcxv/lcxv13f1q/lcxv13f1q_rawtag_a.jpg",
                "hst/public/lcxv/lcxv13f1q/old/lcxv13f1q_rawtag_a.fits",
                "hst/public/lcxv/lcxv13f1q/a b_rawtag_a.fits",
                "lcxv13f1q_rawtag_b.fits",
                "",
            ],
        );
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["lcxv13040_asn.fits", "lcxv13f1q_rawtag_a.fits"]);
        assert_eq!(
            found[1].0,
            "hst/public/lcxv/lcxv13f1q/lcxv13f1q_rawtag_a.fits"
        );
    }

    #[test]
    fn a_member_without_a_raw_file_is_missing() {
        let files = [
            "lcxv13f1q_rawtag_a.fits",
            "lcxv13f2q_spt.fits",
            "lcxv13f3q.raw.fits",
        ];
        assert_eq!(
            missing_members(["lcxv13f1q", "lcxv13f2q", "lcxv13f3q"], &files),
            ["lcxv13f2q", "lcxv13f3q"]
        );
    }

    #[test]
    fn an_exposure_is_of_the_dataset_itself() {
        let dataset: Dataset = "octka8050".parse().unwrap();
        assert!(has_exposure(&dataset, &["octka8050_wav.fits"]));
        assert!(!has_exposure(
            &dataset,
            &["octka8050_epc.fits", "octka7040_raw.fits"]
        ));
    }

    #[test]
    fn a_path_becomes_a_key_when_it_leads_to_the_file() {
        let file = FileName::parse("x_raw.fits").unwrap();
        assert_eq!(
            key_of_path(&file, "/hst/public/j8cb/j8cb010b0/x_raw.fits").as_deref(),
            Some("hst/public/j8cb/j8cb010b0/x_raw.fits")
        );
        for bad in [
            "",
            "x_raw.fits",
            "/hst/../x_raw.fits",
            "/hst//x_raw.fits",
            "/hst/y_raw.fits",
        ] {
            assert_eq!(key_of_path(&file, bad), None, "{bad}");
        }
    }
}

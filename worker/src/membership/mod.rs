//! Which of the files at a place belong to a dataset.
//!
//! A directory or prefix often holds several datasets of one program, whose names differ only in
//! their last letters. The association table says who the members are; without one the files of
//! the dataset's own name are all there is. What lies in the dataset's own archive is all the
//! dataset's. Whether the files are what their names say is looked at by `input::identity`.

pub mod association;
pub mod file_name;
pub mod product;

use association::Association;
use caldp_core::dataset::Dataset;
use product::is_product;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use storage::hint::Hint;

/// There are files of the dataset's program, but none of the dataset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no file of {dataset}, only of {}", others.join(", "))]
pub struct OtherDatasets {
    /// The dataset.
    pub dataset: String,
    /// Whose files there are: some of them, sorted.
    pub others: Vec<String>,
}

/// How many other datasets an error names.
const NAMED: usize = 5;

impl OtherDatasets {
    pub(crate) fn new(dataset: &Dataset, others: BTreeSet<&str>) -> Self {
        Self {
            dataset: dataset.to_string(),
            others: others.into_iter().take(NAMED).map(str::to_owned).collect(),
        }
    }
}

impl Hint for OtherDatasets {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("check the dataset's name: the files of another are not calibrated under it".into())
    }
}

/// The files among `names` that belong to `dataset`, sorted: FITS files, and with them its
/// environment file. `directory` is where its association table can be read.
///
/// # Errors
/// [`OtherDatasets`] when only others of its program have files there.
pub fn membership(
    dataset: &Dataset,
    names: &[String],
    directory: &Path,
) -> Result<Vec<String>, OtherDatasets> {
    let files = fits_files(dataset, names, directory)?;
    Ok(with_environment(dataset, names, files))
}

/// The files of an archive or answer that is of `dataset` alone: all FITS files, sorted, but what
/// an earlier run made of them, and its environment file.
pub fn all_inputs(dataset: &Dataset, names: &[String]) -> Vec<String> {
    let files = names.iter().filter(|name| is_fits(name));
    let files = files.filter(|name| !is_product(name)).cloned().collect();
    with_environment(dataset, names, files)
}

fn with_environment(dataset: &Dataset, names: &[String], mut files: Vec<String>) -> Vec<String> {
    let environment = dataset.environment_file();
    if !files.is_empty() && names.contains(&environment) {
        files.push(environment);
    }
    files.sort_unstable();
    files.dedup();
    files
}

fn fits_files(
    dataset: &Dataset,
    names: &[String],
    directory: &Path,
) -> Result<Vec<String>, OtherDatasets> {
    let Some(ippps) = dataset.ippps() else {
        return Ok(Vec::new());
    };
    let candidates: Vec<&String> = names
        .iter()
        .filter(|name| name.starts_with(ippps) && is_fits(name) && !is_product(name))
        .collect();
    let mut roots = vec![dataset.name().to_owned()];
    let table = dataset.association_file();
    if candidates.iter().any(|name| **name == table) {
        // An unreadable table is reported by calibration, which needs it; here all files stay.
        let Ok(association) = Association::read(&directory.join(&table)) else {
            return Ok(candidates.into_iter().cloned().collect());
        };
        roots.extend(association.members.into_iter().map(|member| member.name));
    }
    let own = |name: &&&String| roots.iter().any(|root| root == file_name::root(name));
    let files: Vec<String> = candidates.iter().filter(own).copied().cloned().collect();
    if files.is_empty() && !candidates.is_empty() {
        let others: BTreeSet<&str> = candidates
            .iter()
            .map(|name| file_name::root(name))
            .collect();
        return Err(OtherDatasets::new(dataset, others));
    }
    Ok(files)
}

pub(crate) fn is_fits(name: &str) -> bool {
    Path::new(name).extension() == Some("fits".as_ref())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn an_association_takes_its_members_and_leaves_its_neighbours() {
        let directory = tempfile::tempdir().unwrap();
        for dataset in ["j8cb010b0", "j8cb02u4q"] {
            caldp_tests::unpack_fixture(dataset, directory.path());
        }
        let all = names(directory.path());
        let of =
            |dataset: &str| membership(&dataset.parse().unwrap(), &all, directory.path()).unwrap();
        assert_eq!(
            of("j8cb010b0"),
            [
                "j8cb010b0_asn.fits",
                "j8cb01u2q_raw.fits",
                "j8cb01u3q_raw.fits"
            ]
        );
        assert_eq!(of("j8cb02u4q"), ["j8cb02u4q_raw.fits"]);
    }

    #[test]
    fn the_environment_file_comes_with_files_and_never_alone() {
        let dataset = "j8cb01u2q".parse().unwrap();
        let all = [
            "j8cb01u2q_raw.fits",
            "j8cb01u2q_cal_env.txt",
            "j8cb01u3q_cal_env.txt",
        ];
        let all = all.map(String::from);
        let here = Path::new(".");
        assert_eq!(
            membership(&dataset, &all, here).unwrap(),
            ["j8cb01u2q_cal_env.txt", "j8cb01u2q_raw.fits"]
        );
        assert_eq!(membership(&dataset, &all[1..], here).unwrap(), [""; 0]);
    }

    #[test]
    fn files_of_other_datasets_alone_are_named_and_not_taken() {
        let dataset = "j8cb03010".parse().unwrap();
        let all = [
            "j8cb01u2q_raw.fits",
            "notes.txt",
            "o8cb01u2q_raw.fits",
            "j8cb01u2q_spt.fits",
        ];
        let all = all.map(String::from);
        let error = membership(&dataset, &all, Path::new(".")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no file of j8cb03010, only of j8cb01u2q"
        );
        assert_eq!(
            membership(&dataset, &all[1..2], Path::new(".")).unwrap(),
            [""; 0]
        );
    }

    #[test]
    fn what_an_earlier_run_made_is_no_input() {
        let dataset = "octka6030".parse().unwrap();
        let all = [
            "octka6030_raw.fits",
            "octka6030_flt.fits",
            "octka6030_x1d.fits",
            "octka7040_raw.fits",
            "octka6030_cal_env.txt",
            "process.txt",
        ];
        let all = all.map(String::from);
        assert_eq!(
            membership(&dataset, &all, Path::new(".")).unwrap(),
            ["octka6030_cal_env.txt", "octka6030_raw.fits"]
        );
        assert_eq!(
            all_inputs(&dataset, &all),
            [
                "octka6030_cal_env.txt",
                "octka6030_raw.fits",
                "octka7040_raw.fits"
            ]
        );
    }
}

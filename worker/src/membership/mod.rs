//! Which of the files at a place belong to a dataset.
//!
//! A directory or prefix often holds several datasets of one program, whose names differ only in
//! their last letters. The association table says who the members are; without one the files of
//! the dataset's own name are all there is. Only where neither tells anything does every file of
//! the program count, as the original system always did.

pub mod association;
pub mod file_name;

use association::Association;
use caldp_core::dataset::Dataset;
use std::path::Path;

/// The files among `names` that belong to `dataset`, sorted: FITS files, and with them its
/// environment file. `directory` is where its association table can be read.
pub(crate) fn membership(dataset: &Dataset, names: &[String], directory: &Path) -> Vec<String> {
    let mut files = fits_files(dataset, names, directory);
    let environment = dataset.environment_file();
    if !files.is_empty() && names.contains(&environment) {
        files.push(environment);
        files.sort_unstable();
    }
    files
}

fn fits_files(dataset: &Dataset, names: &[String], directory: &Path) -> Vec<String> {
    let Some(ippps) = dataset.ippps() else {
        return Vec::new();
    };
    let fits = |name: &&String| {
        name.starts_with(ippps) && Path::new(name).extension() == Some("fits".as_ref())
    };
    let candidates: Vec<&String> = names.iter().filter(fits).collect();
    let mut roots = vec![dataset.name().to_owned()];
    let table = dataset.association_file();
    if candidates.iter().any(|name| **name == table) {
        // An unreadable table is reported by calibration, which needs it; here all files stay.
        let Ok(association) = Association::read(&directory.join(&table)) else {
            return sorted(candidates);
        };
        roots.extend(association.members.into_iter().map(|member| member.name));
    }
    let of_root = |name: &&&String| {
        roots.iter().any(|root| {
            name.strip_prefix(root.as_str())
                .is_some_and(|rest| rest.starts_with('_'))
        })
    };
    let own: Vec<&String> = candidates.iter().filter(of_root).copied().collect();
    sorted(if own.is_empty() { candidates } else { own })
}

fn sorted(names: Vec<&String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
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
        let of = |dataset: &str| membership(&dataset.parse().unwrap(), &all, directory.path());
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
            membership(&dataset, &all, here),
            ["j8cb01u2q_cal_env.txt", "j8cb01u2q_raw.fits"]
        );
        assert_eq!(membership(&dataset, &all[1..], here), [""; 0]);
    }

    #[test]
    fn without_files_of_its_own_name_everything_of_the_program_counts() {
        let dataset = "j8cb03010".parse().unwrap();
        let all = ["j8cb01u2q_raw.fits", "notes.txt", "o8cb01u2q_raw.fits"].map(String::from);
        assert_eq!(
            membership(&dataset, &all, Path::new(".")),
            ["j8cb01u2q_raw.fits"]
        );
    }
}

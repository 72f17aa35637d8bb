//! What raw headers say of the work that is to be done.

use crate::calibrate::recipe::RawFiles;
use caldp_core::provenance::Needs;
use caldp_core::resources::switch;
use fits::{Header, Value};
use std::path::Path;

/// Notes what the raw files among `names` in `folder` ask for. A switch counts where one of them has
/// it; what differs between them is not known. Files that cannot be read say nothing.
pub(crate) fn of_raw_files(
    raw_files: RawFiles,
    folder: &Path,
    names: &[String],
    needs: &mut Needs,
) {
    let raw = names.iter().filter(|name| raw_files.includes(name));
    let headers: Vec<Header> = raw
        .filter_map(|name| fits::read_header(&folder.join(name), 0).ok())
        .collect();
    let any = |keyword: &str| {
        let switches = headers
            .iter()
            .filter_map(|header| switch(header.text(keyword)?.trim()));
        switches.reduce(|one, other| one || other)
    };
    needs.drizzle = any("DRIZCORR");
    needs.cte = any("PCTECORR");
    needs.crsplit = headers
        .iter()
        .filter_map(|header| u32::try_from(header.integer("CRSPLIT")?).ok())
        .max();
    needs.subarray = same(
        headers
            .iter()
            .filter_map(|header| logical(header, "SUBARRAY")),
    );
    let detectors = headers.iter().filter_map(|header| header.text("DETECTOR"));
    needs.detector = same(detectors.map(|detector| detector.trim().to_owned()));
}

fn logical(header: &Header, keyword: &str) -> Option<bool> {
    match header.get(keyword)? {
        Value::Logical(logical) => Some(*logical),
        _ => None,
    }
}

/// The value that all have.
fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::recipe::Recipe;

    fn needs(dataset: &str) -> Needs {
        let folder = tempfile::tempdir().expect("a directory");
        let names: Vec<String> = caldp_tests::unpack_fixture(dataset, folder.path())
            .iter()
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        let mut needs = Needs::default();
        let dataset = dataset.parse().expect("a dataset");
        let raw_files = Recipe::of(&dataset).raw_files;
        of_raw_files(raw_files, folder.path(), &names, &mut needs);
        needs
    }

    #[test]
    fn switches_and_detector_are_those_of_the_raw_headers() {
        let acs = needs("j8cb010b0");
        assert_eq!(acs.detector.as_deref(), Some("WFC"));
        assert!(acs.drizzle.is_some() && acs.cte.is_some());
        assert!(acs.subarray.is_some() && acs.crsplit.is_some(), "{acs:?}");
        assert_eq!(needs("ib8t02a3q").detector.as_deref(), Some("IR"));
        assert_eq!(needs("lbgu17qnq").drizzle, None);
    }

    #[test]
    fn what_differs_is_not_known() {
        assert_eq!(same([1, 1].into_iter()), Some(1));
        assert_eq!(same([1, 2].into_iter()), None);
        assert_eq!(same(std::iter::empty::<u8>()), None);
    }
}

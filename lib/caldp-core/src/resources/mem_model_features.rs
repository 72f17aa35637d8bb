//! CALCLOUD's `control/<dataset>/<dataset>_MemModelFeatures.txt`: what is known of a dataset before
//! it runs, one `name=value` a line (`n_files=3`, `DETECTOR=WFC`, `PCTECORR=PERFORM`).
//!
//! Names that mean nothing here are passed over, values that cannot be read count as unknown.

use crate::dataset::Dataset;

use super::features::Features;
use super::values::{believed_files, believed_mb, large_detector, number, switch};

/// The name of the file of a dataset.
pub fn file(dataset: &Dataset) -> String {
    format!("{dataset}_MemModelFeatures.txt")
}

/// The features in such a file.
pub fn parse(dataset: &Dataset, text: &str) -> Features {
    let mut features = Features::of_name(dataset.clone());
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let value = value.trim().trim_matches(['"', '\'']);
        let value_switch = || switch(value);
        let value_number = || number(value).ok().flatten();
        match name.trim().to_ascii_lowercase().as_str() {
            "n_files" => features.files = value_number().and_then(believed_files),
            "total_mb" => features.input_mb = value_number().and_then(believed_mb),
            "drizcorr" => features.drizzle = value_switch(),
            "pctecorr" => features.cte = value_switch(),
            "subarray" => features.subarray = value_switch(),
            "crsplit" => features.crsplit = value_number().and_then(believed_files),
            "detector" => features.large_detector = large_detector(value),
            _ => {}
        }
    }
    features
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_lines_of_calcloud_are_understood_and_others_passed_over() {
        let dataset = Dataset::parse("jcnw14060").unwrap();
        let text = "n_files=3\r\ntotal_mb=102.0\nDETECTOR=WFC\nSUBARRAY=False\nDRIZCORR=PERFORM\n\
                    PCTECORR=OMIT\nCRSPLIT=2\nINSTR=j\nno line\nn_rows=x=y\n";
        let features = parse(&dataset, text);
        assert_eq!(
            features,
            Features {
                dataset: dataset.clone(),
                files: Some(3),
                input_mb: Some(102.0),
                drizzle: Some(true),
                cte: Some(false),
                crsplit: Some(2),
                subarray: Some(false),
                large_detector: Some(true),
            }
        );
        let odd = parse(
            &dataset,
            "n_files=-1\ntotal_mb=NaN\nDETECTOR=\nSUBARRAY=perhaps",
        );
        assert_eq!(odd, Features::of_name(dataset));
    }
}

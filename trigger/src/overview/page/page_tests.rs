#![allow(clippy::unwrap_used, reason = "tests")]

use caldp_core::resources::Model;
use caldp_core::resources::judge::PRICES;

use super::super::dataset::{Failure, Remedy};
use super::super::summary::{Assumptions, summarize};
use super::*;

const MAX_PAGE: usize = 3_000_000;

/// Ten thousand datasets, each with the longest texts that are kept, all different.
fn largest() -> Vec<DatasetProgress> {
    let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let dataset = |number: usize| {
        let name = format!(
            "j8{:02}{:02}{:02}0",
            number / 10_000,
            number / 100 % 100,
            number % 100
        );
        let mut progress = DatasetProgress::of_state(name.parse().unwrap(), State::Error, Some(at));
        let text = |long: usize| {
            format!("{number} <b>é</b> ")
                .repeat(60)
                .chars()
                .take(long)
                .collect::<String>()
        };
        progress.attempts = 3;
        progress.memory_bin = MemoryBin::new(1);
        progress.timeout_seconds = Some(86_400);
        progress.last_seconds = Some(12_345);
        progress.ended = Some(at);
        progress.job_id = Some(
            format!("11111111-2222-3333-4444-{number:012}")
                .parse()
                .unwrap(),
        );
        progress.log_stream = Some(format!("caldp-16/default/{number:032x}"));
        progress.why = crate::order::details::Why::new(&text(400));
        progress.failure = Some(Failure {
            reason: "exit code 23: calacs failed".to_owned(),
            explanation: text(600),
            exit_code: Some(23),
            remedy: Remedy::MoreTime(2),
        });
        progress.measured = Some(crate::record::measured::Measured {
            peak_kib: Some(1 << 21),
            thumbnail: Some(format!("previews/{name}_drz_thumb.jpg")),
            products: vec![format!("{name}_drz.fits"), "other_flt.fits".to_owned()],
            files: 12,
        });
        progress
    };
    (0..10_000).map(dataset).collect()
}

fn page_of(datasets: &[DatasetProgress]) -> String {
    let model = Model::shipped().unwrap();
    let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let assumed = Assumptions {
        now: at,
        prices: PRICES,
        model: &model,
    };
    let root = OutputRoot::new("s3://bucket/data/spring".parse().unwrap(), Layout::Tree);
    let page = BatchPage {
        name: "spring",
        output: "s3://bucket/data/spring",
        root: Some(&root),
        layout: Layout::Tree,
        results: Some("../../data/spring/"),
        all: None,
        at,
        summary: &summarize(datasets, assumed),
        datasets,
    };
    page.html()
}

#[test]
fn ten_thousand_datasets_with_the_longest_texts_stay_below_three_megabytes() {
    let page = page_of(&largest());
    assert!(page.len() < MAX_PAGE, "{}", page.len());
}

#[test]
fn a_column_has_a_value_for_each_dataset_and_texts_are_written_once() {
    let datasets = largest();
    let page = page_of(datasets.get(..3).unwrap());
    let (_, rest) = page.split_once("application/json\">").unwrap();
    let data: Value = serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap();
    let columns = data["columns"].as_object().unwrap();
    for name in [
        "name",
        "state",
        "peak_mib",
        "reason",
        "explanation",
        "why",
        "job",
        "stream",
        "thumbnail",
        "files",
    ] {
        assert_eq!(columns[name].as_array().unwrap().len(), 3, "{name}");
    }
    assert_eq!(columns["reasons"].as_array().unwrap().len(), 1);
    let command = "caldp rescue {} --output=s3://bucket/data/spring --timeout-scale=2";
    assert_eq!(columns["reasons"][0]["command"], command);
    assert_eq!(columns["thumbnails"], json!(["previews/{}_drz_thumb.jpg"]));
    assert_eq!(columns["product_lists"], json!(["{}_drz.fits"]));
    assert_eq!(columns["directories"], json!(["data/acs/{}/"]));
}

//! `blackboardAWS.snapshot`: the table that on-premise tools ingest, a line for the latest job of each dataset.
//!
//! Columns, their order and what stands for what is not known (`0`, `None`) are those of the deployment these tools
//! were written for; times are whole seconds since 1970, durations seconds, sizes KiB.

use caldp_core::layout::Layout;
use caldp_core::state::State;
use jiff::{SignedDuration, Timestamp};

use super::dataset::DatasetProgress;
use crate::order::details::one_line;

/// The file, beside the pages.
pub const FILE: &str = "blackboardAWS.snapshot";
/// The first line.
pub const HEADER: &str = "GlobalJobId|SubmitDate|JobStartDate|CompletionDate|JobDuration|ImageSize|JobState|ExitCode|ExitReason|Dataset|LogStream|S3Path";
/// Where in a line the time is at which its job ended.
const COMPLETION_DATE: usize = 3;
/// Where in a line the path of its dataset is: the last.
const S3_PATH: usize = 11;
/// The longest reason, in characters.
const MAX_REASON: usize = 255;
/// Lines of jobs that ended longer ago are left out, as AWS Batch forgets them.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// No more lines of batches that have ended are kept.
const MAX_KEPT: usize = 100_000;
const NONE: &str = "None";

/// The lines of the datasets of one output.
pub(crate) fn lines(datasets: &[DatasetProgress], path: &str, layout: Layout) -> Vec<String> {
    let line = |dataset| line(dataset, path, layout);
    datasets.iter().map(line).collect()
}

/// What the paths of the datasets of an output start with: its bucket and key.
pub(crate) fn path_of(output: &str) -> String {
    let scheme = |prefix| output.strip_prefix(prefix);
    let path = scheme("s3://")
        .or_else(|| scheme("file:"))
        .unwrap_or(output);
    format!("{}/", plain(path).trim_end_matches('/'))
}

/// The table with these lines, and of what was in it before what is of no output that was looked at now.
pub(crate) fn table(now: Timestamp, new: &[String], paths: &[String], before: &str) -> String {
    let oldest = (now - KEPT).as_second();
    let kept = before.lines().skip(1).filter(|line| {
        let fields: Vec<&str> = line.split('|').collect();
        let (ended, path) = (fields.get(COMPLETION_DATE), fields.get(S3_PATH));
        let recent = ended
            .and_then(|t| t.parse().ok())
            .is_some_and(|t: i64| t >= oldest);
        let settled = path.is_some_and(|path| !paths.iter().any(|p| p == output_of(path)));
        fields.len() == S3_PATH + 1 && recent && settled
    });
    let mut table = format!("{HEADER}\n");
    for line in new.iter().map(String::as_str).chain(kept.take(MAX_KEPT)) {
        table.push_str(line);
        table.push('\n');
    }
    table
}

/// The output that the directory of a dataset is in: what is before `data/<folder>/<dataset>/` or
/// `outputs/<dataset>/`.
fn output_of(path: &str) -> &str {
    let start = path.rfind("/data/").max(path.rfind("/outputs/"));
    start.and_then(|slash| path.get(..=slash)).unwrap_or(path)
}

fn line(dataset: &DatasetProgress, path: &str, layout: Layout) -> String {
    let second = |time: Option<Timestamp>| time.map_or(0, Timestamp::as_second);
    let running = dataset.since.filter(|_| dataset.state == State::Processing);
    let ran = i64::try_from(dataset.last_seconds.unwrap_or(0)).unwrap_or(0);
    let started = dataset
        .ended
        .map_or(second(running), |end| end.as_second() - ran);
    let failure = dataset.failure.as_ref();
    let fields = [
        dataset
            .job_id
            .as_ref()
            .map_or(NONE.to_owned(), |id| id.as_str().to_owned()),
        second(dataset.planned).to_string(),
        started.to_string(),
        second(dataset.ended).to_string(),
        dataset.ended.map_or(0, |_| ran).to_string(),
        dataset
            .measured
            .as_ref()
            .and_then(|m| m.peak_kib)
            .unwrap_or(0)
            .to_string(),
        job_state(dataset.state).to_owned(),
        dataset.exit_code.unwrap_or(0).to_string(),
        failure.map_or(NONE.to_owned(), |f| plain(&f.explanation)),
        dataset.dataset.name().to_owned(),
        dataset.log_stream.as_deref().map_or(NONE.to_owned(), plain),
        format!("{path}{}", layout.data_dir(&dataset.dataset)),
    ];
    fields.join("|")
}

/// As AWS Batch would say it.
const fn job_state(state: State) -> &'static str {
    match state {
        State::Submitted => "SUBMITTED",
        State::Processing => "RUNNING",
        State::Processed | State::Syncing | State::Synced | State::Archived => "SUCCEEDED",
        State::Error | State::Terminated => "FAILED",
    }
}

/// A text in one field.
fn plain(text: &str) -> String {
    one_line(&text.replace('|', "/"), MAX_REASON)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::record::attempts::Record;

    const PATH: &str = "hst-out/data/spring/";

    fn dataset(name: &str, state: State, outcome: serde_json::Value) -> DatasetProgress {
        let mut attempt = json!({"number": 1, "reason": "batch", "origin": "o", "rung": 1, "timeout_seconds": 7200,
            "job_name": "n", "job_id": "11111111-2222-3333-4444-555555555555", "claimed_at": "2026-03-01T00:00:00Z"});
        if !outcome.is_null() {
            attempt["outcome"] = outcome;
        }
        let record = json!({"dataset": name, "terminated": false, "settings": {"layout": "tree"}, "attempts": [attempt]});
        let record: Record = serde_json::from_value(record).unwrap();
        let since = "2026-03-01T00:10:00Z".parse().unwrap();
        DatasetProgress::of_state(name.parse().unwrap(), state, Some(since)).with_record(&record)
    }

    #[test]
    fn columns_are_those_that_on_premise_tools_read() {
        let ended = |result: serde_json::Value, code: i64, words: &str| {
            json!({"result": result, "explanation": words, "exit_code": code, "ran_seconds": 3000,
                "at": "2026-03-01T01:00:00Z", "log_stream": "caldp-8/default/abc", "measured": {"peak_kib": 2048}})
        };
        let failed = ended(json!({"failed": "other"}), 23, "calacs | failed\nbadly");
        let datasets = [
            dataset(
                "j8cb010b0",
                State::Processed,
                ended(json!("succeeded"), 0, "delivered"),
            ),
            dataset("j8cb010b1", State::Error, failed),
            dataset("lcyid1030", State::Processing, serde_json::Value::Null),
            DatasetProgress::of_state("ib8t01010".parse().unwrap(), State::Submitted, None),
        ];
        let table = table(
            "2026-03-02T00:00:00Z".parse().unwrap(),
            &lines(&datasets, PATH, Layout::Tree),
            &[PATH.to_owned()],
            "",
        );
        let job = "11111111-2222-3333-4444-555555555555";
        assert_eq!(
            table,
            format!(
                "GlobalJobId|SubmitDate|JobStartDate|CompletionDate|JobDuration|ImageSize|JobState|ExitCode|ExitReason|Dataset|LogStream|S3Path\n\
                 {job}|1772323200|1772323800|1772326800|3000|2048|SUCCEEDED|0|None|j8cb010b0|caldp-8/default/abc|hst-out/data/spring/data/acs/j8cb010b0/\n\
                 {job}|1772323200|1772323800|1772326800|3000|2048|FAILED|23|calacs / failed badly|j8cb010b1|caldp-8/default/abc|hst-out/data/spring/data/acs/j8cb010b1/\n\
                 {job}|1772323200|1772323800|0|0|0|RUNNING|0|None|lcyid1030|None|hst-out/data/spring/data/cos/lcyid1030/\n\
                 None|0|0|0|0|0|SUBMITTED|0|None|ib8t01010|None|hst-out/data/spring/data/wfc3/ib8t01010/\n"
            )
        );
    }

    #[test]
    fn lines_of_other_batches_stay_while_their_jobs_ended_lately() {
        let line = |path: &str, ended: &str| {
            let seconds = ended.parse::<Timestamp>().unwrap().as_second();
            format!("id|1|2|{seconds}|4|5|SUCCEEDED|0|None|j8cb010b0|None|{path}")
        };
        let recent = "2026-03-08T00:00:00Z";
        let (other, root) = (
            line("hst-out/data/summer/data/acs/j8cb010b0/", recent),
            line("hst-out/outputs/j8cb010b0/", recent),
        );
        let before = [
            HEADER,
            &line("hst-out/data/spring/data/acs/j8cb010b1/", recent),
            &other,
            &line(
                "hst-out/data/autumn/data/acs/j8cb010b0/",
                "2026-02-28T00:00:00Z",
            ),
            "a|line|that|is|none",
            &root,
        ]
        .join("\n");
        let now = "2026-03-09T00:00:00Z".parse().unwrap();
        let new = [line("hst-out/data/spring/data/acs/j8cb010b0/", recent)];
        let merged = table(now, &new, &[PATH.to_owned()], &before);
        assert_eq!(merged, format!("{HEADER}\n{}\n{other}\n{root}\n", new[0]));
        // a batch without datasets any more has no lines
        let cleaned = table(now, &[], &[PATH.to_owned()], &merged);
        assert_eq!(cleaned, format!("{HEADER}\n{other}\n{root}\n"));
    }
}

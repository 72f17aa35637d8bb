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

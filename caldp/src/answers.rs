//! What people see of `caldp submit`, `rescue`, `cancel`, `clean` and `sweep`; with `--json` they see the answers themselves.

use std::fmt::Display;
use std::fmt::Write as _;

use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use caldp_trigger::cli::{CommandAnswer, RequestedTarget};
use caldp_trigger::overview::summary::CURRENCY;
use caldp_trigger::request::fan_out::FanOutAnswer;
use caldp_trigger::request::requests::TargetAnswer;
use caldp_trigger::submit::forecast::Forecast;
use caldp_trigger::submit::planned::Submitted;
use caldp_trigger::submit::submitter::OrderAnswer;
use caldp_trigger::sweep::{Found, SweepAnswer};

use storage::hint::with_hint;

use crate::duration::duration;
use crate::tables::{counted, lines, table};

/// Of more names no more are shown; `--json` has all.
const SHOWN: usize = 20;

/// An answer in words, each line ended.
pub(crate) fn words(answer: &CommandAnswer) -> String {
    match answer {
        CommandAnswer::Order(OrderAnswer::Submitted(done)) => submitted(done),
        CommandAnswer::Order(OrderAnswer::Forecast(forecast)) => forecasted(forecast),
        CommandAnswer::Request(targets) => targets.iter().map(requested).collect(),
        CommandAnswer::Sweep(answer) => swept(answer),
    }
}

fn submitted(done: &Submitted) -> String {
    let of = counted(done.datasets, "dataset");
    let mut text = format!(
        "{}: {} of {of} submitted as {}, results go to {}\n",
        done.batch,
        done.submitted,
        counted(done.jobs, "job"),
        done.s3_output_path
    );
    for (bin, datasets) in &done.memory_bins {
        let bin = MemoryBin::new((*bin).into()).map_or_else(|| bin.to_string(), |b| b.to_string());
        let _ = writeln!(text, "  {bin}: {}", counted(*datasets, "dataset"));
    }
    text += &left_alone(&done.left_alone);
    if !done.refused.is_empty() {
        let _ = writeln!(text, "refused by AWS Batch: {}", names(&done.refused));
    }
    if done.continues {
        text += "the rest is for another invocation\n";
    }
    let _ = writeln!(text, "next: caldp status {}", done.s3_output_path);
    text
}

fn forecasted(forecast: &Forecast) -> String {
    let mut text = format!(
        "{}: {}, results would go to {}\n\n",
        forecast.batch,
        counted(forecast.datasets, "dataset"),
        forecast.s3_output_path
    );
    let columns = [
        "bin",
        "memory",
        "datasets",
        "arrays",
        "time limit",
        "queue",
        "definition",
    ];
    let mut bins = table(&columns);
    for bin in &forecast.memory_bins {
        #[expect(clippy::cast_precision_loss, reason = "some days of seconds")]
        let limit = bin.timeout_seconds as f64;
        bins.add_row([
            bin.memory_bin.number().to_string(),
            format!("{} GiB", bin.memory_bin.gib()),
            bin.datasets.to_string(),
            bin.arrays.to_string(),
            duration(limit),
            bin.job_queue.clone(),
            bin.job_definition.clone(),
        ]);
    }
    let _ = writeln!(text, "{}\n", lines(&bins));
    text += &left_alone(&forecast.left_alone);
    let _ = writeln!(
        text,
        "would submit {}, write {}, cost {:.2} {CURRENCY} as expected and {:.2} {CURRENCY} at the most",
        counted(forecast.jobs, "job"),
        counted(forecast.objects_written, "object"),
        forecast.expected_cost,
        forecast.highest_cost
    );
    text
}

fn requested(target: &RequestedTarget) -> String {
    match &target.result {
        TargetAnswer::One(answer) => about(&target.target, &answer.to_string()),
        TargetAnswer::Many(answer) => fanned_out(&target.target, answer),
    }
}

/// What is said of a target; most of it names the target already.
fn about(target: &str, words: &str) -> String {
    if words.contains(target) {
        format!("{words}\n")
    } else {
        format!("{target}: {words}\n")
    }
}

fn fanned_out(target: &str, answer: &FanOutAnswer) -> String {
    match answer {
        FanOutAnswer::Stopped { stopped, remedy } => {
            with_hint(about(target, stopped).trim_end(), *remedy) + "\n"
        }
        FanOutAnswer::Done {
            verb,
            datasets,
            carried_out,
            stopped_by_kill,
            handed_on,
            first,
        } => {
            let of = counted(*datasets, "dataset");
            let mut text = format!("{verb} {target}: {carried_out} of {of}");
            for (count, what) in [
                (stopped_by_kill, "left because of a kill message"),
                (handed_on, "handed on to another invocation"),
            ] {
                if *count > 0 {
                    let _ = write!(text, ", {count} {what}");
                }
            }
            text.push('\n');
            for line in first {
                let _ = writeln!(text, "  {line}");
            }
            if first.len() < *carried_out {
                let _ = writeln!(text, "  and {} more", carried_out - first.len());
            }
            text
        }
        FanOutAnswer::Cleaned {
            verb,
            datasets,
            deleted,
            stopped_jobs,
            ended,
        } => format!(
            "{verb} {target}: {}, {} deleted, {} stopped: {ended}\n",
            counted(*datasets, "dataset"),
            counted(*deleted, "object"),
            counted(*stopped_jobs, "job"),
        ),
        FanOutAnswer::Would {
            would,
            datasets,
            first,
        } => {
            let more = datasets.saturating_sub(first.len());
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let of = counted(*datasets, "dataset");
            format!("would {would} {of}: {}{more}\n", names(first))
        }
    }
}

fn swept(answer: &SweepAnswer) -> String {
    let mut text = format!(
        "{} looked at, {} under way: {} stuck, {} settled\n",
        counted(answer.outputs, "output"),
        counted(answer.active, "dataset"),
        answer.stuck,
        answer.settled
    );
    text += &all_found("dataset", &answer.found);
    text += &all_found("not settled", &answer.failed);
    if answer.left > 0 {
        let _ = writeln!(
            text,
            "{} left: others are at it, or there was no time",
            answer.left
        );
    }
    text
}

fn all_found(what: &str, found: &[Found]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let mut rows = table(&[what, "output", "what was wrong", "what became of it"]);
    for one in found {
        rows.add_row([
            one.dataset.to_string(),
            one.output.to_string(),
            one.found.to_owned(),
            one.result.clone(),
        ]);
    }
    format!("\n{}\n", lines(&rows))
}

fn left_alone(datasets: &[Dataset]) -> String {
    if datasets.is_empty() {
        return String::new();
    }
    format!(
        "left alone, with a job or a result already: {}\n",
        names(datasets)
    )
}

/// The first names.
fn names<T: Display>(datasets: &[T]) -> String {
    let shown: Vec<String> = datasets.iter().take(SHOWN).map(T::to_string).collect();
    let more = datasets.len() - shown.len();
    let shown = shown.join(" ");
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}

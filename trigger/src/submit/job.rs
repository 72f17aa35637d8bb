//! The job of an attempt: its command, its environment, and where it goes.

use caldp_core::job_command::{CONTEXT_VARIABLE, JobCommand, JobInput, LAYOUT_VARIABLE};
use caldp_core::layout::Layout;
use storage::uri::S3Uri;

use crate::batch::NewJob;
use crate::memory_bins::MemoryBins;
use crate::output_root::OutputRoot;
use crate::record::attempts::{Attempt, Market, Record, Settings};
use crate::record::transition::digest;

/// The job of an attempt at one dataset.
pub(crate) fn single_job(
    bins: &MemoryBins,
    root: &OutputRoot,
    record: &Record,
    attempt: &Attempt,
) -> NewJob {
    let (output, dataset) = (root.uri.clone(), record.dataset.clone());
    let command = match record.settings.inputs.clone() {
        Some(inputs) => JobCommand::Process {
            dataset,
            inputs,
            output,
        },
        None => JobCommand::ProcessAws {
            output,
            input: JobInput::Dataset(dataset),
        },
    };
    job(bins, root, &record.settings, attempt, &command)
}

/// The array job that `attempt`, of any of its datasets, is a part of.
pub(crate) fn array_job(
    bins: &MemoryBins,
    root: &OutputRoot,
    settings: &Settings,
    attempt: &Attempt,
    list: S3Uri,
    size: usize,
) -> NewJob {
    let command = JobCommand::ProcessAws {
        output: root.uri.clone(),
        input: JobInput::List(list),
    };
    NewJob {
        array_size: Some(size),
        ..job(bins, root, settings, attempt, &command)
    }
}

fn job(
    bins: &MemoryBins,
    root: &OutputRoot,
    settings: &Settings,
    attempt: &Attempt,
    command: &JobCommand,
) -> NewJob {
    let mut environment = vec![];
    if settings.layout != Layout::default() {
        let layout = settings.layout.name().to_owned();
        environment.push((LAYOUT_VARIABLE.to_owned(), layout));
    }
    if let Some(context) = &settings.context {
        environment.push((CONTEXT_VARIABLE.to_owned(), context.clone()));
    }
    let bin = attempt.memory_bin;
    let own_definition = settings.job_definition.clone();
    NewJob {
        name: attempt.job_name.clone(),
        queue: queue_of(bins, settings, attempt).to_owned(),
        share: settings.job_queue.is_none().then(|| share(root)),
        priority: settings.priority,
        batch: settings.batch.clone(),
        memory_mib: own_definition.is_some().then(|| bin.usable_mib()),
        definition: own_definition.unwrap_or_else(|| bins.site(bin).definition.clone()),
        command: command.words(),
        environment,
        timeout: attempt.timeout(),
        array_size: None,
    }
}

/// The share of a queue that the datasets of an output have: the folder's letters and digits, so that people know it
/// again, and a digest, since other folders may have the same.
fn share(root: &OutputRoot) -> String {
    let folder = root.uri.key().rsplit('/').next().unwrap_or_default();
    let known = folder.chars().filter(char::is_ascii_alphanumeric).take(100);
    known
        .chain(digest(&[&root.uri.to_string()]).chars())
        .collect()
}

/// The queue an attempt's job is on.
pub(crate) fn queue_of<'a>(
    bins: &'a MemoryBins,
    settings: &'a Settings,
    attempt: &Attempt,
) -> &'a str {
    if let Some(own) = &settings.job_queue {
        return own;
    }
    let site = bins.site(attempt.memory_bin);
    match (attempt.market, &site.on_demand_queue) {
        (Market::OnDemand, Some(queue)) => queue,
        _ => &site.queue,
    }
}

//! The datasets of a batch as a page holds them: a column for each fact, texts that many share written once, and a
//! limit on what foreign texts may take, so that ten thousand datasets stay below three megabytes.

use std::collections::{HashMap, HashSet};

use caldp_core::layout::Layout;
use jiff::Timestamp;
use serde::Serialize;

use super::super::dataset::{DatasetProgress, Failure};
use crate::order::details::one_line;
use crate::output_root::OutputRoot;
use crate::record::measured::Measured;

/// What explanations may take altogether, in bytes as they are written.
const MAX_EXPLANATIONS: usize = 700_000;
/// What reasons for being in the batch may take altogether, in bytes as they are written.
const MAX_WHYS: usize = 300_000;
/// No longer name of a log stream is shown, in characters.
const MAX_STREAM: usize = 200;
/// What is not known: of numbers and of places in a table of texts.
const UNKNOWN: i64 = -1;
/// What stands for the dataset's name in texts that many datasets share.
const NAME: &str = "{}";

/// The columns, each as long as there are datasets; texts by their place in a table.
#[derive(Debug, Default, Serialize)]
pub(super) struct Columns {
    name: Vec<String>,
    state: Vec<usize>,
    instrument: Vec<i64>,
    directory: Vec<i64>,
    bin: Vec<i64>,
    attempts: Vec<usize>,
    seconds: Vec<i64>,
    limit: Vec<i64>,
    peak_mib: Vec<i64>,
    /// Seconds after `origin`.
    since: Vec<i64>,
    ended: Vec<i64>,
    exit_code: Vec<i64>,
    reason: Vec<i64>,
    explanation: Vec<i64>,
    why: Vec<i64>,
    job: Vec<String>,
    stream: Vec<String>,
    thumbnail: Vec<i64>,
    products: Vec<i64>,
    files: Vec<usize>,
    origin: i64,
    instruments: Texts,
    directories: Texts,
    reasons: Vec<ReasonText>,
    explanations: Texts,
    whys: Texts,
    jobs: Texts,
    streams: Texts,
    thumbnails: Texts,
    product_lists: Texts,
}

/// A reason for failures, what to do about it, and the command for that.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
struct ReasonText {
    reason: String,
    remedy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

/// Texts, each once.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
struct Texts {
    texts: Vec<String>,
    #[serde(skip)]
    places: HashMap<String, i64>,
}

impl Texts {
    fn place(&mut self, text: String) -> i64 {
        let next = i64::try_from(self.texts.len()).unwrap_or(UNKNOWN);
        *self.places.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            next
        })
    }

    fn place_of(&mut self, text: Option<String>) -> i64 {
        text.map_or(UNKNOWN, |text| self.place(text))
    }
}

impl Columns {
    pub(super) fn of(
        datasets: &[DatasetProgress],
        root: Option<&OutputRoot>,
        layout: Layout,
    ) -> Self {
        let origin = datasets
            .iter()
            .flat_map(|d| d.since.into_iter().chain(d.ended));
        let mut columns = Self {
            origin: origin.min().map_or(0, Timestamp::as_second),
            ..Self::default()
        };
        let explanations = datasets
            .iter()
            .filter_map(|d| Some(d.failure.as_ref()?.explanation.as_str()));
        let whys = datasets
            .iter()
            .filter_map(|d| Some(d.why.as_ref()?.as_str()));
        let longest = (share(MAX_EXPLANATIONS, explanations), share(MAX_WHYS, whys));
        let mut reasons = HashMap::new();
        for dataset in datasets {
            columns.add(dataset, layout);
            columns.add_job(dataset);
            columns.add_results(dataset);
            let why = dataset.why.as_ref().map(|why| cut(why.as_str(), longest.1));
            let why = columns.whys.place_of(why);
            columns.why.push(why);
            let text = dataset
                .failure
                .as_ref()
                .map(|f| cut(&f.explanation, longest.0));
            let text = columns.explanations.place_of(text);
            columns.explanation.push(text);
            let reason = dataset
                .failure
                .as_ref()
                .map(|f| reason_text(f, dataset, root));
            let reason = reason.map_or(UNKNOWN, |reason| {
                let next = columns.reasons.len();
                let place = *reasons
                    .entry(reason)
                    .or_insert_with_key(|reason: &ReasonText| {
                        columns.reasons.push(reason.clone());
                        next
                    });
                number(Some(place))
            });
            columns.reason.push(reason);
        }
        columns
    }

    fn add(&mut self, dataset: &DatasetProgress, layout: Layout) {
        let of = &dataset.dataset;
        self.name.push(of.name().to_owned());
        self.state.push(dataset.state as usize);
        let instrument = of.instrument().map_or(of.folder(), |i| i.name());
        self.instrument
            .push(self.instruments.place(instrument.to_owned()));
        let directory = layout.data_dir(of).replace(of.name(), NAME);
        self.directory.push(self.directories.place(directory));
        self.bin.push(
            dataset
                .memory_bin
                .map_or(UNKNOWN, |bin| bin.number().into()),
        );
        self.attempts.push(dataset.attempts);
        self.seconds.push(number(dataset.last_seconds));
        self.limit.push(number(dataset.timeout_seconds));
        let after = |time: Option<Timestamp>| {
            time.map_or(UNKNOWN, |time| (time.as_second() - self.origin).max(0))
        };
        self.since.push(after(dataset.since));
        self.ended.push(after(dataset.ended));
    }

    fn add_job(&mut self, dataset: &DatasetProgress) {
        self.exit_code.push(dataset.exit_code.unwrap_or(UNKNOWN));
        // the children of an array share its id, log streams the name before the last slash
        let job = dataset
            .job_id
            .as_ref()
            .map_or_else(String::new, |id| match id.index() {
                Some(index) => format!(
                    "{}:{index}",
                    self.jobs.place(id.parent().as_str().to_owned())
                ),
                None => id.as_str().to_owned(),
            });
        self.job.push(job);
        let stream = dataset
            .log_stream
            .as_ref()
            .map_or_else(String::new, |stream| {
                let stream = one_line(stream, MAX_STREAM);
                let (prefix, name) = stream.rsplit_once('/').unwrap_or(("", &stream));
                format!("{}/{name}", self.streams.place(prefix.to_owned()))
            });
        self.stream.push(stream);
    }

    fn add_results(&mut self, dataset: &DatasetProgress) {
        let none = Measured::default();
        let measured = dataset.measured.as_ref().unwrap_or(&none);
        let shared = |text: &str| text.replace(dataset.dataset.name(), NAME);
        self.peak_mib
            .push(number(measured.peak_kib.map(|kib| kib / 1024)));
        let thumbnail = measured.thumbnail.as_deref().map(shared);
        self.thumbnail.push(self.thumbnails.place_of(thumbnail));
        // those of its members are in the directory and in the record of the run
        let own = measured
            .products
            .iter()
            .filter(|name| name.contains(dataset.dataset.name()));
        let own: Vec<String> = own.map(|name| shared(name)).collect();
        let products = (!own.is_empty()).then(|| own.join(" "));
        self.products.push(self.product_lists.place_of(products));
        self.files.push(measured.files);
    }
}

fn reason_text(
    failure: &Failure,
    dataset: &DatasetProgress,
    root: Option<&OutputRoot>,
) -> ReasonText {
    ReasonText {
        reason: failure.reason.clone(),
        remedy: failure.remedy.words().to_owned(),
        command: root.map(|root| {
            let command = failure.command(&dataset.dataset, root);
            // the name of the dataset is the first that is in it
            command.replacen(dataset.dataset.name(), NAME, 1)
        }),
    }
}

/// What each of several texts may take of all together; the same text is written once.
fn share<'a>(all: usize, texts: impl Iterator<Item = &'a str>) -> usize {
    all / texts.collect::<HashSet<_>>().len().max(1)
}

/// A text that takes at most about `max` bytes as it is written; that it was longer is seen.
fn cut(text: &str, max: usize) -> String {
    let mut left = max;
    let fits = |c: &char| {
        let takes = match c {
            '<' | '>' | '&' | '"' | '\\' => 6,
            c => c.len_utf8(),
        };
        let fits = takes <= left;
        left = left.saturating_sub(takes);
        fits
    };
    let mut line: String = text.chars().take_while(fits).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}

fn number<T: TryInto<i64>>(number: Option<T>) -> i64 {
    number.and_then(|n| n.try_into().ok()).unwrap_or(UNKNOWN)
}

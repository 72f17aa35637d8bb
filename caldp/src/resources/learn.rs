//! `caldp learn`: fits the model of resources again from measured runs, says how it would have
//! done on them, and installs it when it does no worse than the one in use.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use caldp_core::resources::fit::{self, LeftOut, Runs};
use caldp_core::resources::judge::{Judgement, Knowledge, cross_validate, judge};
use caldp_core::resources::{MODEL_KEY, Model, Refusal, Run};
use caldp_trigger::config::hourly_prices;
use caldp_worker::cli::logging;
use clap::Args;
use storage::hint::{OutputError, answer, say};
use storage::object::Precondition;
use storage::store::{Store, StoreError};
use storage::uri::Location;

use super::{Error, MOST_MODEL, ended, location, model};
use crate::records;
use crate::status::LOGGED;

/// In how many parts proposals are split to judge fits on runs they have not seen.
const PARTS: usize = 5;

/// Fits the model of what runs need again, from tables or outputs.
#[derive(Debug, Args)]
pub(crate) struct LearnArguments {
    /// Tables of measured runs (CSV), or outputs (s3://..., file:..., a directory) with the
    /// provenance.json of processed datasets
    #[arg(required = true, value_name = "RUNS")]
    sources: Vec<String>,
    /// Write the model to a file
    #[arg(long, value_name = "FILE", conflicts_with = "install")]
    output: Option<PathBuf>,
    /// Put the model where the Lambda reads it, control/resources.json of a bucket or directory,
    /// unless it does worse than the one there; without a value: of the output given
    #[arg(long, value_name = "PLACE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    install: Option<String>,
    /// The model in use, where none is installed: a file, instead of the one that comes with the
    /// program
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

pub(crate) fn run(arguments: &LearnArguments) -> ExitCode {
    logging::start(LOGGED, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime);
    ended(runtime.and_then(|runtime| runtime.block_on(learn(arguments))))
}

async fn learn(arguments: &LearnArguments) -> Result<(), Error> {
    let target = match &arguments.install {
        Some(place) => Some(storage::store::open(&place_to_install(place, arguments)?).await),
        None => None,
    };
    let in_use = match &target {
        Some(store) => installed(store.as_ref()).await?,
        None => None,
    };
    let in_use = match in_use {
        Some(model) => model,
        None => model(arguments.model.as_deref())?,
    };
    let prices = hourly_prices()?;
    let runs = read(&arguments.sources).await?;
    let sources = arguments.sources.join(", ");
    tell_left_out(runs.left_out());
    let all: Vec<&Run> = runs.all().iter().collect();
    let model = fit::fit(&all, &sources, &in_use);
    let judged = |model| judge(model, runs.all(), Knowledge::Features, prices);
    let (Some(new), Some(old)) = (judged(&model), judged(&in_use)) else {
        return Err(Error::NoRuns(sources));
    };
    answer(format!(
        "{} runs, {} left out\n",
        runs.all().len(),
        runs.left_out().count()
    ))?;
    tell("the model in use", &old)?;
    tell("the new model, on the runs it was fitted to", &new)?;
    if let Some(crossed) = cross_validate(runs.all(), &in_use, PARTS, prices) {
        tell("fits like it, on proposals they have not seen", &crossed)?;
    }
    if let Some(name) = judge(&model, runs.all(), Knowledge::Name, prices) {
        tell("the new model, from names alone", &name)?;
    }
    let json = || {
        model.to_json().map_err(|source| Error::Model {
            place: "the fit".to_owned(),
            source,
        })
    };
    if let Some(path) = &arguments.output {
        write(path, &json()?)?;
    }
    if let Some(store) = target {
        if let Some(reason) = new.worse_than(&old) {
            return Err(Error::Worse(reason));
        }
        store
            .put_bytes(MODEL_KEY, json()?.into(), &Precondition::None)
            .await
            .map_err(at(store.as_ref()))?;
        answer(format!("installed: {store}/{MODEL_KEY}\n"))?;
    }
    Ok(())
}

fn at(store: &dyn Store) -> impl FnOnce(StoreError) -> Error {
    let place = store.to_string();
    move |source| Error::Store { place, source }
}

fn write(path: &Path, json: &str) -> Result<(), Error> {
    storage::atomic::replace(path, json.as_bytes()).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })?;
    answer(format!("written: {}\n", path.display()))?;
    Ok(())
}

/// Where the Lambda of an output reads its model: the bucket, or the directory itself.
fn place_to_install(place: &str, arguments: &LearnArguments) -> Result<Location, Error> {
    if !place.is_empty() {
        return location(place).ok_or(Error::Place);
    }
    let mut outputs = arguments.sources.iter().filter_map(|text| location(text));
    match (outputs.next(), outputs.next()) {
        (Some(Location::S3(uri)), None) => {
            location(&format!("s3://{}", uri.bucket())).ok_or(Error::Place)
        }
        (Some(directory), None) => Ok(directory),
        _ => Err(Error::Place),
    }
}

async fn installed(store: &dyn Store) -> Result<Option<Model>, Error> {
    if store.head(MODEL_KEY).await.map_err(at(store))?.is_none() {
        return Ok(None);
    }
    let (json, _) = store
        .get_bytes(MODEL_KEY, MOST_MODEL)
        .await
        .map_err(at(store))?;
    let place = format!("{store}/{MODEL_KEY}");
    Model::parse(&json)
        .map(Some)
        .map_err(|source| Error::Model { place, source })
}

async fn read(sources: &[String]) -> Result<Runs, Error> {
    let mut runs = Runs::default();
    for source in sources {
        if let Some(location) = location(source) {
            add_output(&mut runs, &storage::store::open(&location).await).await?;
            continue;
        }
        let path = Path::new(source);
        let file = File::open(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        runs.add_table(file, source)
            .map_err(|source| Error::Table {
                path: path.to_owned(),
                source,
            })?;
    }
    Ok(runs)
}

/// Takes in the records of all runs in an output.
async fn add_output(runs: &mut Runs, store: &Arc<dyn Store>) -> Result<(), Error> {
    let taken = records::each(store, std::future::ready, |(key, record): records::Read| {
        let name = record.as_ref().map_or("", |r| r.dataset.name()).to_owned();
        let added = record
            .map_err(|_| Refusal::Line)
            .and_then(|record| Run::of_record(&record))
            .and_then(|run| runs.add(run));
        if let Err(refusal) = added {
            runs.leave_out(format!("{store}/{key}"), &name, refusal);
        }
        true
    });
    taken.await.map(drop).map_err(at(store.as_ref()))
}

fn tell_left_out(left_out: &LeftOut) {
    for (place, name, refusal) in &left_out.first {
        say(format_args!(
            "caldp: left out: {place}: {name:?}: {refusal}"
        ));
    }
    if left_out.count() > left_out.first.len() {
        for (reason, count) in &left_out.reasons {
            say(format_args!("caldp: left out in all: {count}: {reason}"));
        }
    }
}

fn tell(who: &str, judged: &Judgement) -> Result<(), OutputError> {
    answer(format!(
        "{who}: cost {:.3} times perfect knowledge, {} killed at their limit, {} climb, limits \
         {:.1} times the real time at the median, the closest run at {:.0} % of its limit\n",
        judged.cost_ratio,
        judged.killed,
        judged.climbed,
        judged.median_limit_ratio,
        judged.closest * 100.0,
    ))
}

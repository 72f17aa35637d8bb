//! CRDS: the cache, the context and where it comes from, the rules, and the reference files that
//! the inputs at hand would be given.
//!
//! Everything is looked at through a client that may not write, so that the cache is afterwards
//! what it was. What that client would have to fetch is what a run would.

use super::finding::{Area, Finding, Level};
use super::place::Place;
use super::{PATIENCE, Situation, access};
use crate::config::variables::{CONTEXT, SHARED_REFERENCES};
use crate::config::{Setting, Settings};
use crate::operators;
use caldp_core::dataset::{Dataset, Instrument};
use crds_core::cache::layout::CacheLayout;
use crds_core::config::{Config, FileUri, Part};
use crds_core::{AssignOptions, Client, ClientError, Observatory};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storage::blocking;
use storage::hint::{Hint, with_causes};
use storage::s3::Access;

/// How long a server may take for one answer.
const ANSWER: Duration = Duration::from_secs(5);

fn finding(subject: &str, level: Level, text: impl Display) -> Finding {
    Finding::new(Area::References, subject, level, text)
}

fn problem(subject: &str, error: &impl Hint) -> Finding {
    Finding::of_error(Area::References, subject, Level::Problem, error)
}

/// The settings with which a run would ask CRDS, and what is to be said of the operators' choice.
async fn settings_of_run(situation: &Situation) -> (Settings, Option<Finding>) {
    let mut settings = situation.settings.clone();
    let bucket = situation.request.output.bucket();
    let (None, Some(bucket)) = (settings.get(CONTEXT), bucket) else {
        return (settings, None);
    };
    let subject = "operators' context";
    let s3 = access::client(Access::Environment).await;
    let choosing = operators::choose(&mut settings, &s3, bucket);
    let found = match tokio::time::timeout(PATIENCE, choosing).await {
        Err(_) => {
            let text = format!("no answer within {} s", PATIENCE.as_secs());
            finding(subject, Level::Problem, text).hint("check the network and AWS_ENDPOINT_URL")
        }
        Ok(Err(error)) => Finding::of_error(Area::References, subject, Level::Problem, &error),
        Ok(Ok(None)) => finding(
            subject,
            Level::Note,
            format!("none is chosen in s3://{bucket}"),
        ),
        Ok(Ok(Some((context, place)))) => finding(
            subject,
            Level::Ok,
            format!("{context} is chosen by {place}"),
        ),
    };
    (settings, Some(found))
}

pub(super) async fn check(situation: Arc<Situation>) -> Vec<Finding> {
    let (settings, chosen) = settings_of_run(&situation).await;
    let config = match Config::from_vars(settings.variables()) {
        Ok(config) => config,
        Err(error) => return vec![problem("settings", &error)],
    };
    let mut findings: Vec<Finding> = config
        .unknown()
        .iter()
        .map(|name| {
            finding(name, Level::Warning, "is set but means nothing")
                .hint("check its spelling; `crds env` lists what does")
        })
        .collect();
    findings.extend(chosen);
    let layout = CacheLayout::new(&config.locations, Observatory::Hst);
    let (cache, usable) = cache(&config, &layout);
    findings.extend(cache);
    findings.extend(
        settings
            .get(SHARED_REFERENCES)
            .map(|folder| shared(folder.as_ref())),
    );
    if !usable {
        return findings;
    }
    let found = tokio::time::timeout(PATIENCE, rules(&situation, &settings, &config)).await;
    findings.extend(found.unwrap_or_else(|_| {
        let text = format!("no answer within {} s", PATIENCE.as_secs());
        vec![
            finding("rules", Level::Problem, text)
                .hint("check the network, and where the configuration says the rules are"),
        ]
    }));
    findings
}

/// The folders of the cache; whether they can be used as they are.
fn cache(config: &Config, layout: &CacheLayout) -> (Vec<Finding>, bool) {
    let readonly = config.readonly_cache;
    let mut findings = Vec::new();
    let folders = [
        ("cache: references", &layout.references),
        ("cache: configuration", &layout.config),
    ];
    for (subject, folder) in folders {
        let (level, text) = judged(&Place::of(folder), folder, readonly);
        let finding = finding(subject, level, text).detail("path", folder.display().to_string());
        findings.push(match level {
            Level::Ok => finding,
            _ => finding.hint(CACHE_HINT),
        });
    }
    let usable = findings.iter().all(|found| found.level == Level::Ok);
    (findings, usable)
}

/// The folder in which jobs share references; a run that cannot use it shares none.
fn shared(folder: &Path) -> Finding {
    let shown = folder.display();
    match Place::of(folder) {
        Place::Writable | Place::Creatable(_) => {
            let text = format!("are shared with other jobs in {shown}");
            finding("shared references", Level::Ok, text)
        }
        _ => {
            let text = format!("are not shared, {shown} cannot be written");
            let hint = format!(
                "mount a directory there that any job can write, or unset {SHARED_REFERENCES}"
            );
            finding("shared references", Level::Warning, text).hint(hint)
        }
    }
}

const CACHE_HINT: &str = "set CRDS_PATH to a filled cache, or to a directory that can be written \
    with CRDS_READONLY_CACHE=0; caldp-config-offsite keeps one in ~/crds_cache";

fn judged(place: &Place, folder: &Path, readonly: bool) -> (Level, String) {
    let shown = folder.display();
    match (place, readonly) {
        (Place::Writable, false) => (Level::Ok, format!("{shown} can be written")),
        (Place::Writable | Place::ReadOnly, true) => {
            (Level::Ok, format!("{shown} is read, never written"))
        }
        (Place::Creatable(_), false) => (Level::Ok, format!("{shown} will be made")),
        (Place::ReadOnly, false) => (
            Level::Problem,
            format!("{shown} cannot be written, and CRDS_READONLY_CACHE is not set"),
        ),
        (Place::Creatable(_), true) => (
            Level::Problem,
            format!("{shown} is not there, and is not to be made: CRDS_READONLY_CACHE is set"),
        ),
        (Place::Absent(above), _) => (
            Level::Problem,
            format!(
                "{shown} is not there, and {} cannot be written",
                above.display()
            ),
        ),
        (Place::NoDirectory, _) => (Level::Problem, format!("{shown} is no directory")),
        (Place::Unreadable(why), _) => (Level::Problem, format!("{shown} cannot be read: {why}")),
    }
}

/// The settings of a client that looks and does not touch.
fn looking(config: &Config) -> Config {
    let mut config = config.clone();
    config.readonly_cache = true;
    config.retry_count = 1;
    config.timeout = ANSWER.min(config.timeout);
    config
}

async fn rules(situation: &Situation, settings: &Settings, config: &Config) -> Vec<Finding> {
    let client = Client::new(looking(config), Observatory::Hst);
    let mut findings = vec![match client.references() {
        Ok(places) => finding(
            "cache: layout",
            Level::Ok,
            format!("references are sorted: {}", places.mode().name()),
        ),
        Err(error) => problem("cache: layout", &error),
    }];
    let (server, context) = context(settings, config, &client).await;
    findings.extend(server);
    let context = match context {
        // Who should have said it is known to be silent.
        None => return findings,
        Some(Ok((name, origin))) => {
            let text = format!("{name}, {origin}");
            let found = finding("context", Level::Ok, text);
            findings.push(found.detail("context", &name).detail("origin", origin));
            name
        }
        Some(Err(error)) => {
            findings
                .push(problem("context", &error).hint(
                    "set CRDS_CONTEXT=hst_<number>.pmap, or fill the cache with `crds sync`",
                ));
            return findings;
        }
    };
    let dataset = situation.request.dataset.as_ref();
    let instruments = match dataset.and_then(Dataset::instrument) {
        Some(instrument) => vec![instrument],
        None => Instrument::ALL.to_vec(),
    };
    let (found, complete) = loaded(&client, &context, &instruments).await;
    findings.push(found);
    if complete && let Some(dataset) = dataset {
        findings.extend(chosen(situation, dataset, config, &context).await);
    }
    findings
}

/// What is known of the server, and the context a run would use with where it comes from; no
/// context when who should have named it is silent.
async fn context(
    settings: &Settings,
    config: &Config,
    cached: &Client,
) -> (
    Option<Finding>,
    Option<Result<(String, String), ClientError>>,
) {
    let from = async |client: &Client, place: String| {
        let name = client.context_name(None).await?.to_string();
        Ok((name, named_by(settings).unwrap_or(place)))
    };
    if let Some(uri) = &config.config_uri {
        let place = format!("as {} says", uri.file("server_config"));
        return (None, Some(from(cached, place).await));
    }
    let file = cached.layout().server_config();
    let in_cache = format!("as {} says", file.display());
    if config.is_serverless() || (config.readonly_cache && file.exists()) {
        let text = "none is asked: the cache says everything";
        let found = finding("server", Level::Ok, text);
        return (Some(found), Some(from(cached, in_cache).await));
    }
    let url = config.server_url.clone().unwrap_or_default();
    match asking(config).await {
        Ok((_, client)) => {
            let found = finding("server", Level::Ok, format!("{url} answers"));
            let place = format!("as {url} says");
            (Some(found), Some(from(&client, place).await))
        }
        Err(error) => {
            let kept = file.exists();
            let level = if kept { Level::Warning } else { Level::Problem };
            let found = finding("server", level, format!("{url} cannot be asked: {error}"))
                .hint("check the network and CRDS_SERVER_URL");
            let context = if kept {
                Some(from(cached, in_cache).await)
            } else {
                None
            };
            (Some(found), context)
        }
    }
}

/// Where the name of the context is from, if it was given.
fn named_by(settings: &Settings) -> Option<String> {
    let (_, setting) = settings.iter().find(|(name, _)| *name == CONTEXT)?;
    let Setting { value, origin } = setting;
    (!value.is_empty()).then(|| format!("as CRDS_CONTEXT={value} ({origin}) says"))
}

/// A client that has asked the server, because it has no configuration in its cache, which is a
/// directory that goes with what is returned.
async fn asking(config: &Config) -> Result<(tempfile::TempDir, Client), String> {
    let empty = tempfile::tempdir()
        .map_err(|error| format!("no temporary directory can be made: {error}"))?;
    let mut config = looking(config);
    config.locations.config = Part {
        all: None,
        single: Some(empty.path().join("config")),
    };
    let client = Client::new(config, Observatory::Hst);
    match client.server_config().await {
        Ok(_) => Ok((empty, client)),
        Err(error) => Err(with_causes(&error).to_string()),
    }
}

/// Whether the rules can be had; those of each instrument are loaded on their own, as runs do.
async fn loaded(client: &Client, context: &str, wanted: &[Instrument]) -> (Finding, bool) {
    for instrument in wanted {
        let loaded = client.rules(context, Some(instrument.name())).await;
        if let Err(error) = loaded {
            return (problem("rules", &error), false);
        }
    }
    let names: Vec<&str> = wanted.iter().map(|instrument| instrument.name()).collect();
    let layout = client.layout();
    let kept = layout.mapping(context).exists() || layout.pickle(context).exists();
    let place = if kept {
        "are in the cache"
    } else {
        "can be fetched"
    };
    let text = format!("those of {context} for {} {place}", names.join(", "));
    (finding("rules", Level::Ok, text), true)
}

/// Which references the inputs at hand would get, and which of them the cache lacks.
async fn chosen(
    situation: &Situation,
    dataset: &Dataset,
    config: &Config,
    context: &str,
) -> Option<Finding> {
    let (inputs, of) = (situation.inputs.clone(), dataset.clone());
    // Unpacked files are there as long as this is.
    let found = match blocking::run(move || inputs.raw_files(&of)).await? {
        Ok(found) => found,
        Err(error) => {
            let subject = "raw files";
            return Some(Finding::of_error(
                Area::Inputs,
                subject,
                Level::Problem,
                &error,
            ));
        }
    };
    let raw = found.paths();
    let client = Client::new(looking(config), Observatory::Hst);
    let options = AssignOptions {
        context: context.parse().ok(),
        ..AssignOptions::default()
    };
    let assignments = match client.assign(&raw, &options).await {
        Ok(assignments) => assignments,
        Err(error) => return Some(problem("references", &error)),
    };
    if let Err(error) = assignments.check() {
        return Some(problem("references", &error));
    }
    let wanted = assignments.references().len();
    let found = format!(
        "all {wanted} of the inputs ({} raw) are in the cache",
        raw.len()
    );
    Some(
        match client.fetch_references(assignments.references(), &()).await {
            Ok(_) => finding("references", Level::Ok, found),
            Err(ClientError::ReadOnly { names }) => missing(config, &names, wanted),
            Err(error) => problem("references", &error),
        },
    )
}

/// What becomes of references that the cache lacks, of so many that are wanted.
fn missing(config: &Config, names: &[String], wanted: usize) -> Finding {
    let count = names.len();
    let names = names.join(", ");
    let lacks = format!("{count} of {wanted} are not in the cache");
    let found = match (config.readonly_cache, origin_of_references(config)) {
        (true, _) => finding(
            "references",
            Level::Problem,
            format!("{lacks}, which is not to be written: {names}"),
        )
        .hint("fill the cache with `crds sync`, or set CRDS_READONLY_CACHE=0"),
        (false, None) => finding(
            "references",
            Level::Problem,
            format!("{lacks}, and nothing says where they are: {names}"),
        )
        .hint("set CRDS_REFERENCE_URI or CRDS_SERVER_URL, or fill the cache with `crds sync`"),
        (false, Some(origin)) => {
            let text = format!("{count} of {wanted} will be fetched from {origin}: {names}");
            finding("references", Level::Ok, text)
        }
    };
    found.detail("missing", names)
}

/// Where references that are missing would come from.
fn origin_of_references(config: &Config) -> Option<String> {
    match &config.reference_uri {
        Some(FileUri::Dir(folder)) => Some(folder.display().to_string()),
        Some(uri) => Some(uri.file("").trim_end_matches('/').to_owned()),
        None if config.is_serverless() => None,
        None => config.server_url.clone(),
    }
}

//! `caldp plan`: which datasets would get other references from other rules, and what running them
//! again will cost.
//!
//! The rules and what they answer are [`crds_core`]; here are the sources of datasets, what counts as
//! a change, and what is said of it.

mod differences;
mod error;
mod finding;
mod judge;
mod list;
mod pipeline;
mod report;
mod rules;
mod source;
mod sums;
mod tables;
mod totals;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

use caldp_core::exit_code::ExitCode as Code;
use caldp_trigger::config::hourly_prices;
use caldp_worker::cli::logging;
use clap::Args;
use crds_core::names::ContextName;
use crds_core::{Client, Config, Observatory};
use crds_core::{TableRows, Tables};
use storage::hint::{answered, explain, parsed, say};
use tokio::runtime::Runtime;

use crate::status::LOGGED;

use self::error::PlanError;
use self::finding::Finding;
use self::judge::{Judge, Question};
use self::list::BatchList;
use self::report::{About, Told};
use self::rules::Rules;
use self::source::{Questions, files, lines, records, server};
use self::sums::Sums;
use self::totals::{Listing, Totals};

/// Something changes.
const CHANGES: u8 = 3;

/// Nothing that is known changes, but not everything is known.
const UNKNOWN: u8 = 4;

/// The most threads that ask rules.
const MAX_JUDGES: usize = 16;

/// Says which datasets would get other references from other rules.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// Where datasets are known from: an output with provenance.json (s3://..., file:..., a
    /// directory), FITS files in a directory, JSON lines of headers (a file; - for standard input),
    /// or the catalogue of a CRDS server (https://...)
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// The rules datasets were processed with; without it, those that each dataset names
    #[arg(long, value_name = "CONTEXT", value_parser = parsed::<ContextName>)]
    old_context: Option<ContextName>,
    /// The rules they would be processed with; without it, those of `CRDS_CONTEXT` or in use
    #[arg(long, value_name = "CONTEXT", value_parser = parsed::<ContextName>)]
    new_context: Option<ContextName>,
    /// Only datasets of these instruments
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    instrument: Vec<String>,
    /// Only references of these types, like darkfile
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Count types as well whose step is switched off in the header of the dataset
    #[arg(long)]
    all_types: bool,
    /// Fetch reference tables that are not in the cache, to see whether rows that a dataset uses
    /// changed
    #[arg(long)]
    fetch_tables: bool,
    /// Only datasets observed on this day or later
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    since: Option<String>,
    /// Write a batch list for caldp submit, in which each dataset says why it is there
    #[arg(long, value_name = "FILE", value_parser = parse_list)]
    ids: Option<PathBuf>,
    /// List only as many datasets as are expected to cost at most so many US dollars
    #[arg(long, value_name = "DOLLARS", value_parser = parse_dollars)]
    limit_cost: Option<f64>,
    /// The model of what runs need, of a file that caldp learn wrote
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// One JSON object a line for each dataset of which there is something to say, then the summary
    #[arg(long)]
    json: bool,
}

impl PlanArguments {
    pub(crate) const HELP: &'static str = "\
Lines of headers: {\"id\": \"j8cb010b0\", \"header\": {\"INSTRUME\": \"ACS\", ...}}, perhaps with \"context\".
What counts: another file, a file where none applied, none where one did, a file that was withdrawn.
What does not: a type whose step is switched off (OMIT), a file that was only renamed, a table of
which the dataset uses no row that changed (where both tables can be read).
Costs are in US dollars, with the prices of CALDP_HOURLY_PRICES (four, by memory bin) or those of
infra/README.md; the answer names those it took.
Exit status: 0 nothing changes; 3 something does; 4 nothing that is known changes, but not all is
known; 1 the question could not be asked.";
}

fn parse_day(text: &str) -> Result<String, String> {
    let shaped = judge::day(text).filter(|day| day.len() == text.len());
    let day = shaped.filter(|day| day.parse::<jiff::civil::Date>().is_ok());
    day.map(str::to_owned)
        .ok_or("a day of the calendar is YYYY-MM-DD".to_owned())
}

fn parse_dollars(text: &str) -> Result<f64, String> {
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|n| n.is_finite() && *n >= 0.0);
    number.ok_or("a cost is a number of US dollars".to_owned())
}

fn parse_list(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let extension = path.extension().and_then(|e| e.to_str());
    match extension {
        Some("csv" | "json" | "yaml" | "yml") => {
            Err("a list of lines is written: name it .ids or .txt".to_owned())
        }
        _ => Ok(path),
    }
}

pub(crate) fn run(arguments: &PlanArguments) -> ExitCode {
    logging::start(LOGGED, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(PlanError::Runtime);
    match runtime.and_then(|runtime| plan(arguments, &runtime)) {
        Ok(totals) if totals.all_affected() > 0 => ExitCode::from(CHANGES),
        Ok(totals) if totals.unknown > 0 || totals.failed > 0 => ExitCode::from(UNKNOWN),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("caldp: {}", explain(&error)));
            ExitCode::from(Code::Generic.number())
        }
    }
}

fn plan(arguments: &PlanArguments, runtime: &Runtime) -> Result<Totals, PlanError> {
    let contexts = [&arguments.new_context, &arguments.old_context];
    let observatory = contexts
        .into_iter()
        .flatten()
        .find_map(ContextName::observatory);
    let mut config = Config::from_env()?;
    if is_server(&arguments.from) {
        if arguments.old_context.is_none() {
            return Err(PlanError::NoOldContext);
        }
        config.set("CRDS_SERVER_URL", &arguments.from, "--from")?;
    }
    let client = Client::new(config, observatory.unwrap_or(Observatory::Hst));
    let rules = Rules::load(client, arguments.new_context.as_ref());
    let rules = runtime.block_on(rules).map_err(PlanError::rules)?;
    let server = runtime.block_on(rules.client().server_config());
    let sums = Sums::new(server.map_err(PlanError::rules)?, rules.new_rules());
    let question = arguments.question(runtime, &rules)?;
    let about = About {
        from: arguments.from.clone(),
        old_context: question.old.clone(),
        new_context: rules.new_rules().name().to_string(),
        hourly_prices: question.prices,
    };
    let threads = available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_JUDGES);
    let rows = TableRows::new(rules.client(), arguments.tables());
    let judges = (0..threads).map(|_| {
        let tables = tables::Tables::new(&rows, rules.handle());
        Judge::new(&rules, &sums, tables, &question)
    });
    let mut answer = Answer::new(arguments, &about)?;
    let (from, judges) = (arguments.from.as_str(), judges.collect());
    let source = |give: &mut dyn FnMut(Questions) -> bool| read(from, &rules, &question, give);
    let read = pipeline::run(source, judges, |answered| {
        answer.totals.add_asked(&answered);
        for finding in &answered.findings {
            answer.take(finding);
        }
    });
    read?;
    if answer.totals.all_asked() == 0 && answer.totals.left_out == 0 {
        return Err(PlanError::NoDatasets(about.from));
    }
    answer.finish(&about)
}

impl PlanArguments {
    const fn tables(&self) -> Tables {
        if self.fetch_tables {
            Tables::Fetched
        } else {
            Tables::Cached
        }
    }

    fn question(&self, runtime: &Runtime, rules: &Rules) -> Result<Question, PlanError> {
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect();
        let (instruments, types): (Vec<String>, Vec<String>) =
            (lower(&self.instrument), lower(&self.types));
        let known: Vec<&str> = rules.new_rules().instruments().collect();
        if let Some(name) = instruments
            .iter()
            .find(|name| !known.contains(&name.as_str()))
        {
            return Err(PlanError::Instrument {
                name: name.clone(),
                known: known.into_iter().map(str::to_owned).collect(),
            });
        }
        let asked = |name: &&str| instruments.is_empty() || instruments.iter().any(|i| i == name);
        let all = known.into_iter().filter(asked);
        let all = all.filter_map(|name| rules.new_rules().reference_types(name));
        let all: BTreeSet<String> = all.flatten().map(|name| name.as_str().to_owned()).collect();
        if let Some(name) = types.iter().find(|name| !all.contains(*name)) {
            return Err(PlanError::Type {
                name: name.clone(),
                known: all.into_iter().collect(),
            });
        }
        let old = match &self.old_context {
            Some(name) => {
                let name = runtime.block_on(rules.client().context_file(Some(name)));
                Some(name.map_err(PlanError::rules)?)
            }
            None => None,
        };
        if let Some(name) = &old {
            rules
                .old_rules(name)
                .map_err(|reason| PlanError::OldRules {
                    name: name.clone(),
                    reason,
                })?;
        }
        Ok(Question {
            old,
            instruments,
            types,
            all_types: self.all_types,
            since: self.since.clone(),
            model: crate::resources::model(self.model.as_deref())?,
            prices: hourly_prices()?,
        })
    }
}

/// Whether a source is the address of a CRDS server.
fn is_server(from: &str) -> bool {
    from.starts_with("https://") || from.starts_with("http://")
}

/// Reads a source and gives what it has in batches.
fn read(
    from: &str,
    rules: &Rules,
    question: &Question,
    give: &mut dyn FnMut(Questions) -> bool,
) -> Result<(), PlanError> {
    let unreadable = |source| PlanError::Read {
        from: from.to_owned(),
        source,
    };
    if from == "-" {
        return lines::read(io::stdin().lock(), give).map_err(unreadable);
    }
    if is_server(from) {
        let all = || rules.new_rules().instruments().map(str::to_owned).collect();
        let instruments = match question.instruments.as_slice() {
            [] => all(),
            asked => asked.to_vec(),
        };
        let context = rules.new_rules().name().to_string();
        let since = question.since.as_deref();
        let read = server::read(rules.client(), &context, &instruments, since, give);
        return rules
            .handle()
            .block_on(read)
            .map_err(|error| PlanError::Server {
                from: from.to_owned(),
                source: Box::new(error),
            });
    }
    let path = Path::new(from);
    if path.is_file() && !files::is_fits(path) {
        let file = File::open(path).map_err(unreadable)?;
        return lines::read(file, give).map_err(unreadable);
    }
    if path.is_file() || (path.is_dir() && !records::are_in(path)) {
        return files::read_all(path, give).map_err(unreadable);
    }
    let location =
        crate::resources::location(from).ok_or_else(|| PlanError::Source(from.to_owned()))?;
    let read = async {
        let store = storage::store::open(&location).await;
        records::read(&store, rules.new_rules(), give).await
    };
    rules
        .handle()
        .block_on(read)
        .map_err(|source| PlanError::Store {
            from: from.to_owned(),
            source,
        })
}

/// What is said while findings come.
struct Answer {
    totals: Totals,
    out: BufWriter<io::Stdout>,
    list: Option<BatchList>,
    told: Told,
    json: bool,
    limit: Option<f64>,
    /// How writing to `out` went until now.
    written: io::Result<()>,
    /// The first failure to write the list; the rest of the plan is still said.
    failed: Option<(PathBuf, io::Error)>,
    ids: Option<PathBuf>,
}

impl Answer {
    fn new(arguments: &PlanArguments, about: &About) -> Result<Self, PlanError> {
        let old = about.old_context.as_deref().unwrap_or("own contexts");
        let title = format!("caldp plan: {old} -> {}, {}", about.new_context, about.from);
        let list = match &arguments.ids {
            Some(path) => {
                Some(
                    BatchList::create(path, &title).map_err(|source| PlanError::Write {
                        path: path.clone(),
                        source,
                    })?,
                )
            }
            None => None,
        };
        Ok(Self {
            totals: Totals::default(),
            out: BufWriter::new(io::stdout()),
            written: Ok(()),
            list,
            told: Told::default(),
            json: arguments.json,
            limit: arguments.limit_cost,
            failed: None,
            ids: arguments.ids.clone(),
        })
    }

    fn take(&mut self, finding: &Finding) {
        let listing = self.totals.add(finding, self.limit);
        if self.json {
            if self.written.is_ok() {
                self.written = report::finding(&mut self.out, finding);
            }
        } else {
            self.told.tell(finding);
        }
        if let (Some(Listing::New), Some(list)) = (listing, &mut self.list)
            && let Err(error) = list.add(finding)
        {
            self.list = None;
            self.failed = self.ids.clone().map(|path| (path, error));
        }
    }

    fn finish(mut self, about: &About) -> Result<Totals, PlanError> {
        self.told.end();
        let summary = if self.json {
            report::summary(&mut self.out, about, &self.totals)
        } else {
            report::text(&mut self.out, about, &self.totals)
        };
        let written = self.written.and(summary).and_then(|()| self.out.flush());
        let answered = answered(written);
        let written = self.list.take().map(BatchList::finish);
        let failed = self.failed.take().or_else(|| {
            let error = written.and_then(Result::err)?;
            self.ids.clone().map(|path| (path, error))
        });
        match failed {
            Some((path, source)) => Err(PlanError::Write { path, source }),
            None => answered.map(|()| self.totals).map_err(PlanError::from),
        }
    }
}

//! Where the headers of `crds bestrefs` come from: files, JSON, or the server's catalogue.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{AUTO, Args};
use crate::catalogue::{self, same_id};
use crate::failure::Failure;
use crds_core::bestrefs::Outcome;
use crds_core::header::Header;
use crds_core::rules::{Concerned, RulesChanges};
use crds_core::{
    Assignments, Client, DatasetHeader, FileAssignment, UnreadableDataset, header_of_json,
};

/// The longest file of headers that is read, in bytes. All of them are kept in memory.
const MAX_FILE: u64 = 1 << 30;

/// What is to be evaluated.
#[derive(Debug)]
pub(super) enum Inputs {
    /// Files, read when they are evaluated.
    Files(Vec<PathBuf>),
    /// Headers by id, in the order of the ids.
    Headers(BTreeMap<String, Header>),
}

impl Inputs {
    pub(super) fn datasets(&self) -> Vec<Result<DatasetHeader, Box<UnreadableDataset>>> {
        match self {
            Self::Files(files) => files.iter().map(|path| DatasetHeader::read(path)).collect(),
            Self::Headers(headers) => headers
                .iter()
                .map(|(id, header)| DatasetHeader::new(id.as_ref(), header.clone()))
                .collect(),
        }
    }

    /// Writes the headers, one `{"id": {header}}` on each line; with answers, these in place of what
    /// the headers say.
    pub(super) fn save(&self, path: &Path, answers: Option<&Assignments>) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::fatal(format!("{}: {error}", path.display()));
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(failed)?);
        let answers: HashMap<&Path, &FileAssignment> = answers
            .into_iter()
            .flat_map(|all| all.files.iter().map(|file| (&*file.path, file)))
            .collect();
        let mut save = |id: &str, header: &Header| {
            let fields = header
                .iter()
                .map(|(key, value)| (key.to_owned(), value.into()));
            let mut fields: Map<String, Value> = fields.collect();
            let answers = answers.get(Path::new(id)).into_iter();
            fields.extend(answers.flat_map(|file| &file.types).map(|assigned| {
                let keyword = assigned.reference_type.as_str().to_uppercase();
                (keyword, answer(&assigned.outcome).into())
            }));
            writeln!(file, "{}", json!({id: fields})).map_err(failed)
        };
        match self {
            Self::Headers(headers) => {
                for (id, header) in headers {
                    save(id, header)?;
                }
            }
            Self::Files(files) => {
                for path in files {
                    if let Ok(header) = crds_core::dataset::read(path) {
                        save(&path.display().to_string(), &header)?;
                    }
                }
            }
        }
        file.flush().map_err(failed)
    }
}

/// An answer as headers have it that the server keeps: upper case.
fn answer(outcome: &Outcome) -> String {
    let answer = match outcome {
        Outcome::File(name) => name.to_string(),
        Outcome::NotApplicable => "N/A".to_owned(),
        Outcome::NoMatch => "NOT FOUND No match found.".to_owned(),
        Outcome::Ambiguous(names) => format!("NOT FOUND several files fit: {}", names.join(", ")),
        Outcome::Error(failure) => format!("NOT FOUND {failure}"),
    };
    answer.to_uppercase()
}

/// Finds the headers that the options name.
pub(super) async fn gather(
    args: &Args,
    files: Vec<String>,
    client: &Client,
) -> Result<Inputs, Failure> {
    let wanted = |id: &str| {
        let named = |names: &[String]| names.iter().any(|name| same_id(name, id));
        (args.only_ids.is_empty() || named(&args.only_ids)) && !named(&args.drop_ids)
    };
    if !files.is_empty() {
        let mut files: Vec<PathBuf> = files
            .iter()
            .filter(|file| wanted(file))
            .map(PathBuf::from)
            .collect();
        files.sort();
        files.dedup();
        args.found_some(!files.is_empty())?;
        return Ok(Inputs::Files(files));
    }
    let asks_server = !args.datasets.is_empty()
        || !args.instruments.is_empty()
        || args.all_instruments
        || args.diffs_only;
    if !asks_server && args.load_pickles.is_empty() {
        return Err(Failure::said(
            1,
            "nothing says what to choose references for",
            "give --files, --headers, --load-pickles, --datasets, --instruments or --all-instruments",
        ));
    }
    if !asks_server && args.datasets_since.is_some() {
        return Err(Failure::misuse(
            "--datasets-since chooses among the datasets of the server's catalogue",
            "give --instruments, --all-instruments or --diffs-only",
        ));
    }
    let mut headers = if asks_server {
        from_server(args, client).await?
    } else {
        BTreeMap::new()
    };
    load(&args.load_pickles, &mut headers)?;
    // Where nothing is different nothing is asked about.
    if headers.is_empty() && !args.diffs_only {
        return Err(Failure::said(1, "there is not a single header", None));
    }
    headers.retain(|id, _| wanted(id));
    args.found_some(!headers.is_empty())?;
    Ok(Inputs::Headers(headers))
}

impl Args {
    /// Fails if the ids that were asked for are nowhere.
    pub(super) fn found_some(&self, some: bool) -> Result<(), Failure> {
        if some || self.only_ids.is_empty() {
            return Ok(());
        }
        let ids = self.only_ids.join(" ");
        let text = format!("none of the datasets is one of those of --only-ids: {ids}");
        Err(Failure::said(1, text, None))
    }
}

/// Adds the headers of the files. What is known of a header already is corrected, field by field.
fn load(paths: &[PathBuf], headers: &mut BTreeMap<String, Header>) -> Result<(), Failure> {
    for path in paths {
        let failed = |reason: String| Failure::fatal(format!("{}: {reason}", path.display()));
        tracing::info!("Loading file '{}'", path.display());
        if path
            .extension()
            .is_some_and(|e| e == "pkl" || e == "pickle")
        {
            return Err(Failure::refused(
                format!(
                    "{}: headers are read from JSON only, not from pickles",
                    path.display()
                ),
                "the Python client's --save-pickle x.json writes it",
            ));
        }
        let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        if size > MAX_FILE {
            return Err(Failure::refused(
                format!(
                    "{}: it has {size} bytes, more than the {MAX_FILE} that are read",
                    path.display()
                ),
                "--headers reads one line after another, however many there are",
            ));
        }
        let text = std::io::BufReader::new(file.take(MAX_FILE));
        let values = serde_json::Deserializer::from_reader(text).into_iter::<Map<String, Value>>();
        for value in values {
            for (id, fields) in value.map_err(|error| failed(error.to_string()))? {
                let Value::Object(fields) = fields else {
                    return Err(failed(format!("{id}: its header is not an object")));
                };
                let header =
                    header_of_json(&fields).map_err(|reason| failed(format!("{id}: {reason}")))?;
                let known = headers.entry(id).or_default();
                for (key, value) in header.iter() {
                    known.set(key, value);
                }
            }
        }
    }
    Ok(())
}

async fn from_server(args: &Args, client: &Client) -> Result<BTreeMap<String, Header>, Failure> {
    let context = client.context_file(args.new_context.as_ref()).await?;
    let mut instruments = args.instruments.clone();
    if args.all_instruments {
        let rules = client.rules(&context, None).await?;
        instruments = rules.instruments().map(str::to_owned).collect();
    }
    let auto = args.datasets_since.as_deref() == Some(AUTO);
    let since = args.datasets_since.as_deref().filter(|_| !auto);
    let mut asked: Vec<(String, Option<String>)> = instruments
        .iter()
        .map(|name| (name.to_lowercase(), since.map(str::to_owned)))
        .collect();
    if auto || args.diffs_only {
        asked = concerned(args, client, &context, asked).await?;
    }
    let mut ids: Vec<String> = args.datasets.iter().map(|id| id.to_uppercase()).collect();
    for (instrument, since) in &asked {
        ids.extend(
            client
                .dataset_ids(&context, instrument, since.as_deref())
                .await?,
        );
    }
    tracing::info!(
        "Computing bestrefs for {} datasets of the server's catalogue",
        ids.len()
    );
    catalogue::headers(client, &context, &ids).await
}

/// The instruments that differ between the contexts, and since when: of those given, or all.
async fn concerned(
    args: &Args,
    client: &Client,
    context: &str,
    given: Vec<(String, Option<String>)>,
) -> Result<Vec<(String, Option<String>)>, Failure> {
    let Some(old) = &args.old_context else {
        return Err(Failure::misuse(
            "--datasets-since=auto takes the date from what two contexts have differently",
            "give --old-context",
        ));
    };
    let new = client.rules(context, None).await?;
    let old = client.context_file(Some(old)).await?;
    let old = client.rules(&old, None).await?;
    let changes = RulesChanges::between(&old, &new);
    let candidates = if args.diffs_only {
        let all = new.instruments();
        let since = args.datasets_since.clone().filter(|since| since != AUTO);
        all.map(|name| (name.to_owned(), since.clone())).collect()
    } else {
        given
    };
    let auto = args.datasets_since.as_deref() == Some(AUTO);
    let mut found = Vec::new();
    for (name, since) in candidates {
        let since = match changes.concerned(&name) {
            Concerned::None => continue,
            Concerned::Since(date) if auto => Some(date),
            Concerned::Since(_) | Concerned::All => since,
        };
        let date = since.as_deref().unwrap_or("any date");
        tracing::info!("Datasets of {name} may be affected since {date}");
        found.push((name, since));
    }
    if found.is_empty() {
        tracing::info!("No instruments were affected.");
    }
    Ok(found)
}

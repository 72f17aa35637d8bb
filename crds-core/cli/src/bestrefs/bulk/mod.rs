//! `crds bestrefs --headers`: many headers in, their references out, one JSON line each, in order.
//!
//! Lines are read, answered and written in batches, so memory is bounded by the batch and by the
//! longest line; lookups in the same rules keep what they worked out from one header to the next.

mod output;
mod withdrawn;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::output::{Answers, refuse};
use self::withdrawn::{Withdrawn, WithdrawnRules};
use super::Args;
use crate::catalogue::same_id;
use crate::failure::Failure;
use crate::progress::Downloads;
use crds_core::bestrefs::{Lookups, Outcome, Types};
use crds_core::header::{Field, HeaderLine};
use crds_core::names::{ContextName, ContextNameError, ReferenceType};
use crds_core::rules::Context;
use crds_core::{Client, Reuse};
use storage::hint::{explain, with_causes};

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 16 << 20;

/// How many different contexts lines may name.
const MAX_CONTEXTS: usize = 64;

/// How much is read and written at once, in bytes.
const BUFFER: usize = 1 << 18;

/// Contexts that lines name, loaded once each.
struct Contexts<'c> {
    cells: &'c [OnceCell<Arc<Context>>],
    /// By the name on the line; what could not be loaded, by its error.
    known: FxHashMap<String, Result<LoadedRules<'c>, String>>,
}

/// The rules of one context, ready for lookups.
struct LoadedRules<'c> {
    lookups: Lookups<'c>,
    withdrawn: WithdrawnRules,
}

impl<'c> Contexts<'c> {
    async fn rules(
        &mut self,
        client: &Client,
        withdrawn: &Withdrawn,
        name: &str,
    ) -> Result<&mut LoadedRules<'c>, &mut String> {
        if !self.known.contains_key(name) {
            let loaded = self.load(client, withdrawn, name).await;
            self.known.insert(name.to_owned(), loaded);
        }
        match self.known.get_mut(name) {
            Some(known) => known.as_mut(),
            None => unreachable!("it was put there just now"),
        }
    }

    async fn load(
        &self,
        client: &Client,
        withdrawn: &Withdrawn,
        name: &str,
    ) -> Result<LoadedRules<'c>, String> {
        let cell = self.cells.iter().find(|cell| cell.get().is_none());
        let Some(cell) = cell else {
            return Err(format!("the input names more than {MAX_CONTEXTS} contexts"));
        };
        let asked: Option<ContextName> = match name {
            "" => None,
            name => Some(
                name.parse()
                    .map_err(|e: ContextNameError| with_causes(&e).to_string())?,
            ),
        };
        let rules = async {
            let file = client.context_file(asked.as_ref()).await?;
            client.rules(&file, None).await
        };
        let rules = rules
            .await
            .map_err(|error| with_causes(&error).to_string())?;
        let rules = cell.get_or_init(|| rules);
        Ok(LoadedRules {
            lookups: rules.lookups(),
            withdrawn: withdrawn.rules(rules),
        })
    }
}

/// Answers every line of the file, or of stdin for `-`.
pub(super) async fn run(
    args: &Args,
    client: &Client,
    reuse: Reuse,
    file: &str,
) -> Result<u8, Failure> {
    client.refuse_remote()?;
    let input: Box<dyn io::Read> = if file == "-" {
        Box::new(io::stdin())
    } else {
        let opened = File::open(file);
        Box::new(opened.map_err(|error| Failure::fatal(format!("{file}: {error}")))?)
    };
    let mut input = BufReader::with_capacity(BUFFER, input);
    let cells: Vec<OnceCell<Arc<Context>>> = (0..MAX_CONTEXTS).map(|_| OnceCell::new()).collect();
    let types: Vec<&str> = args.types.iter().map(String::as_str).collect();
    let mut run = BulkRun {
        client,
        contexts: Contexts {
            cells: &cells,
            known: FxHashMap::default(),
        },
        default: args
            .new_context
            .as_ref()
            .map_or(String::new(), ToString::to_string),
        types: if types.is_empty() {
            Types::All
        } else {
            Types::Only(&types)
        },
        skipped: args
            .skip_types
            .iter()
            .map(|name| name.to_lowercase())
            .collect(),
        chosen: Chosen::of(args),
        withdrawn: Withdrawn::of(client).await,
        wanted: (args.sync_references == 1).then(BTreeSet::new),
        out: Vec::with_capacity(2 * BUFFER),
        number: 0,
        found: false,
        malformed: 0,
    };
    run.answer_all(&mut input, file).await?;
    if run.number == 0 {
        tracing::warn!("{file}: there is not a single header");
    }
    args.found_some(run.found)?;
    if run.malformed > 0 {
        tracing::error!("{} of {} lines cannot be used", run.malformed, run.number);
    }
    let mut failed = run.malformed > 0 || run.withdrawn.refused();
    let wanted = run.wanted.iter().flatten().map(String::as_str);
    if run.wanted.is_some()
        && let Err(error) = client.fetch_unless(reuse, wanted, &Downloads::new()).await
    {
        tracing::error!("{}", explain(&error));
        failed = true;
    }
    Ok(u8::from(failed))
}

/// What it takes to answer lines.
struct BulkRun<'c> {
    client: &'c Client,
    contexts: Contexts<'c>,
    /// The context of lines that name none.
    default: String,
    types: Types<'c>,
    /// In lower case.
    skipped: Vec<String>,
    chosen: Chosen<'c>,
    withdrawn: Withdrawn,
    /// References to fetch at the end, if that was asked for.
    wanted: Option<BTreeSet<String>>,
    /// What is still to be written.
    out: Vec<u8>,
    /// Of the line.
    number: u64,
    /// Whether a line was to be answered.
    found: bool,
    malformed: u64,
}

impl BulkRun<'_> {
    /// Answers every line.
    async fn answer_all(&mut self, input: &mut impl BufRead, file: &str) -> Result<(), Failure> {
        let unreadable = |error| Failure::fatal(format!("{file}: {error}"));
        let mut stdout = io::stdout().lock();
        let mut line = Vec::new();
        let mut fields = Vec::new();
        loop {
            line.clear();
            let taken = input.take(MAX_LINE).read_until(b'\n', &mut line);
            if taken.map_err(unreadable)? == 0 {
                break;
            }
            self.number += 1;
            if line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n') {
                skip_line(input).map_err(unreadable)?;
                self.cannot_use(None, &format!("it has more than {MAX_LINE} bytes"));
            } else if !line.iter().all(u8::is_ascii_whitespace) {
                fields = emptied(self.take(&line, emptied(fields)).await);
            }
            if self.out.len() >= BUFFER {
                stdout.write_all(&self.out)?;
                self.out.clear();
            }
        }
        stdout.write_all(&self.out)?;
        Ok(stdout.flush()?)
    }

    /// Answers one line. Its fields are given back for their space.
    async fn take<'l>(&mut self, line: &'l [u8], mut fields: Vec<Field<'l>>) -> Vec<Field<'l>> {
        let line = match HeaderLine::read(line, &mut fields) {
            Ok(line) => line,
            Err(reason) => {
                self.cannot_use(None, &reason);
                return fields;
            }
        };
        let name = line.context().unwrap_or(&self.default);
        let id = line.id();
        if !self.chosen.has(id) {
            return fields;
        }
        self.found = true;
        let rules = self.contexts.rules(self.client, &self.withdrawn, name);
        let LoadedRules { lookups, withdrawn } = match rules.await {
            Ok(rules) => rules,
            Err(reason) => {
                let reason = reason.clone();
                self.cannot_use(id, &reason);
                return fields;
            }
        };
        let mut answers = Answers::begin(&mut self.out, id);
        let mut bad = Vec::new();
        let mut tell = |reference_type: &ReferenceType, outcome: &Outcome| {
            if self
                .skipped
                .iter()
                .any(|name| name == reference_type.as_str())
            {
                return;
            }
            if let Outcome::File(file) = outcome {
                if self.withdrawn.has(file.as_str()) {
                    bad.push(file.as_str().to_owned());
                }
                if let Some(wanted) = &mut self.wanted
                    && !wanted.contains(file.as_str())
                {
                    wanted.insert(file.as_str().to_owned());
                }
            }
            answers.add(reference_type, outcome);
        };
        match lookups.each_reference(&*fields, line.path(), self.types, &mut tell) {
            Ok(instrument) => {
                let rules = withdrawn.iter().find(|(name, _)| name == instrument);
                bad.extend(
                    rules
                        .into_iter()
                        .flat_map(|(_, names)| names.iter().cloned()),
                );
                answers.end(&bad);
                self.withdrawn.tell(self.number, &bad);
            }
            Err(error) => {
                answers.cancel();
                refuse(&mut self.out, id, &with_causes(&error).to_string());
            }
        }
        fields
    }

    fn cannot_use(&mut self, id: Option<&str>, reason: &str) {
        self.malformed += 1;
        refuse(
            &mut self.out,
            id,
            &format!("line {}: {reason}", self.number),
        );
    }
}

/// Which ids are to be answered.
struct Chosen<'a> {
    only: &'a [String],
    not: &'a [String],
}

impl<'a> Chosen<'a> {
    fn of(args: &'a Args) -> Self {
        Self {
            only: &args.only_ids,
            not: &args.drop_ids,
        }
    }

    /// Whether a line with this id, as JSON, is to be answered.
    fn has(&self, id: Option<&str>) -> bool {
        if self.only.is_empty() && self.not.is_empty() {
            return true;
        }
        let id = id.unwrap_or_default();
        let text: Option<String> = serde_json::from_str(id).ok();
        let id = text.as_deref().unwrap_or(id);
        let named = |names: &[String]| names.iter().any(|name| same_id(name, id));
        (self.only.is_empty() || named(self.only)) && !named(self.not)
    }
}

/// The space of some fields, for those of another line.
fn emptied<'l>(mut fields: Vec<Field<'_>>) -> Vec<Field<'l>> {
    fields.clear();
    // Nothing is there to be mapped: what stays is the allocation.
    fields.into_iter().map_while(|_| None).collect()
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

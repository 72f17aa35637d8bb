//! `crds bestrefs --headers`: many headers in, their references out, one JSON line each, in order.
//!
//! Lines are read, answered and written in batches, so memory is bounded by the batch and by the
//! longest line; lookups in the same rules keep what they worked out from one header to the next.

mod line;
mod output;

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::value::RawValue;

use self::line::Line;
use self::output::{Answers, refuse};
use super::Args;
use crate::failure::Failure;
use crds_core::Client;
use crds_core::bestrefs::{Lookups, Types};
use crds_core::header::Field;
use crds_core::names::{ContextName, ContextNameError};
use crds_core::rules::Context;
use storage::hint::with_causes;

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
    known: FxHashMap<String, Result<Lookups<'c>, String>>,
}

impl<'c> Contexts<'c> {
    async fn lookups(
        &mut self,
        client: &Client,
        name: &str,
    ) -> Result<&mut Lookups<'c>, &mut String> {
        if !self.known.contains_key(name) {
            let loaded = self.load(client, name).await;
            self.known.insert(name.to_owned(), loaded);
        }
        match self.known.get_mut(name) {
            Some(known) => known.as_mut(),
            None => unreachable!("it was put there just now"),
        }
    }

    async fn load(&self, client: &Client, name: &str) -> Result<Lookups<'c>, String> {
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
        Ok(cell.get_or_init(|| rules).lookups())
    }
}

/// Answers every line of the file, or of stdin for `-`.
pub(super) async fn run(args: &Args, client: &Client, file: &str) -> Result<u8, Failure> {
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
        skipped: &args.skip_types,
        out: Vec::with_capacity(2 * BUFFER),
        number: 0,
        malformed: 0,
    };
    let mut stdout = io::stdout().lock();
    let mut line = Vec::new();
    let mut fields = Vec::new();
    loop {
        line.clear();
        let taken = (&mut input).take(MAX_LINE).read_until(b'\n', &mut line);
        if taken.map_err(|error| Failure::fatal(format!("{file}: {error}")))? == 0 {
            break;
        }
        run.number += 1;
        if line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n') {
            skip_line(&mut input).map_err(|error| Failure::fatal(format!("{file}: {error}")))?;
            run.cannot_use(None, &format!("it has more than {MAX_LINE} bytes"));
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            fields = emptied(run.take(&line, emptied(fields)).await);
        }
        if run.out.len() >= BUFFER {
            stdout.write_all(&run.out)?;
            run.out.clear();
        }
    }
    stdout.write_all(&run.out)?;
    stdout.flush()?;
    if run.malformed > 0 {
        tracing::error!("{} of {} lines cannot be used", run.malformed, run.number);
    }
    Ok(u8::from(run.malformed > 0))
}

/// What it takes to answer lines.
struct BulkRun<'c> {
    client: &'c Client,
    contexts: Contexts<'c>,
    /// The context of lines that name none.
    default: String,
    types: Types<'c>,
    skipped: &'c [String],
    /// What is still to be written.
    out: Vec<u8>,
    /// Of the line.
    number: u64,
    malformed: u64,
}

impl BulkRun<'_> {
    /// Answers one line. Its fields are given back for their space.
    async fn take<'l>(&mut self, line: &'l [u8], mut fields: Vec<Field<'l>>) -> Vec<Field<'l>> {
        let line = match Line::read(line, &mut fields) {
            Ok(line) => line,
            Err(reason) => {
                self.cannot_use(None, &reason);
                return fields;
            }
        };
        let name = line.context.as_deref().unwrap_or(&self.default);
        let id = line.id.map(RawValue::get);
        let lookups = match self.contexts.lookups(self.client, name).await {
            Ok(lookups) => lookups,
            Err(reason) => {
                let reason = reason.clone();
                self.cannot_use(id, &reason);
                return fields;
            }
        };
        let mut answers = Answers::begin(&mut self.out, id);
        let skipped = self.skipped;
        let found =
            lookups.each_reference(&*fields, line.path(), self.types, &mut |name, outcome| {
                if !skipped.iter().any(|skipped| skipped == name.as_str()) {
                    answers.add(name, outcome);
                }
            });
        match found {
            Ok(()) => answers.end(),
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

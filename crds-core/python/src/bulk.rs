//! Many headers in, columns out: one for each reference type, with a text for each header.
//!
//! Headers are taken and looked up in blocks, so memory is bounded by the block and the answers.
//! The answers of a column are numbers of texts that are kept once.

use std::collections::BTreeSet;

use crds_core::bestrefs::{LookupPath, Lookups, Outcome, Types};
use crds_core::cache::server_config::ServerConfig;
use crds_core::names::ReferenceType;
use crds_core::rules::Context;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use rustc_hash::{FxHashMap, FxHashSet};
use storage::hint::explain;

use crate::headers::{Headers, Keys, Row};
use crate::lookup::said;

/// How many headers are a block.
const BLOCK: usize = 4096;

/// The cell of a type that the header's instrument does not have, or that its rules omit.
const ABSENT: u32 = u32::MAX;

/// What is asked about every header.
#[derive(Debug)]
pub(crate) struct Question {
    types: Option<Vec<String>>,
    /// With the data model names of JWST only where values are conditioned: else a header is taken
    /// as it is.
    path: LookupPath,
}

impl Question {
    pub(crate) fn new(types: Option<Vec<String>>, path: LookupPath) -> Self {
        // Each once: a type has one column.
        let mut seen = BTreeSet::new();
        let once = move |name: &String| seen.insert(name.to_lowercase());
        let types = types.map(|names| names.into_iter().filter(once).collect::<Vec<_>>());
        Self {
            types: types.filter(|types| !types.is_empty()),
            path,
        }
    }
}

/// What CRDS has withdrawn as scientifically wrong, as far as it matters for a context.
#[derive(Debug, Default)]
pub(crate) struct Withdrawn {
    /// Rules, by the instrument whose they are.
    rules: Vec<(String, Vec<String>)>,
    references: FxHashSet<Box<str>>,
}

impl Withdrawn {
    pub(crate) fn of(rules: &Context, server: &ServerConfig) -> Self {
        let of_instrument = |name: &str| {
            let names = rules.mappings_of(name).unwrap_or_default().into_iter();
            let bad = names.filter(|name| server.is_bad(name.as_str()));
            (name.to_owned(), bad.map(ToString::to_string).collect())
        };
        let all = rules.instruments().map(of_instrument);
        Self {
            rules: all
                .filter(|(_, bad): &(String, Vec<String>)| !bad.is_empty())
                .collect(),
            references: server.bad_files().into_iter().map(Into::into).collect(),
        }
    }
}

/// Lookups that are going on.
pub(crate) struct Bulk<'c> {
    /// The block that is being filled.
    pub(crate) headers: Headers,
    question: Question,
    lookups: Lookups<'c>,
    answers: Answers<'c>,
}

/// What was found so far.
struct Answers<'c> {
    withdrawn: &'c Withdrawn,
    rows: usize,
    columns: Vec<Column>,
    /// The index of each type's column.
    by_type: FxHashMap<ReferenceType, usize>,
    /// Each with the name of the reference, if that is withdrawn.
    outcomes: Vec<(Outcome, Option<Box<str>>)>,
    by_text: FxHashMap<Box<str>, u32>,
    /// By the number of the header.
    errors: Vec<(usize, String)>,
    /// By the number of the header.
    bad: Vec<(usize, Vec<String>)>,
}

struct Column {
    name: ReferenceType,
    /// Numbers of outcomes; shorter than the rows if the last ones are absent.
    cells: Vec<u32>,
}

impl<'c> Bulk<'c> {
    pub(crate) fn new(
        rules: &'c Context,
        withdrawn: &'c Withdrawn,
        keys: Keys,
        question: Question,
    ) -> Self {
        let keys = match question.path {
            LookupPath::Conditioned => keys,
            LookupPath::AsGiven => Keys::AsGiven,
        };
        Self {
            headers: Headers::new(keys),
            question,
            lookups: rules.lookups(),
            answers: Answers::new(withdrawn),
        }
    }

    /// Looks the block up if it is full.
    pub(crate) fn look_up_if_full(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.headers.len() >= BLOCK {
            self.look_up(py)?;
        }
        Ok(())
    }

    fn look_up(&mut self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let asked: Vec<&str> = match &self.question.types {
                Some(types) => types.iter().map(String::as_str).collect(),
                None => Vec::new(),
            };
            let types = match self.question.types {
                Some(_) => Types::Only(&asked),
                None => Types::All,
            };
            for row in self.headers.rows() {
                self.answers
                    .add(&mut self.lookups, row, self.question.path, types);
            }
        });
        self.headers.clear();
        py.check_signals()
    }

    /// The columns, what failed and what is withdrawn: `({type: [text or None]}, {number of a header:
    /// text}, {number of a header: [name]})`.
    pub(crate) fn finish(mut self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        self.look_up(py)?;
        let Answers {
            rows,
            columns,
            outcomes,
            errors,
            bad,
            ..
        } = self.answers;
        let texts = outcomes
            .iter()
            .map(|(outcome, _)| said(py, outcome))
            .collect::<PyResult<Vec<_>>>()?;
        let none = py.None().into_bound(py);
        let result = PyDict::new(py);
        for column in columns {
            let mut cells = column.cells;
            cells.resize(rows, ABSENT);
            let cells = cells.into_iter().map(|cell| {
                let text = texts.get(cell as usize);
                text.unwrap_or(&none).clone()
            });
            let cells: Vec<Bound<'_, PyAny>> = cells.collect();
            result.set_item(column.name.as_str(), PyList::new(py, cells)?)?;
        }
        let failed = PyDict::new(py);
        for (row, text) in errors {
            failed.set_item(row, text)?;
        }
        let withdrawn = PyDict::new(py);
        for (row, names) in bad {
            withdrawn.set_item(row, names)?;
        }
        PyTuple::new(py, [result, failed, withdrawn])
    }
}

impl<'c> Answers<'c> {
    fn new(withdrawn: &'c Withdrawn) -> Self {
        Self {
            withdrawn,
            rows: 0,
            columns: Vec::new(),
            by_type: FxHashMap::default(),
            outcomes: Vec::new(),
            by_text: FxHashMap::default(),
            errors: Vec::new(),
            bad: Vec::new(),
        }
    }

    fn add(&mut self, lookups: &mut Lookups<'_>, row: Row<'_>, path: LookupPath, types: Types<'_>) {
        let number = self.rows;
        self.rows += 1;
        let mut bad: Vec<String> = Vec::new();
        let found = lookups.each_reference(&row, path, types, &mut |name, outcome| {
            let cell = self.outcome(outcome);
            if let Some((_, Some(name))) = self.outcomes.get(cell as usize) {
                bad.push(name.to_string());
            }
            let column = self.column(name);
            if let Some(column) = self.columns.get_mut(column) {
                column.cells.resize(number, ABSENT);
                column.cells.push(cell);
            }
        });
        match found {
            Ok(instrument) => {
                let rules = self.withdrawn.rules.iter();
                let of_instrument = rules.filter(|(name, _)| name == instrument);
                bad.extend(of_instrument.flat_map(|(_, names)| names.iter().cloned()));
            }
            Err(error) => self.errors.push((number, explain(&error).to_string())),
        }
        if !bad.is_empty() {
            self.bad.push((number, bad));
        }
    }

    fn column(&mut self, name: &ReferenceType) -> usize {
        if let Some(&index) = self.by_type.get(name) {
            return index;
        }
        let index = self.columns.len();
        self.by_type.insert(name.clone(), index);
        self.columns.push(Column {
            name: name.clone(),
            cells: Vec::new(),
        });
        index
    }

    /// The number of an outcome.
    fn outcome(&mut self, outcome: &Outcome) -> u32 {
        let number = match outcome {
            Outcome::File(name) => self.by_text.get(name.as_str()),
            Outcome::NotApplicable => self.by_text.get("NOT FOUND n/a"),
            other => self.by_text.get(&*other.to_string()),
        };
        if let Some(&number) = number {
            return number;
        }
        let number = u32::try_from(self.outcomes.len()).unwrap_or(ABSENT);
        let bad = match outcome {
            Outcome::File(name) => self.withdrawn.references.get(name.as_str()).cloned(),
            _ => None,
        };
        self.outcomes.push((outcome.clone(), bad));
        self.by_text
            .insert(outcome.to_string().into_boxed_str(), number);
        number
    }
}

//! Match: the rows whose cells fit the header best.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cell::{Cell, Verdict, is_esoteric, or_list};
use super::failure::{ListedValues, Miss};
use super::slots::{Slot, Values};
use super::tree;
use super::{Choice, Compiler, LookupFailure, Substitutions};
use crate::header::{condition, python_float, trim};
use crate::literal::Literal;

/// Rows of cells, column by column, in the text order of their conditioned keys.
#[derive(Debug)]
pub(crate) struct MatchTable {
    columns: Vec<MatchColumn>,
    choices: Vec<Choice>,
    pub(super) merges: bool,
}

/// One parameter of a table.
#[derive(Debug)]
struct MatchColumn {
    parameter: Arc<str>,
    slot: Slot,
    /// The different cells of the column.
    cells: Vec<Cell>,
    /// Which of them each row has.
    rows: Vec<u32>,
    listed: Listed,
    substitutions: Substitutions,
}

/// What values a column lists.
#[derive(Debug)]
struct Listed {
    values: ListedValues,
    /// Whether any value passes: nothing is listed, or a wild card is.
    anything: bool,
}

impl MatchTable {
    pub(super) fn new(
        compiler: &mut Compiler<'_>,
        names: &[Box<str>],
        slots: &[Slot],
        rows: &[(Literal<'static>, tree::RawChoice)],
        level: usize,
    ) -> Result<Self, String> {
        let substitutions: Vec<_> = names
            .iter()
            .map(|name| substitutions_of(compiler, name))
            .collect();
        let rows = substituted(rows, &substitutions)?;
        let mut conditioned = Vec::with_capacity(rows.len());
        for (key, choice) in &rows {
            let key = conditioned_key(key);
            if key.len() != names.len() {
                return Err(format!(
                    "the row {} has {} values for {} parameters",
                    shown(&key),
                    key.len(),
                    names.len()
                ));
            }
            conditioned.push((key, *choice));
        }
        conditioned.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(pair) = conditioned.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("two of its rows mean {}", shown(&pair[0].0)));
        }
        let mut choices = Vec::with_capacity(conditioned.len());
        for (_, choice) in &conditioned {
            choices.push(compiler.choice(choice, level)?);
        }
        let mut columns = Vec::with_capacity(names.len());
        for (index, (&slot, substitutions)) in slots.iter().zip(substitutions).enumerate() {
            let texts = conditioned.iter().map(|(key, _)| key[index].as_str());
            columns.push(MatchColumn::new(compiler, slot, texts, substitutions)?);
        }
        Ok(Self {
            columns,
            choices,
            merges: compiler.merges,
        })
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.columns.iter().map(|column| column.slot)
    }

    pub(crate) fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// The rows no cell of which says no, in groups of equal weight, best first.
    pub(crate) fn candidates(&self, values: &Values<'_>) -> Result<Vec<Vec<u32>>, Miss> {
        for column in &self.columns {
            if values.get(column.slot).is_none() && !column.listed.has("N/A") {
                let parameter = Arc::clone(&column.parameter);
                let selector = "Match";
                let failure = LookupFailure::MissingParameter {
                    selector,
                    parameter,
                };
                return Err(Miss::Final(failure.into()));
            }
        }
        for column in &self.columns {
            column.validate(values).map_err(|f| Miss::Final(f.into()))?;
        }
        // The rows still in, with how many of their cells matched.
        let mut rows: Vec<(u32, u32)> = Vec::new();
        let mut verdicts = Vec::new();
        let (first, others) = match self.columns.split_first() {
            Some(columns) => columns,
            None if self.choices.is_empty() => return Ok(Vec::new()),
            None => return Ok(vec![(0..).take(self.choices.len()).collect()]),
        };
        first.verdicts(values, &mut verdicts);
        for (row, cell) in (0..).zip(&first.rows) {
            match verdicts.get(*cell as usize) {
                Some(Verdict::Match) => rows.push((row, 1)),
                Some(Verdict::DontCare) => rows.push((row, 0)),
                Some(Verdict::No) | None => {}
            }
        }
        for column in others {
            if rows.is_empty() {
                break;
            }
            column.verdicts(values, &mut verdicts);
            rows.retain_mut(|(row, weight)| {
                let cell = column.rows.get(*row as usize);
                let verdict = cell.and_then(|cell| verdicts.get(*cell as usize));
                *weight += u32::from(verdict == Some(&Verdict::Match));
                !matches!(verdict, Some(Verdict::No) | None)
            });
        }
        // The sort is stable: rows of equal weight stay in order.
        rows.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        Ok(rows
            .chunk_by(|(_, a), (_, b)| a == b)
            .map(|group| group.iter().map(|(row, _)| *row).collect())
            .collect())
    }
}

impl MatchColumn {
    fn new<'t>(
        compiler: &Compiler<'_>,
        slot: Slot,
        texts: impl Iterator<Item = &'t str>,
        substitutions: Substitutions,
    ) -> Result<Self, String> {
        let mut known: FxHashMap<&str, u32> = FxHashMap::default();
        let mut cells = Vec::new();
        let mut rows = Vec::new();
        let mut listed: Vec<&str> = Vec::new();
        let mut unchecked = false;
        for text in texts {
            let next = u32::try_from(cells.len()).unwrap_or(u32::MAX);
            let cell = *known.entry(text).or_insert(next);
            if cell == next {
                cells.push(Cell::new(text)?);
                unchecked |= is_esoteric(text);
                listed.extend(or_list(text));
            }
            rows.push(cell);
        }
        if unchecked {
            listed.clear();
        }
        listed.sort_unstable();
        listed.dedup();
        let anything =
            listed.is_empty() || listed.iter().any(|v| matches!(*v, "*" | "ANY" | "N/A"));
        Ok(Self {
            parameter: Arc::clone(compiler.slots.name(slot)),
            slot,
            cells,
            rows,
            listed: Listed {
                values: ListedValues(listed.into_iter().map(Box::from).collect()),
                anything,
            },
            substitutions,
        })
    }

    /// What each cell says to the header's value.
    fn verdicts(&self, values: &Values<'_>, verdicts: &mut Vec<Verdict>) {
        let value = values.get(self.slot).unwrap_or("UNDEFINED");
        verdicts.clear();
        verdicts.extend(self.cells.iter().map(|cell| cell.verdict(value)));
    }

    fn validate(&self, values: &Values<'_>) -> Result<(), LookupFailure> {
        let value = values.get(self.slot).unwrap_or("UNDEFINED");
        if self.accepts(value) {
            return Ok(());
        }
        Err(LookupFailure::ValueNotListed {
            parameter: Arc::clone(&self.parameter),
            value: value.into(),
            listed: self.listed.values.clone(),
        })
    }

    /// Whether Python CRDS would go on to match with this value.
    fn accepts(&self, value: &str) -> bool {
        let mut value = Cow::Borrowed(value);
        // Substitutions may form a circle; every round uses one up.
        for _ in 0..=self.substitutions.len() {
            loop {
                if self.listed.anything
                    || self.listed.has(&value)
                    || self.listed.has(&condition(&value))
                {
                    return true;
                }
                match value.strip_prefix("NOT") {
                    Some(rest) => value = Cow::Owned(trim(rest).to_owned()),
                    None => break,
                }
            }
            if is_esoteric(&value) || matches!(&*value, "*" | "ANY" | "N/A") {
                return true;
            }
            if let [range] = &*self.listed.values.0
                && let Some((low, high)) = range.split_once(':')
            {
                let number = (python_float(low), python_float(&value), python_float(high));
                return matches!(number, (Some(low), Some(value), Some(high)) if low <= value && value <= high);
            }
            let replacement = self
                .substitutions
                .iter()
                .find(|(old, _)| old.as_str() == Some(&*value));
            match replacement.map(|(_, new)| new) {
                Some(Literal::Str(new)) => value = Cow::Owned(new.clone().into_owned()),
                Some(other) => return self.listed.has(&condition(&other.plain_text())),
                None => return false,
            }
        }
        false
    }
}

impl Listed {
    fn has(&self, value: &str) -> bool {
        self.values
            .0
            .binary_search_by(|listed| (**listed).cmp(value))
            .is_ok()
    }
}

/// What Python CRDS replaces in every table, unless the table's header says something else for it.
const BUILT_IN: [&str; 2] = ["META.SUBARRAY.NAME", "SUBARRAY"];

fn substitutions_of(compiler: &Compiler<'_>, name: &str) -> Substitutions {
    let own = compiler.substitutions.iter().find(|(n, _)| **n == *name);
    match own {
        Some((_, pairs)) => pairs.clone(),
        None if BUILT_IN.contains(&name) => {
            let text = |text: &'static str| Literal::Str(Cow::Borrowed(text));
            vec![(text("GENERIC"), text("N/A"))]
        }
        None => Vec::new(),
    }
}

type Row<'r> = (Cow<'r, Literal<'static>>, &'r tree::RawChoice);

/// The rows with cells replaced, parameter by parameter. A row that becomes equal to another one
/// takes its place.
fn substituted<'r>(
    rows: &'r [(Literal<'static>, tree::RawChoice)],
    substitutions: &[Substitutions],
) -> Result<Vec<Row<'r>>, String> {
    let mut current: Vec<Row<'r>> = rows
        .iter()
        .map(|(key, choice)| (Cow::Borrowed(key), choice))
        .collect();
    for (index, replacements) in substitutions.iter().enumerate() {
        if replacements.is_empty() {
            continue;
        }
        let mut changes = Vec::new();
        for (row, (key, _)) in current.iter().enumerate() {
            if let Some(new) = substituted_key(key, index, replacements)? {
                changes.push((row, new));
            }
        }
        if !changes.is_empty() {
            current = replaced(current, changes);
        }
    }
    Ok(current)
}

fn substituted_key(
    key: &Literal<'static>,
    index: usize,
    replacements: &Substitutions,
) -> Result<Option<Literal<'static>>, String> {
    let (cell, cells) = match key {
        Literal::Tuple(cells) => {
            let cell = cells
                .get(index)
                .ok_or_else(|| format!("the row {key} is too short"))?;
            (cell, Some(cells))
        }
        bare => (bare, None),
    };
    let Some((_, new)) = replacements.iter().find(|(old, _)| old == cell) else {
        return Ok(None);
    };
    let new = match new {
        Literal::List(items) => Literal::Tuple(items.clone()),
        other => other.clone(),
    };
    Ok(Some(match cells {
        Some(cells) => {
            let mut cells = cells.clone();
            cells[index] = new;
            Literal::Tuple(cells)
        }
        None => new,
    }))
}

/// Gives the rows their new keys, as taking each out of a dictionary and putting it back would.
fn replaced<'r>(rows: Vec<Row<'r>>, changes: Vec<(usize, Literal<'static>)>) -> Vec<Row<'r>> {
    let mut places: HashMap<Literal<'static>, usize> = HashMap::with_capacity(rows.len());
    let mut slots: Vec<Option<Row<'r>>> = Vec::with_capacity(rows.len());
    for (key, choice) in rows {
        places.insert(key.clone().into_owned(), slots.len());
        slots.push(Some((key, choice)));
    }
    for (row, key) in changes {
        let Some((old, choice)) = slots.get_mut(row).and_then(Option::take) else {
            continue;
        };
        places.remove(&*old);
        let place = *places.entry(key.clone()).or_insert(slots.len());
        let row = Some((Cow::Owned(key), choice));
        match slots.get_mut(place) {
            Some(taken) => *taken = row,
            None => slots.push(row),
        }
    }
    slots.into_iter().flatten().collect()
}

fn conditioned_key(key: &Literal<'_>) -> Vec<String> {
    match key {
        Literal::Tuple(cells) => cells.iter().map(conditioned_cell).collect(),
        bare => vec![conditioned_cell(bare)],
    }
}

fn conditioned_cell(cell: &Literal<'_>) -> String {
    let joined = |parts: &mut dyn Iterator<Item = Cow<'_, str>>| {
        parts
            .map(|part| condition(&part).into_owned())
            .collect::<Vec<_>>()
            .join("|")
    };
    match cell {
        Literal::Str(text)
            if (text.starts_with('{') && text.ends_with('}'))
                || (text.starts_with('(') && text.ends_with(')')) =>
        {
            text.clone().into_owned()
        }
        Literal::Str(text) if text.contains('|') => {
            joined(&mut or_list(text).into_iter().map(Cow::Borrowed))
        }
        Literal::Tuple(items) | Literal::List(items) => {
            joined(&mut items.iter().map(Literal::plain_text))
        }
        other => condition(&other.plain_text()).into_owned(),
    }
}

fn shown(key: &[String]) -> String {
    format!("({})", key.join(", "))
}

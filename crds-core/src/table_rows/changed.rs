//! The rows in which two deliveries of a table differ.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use ::fits::{FitsError, Table, hdus};
use storage::checksum::Sha1Sum;

use super::columns::{Column, SUBARRAY, SelectBy};
use crate::header::Fields;

/// Larger tables are not compared, in bytes of rows.
const MOST_BYTES: u64 = 1 << 30;

/// The rows that only one of two tables has, as far as selecting them goes.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedRows {
    columns: Vec<Column>,
    /// The modes of these rows, each once, with a value for each column.
    modes: Vec<Vec<CellValue>>,
}

/// Two tables cannot be compared row by row.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// One of them cannot be read.
    #[error("a table cannot be read")]
    Fits(#[from] FitsError),
    /// One of them is no file.
    #[error("{} cannot be read", path.display())]
    Open {
        /// The table.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// They do not have the same columns.
    #[error("their columns differ")]
    Columns,
    /// They have arrays outside of their rows.
    #[error("their rows have arrays of variable length")]
    VariableLength,
    /// One of them is larger than any table should be.
    #[error("they have more than {MOST_BYTES} bytes")]
    TooLarge,
}

/// The value of a column in a row.
#[derive(Debug, Clone, PartialEq)]
enum CellValue {
    /// A row of every mode.
    Any,
    Text(String),
    Number(f64),
}

/// How often a row is in the old table less how often it is in the new one, and its mode.
type RowCounts = HashMap<Sha1Sum, (i64, Vec<CellValue>)>;

impl ChangedRows {
    /// Compares all binary tables of two files; their headers do not matter.
    ///
    /// # Errors
    /// When they cannot be read, or are not of the same form.
    pub fn between(old: &Path, new: &Path, columns: &[Column]) -> Result<Self, RowsError> {
        let (mut olds, mut news) = (tables(old)?, tables(new)?);
        if olds.len() != news.len() {
            return Err(RowsError::Columns);
        }
        let mut modes: Vec<Vec<CellValue>> = Vec::new();
        for (old, new) in olds.iter_mut().zip(&mut news) {
            if !old.columns().eq(new.columns()) {
                return Err(RowsError::Columns);
            }
            let mut rows = RowCounts::new();
            add(&mut rows, old, columns, 1)?;
            add(&mut rows, new, columns, -1)?;
            for (_, mode) in rows.into_values().filter(|(count, _)| *count != 0) {
                if !modes.contains(&mode) {
                    modes.push(mode);
                }
            }
        }
        let columns = columns.to_vec();
        Ok(Self { columns, modes })
    }

    /// Whether a dataset with this header uses one of the rows.
    pub fn is_selected(&self, header: &(impl Fields + ?Sized)) -> bool {
        if self.modes.is_empty() {
            return false;
        }
        let value = |name: &str| {
            let mut pairs = header.pairs().rev();
            let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map_or(CellValue::Any, |(_, value)| CellValue::of(value))
        };
        let is_subarray =
            matches!(value(SUBARRAY), CellValue::Text(value) if value == "T" || value == "TRUE");
        let wanted: Vec<CellValue> = self
            .columns
            .iter()
            .map(|column| match column.rule {
                SelectBy::EqualInSubarrays if !is_subarray => CellValue::Any,
                _ => value(column.name),
            })
            .collect();
        self.modes.iter().any(|mode| {
            let cells = self.columns.iter().zip(mode).zip(&wanted);
            cells.into_iter().all(|((column, cell), wanted)| {
                let always = match column.rule {
                    SelectBy::EqualOr(value) => {
                        matches!(cell, CellValue::Text(text) if text == value)
                    }
                    SelectBy::Equal | SelectBy::EqualInSubarrays => false,
                };
                always || cell.fits(wanted)
            })
        })
    }
}

impl CellValue {
    /// What stands for every value: of headers and of tables, as calibration programs read them.
    fn of(text: &str) -> Self {
        let text = text.trim().to_uppercase();
        match text.as_str() {
            "" | "ANY" | "N/A" | "BOTH" | "UNDEFINED" | "*" => Self::Any,
            _ => match text.parse() {
                Ok(number) => Self::of_number(number),
                Err(_) => Self::Text(text),
            },
        }
    }

    fn of_number(number: f64) -> Self {
        #[allow(clippy::float_cmp, reason = "exactly the numbers that stand for none")]
        if number.is_nan() || number == -1.0 || number == -999.0 {
            Self::Any
        } else {
            Self::Number(number)
        }
    }

    fn fits(&self, wanted: &Self) -> bool {
        matches!(self, Self::Any) || matches!(wanted, Self::Any) || self == wanted
    }
}

/// All binary tables of a file.
fn tables(path: &Path) -> Result<Vec<Table>, RowsError> {
    let open = || {
        File::open(path).map_err(|source| RowsError::Open {
            path: path.to_owned(),
            source,
        })
    };
    let file = open()?;
    let mut tables = Vec::new();
    for unit in hdus(&file, path) {
        let unit = unit?;
        if unit.header.text("XTENSION").map(str::trim) == Some("BINTABLE") {
            tables.push(Table::read_from(open()?, path, unit.index)?);
        }
    }
    Ok(tables)
}

fn add(
    rows: &mut RowCounts,
    table: &Table,
    columns: &[Column],
    count: i64,
) -> Result<(), RowsError> {
    if table.columns().any(|column| column.is_variable()) {
        return Err(RowsError::VariableLength);
    }
    if table.row_length().saturating_mul(table.rows()) > MOST_BYTES {
        return Err(RowsError::TooLarge);
    }
    let mut modes: Vec<_> = columns
        .iter()
        .map(|column| cells(table, column.name).into_iter())
        .collect();
    table.each_row(|row| {
        // A column that a table lacks does not select.
        let mode = modes.iter_mut();
        let mode: Vec<CellValue> = mode
            .map(|cells| cells.next().unwrap_or(CellValue::Any))
            .collect();
        rows.entry(Sha1Sum::of(row)).or_insert((0, mode)).0 += count;
    })?;
    Ok(())
}

/// The values of a column, row after row; none where it does not have those that select.
fn cells(table: &Table, name: &str) -> Vec<CellValue> {
    if let Ok(texts) = table.texts(name) {
        return texts.iter().map(|text| CellValue::of(text)).collect();
    }
    match table.numbers(name) {
        Ok(column) if column.per_row == 1 => column
            .values
            .into_iter()
            .map(CellValue::of_number)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[path = "changed_tests.rs"]
mod tests;

//! Binary tables (section 7.3): columns of logicals, numbers and characters, scaled and with
//! their null values. One column is read at a time, so that memory is bounded by what is asked.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::bytes::ReadAt;
use crate::error::{FitsError, FitsProblem};
use crate::hdu::{Hdu, find, open};
use crate::header::Header;

/// A column of more values than this is refused; spectra have a hundredth of it.
const MOST_VALUES: u64 = 2 * 1024 * 1024;
/// A row of more bytes than this is refused as a whole.
const MOST_ROW: u64 = 64 * 1024 * 1024;
/// More columns than the standard has.
const MOST_COLUMNS: i64 = 999;

/// A binary table: its columns, read from an open file (or memory) one at a time.
#[derive(Debug)]
pub struct Table<B = File> {
    path: PathBuf,
    /// The number of its unit.
    index: usize,
    bytes: B,
    header: Header,
    data_start: u64,
    row_length: u64,
    rows: u64,
    columns: Vec<Column>,
}

/// A numeric column.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberColumn {
    /// How many values a row has.
    pub per_row: usize,
    /// All values, row after row, scaled; null values are NaN.
    pub values: Vec<f64>,
}

impl NumberColumn {
    /// The values of one row; empty when there is no such row.
    pub fn row(&self, row: usize) -> &[f64] {
        self.values
            .chunks(self.per_row.max(1))
            .nth(row)
            .unwrap_or_default()
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnFormat<'t> {
    /// Its name.
    pub name: &'t str,
    /// The letter of its type (`TFORMn`).
    pub kind: u8,
    /// How many values a row has.
    pub repeat: u64,
    /// What its values are multiplied with.
    pub scale: f64,
    /// What is added to them then.
    pub zero: f64,
    /// The number that stands for no value.
    pub null: Option<i64>,
}

impl ColumnFormat<'_> {
    /// Whether rows only say where its arrays are (section 7.3.5).
    pub fn is_variable(&self) -> bool {
        matches!(self.kind, b'P' | b'Q')
    }
}

impl Table {
    /// Opens the table in HDU `index` of a file.
    pub fn open(path: &Path, index: usize) -> Result<Self, FitsError> {
        Self::read_from(open(path)?, path, index)
    }
}

impl<B: ReadAt> Table<B> {
    /// Like [`Table::open`], from anything that can be read; `path` only appears in errors.
    pub fn read_from(bytes: B, path: &Path, index: usize) -> Result<Self, FitsError> {
        let hdu = find(&bytes, path, index)?;
        let (row_length, rows) = axes(&hdu).map_err(|problem| problem.at(path, index))?;
        let columns =
            columns(&hdu.header, row_length).map_err(|problem| problem.at(path, index))?;
        Ok(Self {
            path: path.to_owned(),
            index,
            bytes,
            header: hdu.header,
            data_start: hdu.data_start,
            row_length,
            rows,
            columns,
        })
    }

    /// The header of the table.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The length of a row in bytes.
    pub fn row_length(&self) -> u64 {
        self.row_length
    }

    /// What each column holds, in order.
    pub fn columns(&self) -> impl Iterator<Item = ColumnFormat<'_>> {
        self.columns.iter().map(|column| {
            let key = |prefix: &str| format!("{prefix}{}", column.number);
            ColumnFormat {
                name: &column.name,
                kind: column.kind,
                repeat: column.repeat,
                scale: self.header.real(&key("TSCAL")).unwrap_or(1.0),
                zero: self.header.real(&key("TZERO")).unwrap_or(0.0),
                null: self.header.integer(&key("TNULL")),
            }
        })
    }

    /// Calls `visit` with the bytes of each row.
    pub fn each_row(&self, visit: impl FnMut(&[u8])) -> Result<(), FitsError> {
        if self.row_length > MOST_ROW {
            return self.fail(format!("a row has more than {MOST_ROW} bytes"));
        }
        self.visit(0, self.row_length, visit)
    }

    /// Whether there is a column of this name, in any case.
    pub fn has(&self, name: &str) -> bool {
        self.column(name).is_some()
    }

    /// The unit of a column, if it has one.
    pub fn unit(&self, name: &str) -> Option<&str> {
        let column = self.column(name)?;
        self.header.text(&format!("TUNIT{}", column.number))
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// A column of numbers (types B, I, J, K, E, D).
    pub fn numbers(&self, name: &str) -> Result<NumberColumn, FitsError> {
        let column = self.wanted(name, b"BIJKED", "numbers")?;
        let key = |prefix: &str| format!("{prefix}{}", column.number);
        let scale = self.header.real(&key("TSCAL")).unwrap_or(1.0);
        let zero = self.header.real(&key("TZERO")).unwrap_or(0.0);
        let null = self.header.integer(&key("TNULL"));
        let mut values = Vec::new();
        self.visit(column.offset, column.length, |row| {
            decode(column.kind, row, null, &mut values);
        })?;
        #[allow(clippy::float_cmp, reason = "exactly the defaults of the standard")]
        if scale != 1.0 || zero != 0.0 {
            for value in &mut values {
                *value = *value * scale + zero;
            }
        }
        Ok(NumberColumn {
            per_row: usize::try_from(column.repeat).unwrap_or(usize::MAX),
            values,
        })
    }

    /// A column of characters (type A), one string for each row, blanks at the ends removed.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, FitsError> {
        let column = self.wanted(name, b"A", "characters")?;
        let mut texts = Vec::new();
        self.visit(column.offset, column.length, |row| {
            // A NUL ends a string early (section 7.3.3.1).
            let end = row.iter().position(|byte| *byte == 0).unwrap_or(row.len());
            let text: String = row.iter().take(end).map(|byte| char::from(*byte)).collect();
            texts.push(text.trim().to_owned());
        })?;
        Ok(texts)
    }

    /// A column of single logicals (type L); a value that is neither true nor false is `None`.
    pub fn logicals(&self, name: &str) -> Result<Vec<Option<bool>>, FitsError> {
        let column = self.wanted(name, b"L", "logicals")?;
        let mut values = Vec::new();
        self.visit(column.offset, column.length, |row| {
            values.push(match row.first() {
                Some(b'T') => Some(true),
                Some(b'F') => Some(false),
                _ => None,
            });
        })?;
        Ok(values)
    }

    /// The column, if it is of one of the wanted kinds and not too large.
    fn wanted(&self, name: &str, kinds: &[u8], what: &str) -> Result<&Column, FitsError> {
        let Some(column) = self.column(name) else {
            return self.fail(format!("the table has no column {name}"));
        };
        if !kinds.contains(&column.kind) {
            return self.fail(format!(
                "column {name} holds no {what}: its format is {}{}",
                column.repeat,
                char::from(column.kind)
            ));
        }
        let values = column.repeat.max(1).checked_mul(self.rows.max(1));
        if values.is_none_or(|values| values > MOST_VALUES) {
            return self.fail(format!("column {name} has more than {MOST_VALUES} values"));
        }
        Ok(column)
    }

    fn fail<T>(&self, reason: String) -> Result<T, FitsError> {
        Err(FitsProblem::Table(reason).at(&self.path, self.index))
    }

    /// Calls `visit` with so many bytes of each row, from an offset in it on.
    fn visit(
        &self,
        offset: u64,
        length: u64,
        mut visit: impl FnMut(&[u8]),
    ) -> Result<(), FitsError> {
        let read = |error: io::Error| FitsProblem::Read(error).at(&self.path, self.index);
        // Bounded: at most MOST_VALUES values of 8 bytes, or MOST_ROW.
        let Ok(length) = usize::try_from(length) else {
            return self.fail("a row is larger than the memory".to_owned());
        };
        let mut buffer = vec![0; length];
        for row in 0..self.rows {
            let offset = self.data_start + row * self.row_length + offset;
            self.bytes
                .read_exact_at(&mut buffer, offset)
                .map_err(read)?;
            visit(&buffer);
        }
        Ok(())
    }
}

/// The length of a row in bytes, and the number of rows.
fn axes(hdu: &Hdu) -> Result<(u64, u64), FitsProblem> {
    let header = &hdu.header;
    if header.text("XTENSION").map(str::trim) != Some("BINTABLE") {
        return Err(FitsProblem::Table("not a binary table".to_owned()));
    }
    let natural = |key: &str| {
        let value = header.integer(key).and_then(|value| value.try_into().ok());
        value.ok_or_else(|| FitsProblem::Table(format!("the table's {key} is no size")))
    };
    let (row_length, rows): (u64, u64) = (natural("NAXIS1")?, natural("NAXIS2")?);
    let size = row_length.checked_mul(rows);
    if header.integer("NAXIS") != Some(2) || size.is_none_or(|size| size > hdu.data_length) {
        return Err(FitsProblem::Table(
            "the table's axes make no sense".to_owned(),
        ));
    }
    Ok((row_length, rows))
}

fn columns(header: &Header, row_length: u64) -> Result<Vec<Column>, FitsProblem> {
    let fields = header.integer("TFIELDS").unwrap_or(0);
    if !(0..=MOST_COLUMNS).contains(&fields) {
        return Err(FitsProblem::Table(format!("a table of {fields} columns")));
    }
    let mut columns = Vec::new();
    let mut offset = 0;
    for number in 1..=fields {
        let column = Column::new(header, number, offset)?;
        offset += column.length;
        if offset > row_length {
            return Err(FitsProblem::Table(format!(
                "column {number} reaches beyond the row of {row_length} bytes"
            )));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// Where a column lies.
#[derive(Debug)]
struct Column {
    /// Counted from 1, as in `TFORMn`.
    number: i64,
    name: String,
    kind: u8,
    repeat: u64,
    /// In bytes from the start of a row.
    offset: u64,
    length: u64,
}

impl Column {
    fn new(header: &Header, number: i64, offset: u64) -> Result<Self, FitsProblem> {
        let form = header.text(&format!("TFORM{number}")).unwrap_or("").trim();
        let digits = form.len() - form.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (repeat, kind) = form.split_at(digits);
        let parsed = match repeat {
            "" => Some(1),
            _ => repeat.parse::<u64>().ok(),
        }
        .and_then(|repeat| {
            let kind = *kind.as_bytes().first()?;
            let length = match kind {
                b'X' => repeat.div_ceil(8),
                _ => repeat.checked_mul(width(kind)?)?,
            };
            // So that offsets of 999 columns cannot overflow.
            (length < 1 << 40).then_some((repeat, kind, length))
        });
        let Some((repeat, kind, length)) = parsed else {
            return Err(FitsProblem::Table(format!(
                "TFORM{number} is {form:?}, not a column format"
            )));
        };
        Ok(Self {
            number,
            name: header
                .text(&format!("TTYPE{number}"))
                .unwrap_or("")
                .trim()
                .to_owned(),
            kind,
            repeat,
            offset,
            length,
        })
    }
}

/// The bytes of one value (table 18).
fn width(kind: u8) -> Option<u64> {
    Some(match kind {
        b'L' | b'B' | b'A' => 1,
        b'I' => 2,
        b'J' | b'E' => 4,
        b'K' | b'D' | b'C' | b'P' => 8,
        b'M' | b'Q' => 16,
        _ => return None,
    })
}

#[allow(
    clippy::cast_precision_loss,
    reason = "64-bit integers are plotted, not counted with"
)]
fn decode(kind: u8, row: &[u8], null: Option<i64>, values: &mut Vec<f64>) {
    fn each<const N: usize>(row: &[u8]) -> impl Iterator<Item = [u8; N]> {
        row.chunks_exact(N).map(|bytes| {
            bytes
                .try_into()
                .expect("chunks_exact(N) gives slices of N bytes")
        })
    }
    let integer = |value: i64| match null {
        Some(null) if null == value => f64::NAN,
        _ => value as f64,
    };
    match kind {
        b'B' => values.extend(row.iter().map(|byte| integer(i64::from(*byte)))),
        b'I' => {
            values.extend(each(row).map(|bytes| integer(i16::from_be_bytes(bytes).into())));
        }
        b'J' => {
            values.extend(each(row).map(|bytes| integer(i32::from_be_bytes(bytes).into())));
        }
        b'K' => values.extend(each(row).map(|bytes| integer(i64::from_be_bytes(bytes)))),
        b'E' => values.extend(each(row).map(|bytes| f64::from(f32::from_be_bytes(bytes)))),
        _ => values.extend(each(row).map(f64::from_be_bytes)),
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

//! Which rows of a reference table a dataset uses, and whether they are the same in two deliveries of
//! the table.
//!
//! A table that is delivered anew seldom changes in all rows. Which columns select rows is data
//! ([`columns`](selecting_columns)); a row counts as selected unless a column says that it is of another mode, so
//! that a value that a header lacks selects more, never less. Where two tables cannot be compared row
//! by row the reason is told, and what that means is for the caller. Fetching the tables, and comparing each pair once,
//! is left to [`TableRows`](crate::TableRows).

mod changed;
mod columns;

pub use changed::{ChangedRows, RowsError};
pub use columns::{Column, columns_of_instrument, is_table, selecting_columns};

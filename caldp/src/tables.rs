//! Tables as people see them: aligned columns, without lines around them.

use comfy_table::{ContentArrangement, Table, presets};

use crate::terminal;

/// An empty table with these columns, whose cells are wrapped where a terminal is too narrow.
pub(crate) fn wrapped_table(columns: &[&str]) -> Table {
    let mut table = table(columns);
    if let Some(width) = terminal::width() {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table
}

/// An empty table with these columns.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns);
    table
}

/// A table's lines, without the blanks that fill its last column.
pub(crate) fn lines(table: &Table) -> String {
    let lines: Vec<String> = table.lines().map(|l| l.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// A number with what is counted, in the singular where it is one.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

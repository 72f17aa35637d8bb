//! Texts and dictionaries as Python writes them.

use crds_core::literal::Literal;

/// The text in quotes.
pub(crate) fn quoted(text: &str) -> Literal<'_> {
    Literal::Str(text.into())
}

/// A dictionary of texts, one entry a line.
pub(crate) fn dictionary(fields: &[(String, String)]) -> String {
    let entries = fields
        .iter()
        .map(|(key, value)| format!("{}: {}", quoted(key), quoted(value)));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(",\n "))
}

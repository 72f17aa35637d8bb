//! The Python literals that CRDS writes: rule files, `server_config`, and nothing more.
//!
//! Rule files are Python source, but all they ever contain is assignments of literals and of
//! nested selector calls. This module reads exactly that subset. Nothing is executed, and the text
//! is foreign: its size and nesting are bounded, and every refusal says file, line and column. What
//! the values mean is left to [`crate::rules`].

mod parser;
pub(crate) mod scan;
mod value;

use storage::hint::Hint;
pub use value::Literal;

use parser::{Calls, Parser};

/// The longest text that is read, in bytes. The largest real one is `server_config` (4 MB).
pub const MAX_BYTES: usize = 64 << 20;

/// How deep brackets and calls may nest. Real rules reach eight.
pub const MAX_DEPTH: usize = 64;

/// A text is not the literal it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}, column {column}: {problem}")]
pub struct LiteralError {
    /// The name under which the text was given.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What was found, and what would have been right.
    pub problem: String,
}

impl Hint for LiteralError {}

/// Reads a text that is one literal, as `server_config` is. `file` only names it in errors.
///
/// ```
/// let literal = crds_core::literal::parse("example", "{'gain': (1.0, 2.0,), 'amp': 'A' 'D'}")?;
/// assert_eq!(literal.get("amp").and_then(|amp| amp.as_str()), Some("AD"));
/// assert_eq!(literal.to_string(), "{'gain': (1.0, 2.0), 'amp': 'AD'}");
/// # Ok::<(), crds_core::literal::LiteralError>(())
/// ```
pub fn parse<'a>(file: &str, text: &'a str) -> Result<Literal<'a>, LiteralError> {
    Parser::new(file, text, Calls::Refused)?.whole()
}

/// The assignments of a rule file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RuleText<'a> {
    pub(crate) header: Literal<'a>,
    pub(crate) selector: Literal<'a>,
}

/// Reads the assignments of a rule file: `header`, optionally `comment`, and `selector`.
pub(crate) fn parse_rules<'a>(file: &str, text: &'a str) -> Result<RuleText<'a>, LiteralError> {
    Parser::new(file, text, Calls::Selectors)?.rules()
}

#[cfg(test)]
mod tests;

//! Selectors: the tables that turn a header into a file name.
//!
//! A rule file's selector is read as a [`tree::Selector`], then compiled once into a [`Node`]
//! whose lookups compare numbers instead of texts. Which tables to ask, and what their answers
//! mean, is left to [`crate::bestrefs`].

mod cell;
mod choose;
pub(crate) mod date;
mod failure;
mod glob;
mod match_table;
pub(crate) mod moment;
pub(crate) mod slots;
mod timeline;
pub(crate) mod tree;
mod use_after;
mod version;

pub use failure::{ListedValues, LookupFailure};

pub(crate) use cell::or_list;
pub(crate) use choose::{Chosen, Dates};
pub(crate) use failure::Miss;
pub(crate) use match_table::MatchTable;
pub(crate) use timeline::Timeline;
pub(crate) use use_after::{UseAfter, VersionAfter};

use std::sync::Arc;

use slots::{Slot, Slots};

use crate::literal::Literal;

/// The number of a terminal in its table's list.
pub(crate) type TerminalId = u32;

/// A compiled selector.
#[derive(Debug)]
pub(crate) enum Node {
    Match(MatchTable),
    UseAfter(UseAfter),
    VersionAfter(VersionAfter),
}

/// What a compiled selector gives.
#[derive(Debug, Clone)]
pub(crate) enum Choice {
    Terminal(TerminalId),
    Node(Arc<Node>),
}

/// Cells of one parameter that are replaced before anything else: old and new.
pub(crate) type Substitutions = Vec<(Literal<'static>, Literal<'static>)>;

/// What the compilation of one table needs and collects.
pub(crate) struct Compiler<'c> {
    pub(crate) slots: &'c mut Slots,
    /// The parameters of each level.
    pub(crate) parameters: &'c [Vec<Box<str>>],
    pub(crate) substitutions: &'c [(Box<str>, Substitutions)],
    pub(crate) merges: bool,
    /// The combinations of keys that make up a date, shared by the instrument's tables.
    pub(crate) date_keys: &'c mut slots::DateKeys,
    pub(crate) terminals: Vec<tree::RawChoice>,
}

impl Compiler<'_> {
    pub(crate) fn node(&mut self, selector: &tree::Selector, level: usize) -> Result<Node, String> {
        let names = self.parameters.get(level).ok_or_else(|| {
            format!(
                "its selectors nest deeper than the {} levels of its `parkey`",
                self.parameters.len()
            )
        })?;
        let slots = names
            .iter()
            .map(|name| self.slots.number(name))
            .collect::<Result<Vec<Slot>, String>>()?;
        Ok(match selector {
            tree::Selector::Match(rows) => {
                Node::Match(MatchTable::new(self, names, &slots, rows, level)?)
            }
            tree::Selector::UseAfter(entries) => {
                Node::UseAfter(UseAfter::new(self, &slots, entries, level)?)
            }
            tree::Selector::VersionAfter(entries) => {
                Node::VersionAfter(VersionAfter::new(self, &slots, entries, level)?)
            }
        })
    }

    fn choice(&mut self, choice: &tree::RawChoice, level: usize) -> Result<Choice, String> {
        match choice {
            tree::RawChoice::Nested(selector) => self
                .node(selector, level + 1)
                .map(|node| Choice::Node(Arc::new(node))),
            terminal => {
                let id = TerminalId::try_from(self.terminals.len())
                    .map_err(|_| "it has more entries than can be".to_owned())?;
                self.terminals.push(terminal.clone());
                Ok(Choice::Terminal(id))
            }
        }
    }
}

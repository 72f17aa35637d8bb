//! The choice: candidates from best to worst, each asked in turn.

use std::sync::{Arc, OnceLock};

use super::date::Moment;
use super::failure::Miss;
use super::match_table::MatchTable;
use super::slots::Values;
use super::tree;
use super::{Choice, LookupFailure, Node, TerminalId};

/// What a lookup chose.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Chosen {
    Terminal(TerminalId),
    /// Several equally good plain choices, which nothing can tell apart.
    Several(Vec<Box<str>>),
}

/// Gives the date that a combination of header keys makes, worked out only when asked for.
pub(crate) trait Dates {
    fn date(&self, date_keys: usize) -> Result<Moment, LookupFailure>;
}

/// Rows of one table that fit equally well.
#[derive(Debug)]
pub(crate) struct Group {
    rows: Box<[u32]>,
    merged: OnceLock<Result<Merged, LookupFailure>>,
}

/// What the rows of a group choose together.
#[derive(Debug, Clone)]
enum Merged {
    Choice(Choice),
    Several(Vec<Box<str>>),
}

impl Group {
    pub(crate) fn new(rows: Box<[u32]>) -> Self {
        Self {
            rows,
            merged: OnceLock::new(),
        }
    }

    fn merged(
        &self,
        table: &MatchTable,
        terminals: &[tree::Choice],
    ) -> &Result<Merged, LookupFailure> {
        self.merged
            .get_or_init(|| merge(table, &self.rows, terminals))
    }
}

impl Node {
    pub(crate) fn choose(
        &self,
        values: &Values<'_>,
        dates: &dyn Dates,
        terminals: &[tree::Choice],
    ) -> Result<Chosen, Miss> {
        match self {
            Self::Match(table) => {
                let groups: Vec<Group> = table
                    .candidates(values)?
                    .into_iter()
                    .map(|rows| Group::new(rows.into()))
                    .collect();
                first_that_fits(table, &groups, terminals, |node| {
                    node.choose(values, dates, terminals)
                })
            }
            Self::UseAfter(table) => {
                let date = dates.date(table.date_keys).map_err(Miss::Final)?;
                match table.choose(date) {
                    Some(choice) => choice.follow(values, dates, terminals),
                    None => Err(Miss::NothingBefore(date)),
                }
            }
            Self::VersionAfter(table) => {
                let mut version = String::new();
                for (index, &slot) in table.slots.iter().enumerate() {
                    let value = values.get(slot).ok_or_else(|| {
                        Miss::Final(LookupFailure::InvalidVersion {
                            value: version.as_str().into(),
                        })
                    })?;
                    version.push_str(if index == 0 { "" } else { "." });
                    version.push_str(value);
                }
                match table.choose(&version).map_err(Miss::Final)? {
                    Some(choice) => choice.follow(values, dates, terminals),
                    None => Err(Miss::Lookup(LookupFailure::NothingEarlier {
                        value: version.into(),
                    })),
                }
            }
        }
    }
}

impl Choice {
    /// The terminal, or what the nested selector chooses; its lookup failures are this one's.
    fn follow(
        &self,
        values: &Values<'_>,
        dates: &dyn Dates,
        terminals: &[tree::Choice],
    ) -> Result<Chosen, Miss> {
        match self {
            Self::Terminal(id) => Ok(Chosen::Terminal(*id)),
            Self::Node(node) => match node.choose(values, dates, terminals) {
                Err(Miss::NoMatch | Miss::NothingBefore(_) | Miss::Lookup(_)) => {
                    Err(Miss::Lookup(LookupFailure::NestedNoMatch))
                }
                other => other,
            },
        }
    }
}

/// Tries the groups in order; `ask` gives what a nested selector says.
pub(crate) fn first_that_fits<G: std::borrow::Borrow<Group>>(
    table: &MatchTable,
    groups: &[G],
    terminals: &[tree::Choice],
    ask: impl Fn(&Node) -> Result<Chosen, Miss>,
) -> Result<Chosen, Miss> {
    for group in groups {
        match group.borrow().merged(table, terminals) {
            Err(failure) => return Err(Miss::Final(failure.clone())),
            Ok(Merged::Several(names)) => return Ok(Chosen::Several(names.clone())),
            Ok(Merged::Choice(Choice::Terminal(id))) => return Ok(Chosen::Terminal(*id)),
            Ok(Merged::Choice(Choice::Node(node))) => match ask(node) {
                Err(Miss::NoMatch | Miss::NothingBefore(_) | Miss::Lookup(_)) => {}
                decided => return decided,
            },
        }
    }
    Err(Miss::NoMatch)
}

fn merge(
    table: &MatchTable,
    rows: &[u32],
    terminals: &[tree::Choice],
) -> Result<Merged, LookupFailure> {
    let choices = table.choices();
    let mut chosen = rows.iter().filter_map(|row| choices.get(*row as usize));
    let Some(first) = chosen.next() else {
        return Ok(Merged::Several(Vec::new()));
    };
    if rows.len() == 1 {
        return Ok(Merged::Choice(first.clone()));
    }
    if !table.merges {
        return Err(LookupFailure::SeveralRows);
    }
    match first {
        Choice::Terminal(_) => Ok(Merged::Several(
            std::iter::once(first)
                .chain(chosen)
                .map(|choice| shown(choice, terminals))
                .collect(),
        )),
        Choice::Node(node) => {
            let mut merged = Arc::clone(node);
            for choice in chosen {
                let Choice::Node(other) = choice else {
                    return Err(LookupFailure::Unmergeable);
                };
                merged = Arc::new(match (&*merged, &**other) {
                    (Node::UseAfter(a), Node::UseAfter(b)) => {
                        Node::UseAfter(a.merge(b, terminals)?)
                    }
                    (Node::VersionAfter(a), Node::VersionAfter(b)) => {
                        Node::VersionAfter(a.merge(b, terminals)?)
                    }
                    _ => return Err(LookupFailure::Unmergeable),
                });
            }
            Ok(Merged::Choice(Choice::Node(merged)))
        }
    }
}

/// How one of several equally good choices is shown.
fn shown(choice: &Choice, terminals: &[tree::Choice]) -> Box<str> {
    match choice {
        Choice::Node(_) => "<selector>".into(),
        Choice::Terminal(id) => match terminals.get(*id as usize) {
            Some(tree::Choice::File(name)) => name.clone(),
            Some(tree::Choice::Several(names)) => names.join(" ").into(),
            _ => "<selector>".into(),
        },
    }
}

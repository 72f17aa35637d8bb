//! The choice: candidates from best to worst, each asked in turn.

use std::sync::Arc;

use super::failure::Miss;
use super::match_table::MatchTable;
use super::moment::Moment;
use super::slots::Values;
use super::tree;
use super::{Choice, LookupFailure, Node, TerminalId};

/// What a lookup chose.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Chosen {
    Terminal(TerminalId),
    /// Several equally good plain choices, which nothing can tell apart.
    Several(Arc<[Box<str>]>),
}

/// Gives the date that a combination of header keys makes, worked out only when asked for.
pub(crate) trait Dates {
    fn date(&self, date_keys: usize) -> Result<Moment, Arc<LookupFailure>>;
}

/// What the rows of a group choose together.
#[derive(Debug)]
pub(super) enum Merged {
    Choice(Choice),
    Several(Arc<[Box<str>]>),
}

impl Node {
    pub(crate) fn choose(
        &self,
        values: &Values<'_>,
        dates: &dyn Dates,
        terminals: &[tree::RawChoice],
    ) -> Result<Chosen, Miss> {
        match self {
            Self::Match(table) => table.choose(values, dates, terminals),
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
                        let parameter = Arc::clone(&table.parameters[index]);
                        let selector = "VersionAfter";
                        Miss::Final(
                            LookupFailure::MissingParameter {
                                selector,
                                parameter,
                            }
                            .into(),
                        )
                    })?;
                    version.push_str(if index == 0 { "" } else { "." });
                    version.push_str(value);
                }
                let chosen = table.choose(&version).map_err(|f| Miss::Final(f.into()))?;
                if let Some(choice) = chosen {
                    return choice.follow(values, dates, terminals);
                }
                let value = version.into();
                Err(Miss::Lookup(LookupFailure::NothingEarlier { value }.into()))
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
        terminals: &[tree::RawChoice],
    ) -> Result<Chosen, Miss> {
        match self {
            Self::Terminal(id) => Ok(Chosen::Terminal(*id)),
            Self::Node(node) => match node.choose(values, dates, terminals) {
                Err(Miss::NoMatch | Miss::NothingBefore(_) | Miss::Lookup(_)) => {
                    Err(Miss::Lookup(LookupFailure::NestedNoMatch.into()))
                }
                other => other,
            },
        }
    }
}

impl MatchTable {
    /// Tries the candidates from best to worst.
    fn choose(
        &self,
        values: &Values<'_>,
        dates: &dyn Dates,
        terminals: &[tree::RawChoice],
    ) -> Result<Chosen, Miss> {
        for rows in self.candidates(values)? {
            match self.merged(&rows, terminals) {
                Err(failure) => return Err(Miss::Final(failure.into())),
                Ok(Merged::Several(names)) => return Ok(Chosen::Several(names)),
                Ok(Merged::Choice(Choice::Terminal(id))) => return Ok(Chosen::Terminal(id)),
                Ok(Merged::Choice(Choice::Node(node))) => {
                    match node.choose(values, dates, terminals) {
                        Err(Miss::NoMatch | Miss::NothingBefore(_) | Miss::Lookup(_)) => {}
                        decided => return decided,
                    }
                }
            }
        }
        Err(Miss::NoMatch)
    }

    /// What rows choose that fit equally well.
    pub(super) fn merged(
        &self,
        rows: &[u32],
        terminals: &[tree::RawChoice],
    ) -> Result<Merged, LookupFailure> {
        let choices = self.choices();
        let mut chosen = rows.iter().filter_map(|row| choices.get(*row as usize));
        let Some(first) = chosen.next() else {
            return Ok(Merged::Several([].into()));
        };
        if rows.len() == 1 {
            return Ok(Merged::Choice(first.clone()));
        }
        if !self.merges {
            return Err(LookupFailure::SeveralRows);
        }
        match first {
            Choice::Terminal(_) => {
                let all = std::iter::once(first).chain(chosen);
                let names = all.map(|choice| shown(choice, terminals));
                Ok(Merged::Several(names.collect()))
            }
            Choice::Node(node) => {
                let mut merged = Arc::clone(node);
                for choice in chosen {
                    let Choice::Node(other) = choice else {
                        return Err(LookupFailure::Unmergeable);
                    };
                    merged = Arc::new(merged.merge(other, terminals)?);
                }
                Ok(Merged::Choice(Choice::Node(merged)))
            }
        }
    }
}

impl Node {
    fn merge(&self, other: &Self, terminals: &[tree::RawChoice]) -> Result<Self, LookupFailure> {
        match (self, other) {
            (Self::UseAfter(a), Self::UseAfter(b)) => a.merge(b, terminals).map(Self::UseAfter),
            (Self::VersionAfter(a), Self::VersionAfter(b)) => {
                a.merge(b, terminals).map(Self::VersionAfter)
            }
            _ => Err(LookupFailure::Unmergeable),
        }
    }
}

/// How one of several equally good choices is shown.
fn shown(choice: &Choice, terminals: &[tree::RawChoice]) -> Box<str> {
    match choice {
        Choice::Node(_) => "<selector>".into(),
        Choice::Terminal(id) => match terminals.get(*id as usize) {
            Some(tree::RawChoice::File(name)) => Box::from(&**name),
            Some(tree::RawChoice::Several(names)) => names.join(" ").into(),
            _ => "<selector>".into(),
        },
    }
}

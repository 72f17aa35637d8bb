//! A Match over dates, for one combination of values: what it chooses for every date.
//!
//! Once it is known which rows fit, the candidates from best to worst leave nothing but the date
//! to decide. That is worked out once, into one list of moments from which each answer holds.

use std::sync::Arc;

use super::choose::{Chosen, Dates, Merged};
use super::failure::{LookupFailure, Miss};
use super::match_table::MatchTable;
use super::moment::Moment;
use super::tree;
use super::{Choice, Node, TerminalId};

/// The answers of a table for all dates.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// The date that decides; nothing if none does.
    date_keys: Option<usize>,
    from: Box<[Moment]>,
    answers: Box<[Answer]>,
    others: Vec<Result<Chosen, Miss>>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Terminal(TerminalId),
    /// One of the `others`.
    Other(u32),
}

impl Timeline {
    /// Works out what the candidate rows, best first, choose; nothing if more than dates decides.
    pub(crate) fn new(
        table: &MatchTable,
        candidates: &[Vec<u32>],
        terminals: &[tree::RawChoice],
    ) -> Option<Self> {
        let mut merged = Vec::with_capacity(candidates.len());
        for rows in candidates {
            merged.push(table.merged(rows, terminals));
            if !matches!(merged.last(), Some(Ok(Merged::Choice(Choice::Node(_))))) {
                // Nothing behind this one is ever asked.
                break;
            }
        }
        let mut timeline: Vec<(Moment, Answer)> = Vec::new();
        let mut others = Vec::new();
        let mut date_keys = None;
        // Each better candidate takes over from its first moment on.
        for candidate in merged.into_iter().rev() {
            date_keys = None;
            let other = match candidate {
                Ok(Merged::Choice(Choice::Terminal(id))) => {
                    timeline = vec![(Moment::FIRST, Answer::Terminal(id))];
                    continue;
                }
                Ok(Merged::Choice(Choice::Node(node))) => {
                    let Node::UseAfter(dates) = &*node else {
                        return None;
                    };
                    date_keys = Some(dates.date_keys);
                    if let Some((first, _)) = dates.entries().next() {
                        timeline.truncate(timeline.partition_point(|(from, _)| *from < first));
                    }
                    for (from, choice) in dates.entries() {
                        let Choice::Terminal(id) = choice else {
                            return None;
                        };
                        timeline.push((from, Answer::Terminal(*id)));
                    }
                    continue;
                }
                Ok(Merged::Several(names)) => Ok(Chosen::Several(names)),
                Err(failure) => Err(Miss::Final(failure.into())),
            };
            timeline = vec![(
                Moment::FIRST,
                Answer::Other(u32::try_from(others.len()).unwrap_or(u32::MAX)),
            )];
            others.push(other);
        }
        let (from, answers): (Vec<_>, Vec<_>) = timeline.into_iter().unzip();
        Some(Self {
            date_keys,
            from: from.into(),
            answers: answers.into(),
            others,
        })
    }

    /// Whether the date decides anything.
    pub(crate) fn is_dated(&self) -> bool {
        self.date_keys.is_some()
    }

    /// The answer for a date, if it is one entry of the table.
    pub(crate) fn terminal(&self, dates: &dyn Dates) -> Option<TerminalId> {
        match self.answer(dates) {
            Ok(Some(Answer::Terminal(id))) => Some(id),
            _ => None,
        }
    }

    /// The answer for a date.
    pub(crate) fn choose(&self, dates: &dyn Dates) -> Result<Chosen, Miss> {
        match self.answer(dates).map_err(Miss::Final)? {
            Some(Answer::Terminal(id)) => Ok(Chosen::Terminal(id)),
            Some(Answer::Other(number)) => {
                let other = self.others.get(number as usize).cloned();
                other.unwrap_or(Err(Miss::NoMatch))
            }
            None => Err(Miss::NoMatch),
        }
    }

    fn answer(&self, dates: &dyn Dates) -> Result<Option<Answer>, Arc<LookupFailure>> {
        let date = match self.date_keys {
            Some(keys) => dates.date(keys)?,
            None => Moment::FIRST,
        };
        let after = self.from.partition_point(|from| *from <= date);
        let at = after.checked_sub(1);
        Ok(at.and_then(|at| self.answers.get(at)).copied())
    }
}

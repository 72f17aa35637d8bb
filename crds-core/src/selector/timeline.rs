//! A Match over dates, for one combination of values: what it chooses for every date.
//!
//! Once it is known which rows fit, the candidates from best to worst leave nothing but the date
//! to decide. That is worked out once, into one list of moments from which each answer holds.

use super::choose::{Chosen, Dates, Merged};
use super::date::Moment;
use super::failure::Miss;
use super::match_table::MatchTable;
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
    Other(usize),
}

impl Timeline {
    /// Works out what the candidate rows, best first, choose; nothing if more than dates decides.
    pub(crate) fn new(
        table: &MatchTable,
        candidates: &[Vec<u32>],
        terminals: &[tree::Choice],
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
            timeline = vec![(Moment::FIRST, Answer::Other(others.len()))];
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

    /// The answer for a date.
    pub(crate) fn choose(&self, dates: &dyn Dates) -> Result<Chosen, Miss> {
        let date = match self.date_keys {
            Some(keys) => dates.date(keys).map_err(Miss::Final)?,
            None => Moment::FIRST,
        };
        let after = self.from.partition_point(|from| *from <= date);
        match after.checked_sub(1).and_then(|at| self.answers.get(at)) {
            Some(Answer::Terminal(id)) => Ok(Chosen::Terminal(*id)),
            Some(Answer::Other(number)) => {
                let other = self.others.get(*number).cloned();
                other.unwrap_or(Err(Miss::NoMatch))
            }
            None => Err(Miss::NoMatch),
        }
    }
}

//! Which values of a header decide what a table chooses: headers that agree in them have the same answer,
//! which is therefore remembered by them.

use super::compiled::{ExpressionName, Table};
use crate::selector::slots::{DateKeys, Slot};
use crate::selector::{Choice, Node};

/// The slots through which alone a header decides about a table, its date aside; nothing if the
/// table is of a kind for which that cannot be said.
pub(super) fn decisive_slots(
    table: &Table,
    names: &[ExpressionName],
    known_dates: &DateKeys,
    detector_and_gain: Option<[Slot; 2]>,
) -> Option<Vec<Slot>> {
    let mut slots: Vec<Slot> = Vec::new();
    let mut date_keys: Vec<usize> = Vec::new();
    match &table.root {
        Node::Match(rows) => {
            slots.extend(rows.slots());
            for choice in rows.choices() {
                match choice {
                    Choice::Terminal(_) => {}
                    Choice::Node(node) => match &**node {
                        Node::UseAfter(dates) if dates.has_only_terminals() => {
                            date_keys.push(dates.date_keys);
                        }
                        _ => return None,
                    },
                }
            }
        }
        Node::UseAfter(dates) if dates.has_only_terminals() => date_keys.push(dates.date_keys),
        _ => return None,
    }
    let is_date = |slot: &Slot| {
        let keys = date_keys.iter().filter_map(|keys| known_dates.get(*keys));
        keys.flat_map(|keys| keys.iter()).any(|date| date == slot)
    };
    if table
        .parameter_relevance
        .iter()
        .any(|(slot, _)| is_date(slot))
    {
        return None;
    }
    slots.extend(table.parameter_relevance.iter().map(|(slot, _)| *slot));
    let conditions = table
        .parameter_relevance
        .iter()
        .map(|(_, condition)| condition);
    for expression in conditions.chain(&table.omit).chain(&table.relevance) {
        expression.each_name(&mut |number| {
            slots.extend(names.get(number).iter().flat_map(|name| &name.slots));
        });
    }
    for hook in table.precondition.iter().chain(&table.fallback) {
        slots.extend(hook.slots());
    }
    slots.extend(detector_and_gain.iter().flatten());
    slots.sort_unstable();
    slots.dedup();
    Some(slots)
}

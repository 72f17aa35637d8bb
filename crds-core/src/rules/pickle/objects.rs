//! From the values of a pickle to rule files.

use std::borrow::Cow;
use std::cell::Cell;

use super::PickleError;
use super::values::{self, Class, Id, NOTHING, Object, Value};
use crate::literal::{Literal, MAX_DEPTH};
use crate::names::{MappingKind, MappingName};
use crate::rules::RuleHeader;
use crate::rules::mapping::{Body, Mapping, targets};
use crate::selector::tree::{RawChoice, Selector};

/// How many values may be copied out of a pickle, which may refer to one value many times.
const MAX_COPIED: usize = 4_000_000;

/// A rule file in a pickle, and the numbers of the ones below it.
#[derive(Clone)]
pub(super) struct PickledMapping {
    pub(super) mapping: Mapping,
    pub(super) children: Vec<(Box<str>, Id)>,
}

pub(super) struct Reader<'r, 'p> {
    made: &'r values::ValueGraph<'p>,
    copied: Cell<usize>,
}

type PickleResult<T> = Result<T, PickleError>;

fn error<T>(problem: impl Into<String>) -> PickleResult<T> {
    Err(PickleError {
        at: 0,
        problem: problem.into(),
    })
}

/// Rows whose keys are texts.
fn keyed(
    rows: impl Iterator<Item = PickleResult<(Literal<'static>, RawChoice)>>,
) -> PickleResult<Vec<(Box<str>, RawChoice)>> {
    rows.map(|row| match row? {
        (Literal::Str(key), choice) => Ok((key.into_owned().into_boxed_str(), choice)),
        (key, _) => error(format!("the key {key} is not a text")),
    })
    .collect()
}

impl<'r, 'p> Reader<'r, 'p> {
    pub(super) fn new(made: &'r values::ValueGraph<'p>) -> Self {
        Self {
            made,
            copied: Cell::new(0),
        }
    }

    /// The rule file that an object is.
    pub(super) fn mapping(&self, id: Id) -> PickleResult<PickledMapping> {
        let Some(object) = self.made.object(id) else {
            return error("a set of rules is not an object");
        };
        let kind = match object.class {
            Class::Pipeline => MappingKind::Pipeline,
            Class::Instrument => MappingKind::Instrument,
            Class::Reference => MappingKind::Reference,
            _ => return error("an object that should be a set of rules is something else"),
        };
        let name = match self.made.value(self.field(object, "filename")?) {
            // Python keeps the path under which the file was loaded.
            Value::Text(path) => path.rsplit('/').next().unwrap_or(path),
            _ => return error("a set of rules has no file name"),
        };
        let name: MappingName = match name.parse() {
            Ok(name) => name,
            Err(problem) => return error(format!("{problem}")),
        };
        if name.kind() != kind {
            return error(format!("{name} is not of the kind its name says"));
        }
        let in_file = |problem: String| PickleError {
            at: 0,
            problem: format!("{name}: {problem}"),
        };
        let header = self.literal(self.field(object, "header")?, 0)?;
        let header = RuleHeader::new(&header).map_err(in_file)?;
        let selector = self.field(object, "selector")?;
        let (body, children) = if kind == MappingKind::Reference {
            (Body::Table(self.selector(selector, 0)?), Vec::new())
        } else {
            let selector = self.literal(selector, 0)?;
            let body = Body::Targets(targets(&selector).map_err(in_file)?);
            (body, self.children(object)?)
        };
        match Mapping::new(name, header, body) {
            Ok(mapping) => Ok(PickledMapping { mapping, children }),
            Err(problem) => error(problem.to_string()),
        }
    }

    fn children(&self, object: Object) -> PickleResult<Vec<(Box<str>, Id)>> {
        let Some(selections) = self.made.object(self.field(object, "selections")?) else {
            return error("a set of rules has no selections");
        };
        if selections.class != Class::Selections {
            return error("the selections of a set of rules are something else");
        }
        let above = self.field(selections, "_xx_superclass")?;
        let Some(contents) = self.entry(above, "_contents") else {
            return error("the selections of a set of rules have no content");
        };
        let Value::Dict(chain) = self.made.value(contents) else {
            return error("the selections of a set of rules are no dictionary");
        };
        let pairs = self.made.pairs(chain);
        Ok(pairs
            .filter_map(|(key, child)| match self.made.value(key) {
                Value::Text(key) if self.made.object(child).is_some() => {
                    Some((Box::from(key), child))
                }
                _ => None,
            })
            .collect())
    }

    fn selector(&self, id: Id, depth: usize) -> PickleResult<Selector> {
        if depth > MAX_DEPTH {
            return error(format!("selectors nest more than {MAX_DEPTH} deep"));
        }
        let Some(object) = self.made.object(id) else {
            return error("a table has no selector");
        };
        let Value::List(rows) = self.made.value(self.field(object, "_raw_selections")?) else {
            return error("a selector has no rows");
        };
        let rows = self.made.pairs(rows).map(|(_, row)| self.row(row, depth));
        match object.class {
            Class::Match => rows.collect::<PickleResult<_>>().map(Selector::Match),
            Class::UseAfter => keyed(rows).map(Selector::UseAfter),
            Class::VersionAfter => keyed(rows).map(Selector::VersionAfter),
            _ => error("a selector is something else"),
        }
    }

    fn row(&self, id: Id, depth: usize) -> PickleResult<(Literal<'static>, RawChoice)> {
        let wrong = || error("a row is not a pair");
        let pair = match self.made.object(id) {
            Some(object) if object.class == Class::Selection => {
                match self.made.value(object.arguments) {
                    Value::Tuple { start, len } => match self.made.tuple(start, len) {
                        [pair] => *pair,
                        _ => return wrong(),
                    },
                    _ => return wrong(),
                }
            }
            _ => id,
        };
        let Value::Tuple { start, len } = self.made.value(pair) else {
            return wrong();
        };
        let [key, choice] = self.made.tuple(start, len) else {
            return wrong();
        };
        let key = self.literal(*key, 0)?;
        let choice = match self.made.value(*choice) {
            Value::Object(_) => RawChoice::Nested(self.selector(*choice, depth + 1)?),
            Value::Text(name) => RawChoice::File(name.into()),
            _ => match RawChoice::new(&self.literal(*choice, 0)?) {
                Ok(choice) => choice,
                Err(problem) => return error(problem),
            },
        };
        Ok((key, choice))
    }

    /// A field of an object's state.
    fn field(&self, object: Object, name: &str) -> PickleResult<Id> {
        match self.entry(object.state, name) {
            Some(id) => Ok(id),
            None => error(format!("an object of the context has no `{name}`")),
        }
    }

    /// What a dictionary has under a name; the last entry counts.
    fn entry(&self, id: Id, name: &str) -> Option<Id> {
        let Value::Dict(chain) = self.made.value(id) else {
            return None;
        };
        let is_named = |key| matches!(self.made.value(key), Value::Text(text) if text == name);
        let pairs = self.made.pairs(chain);
        pairs
            .filter(|(key, _)| is_named(*key))
            .last()
            .map(|(_, value)| value)
    }

    fn literal(&self, id: Id, depth: usize) -> PickleResult<Literal<'static>> {
        if depth > MAX_DEPTH {
            return error(format!("values nest more than {MAX_DEPTH} deep"));
        }
        let copied = self.copied.get() + 1;
        self.copied.set(copied);
        if copied > MAX_COPIED {
            return error(format!("its rules have more than {MAX_COPIED} values"));
        }
        let below = |id| self.literal(id, depth + 1);
        Ok(match self.made.value(id) {
            _ if id == NOTHING => return error("a value is missing"),
            Value::None => Literal::None,
            Value::Bool(value) => Literal::Bool(value),
            Value::Int(value) => Literal::Int(value),
            Value::Float(value) if value.is_nan() => return error("a number is not one"),
            Value::Float(value) => Literal::Float(value),
            Value::Text(text) => Literal::Str(Cow::Owned(text.to_owned())),
            Value::Tuple { start, len } => {
                let items = self.made.tuple(start, len).iter();
                Literal::Tuple(items.map(|id| below(*id)).collect::<PickleResult<_>>()?)
            }
            Value::List(chain) => {
                let items = self.made.pairs(chain);
                Literal::List(
                    items
                        .map(|(_, id)| below(id))
                        .collect::<PickleResult<_>>()?,
                )
            }
            Value::Dict(chain) => self.dict(chain, depth)?,
            Value::Object(_) => match self.made.object(id) {
                Some(object) if object.class == Class::LowerCaseDict => {
                    self.dict(object.content, depth)?
                }
                _ => return error("an object stands where a plain value should be"),
            },
            Value::Class(_) | Value::NotMade => {
                return error("a function stands where a plain value should be");
            }
        })
    }

    fn dict(&self, chain: values::Chain, depth: usize) -> PickleResult<Literal<'static>> {
        let pairs = self.made.pairs(chain);
        pairs
            .map(|(key, value)| {
                Ok((
                    self.literal(key, depth + 1)?,
                    self.literal(value, depth + 1)?,
                ))
            })
            .collect::<PickleResult<_>>()
            .map(Literal::Dict)
    }
}

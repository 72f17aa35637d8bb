//! The expressions in rule headers: whether a type or a parameter is relevant for a header.
//!
//! They are Python expressions over header values, reduced to constants, names, comparisons,
//! boolean operators and conditional expressions. Nothing can be called and nothing looked into.

mod parse;

use std::borrow::Cow;
use std::cmp::Ordering;

use self::parse::ExpressionParser;
use crate::literal::LiteralError;
use crate::literal::scan::Scan;

/// A compiled expression; names are numbers that the caller gave out.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Constant(Constant),
    Name(usize),
    Sequence(Sequence, Vec<Expression>),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    /// `a < b <= c` as its first operand and the rest.
    Comparison(Box<Expression>, Vec<(Comparator, Expression)>),
    /// `then if condition else otherwise`
    Conditional(Box<[Expression; 3]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequence {
    Tuple,
    List,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    None,
    Bool(bool),
    Number(f64),
    Text(Box<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// What an expression is worth.
#[derive(Debug, Clone)]
pub(crate) enum Operand<'v> {
    None,
    Bool(bool),
    Number(f64),
    Text(Cow<'v, str>),
    Sequence(Sequence, Vec<Operand<'v>>),
}

/// What the names of an expression stand for.
pub(crate) trait Names {
    /// The value of a name, or what the name is called if it has none.
    fn value(&self, number: usize) -> Result<Cow<'_, str>, String>;
}

impl Expression {
    /// Compiles a text. `number` gives a name its number.
    pub(crate) fn new(
        file: &str,
        text: &str,
        number: &mut dyn FnMut(&str) -> usize,
    ) -> Result<Self, LiteralError> {
        let mut parser = ExpressionParser {
            scan: Scan::new(file, text)?,
            depth: 0,
            number,
        };
        parser.scan.skip_blanks();
        let expression = parser.conditional()?;
        match parser.scan.peek() {
            None => Ok(expression),
            Some(_) => Err(parser.scan.unexpected("the end of the expression")),
        }
    }

    /// Whether the value counts as true, or Python's complaint.
    pub(crate) fn holds(&self, names: &dyn Names) -> Result<bool, String> {
        self.value(names).map(|value| value.is_true())
    }

    /// Calls `visit` with the number of every name.
    pub(crate) fn each_name(&self, visit: &mut dyn FnMut(usize)) {
        match self {
            Self::Constant(_) => {}
            Self::Name(number) => visit(*number),
            Self::Not(inner) => inner.each_name(visit),
            Self::Sequence(_, parts) | Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.each_name(visit);
                }
            }
            Self::Comparison(first, rest) => {
                first.each_name(visit);
                for (_, part) in rest {
                    part.each_name(visit);
                }
            }
            Self::Conditional(parts) => {
                for part in &**parts {
                    part.each_name(visit);
                }
            }
        }
    }

    fn value<'v>(&'v self, names: &'v dyn Names) -> Result<Operand<'v>, String> {
        match self {
            Self::Constant(constant) => Ok(match constant {
                Constant::None => Operand::None,
                Constant::Bool(value) => Operand::Bool(*value),
                Constant::Number(value) => Operand::Number(*value),
                Constant::Text(text) => Operand::Text(Cow::Borrowed(text)),
            }),
            Self::Name(number) => names.value(*number).map(Operand::Text),
            Self::Sequence(sequence, parts) => {
                let values = parts.iter().map(|part| part.value(names));
                Ok(Operand::Sequence(
                    *sequence,
                    values.collect::<Result<_, _>>()?,
                ))
            }
            Self::Not(inner) => Ok(Operand::Bool(!inner.holds(names)?)),
            Self::And(parts) => last_needed(parts, names, false),
            Self::Or(parts) => last_needed(parts, names, true),
            Self::Comparison(first, rest) => {
                let mut left = first.value(names)?;
                for (comparator, right) in rest {
                    let right = right.value(names)?;
                    if !comparator.holds(&left, &right)? {
                        return Ok(Operand::Bool(false));
                    }
                    left = right;
                }
                Ok(Operand::Bool(true))
            }
            Self::Conditional(parts) => {
                let [then, condition, otherwise] = &**parts;
                if condition.holds(names)? {
                    then.value(names)
                } else {
                    otherwise.value(names)
                }
            }
        }
    }
}

/// `and` and `or` give the first operand that decides, else the last.
fn last_needed<'v>(
    parts: &'v [Expression],
    names: &'v dyn Names,
    decisive: bool,
) -> Result<Operand<'v>, String> {
    let mut value = Operand::None;
    for part in parts {
        value = part.value(names)?;
        if value.is_true() == decisive {
            break;
        }
    }
    Ok(value)
}

impl Operand<'_> {
    fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Sequence(_, items) => !items.is_empty(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Number(value) => Some(*value),
            _ => None,
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "str",
            Self::Sequence(Sequence::Tuple, _) => "tuple",
            Self::Sequence(Sequence::List, _) => "list",
        }
    }

    #[allow(clippy::float_cmp, reason = "Python compares doubles exactly")]
    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Sequence(a, x), Self::Sequence(b, y)) => {
                a == b && x.len() == y.len() && x.iter().zip(y).all(|(x, y)| x.equals(y))
            }
            _ => matches!((self.number(), other.number()), (Some(a), Some(b)) if a == b),
        }
    }

    /// Order, where Python has one; nothing for NaN.
    fn order(&self, other: &Self) -> Result<Option<Ordering>, String> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Ok(Some(a.cmp(b))),
            (Self::Sequence(a, x), Self::Sequence(b, y)) if a == b => {
                match x.iter().zip(y).find(|(x, y)| !x.equals(y)) {
                    Some((x, y)) => x.order(y),
                    None => Ok(Some(x.len().cmp(&y.len()))),
                }
            }
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => Ok(a.partial_cmp(&b)),
                _ => Err(format!(
                    "'{}' and '{}' cannot be ordered",
                    self.type_name(),
                    other.type_name()
                )),
            },
        }
    }
}

impl Comparator {
    fn holds(self, left: &Operand<'_>, right: &Operand<'_>) -> Result<bool, String> {
        let order = |wanted: &[Ordering]| {
            left.order(right)
                .map(|order| order.is_some_and(|order| wanted.contains(&order)))
        };
        match self {
            Self::Equal => Ok(left.equals(right)),
            Self::NotEqual => Ok(!left.equals(right)),
            Self::Less => order(&[Ordering::Less]),
            Self::LessOrEqual => order(&[Ordering::Less, Ordering::Equal]),
            Self::Greater => order(&[Ordering::Greater]),
            Self::GreaterOrEqual => order(&[Ordering::Greater, Ordering::Equal]),
            Self::NotIn => Self::In.holds(left, right).map(|found| !found),
            Self::In => match (left, right) {
                (_, Operand::Sequence(_, items)) => Ok(items.iter().any(|item| item.equals(left))),
                (Operand::Text(part), Operand::Text(whole)) => Ok(whole.contains(&**part)),
                _ => Err(format!(
                    "'{}' cannot be in '{}'",
                    left.type_name(),
                    right.type_name()
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests;

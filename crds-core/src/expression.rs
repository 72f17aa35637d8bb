//! The expressions in rule headers: whether a type or a parameter is relevant for a header.
//!
//! They are Python expressions over header values, reduced to constants, names, comparisons,
//! boolean operators and conditional expressions. Nothing can be called and nothing looked into.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::literal::scan::Scan;
use crate::literal::{Literal, LiteralError};

/// How deep an expression may nest.
const MAX_DEPTH: usize = 48;

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
pub(crate) enum Value<'v> {
    None,
    Bool(bool),
    Number(f64),
    Text(Cow<'v, str>),
    Sequence(Sequence, Vec<Value<'v>>),
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
        let mut parser = Parser {
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
                parts.iter().for_each(|part| part.each_name(visit));
            }
            Self::Comparison(first, rest) => {
                first.each_name(visit);
                rest.iter().for_each(|(_, part)| part.each_name(visit));
            }
            Self::Conditional(parts) => parts.iter().for_each(|part| part.each_name(visit)),
        }
    }

    fn value<'v>(&'v self, names: &'v dyn Names) -> Result<Value<'v>, String> {
        match self {
            Self::Constant(constant) => Ok(match constant {
                Constant::None => Value::None,
                Constant::Bool(value) => Value::Bool(*value),
                Constant::Number(value) => Value::Number(*value),
                Constant::Text(text) => Value::Text(Cow::Borrowed(text)),
            }),
            Self::Name(number) => names.value(*number).map(Value::Text),
            Self::Sequence(sequence, parts) => {
                let values = parts.iter().map(|part| part.value(names));
                Ok(Value::Sequence(
                    *sequence,
                    values.collect::<Result<_, _>>()?,
                ))
            }
            Self::Not(inner) => Ok(Value::Bool(!inner.holds(names)?)),
            Self::And(parts) => last_needed(parts, names, false),
            Self::Or(parts) => last_needed(parts, names, true),
            Self::Comparison(first, rest) => {
                let mut left = first.value(names)?;
                for (comparator, right) in rest {
                    let right = right.value(names)?;
                    if !comparator.holds(&left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
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
) -> Result<Value<'v>, String> {
    let mut value = Value::None;
    for part in parts {
        value = part.value(names)?;
        if value.is_true() == decisive {
            break;
        }
    }
    Ok(value)
}

impl Value<'_> {
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
    fn holds(self, left: &Value<'_>, right: &Value<'_>) -> Result<bool, String> {
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
                (_, Value::Sequence(_, items)) => Ok(items.iter().any(|item| item.equals(left))),
                (Value::Text(part), Value::Text(whole)) => Ok(whole.contains(&**part)),
                _ => Err(format!(
                    "'{}' cannot be in '{}'",
                    left.type_name(),
                    right.type_name()
                )),
            },
        }
    }
}

struct Parser<'p> {
    scan: Scan<'p>,
    depth: usize,
    number: &'p mut dyn FnMut(&str) -> usize,
}

impl Parser<'_> {
    fn conditional(&mut self) -> Result<Expression, LiteralError> {
        if self.depth == MAX_DEPTH {
            let problem = format!("the expression nests more than {MAX_DEPTH} deep");
            return Err(self.scan.error(self.scan.at, problem));
        }
        self.depth += 1;
        let then = self.or()?;
        let expression = if self.keyword("if") {
            let condition = self.or()?;
            if !self.keyword("else") {
                return Err(self.scan.unexpected("`else`"));
            }
            let otherwise = self.conditional()?;
            Expression::Conditional(Box::new([then, condition, otherwise]))
        } else {
            then
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn or(&mut self) -> Result<Expression, LiteralError> {
        let first = self.and()?;
        let mut parts = vec![first];
        while self.keyword("or") {
            parts.push(self.and()?);
        }
        Ok(only_or(parts, Expression::Or))
    }

    fn and(&mut self) -> Result<Expression, LiteralError> {
        let first = self.not()?;
        let mut parts = vec![first];
        while self.keyword("and") {
            parts.push(self.not()?);
        }
        Ok(only_or(parts, Expression::And))
    }

    fn not(&mut self) -> Result<Expression, LiteralError> {
        // An even number of `not` still turns the value into a truth value.
        let mut count = 0;
        while self.keyword("not") {
            count += 1;
        }
        let mut expression = self.comparison()?;
        for _ in 0..if count == 0 { 0 } else { 2 - count % 2 } {
            expression = Expression::Not(Box::new(expression));
        }
        Ok(expression)
    }

    fn comparison(&mut self) -> Result<Expression, LiteralError> {
        let first = self.atom()?;
        let mut rest = Vec::new();
        while let Some(comparator) = self.comparator()? {
            rest.push((comparator, self.atom()?));
        }
        Ok(if rest.is_empty() {
            first
        } else {
            Expression::Comparison(Box::new(first), rest)
        })
    }

    fn comparator(&mut self) -> Result<Option<Comparator>, LiteralError> {
        let symbol = self.scan.symbol(&["==", "!=", "<=", ">=", "<", ">"]);
        let comparator = match symbol {
            Some("==") => Comparator::Equal,
            Some("!=") => Comparator::NotEqual,
            Some("<=") => Comparator::LessOrEqual,
            Some(">=") => Comparator::GreaterOrEqual,
            Some("<") => Comparator::Less,
            Some(_) => Comparator::Greater,
            None if self.keyword("in") => Comparator::In,
            None if self.keyword("not") => {
                if !self.keyword("in") {
                    return Err(self.scan.unexpected("`in` after `not`"));
                }
                Comparator::NotIn
            }
            None => return Ok(None),
        };
        self.scan.skip_blanks();
        Ok(Some(comparator))
    }

    fn atom(&mut self) -> Result<Expression, LiteralError> {
        let start = self.scan.at;
        let expression = match self.scan.peek() {
            Some(b'(') => self.sequence(b')', Sequence::Tuple)?,
            Some(b'[') => self.sequence(b']', Sequence::List)?,
            Some(b'\'' | b'"') => {
                let mut text = String::new();
                while matches!(self.scan.peek(), Some(b'\'' | b'"')) {
                    text.push_str(&self.scan.string(false)?);
                    self.scan.skip_blanks();
                }
                Expression::Constant(Constant::Text(text.into()))
            }
            Some(b'-' | b'+') => {
                let negative = self.scan.eat(b'-') || !self.scan.eat(b'+');
                self.scan.skip_blanks();
                if !matches!(self.scan.peek(), Some(b'0'..=b'9' | b'.')) {
                    return Err(self.scan.unexpected("a number after the sign"));
                }
                let number = self.number()?;
                Expression::Constant(Constant::Number(if negative { -number } else { number }))
            }
            Some(b'0'..=b'9' | b'.') => Expression::Constant(Constant::Number(self.number()?)),
            _ => match self.scan.word() {
                "" => return Err(self.scan.unexpected("a value or a name")),
                "None" => Expression::Constant(Constant::None),
                "True" => Expression::Constant(Constant::Bool(true)),
                "False" => Expression::Constant(Constant::Bool(false)),
                word @ ("if" | "else" | "and" | "or" | "not" | "in" | "is" | "lambda" | "for") => {
                    let problem = format!("`{word}` cannot stand here");
                    return Err(self.scan.error(start, problem));
                }
                name => Expression::Name((self.number)(name)),
            },
        };
        self.scan.skip_blanks();
        Ok(expression)
    }

    fn number(&mut self) -> Result<f64, LiteralError> {
        Ok(match self.scan.number()? {
            #[allow(
                clippy::cast_precision_loss,
                reason = "rules compare with small integers"
            )]
            Literal::Int(value) => value as f64,
            Literal::Float(value) => value,
            _ => 0.0,
        })
    }

    /// What stands in brackets: one expression in parentheses is just that.
    fn sequence(&mut self, close: u8, kind: Sequence) -> Result<Expression, LiteralError> {
        self.scan.at += 1;
        self.scan.skip_blanks();
        let mut parts = Vec::new();
        while !self.scan.eat(close) {
            parts.push(self.conditional()?);
            if self.scan.eat(b',') {
                self.scan.skip_blanks();
                continue;
            }
            if !self.scan.eat(close) {
                return Err(self.scan.unexpected("`,` or a closing bracket"));
            }
            if kind == Sequence::Tuple
                && parts.len() == 1
                && let Some(only) = parts.pop()
            {
                return Ok(only);
            }
            break;
        }
        Ok(Expression::Sequence(kind, parts))
    }

    /// Skips the word if it comes next.
    fn keyword(&mut self, word: &str) -> bool {
        let start = self.scan.at;
        let found = self.scan.word() == word;
        if found {
            self.scan.skip_blanks();
        } else {
            self.scan.at = start;
        }
        found
    }
}

fn only_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            many(parts)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    struct Pairs(Vec<String>);

    impl Names for Pairs {
        fn value(&self, number: usize) -> Result<Cow<'_, str>, String> {
            match &*self.0[number] {
                "DETECTOR" => Ok("WFC".into()),
                "GAIN" => Ok("2.0".into()),
                "EMPTY" => Ok("".into()),
                other => Err(format!("name '{other}' is not defined")),
            }
        }
    }

    fn holds(text: &str) -> Result<bool, String> {
        let mut names = Vec::new();
        let expression = Expression::new("e", text, &mut |name| {
            names.push(name.to_owned());
            names.len() - 1
        })
        .map_err(|error| error.to_string())?;
        expression.holds(&Pairs(names))
    }

    #[test]
    fn expressions_hold_as_in_python() {
        for (text, expected) in [
            ("True", true),
            ("(False)", false),
            ("(DETECTOR == \"WFC\")", true),
            ("DETECTOR != 'WFC' or GAIN in [\"1.0\",\"2.0\"]", true),
            ("not DETECTOR == 'WFC' and NOSUCH", false),
            ("GAIN not in ('1.0',)", true),
            ("'F' in DETECTOR", true),
            ("GAIN == 2.0", false),
            ("GAIN != 2.0", true),
            ("'1.0' < GAIN <= '2.0'", true),
            ("EMPTY", false),
            ("DETECTOR", true),
            ("()", false),
            ("[0]", true),
            ("not not EMPTY", false),
            ("1 == 1.0 == True", true),
            ("(1, 'a') == (1, 'a')", true),
            ("(1,) == [1]", false),
            ("(1, 2) < (1, 3)", true),
            ("EMPTY if DETECTOR == 'WFC' else True", false),
            ("None or 'x'", true),
            ("-1 < +1", true),
        ] {
            assert_eq!(holds(text), Ok(expected), "{text}");
        }
        for text in [
            "true",
            "GAIN > 1",
            "NOSUCH",
            "1 in 2",
            "None < 1",
            "",
            "f(1)",
            "a.b",
            "a[0]",
            "1 +",
            "1 + 1",
            "(1",
            "lambda: 1",
            "x if y",
            "not",
            "== 1",
        ] {
            assert!(holds(text).is_err(), "{text}");
        }
        assert!(holds(&"(".repeat(100_000)).is_err());
        assert_eq!(holds(&format!("{}1", "not ".repeat(100_001))), Ok(false));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[A-C()\\[\\]<>=!'\", 0-9.+-]{0,40}|( |not|and|or|if|else|in|A|1|\\(|\\)){0,20}") {
            let _ = holds(&text);
        }
    }
}

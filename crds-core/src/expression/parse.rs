//! The grammar of expressions.

use super::{Comparator, Constant, Expression, Sequence};
use crate::literal::scan::Scan;
use crate::literal::{Literal, LiteralError};

/// How deep an expression may nest.
const MAX_DEPTH: usize = 48;

pub(super) struct ExpressionParser<'p> {
    pub(super) scan: Scan<'p>,
    pub(super) depth: usize,
    pub(super) number: &'p mut dyn FnMut(&str) -> usize,
}

impl ExpressionParser<'_> {
    pub(super) fn conditional(&mut self) -> Result<Expression, LiteralError> {
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

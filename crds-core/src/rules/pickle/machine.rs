//! The stack machine: opcodes in, a graph of values out.

use super::PickleError;
use super::values::{Class, EMPTY, Id, Link, NOTHING, Object, Value, ValueGraph};

/// How many values a pickle may make. That of a whole HST context makes 0.7 million.
const MAX_VALUES: usize = 4_000_000;

/// Runs a pickle.
pub(super) fn read(bytes: &[u8]) -> Result<ValueGraph<'_>, PickleError> {
    let mut machine = Machine {
        bytes,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::with_capacity(bytes.len() / 8),
        made: ValueGraph {
            values: Vec::with_capacity(bytes.len() / 6),
            items: Vec::new(),
            links: Vec::new(),
            objects: Vec::new(),
            root: NOTHING,
        },
    };
    while !machine.step()? {}
    Ok(machine.made)
}

struct Machine<'p> {
    bytes: &'p [u8],
    at: usize,
    stack: Vec<Id>,
    /// Where on the stack the open groups begin.
    marks: Vec<usize>,
    memo: Vec<Id>,
    made: ValueGraph<'p>,
}

type Step<T> = Result<T, PickleError>;

impl<'p> Machine<'p> {
    fn error<T>(&self, problem: impl Into<String>) -> Step<T> {
        Err(PickleError {
            at: self.at,
            problem: problem.into(),
        })
    }

    /// Takes the next opcode; true at the end.
    #[allow(clippy::too_many_lines, reason = "one arm for each opcode")]
    fn step(&mut self) -> Step<bool> {
        let [opcode] = self.array()?;
        match opcode {
            0x80 => {
                let [protocol] = self.array()?;
                if !(2..=5).contains(&protocol) {
                    return self.error(format!("pickle protocol {protocol} is not known"));
                }
            }
            // FRAME: its length only helps readers that buffer.
            0x95 => {
                let _: [u8; 8] = self.array()?;
            }
            b'.' => {
                self.made.root = self.pop()?;
                return Ok(true);
            }
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.make(Value::None)?,
            0x88 => self.make(Value::Bool(true))?,
            0x89 => self.make(Value::Bool(false))?,
            b'K' => {
                let [byte] = self.array()?;
                self.make(Value::Int(byte.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.make(Value::Int(value.into()))?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.make(Value::Int(value.into()))?;
            }
            0x8a => self.long()?,
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.make(Value::Float(value))?;
            }
            0x8c => {
                let [len] = self.array()?;
                self.text(len.into())?;
            }
            b'X' => {
                let len = u32::from_le_bytes(self.array()?);
                self.text(len.into())?;
            }
            0x8d => {
                let len = u64::from_le_bytes(self.array()?);
                self.text(len)?;
            }
            b')' => self.tuple(0)?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let count = self.stack.len() - self.mark()?;
                self.tuple(count)?;
            }
            b']' => self.make(Value::List(EMPTY))?,
            b'}' => self.make(Value::Dict(EMPTY))?,
            b'a' => {
                let value = self.pop()?;
                self.put(self.top()?, NOTHING, value)?;
            }
            b'e' => self.put_all(1)?,
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.put(self.top()?, key, value)?;
            }
            b'u' => self.put_all(2)?,
            0x94 => self.memo.push(self.top()?),
            b'q' => {
                let [number] = self.array()?;
                self.memoize(number.into())?;
            }
            b'r' => {
                let number = u32::from_le_bytes(self.array()?);
                self.memoize(number)?;
            }
            b'h' => {
                let [number] = self.array()?;
                self.recall(number.into())?;
            }
            b'j' => {
                let number = u32::from_le_bytes(self.array()?);
                self.recall(number)?;
            }
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.class(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.made.value(module), self.made.value(name)) {
                    (Value::Text(module), Value::Text(name)) => self.class(module, name)?,
                    _ => return self.error("a global's name is not text"),
                }
            }
            0x81 => self.object()?,
            b'R' => {
                let _arguments = self.pop()?;
                let function = self.pop()?;
                match self.made.value(function) {
                    Value::Class(Class::Function) => self.make(Value::NotMade)?,
                    _ => return self.error("it calls something that CRDS pickles do not call"),
                }
            }
            b'b' => self.build()?,
            other => {
                self.at -= 1;
                return self.error(format!(
                    "the opcode {other:#04x} ({:?}) does not occur in CRDS pickles",
                    char::from(other)
                ));
            }
        }
        Ok(false)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.first_chunk::<N>() {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => self.error("the pickle ends too early"),
        }
    }

    fn take(&mut self, len: u64) -> Step<&'p [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        match taken {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => self.error("the pickle ends too early"),
        }
    }

    /// The text up to the end of the line, as protocols below 4 give names.
    fn line(&mut self) -> Step<&'p str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(len) = rest.iter().position(|b| *b == b'\n') else {
            return self.error("a name has no end");
        };
        let line = &rest[..len];
        self.at += len + 1;
        std::str::from_utf8(line).or_else(|_| self.error("a name is not UTF-8"))
    }

    fn make(&mut self, value: Value<'p>) -> Step<()> {
        if self.made.values.len() >= MAX_VALUES {
            return self.error(format!("it makes more than {MAX_VALUES} values"));
        }
        self.stack.push(index(self.made.values.len()));
        self.made.values.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor
            && let Some(id) = self.stack.pop()
        {
            return Ok(id);
        }
        self.error("it takes a value that is not there")
    }

    fn top(&self) -> Step<Id> {
        match self.stack.last() {
            Some(id) => Ok(*id),
            None => self.error("it uses a value that is not there"),
        }
    }

    fn mark(&mut self) -> Step<usize> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(mark),
            _ => self.error("it closes a group that is not open"),
        }
    }

    fn long(&mut self) -> Step<()> {
        let [len] = self.array()?;
        let bytes = self.take(len.into())?;
        let Some(sign) = bytes.last().map(|top| if *top >= 0x80 { 0xff } else { 0 }) else {
            return self.make(Value::Int(0));
        };
        let mut wide = [sign; 8];
        match wide.get_mut(..bytes.len()) {
            Some(low) => low.copy_from_slice(bytes),
            None => return self.error("an integer is too large"),
        }
        self.make(Value::Int(i64::from_le_bytes(wide)))
    }

    fn text(&mut self, len: u64) -> Step<()> {
        let bytes = self.take(len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.make(Value::Text(text)),
            Err(_) => self.error("a text is not UTF-8"),
        }
    }

    fn tuple(&mut self, count: usize) -> Step<()> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let Some(first) = self
            .stack
            .len()
            .checked_sub(count)
            .filter(|first| *first >= floor)
        else {
            return self.error("it takes a value that is not there");
        };
        let start = index(self.made.items.len());
        self.made.items.extend(self.stack.drain(first..));
        self.make(Value::Tuple {
            start,
            len: index(count),
        })
    }

    /// Puts what was pushed since the mark into the container below it, `width` values at a time.
    fn put_all(&mut self, width: usize) -> Step<()> {
        let mark = self.mark()?;
        let values = self.stack.split_off(mark);
        if !values.len().is_multiple_of(width) {
            return self.error("a dictionary has a key without a value");
        }
        let container = self.top()?;
        for entry in values.chunks_exact(width) {
            match entry {
                [value] => self.put(container, NOTHING, *value)?,
                [key, value] => self.put(container, *key, *value)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn put(&mut self, container: Id, key: Id, value: Id) -> Step<()> {
        let new = index(self.made.links.len());
        let chain = match self.made.values.get_mut(container as usize) {
            Some(Value::List(chain)) if key == NOTHING => Some(chain),
            Some(Value::Dict(chain)) if key != NOTHING => Some(chain),
            Some(Value::Object(number)) => {
                let object = self.made.objects.get_mut(*number as usize);
                object.map(|object| &mut object.content)
            }
            _ => None,
        };
        let Some(chain) = chain else {
            return self.error("it puts something into a value that holds nothing");
        };
        let last = std::mem::replace(&mut chain.last, new);
        if last == NOTHING {
            chain.first = new;
        } else if let Some(link) = self.made.links.get_mut(last as usize) {
            link.next = new;
        }
        self.made.links.push(Link {
            key,
            value,
            next: NOTHING,
        });
        Ok(())
    }

    fn memoize(&mut self, number: u32) -> Step<()> {
        let top = self.top()?;
        let number = number as usize;
        if number == self.memo.len() {
            self.memo.push(top);
        } else if let Some(old) = self.memo.get_mut(number) {
            *old = top;
        } else {
            return self.error("it remembers values out of order");
        }
        Ok(())
    }

    fn recall(&mut self, number: u32) -> Step<()> {
        match self.memo.get(number as usize) {
            Some(id) => {
                self.stack.push(*id);
                Ok(())
            }
            None => self.error("it recalls a value that it did not remember"),
        }
    }

    fn class(&mut self, module: &str, name: &str) -> Step<()> {
        match Class::new(module, name) {
            Some(class) => self.make(Value::Class(class)),
            None => self.error(format!(
                "the name {module}.{name} does not occur in CRDS pickles"
            )),
        }
    }

    fn object(&mut self) -> Step<()> {
        let arguments = self.pop()?;
        let class = self.pop()?;
        let Value::Class(class) = self.made.value(class) else {
            return self.error("it makes an instance of something that is no class");
        };
        let number = index(self.made.objects.len());
        self.made.objects.push(Object {
            class,
            arguments,
            state: NOTHING,
            content: EMPTY,
        });
        self.make(Value::Object(number))
    }

    fn build(&mut self) -> Step<()> {
        let state = self.pop()?;
        let top = self.top()?;
        if let Value::Object(number) = self.made.value(top)
            && let Some(object) = self.made.objects.get_mut(number as usize)
        {
            object.state = state;
            return Ok(());
        }
        self.error("it gives state to something that is no instance")
    }
}

/// A place in a list; lists are no longer than the pickle has bytes, which is far below the limit.
fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NOTHING)
}

//! What a pickle made: a graph of values, referred to by number.

/// The number of a value.
pub(super) type Id = u32;

/// No value.
pub(super) const NOTHING: Id = Id::MAX;

/// One value; containers refer to their content by number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'p> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'p str),
    /// A stretch of `ValueGraph::items`.
    Tuple {
        start: u32,
        len: u32,
    },
    /// A chain of `ValueGraph::links`; the keys are `NOTHING`.
    List(Chain),
    Dict(Chain),
    Class(Class),
    Object(u32),
    /// The result of a call that is not made, such as a compiled regular expression.
    NotMade,
}

/// The first and last link of a container that grows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) first: u32,
    pub(super) last: u32,
}

pub(super) const EMPTY: Chain = Chain {
    first: NOTHING,
    last: NOTHING,
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) key: Id,
    pub(super) value: Id,
    pub(super) next: u32,
}

/// An instance: what it was made with, what its state is, and what was put into it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object {
    pub(super) class: Class,
    pub(super) arguments: Id,
    pub(super) state: Id,
    pub(super) content: Chain,
}

/// The names a CRDS pickle may mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Pipeline,
    Instrument,
    Reference,
    LowerCaseDict,
    Selections,
    Match,
    UseAfter,
    VersionAfter,
    Selection,
    /// Compiled cells, which are compiled anew from the rows.
    Derived,
    /// Functions that are referred to, or called for something that is compiled anew.
    Function,
}

impl Class {
    pub(super) fn new(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("crds.core.rmap" | "crds.rmap", name) => match name {
                "PipelineContext" => Self::Pipeline,
                "InstrumentContext" => Self::Instrument,
                "ReferenceMapping" => Self::Reference,
                "LowerCaseDict" => Self::LowerCaseDict,
                "MappingSelectionsDict" => Self::Selections,
                "get_cached_mapping" | "load_mapping" => Self::Function,
                _ => return None,
            },
            ("crds.core.selectors" | "crds.selectors", name) => match name {
                "MatchSelector" => Self::Match,
                "UseAfterSelector" => Self::UseAfter,
                "VersionAfterSelector" => Self::VersionAfter,
                "Selection" => Self::Selection,
                "MatchSelection" | "Matcher" | "NaMatcher" | "GlobMatcher"
                | "InequalityMatcher" | "BinaryMatcher" | "RegexMatcher" | "NotMatcher" => {
                    Self::Derived
                }
                _ => return None,
            },
            ("re", "_compile") => Self::Function,
            _ => return None,
        })
    }
}

/// Everything a pickle made.
#[derive(Debug)]
pub(super) struct ValueGraph<'p> {
    pub(super) values: Vec<Value<'p>>,
    pub(super) items: Vec<Id>,
    pub(super) links: Vec<Link>,
    pub(super) objects: Vec<Object>,
    /// The value the pickle is about.
    pub(super) root: Id,
}

impl<'p> ValueGraph<'p> {
    pub(super) fn value(&self, id: Id) -> Value<'p> {
        self.values.get(id as usize).copied().unwrap_or(Value::None)
    }

    pub(super) fn object(&self, id: Id) -> Option<Object> {
        match self.value(id) {
            Value::Object(number) => self.objects.get(number as usize).copied(),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, start: u32, len: u32) -> &[Id] {
        let end = start as usize + len as usize;
        self.items.get(start as usize..end).unwrap_or_default()
    }

    /// The pairs of a container, in the order in which they were put in.
    pub(super) fn pairs(&self, chain: Chain) -> impl Iterator<Item = (Id, Id)> {
        let mut next = chain.first;
        std::iter::from_fn(move || {
            let link = self.links.get(next as usize)?;
            next = link.next;
            Some((link.key, link.value))
        })
    }
}

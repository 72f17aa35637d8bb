//! Compilation: from the rule files of one instrument to its compiled form.

use std::sync::Arc;

use super::LoadError;
use super::Outcome;
use super::compiled::{ExpressionName, Instrument, Table, TypeRule};
use super::decisive::decisive_slots;
use super::mapping::{Body, Mapping, Target};
use crate::expression::Expression;
use crate::literal::Literal;
use crate::names::MappingName;
use crate::names::{ReferenceName, ReferenceType};
use crate::observatory::Observatory;
use crate::observatory::hst_rules::Hook;
use crate::selector::slots::{DateKeys, Slot, Slots};
use crate::selector::{Compiler, Substitutions, tree};
use crate::text_map::TextMap;

/// Collects what the tables of one instrument share.
pub(super) struct Builder {
    name: Box<str>,
    observatory: Observatory,
    slots: Slots,
    date_keys: DateKeys,
    names: Vec<Box<str>>,
    detector_and_gain: Option<[Slot; 2]>,
}

impl Builder {
    pub(super) fn new(mapping: &Mapping) -> Result<Self, LoadError> {
        let build = || {
            let observatory: Observatory = mapping
                .header
                .required("observatory")?
                .parse()
                .map_err(|error: crate::observatory::UnknownObservatory| error.to_string())?;
            let mut slots = Slots::default();
            let detector_and_gain = if observatory == Observatory::Hst {
                Some([slots.number("DETECTOR")?, slots.number("CCDGAIN")?])
            } else {
                None
            };
            Ok(Self {
                name: mapping.header.required("instrument")?.into(),
                observatory,
                slots,
                date_keys: DateKeys::default(),
                names: Vec::new(),
                detector_and_gain,
            })
        };
        build().map_err(|problem| LoadError::Invalid {
            name: mapping.name.clone(),
            problem,
        })
    }

    pub(super) fn names_of(&self, table: &Table) -> Vec<Box<str>> {
        let names = table.needed.iter();
        names
            .map(|[own, ..]| Box::from(&**self.slots.name(*own)))
            .collect()
    }

    pub(super) fn table(&mut self, mapping: Mapping) -> Result<Table, LoadError> {
        let name = mapping.name.clone();
        self.compile(mapping)
            .map_err(|problem| LoadError::Invalid { name, problem })
    }

    fn compile(&mut self, owned: Mapping) -> Result<Table, String> {
        let mapping = &owned;
        let Body::Table(selector) = &mapping.body else {
            return Err("it is no reference table".into());
        };
        let header = &mapping.header;
        let parameters = header.parameters()?;
        let mut needed: Vec<Box<str>> = parameters.concat();
        needed.extend(header.switch().map(String::into_boxed_str));
        needed.extend(header.names("extra_keys")?);
        needed.extend(
            self.observatory
                .extra_keys()
                .iter()
                .map(|key| Box::from(*key)),
        );

        let substitutions = substitutions(header.get("substitutions"))?;
        let mut compiler = Compiler {
            slots: &mut self.slots,
            parameters: &parameters,
            substitutions: &substitutions,
            merges: header.merges_overlaps(),
            date_keys: &mut self.date_keys,
            terminals: Vec::new(),
        };
        let root = compiler.node(selector, 0)?;
        let terminals = compiler.terminals;
        let outcomes = terminals.iter().map(outcome).collect();

        let relevance = header
            .text("rmap_relevance")
            .unwrap_or_else(|| "always".into());
        let relevance = self.expression(mapping, &relevance.replace("always", "True"), &needed)?;
        let omit = header.text("rmap_omit").unwrap_or_else(|| "False".into());
        if omit == "true" {
            warn_of_lost_omission(mapping);
        }
        let omit = self.expression(mapping, &omit, &needed)?;
        let parameter_relevance = self.parameter_relevance(mapping, &needed)?;

        let kind = header.required("filekind")?;
        let precondition = self.hook(mapping, "precondition_header", &kind)?;
        let fallback = self.hook(mapping, "fallback_header", &kind)?;
        let needed_slots = self.needed_slots(&needed, fallback.is_some())?;
        let stretch_of = self.stretch_of([precondition.as_ref(), fallback.as_ref()]);
        let is_required = header.is_required();
        Ok(Table {
            mapping: owned,
            root,
            terminals,
            outcomes,
            omit: constant(omit, false),
            relevance: constant(relevance, true),
            parameter_relevance,
            precondition,
            fallback,
            is_required,
            needed: needed_slots,
            decisive: None,
            stretch_of,
        })
    }

    /// The slots of keys: as they are written, in lower case and in upper case. Only a second lookup
    /// reduces a header that may have keys in lower case.
    fn needed_slots(
        &mut self,
        needed: &[Box<str>],
        looked_up_twice: bool,
    ) -> Result<Vec<[Slot; 3]>, String> {
        let slots = needed.iter().map(|name| {
            let own = self.slots.number(name)?;
            if !looked_up_twice {
                return Ok([own; 3]);
            }
            let lower = self.slots.number(&name.to_lowercase())?;
            Ok([own, lower, self.slots.number(&name.to_uppercase())?])
        });
        slots.collect()
    }

    /// Which of the dates that hooks look at is that of the last of these hooks that looks at one.
    fn stretch_of(&mut self, hooks: [Option<&Hook>; 2]) -> Option<usize> {
        let mut stretch_of = None;
        for date in hooks.into_iter().flatten().filter_map(Hook::date_slots) {
            stretch_of = Some(self.date_keys.number(&date));
        }
        stretch_of
    }

    /// Compiles an expression as Python CRDS does: keys with dots are written with underscores.
    fn expression(
        &mut self,
        mapping: &Mapping,
        text: &str,
        needed: &[Box<str>],
    ) -> Result<Expression, String> {
        let mut text = text.to_owned();
        for key in needed.iter().filter(|key| key.contains('.')) {
            text = text.replace(&**key, &key.replace('.', "_"));
        }
        let names = &mut self.names;
        let mut number = |name: &str| {
            let known = names.iter().position(|known| **known == *name);
            known.unwrap_or_else(|| {
                names.push(name.into());
                names.len() - 1
            })
        };
        Expression::new(mapping.name.as_str(), &text, &mut number)
            .map_err(|error| format!("its expression `{text}` cannot be read: {error}"))
    }

    fn parameter_relevance(
        &mut self,
        mapping: &Mapping,
        needed: &[Box<str>],
    ) -> Result<Vec<(Slot, Expression)>, String> {
        let mut texts: Vec<(String, String)> = Vec::new();
        let pairs = mapping.header.texts("parkey_relevance")?;
        let mut all: Vec<(String, String)> = pairs
            .into_iter()
            .map(|(key, text)| (key.to_lowercase(), text.to_owned()))
            .collect();
        // Comments count as irrelevant for every dataset: Python CRDS asks the same question when
        // it edits rules, and gives the answer of that case.
        for key in mapping.header.names("comment_parkeys")? {
            all.push((key.to_lowercase(), "False".into()));
        }
        for (key, text) in all {
            match texts.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = text,
                None => texts.push((key, text)),
            }
        }
        let mut relevance: Vec<(Slot, Expression)> = Vec::new();
        let mut compiled = Vec::with_capacity(texts.len());
        for (key, text) in texts {
            compiled.push((key, self.expression(mapping, &text, needed)?));
        }
        for name in needed {
            let slot = self.slots.number(name)?;
            let lower = name.to_lowercase();
            let found = compiled.iter().find(|(key, _)| *key == lower);
            if let Some((_, expression)) = found
                && relevance.iter().all(|(known, _)| *known != slot)
            {
                relevance.push((slot, expression.clone()));
            }
        }
        Ok(relevance)
    }

    fn hook(&mut self, mapping: &Mapping, name: &str, kind: &str) -> Result<Option<Hook>, String> {
        if self.observatory != Observatory::Hst {
            return Ok(None);
        }
        let hooks = mapping.header.texts("hooks")?;
        if hooks.is_empty() {
            let versioned = format!("{name}_{}_{kind}_v1", self.name);
            return Hook::new(&self.name, &versioned, &mut self.slots);
        }
        match hooks.iter().find(|(key, _)| *key == name) {
            Some((_, versioned)) => Hook::new(&self.name, versioned, &mut self.slots),
            None => Ok(None),
        }
    }

    pub(super) fn finish(
        mut self,
        mut types: Vec<(ReferenceType, TypeRule)>,
        needed: &[Box<str>],
        name: &MappingName,
    ) -> Result<Instrument, LoadError> {
        let invalid = |problem| LoadError::Invalid {
            name: name.clone(),
            problem,
        };
        let mut needed_slots = Vec::with_capacity(needed.len());
        for key in needed {
            needed_slots.push(self.slots.number(key).map_err(invalid)?);
        }
        let names = self.resolve_names().map_err(invalid)?;
        let mut decisive = Vec::new();
        for (_, rule) in &mut types {
            if let TypeRule::Table(table) = rule {
                table.decisive =
                    decisive_slots(table, &names, &self.date_keys, self.detector_and_gain);
                decisive.extend(table.decisive.iter().flatten());
            }
        }
        decisive.sort_unstable();
        decisive.dedup();
        let mut instrument = Instrument {
            name: self.name,
            imap: None,
            types,
            slots: self.slots,
            needed: needed_slots,
            reduced: TextMap::default(),
            copies: Vec::new(),
            date_keys: self.date_keys.into_list(),
            names,
            decisive,
            is_needed: Vec::new(),
            detector_and_gain: self.detector_and_gain,
        };
        instrument.index_needed();
        Ok(instrument)
    }

    /// Finds where the values of names are: a dotted key is also known with underscores.
    fn resolve_names(&mut self) -> Result<Vec<ExpressionName>, String> {
        let mut resolved = Vec::with_capacity(self.names.len());
        for name in std::mem::take(&mut self.names) {
            let own = self.slots.number(&name)?;
            let all = 0..self.slots.len();
            let dotted = all
                .filter_map(|slot| Slot::try_from(slot).ok())
                .filter(|slot| {
                    let key = self.slots.name(*slot);
                    key.contains('.') && key.replace('.', "_") == *name
                });
            let mut slots: Vec<Slot> = dotted.collect();
            slots.push(own);
            resolved.push(ExpressionName { name, slots });
        }
        Ok(resolved)
    }
}

/// `'rmap_omit': 'True'` is seen in lower case, as an unknown name, and so omits nothing: what all
/// real tables for `SYNPHOT` say. Source: CRDS 14.
fn warn_of_lost_omission(mapping: &Mapping) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            "{} says rmap_omit 'True', which omits nothing, as in the Python client; other tables may say so, too",
            mapping.name
        );
    });
}

/// Leaves out an expression that is the constant which changes nothing.
fn constant(expression: Expression, harmless: bool) -> Option<Expression> {
    use crate::expression::Constant;
    match expression {
        Expression::Constant(Constant::Bool(value)) if value == harmless => None,
        other => Some(other),
    }
}

fn outcome(terminal: &tree::RawChoice) -> Option<Outcome> {
    match terminal {
        tree::RawChoice::File(name) => match super::mapping::special(name) {
            Some(Target::NotApplicable) => Some(Outcome::NotApplicable),
            Some(_) => None,
            None => Some(Outcome::File(ReferenceName::new(Arc::clone(name)))),
        },
        tree::RawChoice::Several(names) => Some(Outcome::Ambiguous(names.as_slice().into())),
        tree::RawChoice::Nested(_) => Some(Outcome::NoMatch),
    }
}

fn substitutions(
    field: Option<&Literal<'static>>,
) -> Result<Vec<(Box<str>, Substitutions)>, String> {
    let wrong = || "its `substitutions` is not a dictionary of dictionaries".to_owned();
    let Some(field) = field else {
        return Ok(Vec::new());
    };
    field
        .as_dict()
        .ok_or_else(wrong)?
        .iter()
        .map(|(parameter, pairs)| {
            let parameter = parameter.as_str().ok_or_else(wrong)?;
            let pairs = pairs.as_dict().ok_or_else(wrong)?;
            Ok((Box::from(parameter), pairs.to_vec()))
        })
        .collect()
}

//! A loaded set of rules, by pipeline map, instrument map or single table.

use std::collections::HashMap;
use std::sync::Arc;

use super::compiled::{Instrument, TypeRule};
use super::mapping::{Checksums, Mapping, Target};
use super::{LoadError, MappingSource};
use crate::names::{MappingKind, MappingName};
use crate::observatory::Observatory;

/// How much of a pipeline's rules to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'s> {
    /// All instruments. One whose rules are broken only fails when it is asked for.
    All,
    /// The named instrument only, in any case.
    Instrument(&'s str),
}

impl Scope<'_> {
    /// Whether the rules of an instrument, given in lower case, are not to be loaded.
    pub(super) fn leaves_out(self, instrument: &str) -> bool {
        matches!(self, Self::Instrument(wanted) if wanted.to_lowercase() != instrument)
    }
}

/// Rules, loaded and compiled.
///
/// ```
/// use bytes::Bytes;
/// use crds_core::bestrefs::{LookupPath, Outcome, Types};
/// use crds_core::header::Header;
/// use crds_core::names::MappingName;
/// use crds_core::rules::{Checksums, Context, Scope};
/// use std::collections::HashMap;
///
/// let common = "'derived_from': 'example', 'observatory': 'hst'";
/// let rules: HashMap<MappingName, Bytes> = [
///     ("hst_1.pmap", format!("header = {{{common}, 'mapping': 'pipeline', 'name': 'hst_1.pmap', 'parkey': ('INSTRUME',)}}\nselector = {{'ACS': 'hst_acs_1.imap'}}")),
///     ("hst_acs_1.imap", format!("header = {{{common}, 'mapping': 'instrument', 'instrument': 'acs', 'name': 'hst_acs_1.imap', 'parkey': ('REFTYPE',)}}\nselector = {{'darkfile': 'hst_acs_darkfile_1.rmap'}}")),
///     ("hst_acs_darkfile_1.rmap", format!("header = {{{common}, 'mapping': 'reference', 'instrument': 'acs', 'filekind': 'darkfile', 'name': 'hst_acs_darkfile_1.rmap', 'parkey': (('DETECTOR',), ('DATE-OBS', 'TIME-OBS'))}}\nselector = Match({{'WFC': UseAfter({{'2002-03-01 00:00:00': 'a_drk.fits'}})}})")),
/// ]
/// .into_iter()
/// .map(|(name, text)| Ok((name.parse()?, Bytes::from(text))))
/// .collect::<Result<_, crds_core::names::MappingNameError>>()?;
///
/// let context = Context::load(&rules, &"hst_1.pmap".parse()?, Scope::All, Checksums::Ignore)?;
/// let header: Header = [("INSTRUME", "ACS"), ("DETECTOR", "wfc"), ("DATE-OBS", "2017-03-05"), ("TIME-OBS", "12:00:00")]
///     .into_iter()
///     .map(|(key, value)| (key.to_owned(), value.to_owned()))
///     .collect();
/// let references = context.best_references(&header, LookupPath::Conditioned, Types::All)?;
/// let Some(Outcome::File(dark)) = references.get("darkfile") else { panic!("no dark") };
/// assert_eq!(dark.as_str(), "a_drk.fits");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Context {
    name: MappingName,
    observatory: Observatory,
    pub(crate) root: Root,
}

#[derive(Debug)]
pub(crate) enum Root {
    Pipeline {
        mapping: Mapping,
        /// The header key that names the instrument, upper-case.
        key: Box<str>,
        instruments: Vec<(Box<str>, State)>,
    },
    /// An instrument map or a table used as a context.
    Single(Box<Instrument>),
}

/// What is known about an instrument of the pipeline map.
#[derive(Debug)]
pub(crate) enum State {
    Loaded(Box<Instrument>),
    Broken(Arc<LoadError>),
    /// Not asked for when the rules were loaded.
    LeftOut,
    /// A special value stands where the instrument map should be.
    NoRules,
}

/// The answer to "where are the rules of this instrument?"
pub(crate) enum Found<'c> {
    Rules(usize, &'c Instrument),
    Broken(&'c Arc<LoadError>),
    LeftOut,
    Unknown,
}

impl Context {
    /// Loads the rules that `name` leads to.
    ///
    /// Fails if the named file itself cannot be used; an instrument whose rules are broken fails
    /// when it is looked up, as in Python CRDS.
    pub fn load(
        source: &dyn MappingSource,
        name: &MappingName,
        scope: Scope<'_>,
        checksums: Checksums,
    ) -> Result<Self, LoadError> {
        let loader = Loader { source, checksums };
        let mapping = loader.mapping(name)?;
        Self::assemble(mapping, |imap, key| {
            (!scope.leaves_out(key)).then(|| loader.instrument(imap))
        })
    }

    /// Puts a context together; `instrument` gives an instrument's rules, or nothing to leave it out.
    pub(crate) fn assemble(
        mapping: Mapping,
        instrument: impl Fn(&MappingName, &str) -> Option<Result<Instrument, LoadError>>,
    ) -> Result<Self, LoadError> {
        let invalid = |problem| LoadError::Invalid {
            name: mapping.name.clone(),
            problem,
        };
        let name = mapping.name.clone();
        let observatory: Observatory = mapping
            .header
            .required("observatory")
            .and_then(|text| {
                text.parse()
                    .map_err(|error: crate::observatory::UnknownObservatory| error.to_string())
            })
            .map_err(invalid)?;
        let root = match name.kind() {
            MappingKind::Reference => Root::Single(Box::new(Instrument::of_table(mapping)?)),
            MappingKind::Instrument => {
                let key = mapping.header.text("instrument").unwrap_or_default();
                match instrument(&name, &key) {
                    Some(loaded) => Root::Single(Box::new(loaded?)),
                    None => return Err(invalid("its instrument is not the one asked for".into())),
                }
            }
            MappingKind::Pipeline => {
                let parameters = mapping.header.parameters().map_err(invalid)?;
                let key = parameters
                    .first()
                    .and_then(|level| level.first())
                    .ok_or_else(|| invalid("its `parkey` names no key".into()))?
                    .to_uppercase();
                let state = |target: &Target, name: &str| match target {
                    Target::Mapping(imap) => match instrument(imap, name) {
                        None => State::LeftOut,
                        Some(Ok(mut rules)) => match rules.need(&key) {
                            Ok(_) => State::Loaded(Box::new(rules)),
                            Err(problem) => State::Broken(Arc::new(LoadError::Invalid {
                                name: imap.clone(),
                                problem,
                            })),
                        },
                        Some(Err(error)) => State::Broken(Arc::new(error)),
                    },
                    _ => State::NoRules,
                };
                let targets = mapping.targets().iter();
                let instruments = targets
                    .map(|(name, target)| (name.clone(), state(target, name)))
                    .collect();
                Root::Pipeline {
                    mapping,
                    key: key.into(),
                    instruments,
                }
            }
        };
        Ok(Self {
            name,
            observatory,
            root,
        })
    }

    /// The name under which the rules were loaded.
    pub fn name(&self) -> &MappingName {
        &self.name
    }

    /// Whose rules these are.
    pub fn observatory(&self) -> Observatory {
        self.observatory
    }

    pub(crate) fn find(&self, instrument: &str) -> Found<'_> {
        match &self.root {
            Root::Single(rules) => Found::Rules(0, rules),
            Root::Pipeline { instruments, .. } => {
                let found = instruments
                    .iter()
                    .enumerate()
                    .find(|(_, (name, _))| **name == *instrument);
                match found {
                    Some((index, (_, State::Loaded(rules)))) => Found::Rules(index, rules),
                    Some((_, (_, State::Broken(error)))) => Found::Broken(error),
                    Some((_, (_, State::LeftOut))) => Found::LeftOut,
                    Some((_, (_, State::NoRules))) | None => Found::Unknown,
                }
            }
        }
    }
}

/// The rule files a rule file leads to, each with its instrument or reference type, in file order.
///
/// This is what a caller needs who fetches rules from far away: the pipeline map names the
/// instrument maps, one of those names its tables.
pub fn mappings_named_in(
    name: &MappingName,
    bytes: &[u8],
    checksums: Checksums,
) -> Result<Vec<(String, MappingName)>, LoadError> {
    let mapping = Mapping::read(name, bytes, checksums)?;
    let targets = mapping.leads_to();
    Ok(targets
        .map(|(key, name)| (key.to_owned(), name.clone()))
        .collect())
}

struct Loader<'l> {
    source: &'l dyn MappingSource,
    checksums: Checksums,
}

impl Loader<'_> {
    fn mapping(&self, name: &MappingName) -> Result<Mapping, LoadError> {
        let bytes = self.source.read(name).map_err(|source| LoadError::Read {
            name: name.clone(),
            source,
        })?;
        Mapping::read(name, &bytes, self.checksums)
    }

    fn instrument(&self, name: &MappingName) -> Result<Instrument, LoadError> {
        let imap = self.mapping(name)?;
        let mut tables = HashMap::new();
        for (_, name) in imap.leads_to() {
            tables.insert(name.clone(), self.mapping(name)?);
        }
        Instrument::new(imap, tables)
    }
}

impl Instrument {
    /// The compiled tables with their types.
    pub(crate) fn tables(
        &self,
    ) -> impl Iterator<Item = (&crate::names::ReferenceType, &super::Table)> {
        self.types.iter().filter_map(|(name, rule)| match rule {
            TypeRule::Table(table) => Some((name, &**table)),
            _ => None,
        })
    }
}

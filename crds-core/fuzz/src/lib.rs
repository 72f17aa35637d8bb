//! A table to put fuzzed parts into.

use std::collections::HashMap;

use bytes::Bytes;
use crds_core::bestrefs::{LookupPath, Types};
use crds_core::header::Header;
use crds_core::rules::{Checksums, Context, LoadError, Scope};
use crds_core::names::{MappingName};

/// A text as a Python literal.
pub fn quoted(text: &str) -> String {
    crds_core::literal::Literal::Str(text.into()).to_string()
}

/// Loads bytes as a reference table.
pub fn load(bytes: Bytes) -> Result<Context, LoadError> {
    let name: MappingName = "hst_acs_biasfile_1.rmap".parse().expect("it is a name");
    let rules = HashMap::from([(name.clone(), bytes)]);
    Context::load(&rules, &name, Scope::All, Checksums::Ignore)
}

/// The text of a table with one more header field and one more date.
pub fn table(field: &str, date: &str) -> Bytes {
    let date = quoted(date);
    format!(
        "header = {{'mapping': 'reference', 'name': 'x', 'derived_from': 'x', 'observatory': 'hst', \
         'instrument': 'acs', 'filekind': 'darkfile', {field} \
         'parkey': (('DETECTOR',), ('DATE-OBS', 'TIME-OBS'))}}\n\
         selector = Match({{'WFC': UseAfter({{{date}: 'a', '2002-01-01 00:00:00': 'b'}})}})"
    )
    .into()
}

/// Looks a header up both ways, with and without memory.
pub fn look_up(context: &Context, pairs: &[(&str, &str)]) {
    let header: Header = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    for path in [LookupPath::Conditioned, LookupPath::AsGiven] {
        let mut lookups = context.lookups();
        let first = lookups.best_references(&header, path, Types::All);
        let again = lookups.best_references(&header, path, Types::All);
        assert_eq!(first.ok(), again.ok());
    }
}

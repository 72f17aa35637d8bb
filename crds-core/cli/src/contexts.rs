//! The contexts that an option names: by name, by number, or all.

use crate::failure::Failure;
use crds_core::Client;
use crds_core::names::{ContextName, MappingKind, MappingName, RulesPart};
use storage::hint::parsed;

/// What stands for every instrument in the name of a context.
const ALL: &str = "all";

/// Which contexts. Without any of these: `CRDS_CONTEXT`, else the one in use.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Choice {
    /// These contexts [default: `CRDS_CONTEXT`, else the one in use]
    #[arg(long, visible_alias = "context", num_args = 1.., value_name = "CONTEXT", value_parser = parsed::<ContextName>, group = "which")]
    contexts: Vec<ContextName>,
    /// All contexts that the server knows
    #[arg(long, group = "which")]
    all: bool,
    /// The contexts with numbers in this range
    #[arg(long, value_name = "A:B", value_parser = range, group = "which")]
    range: Option<(u32, u32)>,
    /// The newest contexts
    #[arg(long, value_name = "N", group = "which")]
    last_n_contexts: Option<usize>,
    /// All contexts up to this one
    #[arg(long, value_name = "CONTEXT", value_parser = parsed::<ContextName>, group = "which")]
    up_to_context: Option<ContextName>,
    /// This context and all after it
    #[arg(long, value_name = "CONTEXT", value_parser = parsed::<ContextName>, group = "which")]
    after_context: Option<ContextName>,
}

fn range(text: &str) -> Result<(u32, u32), String> {
    let (first, last) = text.split_once(':').ok_or("write A:B")?;
    let number = |text: &str| {
        text.parse()
            .map_err(|_| format!("{text:?} is not a number"))
    };
    Ok((number(first)?, number(last)?))
}

impl Choice {
    /// Whether any were asked for.
    pub(crate) fn are_given(&self) -> bool {
        !self.contexts.is_empty() || self.is_a_choice()
    }

    /// Whether all that the server knows are meant.
    pub(crate) fn are_all(&self) -> bool {
        self.all
    }

    /// One of the names, which tells the observatory.
    pub(crate) fn a_name(&self) -> Option<&ContextName> {
        let names = self.contexts.iter().chain(&self.up_to_context);
        names.chain(&self.after_context).next()
    }

    fn is_a_choice(&self) -> bool {
        self.all
            || self.range.is_some()
            || self.last_n_contexts.is_some()
            || self.up_to_context.is_some()
            || self.after_context.is_some()
    }

    /// Their rules files: of names in the order given, of others in that of their numbers. At least
    /// one.
    pub(crate) async fn files(&self, client: &Client) -> Result<Vec<String>, Failure> {
        if self.is_a_choice() {
            let chosen = self.chosen(client).await?;
            if chosen.is_empty() {
                return Err(Failure::said(1, "the server knows no such context", None));
            }
            return Ok(chosen);
        }
        if self.contexts.is_empty() {
            return Ok(vec![client.context_file(None).await?]);
        }
        let mut files = Vec::new();
        for name in &self.contexts {
            for name in of_each_instrument(client, name).await? {
                files.push(resolved(client, &name).await?);
            }
        }
        Ok(files)
    }

    async fn chosen(&self, client: &Client) -> Result<Vec<String>, Failure> {
        let server = client.server_config().await?;
        let mut all: Vec<String> = server
            .mappings()
            .filter(|name| is_complete(name))
            .map(str::to_owned)
            .collect();
        all.sort_unstable();
        if let Some((first, last)) = self.range {
            all.retain(|name| number(name).is_some_and(|n| (first..=last).contains(&n)));
        }
        if let Some(count) = self.last_n_contexts {
            all.drain(..all.len().saturating_sub(count));
        }
        if let Some(name) = &self.up_to_context {
            let last = known(&all, resolved(client, name).await?)?;
            all.retain(|name| *name <= last);
        }
        if let Some(name) = &self.after_context {
            let first = known(&all, resolved(client, name).await?)?;
            all.retain(|name| *name >= first);
        }
        Ok(all)
    }
}

/// The names that one with `all` for the instrument stands for: `hst-all-darkfile-edit` those of all
/// instruments that have the type. Another stands for itself.
async fn of_each_instrument(
    client: &Client,
    name: &ContextName,
) -> Result<Vec<ContextName>, Failure> {
    let part = name.part();
    let Some(part) = part.filter(|part| part.instrument.as_deref() == Some(ALL)) else {
        return Ok(vec![name.clone()]);
    };
    let whole = name.clone().with_part(RulesPart::default());
    let file = client.context_file(Some(&whole)).await?;
    let rules = client.rules(&file, None).await?;
    let has = |instrument: &&str| match &part.reference_type {
        None => true,
        Some(name) => rules.table_of(instrument, name).is_some(),
    };
    let names = rules.instruments().filter(has).map(|instrument| {
        name.clone().with_part(RulesPart {
            instrument: Some(instrument.to_owned()),
            reference_type: part.reference_type.clone(),
        })
    });
    let names: Vec<ContextName> = names.collect();
    if names.is_empty() {
        let text = format!("no instrument of {file} has what {name} stands for");
        return Err(Failure::said(1, text, None));
    }
    Ok(names)
}

/// The rules file that a name stands for, which is said.
async fn resolved(client: &Client, name: &ContextName) -> Result<String, Failure> {
    let file = client.context_file(Some(name)).await?;
    if !matches!(name, ContextName::File(_)) {
        tracing::info!("Symbolic context '{name}' resolves to '{file}'");
    }
    Ok(file)
}

/// The context, if it is among all; else what was meant is not known.
fn known(all: &[String], name: String) -> Result<String, Failure> {
    if all.contains(&name) {
        return Ok(name);
    }
    let text = format!("the server knows no context {name}");
    Err(Failure::said(1, text, None))
}

/// Whether these are the rules of a whole observatory.
fn is_complete(name: &str) -> bool {
    let name = name.parse::<MappingName>();
    name.is_ok_and(|name| name.kind() == MappingKind::Pipeline)
}

/// The number of `hst_0729.pmap`; the first of an observatory's, `hst.pmap`, has none.
fn number(context: &str) -> Option<u32> {
    let (_, number) = context.strip_suffix(".pmap")?.rsplit_once('_')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_have_numbers_and_ranges_too() {
        assert_eq!(number("hst_0729.pmap"), Some(729));
        assert_eq!(number("hst.pmap"), None);
        assert_eq!(range("3:12"), Ok((3, 12)));
        assert!(range("3-12").is_err() && range("x:1").is_err());
    }
}

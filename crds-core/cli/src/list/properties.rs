//! `crds list --file-properties`: the instrument and type of files.

use serde_json::{Value, json};

use super::Lists;
use crate::failure::Failure;
use crate::options;
use crds_core::{Client, Observatory};

pub(super) async fn list(
    client: &Client,
    names: Vec<String>,
    lists: &mut Lists,
) -> Result<(), Failure> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    for name in options::expanded(&names)? {
        let plain = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let found = match named(&plain) {
            Some(found) => Some(found),
            None => by_rules(client, &plain).await?,
        };
        let Some((instrument, reference_type)) = found else {
            tracing::error!("neither its name nor the rules in use tell what {plain} is");
            continue;
        };
        lines.push(format!("{instrument} {reference_type} {plain}"));
        values.push(json!({"file": plain, "instrument": instrument, "type": reference_type}));
    }
    lists.add_as("file_properties", Value::Array(values), lines);
    Ok(())
}

/// What `hst_acs_darkfile_0300.rmap` says: its instrument and type, each empty where it says none.
fn named(name: &str) -> Option<(String, String)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let mut parts: Vec<&str> = stem.split('_').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    parts.pop_if(|part| is_number(&&**part));
    let (observatory, parts) = parts.split_first()?;
    observatory.parse::<Observatory>().ok()?;
    let is_word = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_rules = matches!(extension, "pmap" | "imap" | "rmap");
    match parts {
        [] if is_rules => Some((String::new(), String::new())),
        [instrument] if is_rules && is_word(instrument) => {
            Some(((*instrument).to_owned(), String::new()))
        }
        [instrument, kind] if is_word(instrument) && is_word(kind) => {
            Some(((*instrument).to_owned(), (*kind).to_owned()))
        }
        _ => None,
    }
}

/// What the rules in use choose it for.
async fn by_rules(client: &Client, name: &str) -> Result<Option<(String, String)>, Failure> {
    let context = client.context_file(None).await?;
    let rules = client.rules(&context, None).await?;
    let mut rows = rules.rows_choosing(&name.to_lowercase()).into_iter();
    Ok(rows
        .next()
        .map(|row| (row.instrument.to_owned(), row.reference_type.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_instrument_and_type() {
        for (name, found) in [
            ("hst_acs_darkfile_0300.rmap", Some(("acs", "darkfile"))),
            ("roman_wfi_dark_0003.asdf", Some(("wfi", "dark"))),
            ("jwst_miri_flat_0001.fits", Some(("miri", "flat"))),
            (
                "jwst_miri_pars-darkpipeline_0001.asdf",
                Some(("miri", "pars-darkpipeline")),
            ),
            ("hst_acs.imap", Some(("acs", ""))),
            ("hst_0729.pmap", Some(("", ""))),
            ("hst_acs_f555w_hrc_006_syn.fits", None),
            ("zas1615jl_spot.fits", None),
            ("foo_acs_dark_0001.fits", None),
            ("hst", None),
        ] {
            let found = found.map(|(a, b): (&str, &str)| (a.to_owned(), b.to_owned()));
            assert_eq!(named(name), found, "{name}");
        }
    }
}

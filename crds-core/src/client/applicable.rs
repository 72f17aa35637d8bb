//! The reference types that a JWST exposure takes, where nobody says which ones are wanted.
//!
//! The rules of the instrument `SYSTEM` choose, by the version of the calibration software, a table
//! (`CRDSCFG`, YAML) that leads from an exposure type to its pipelines, their steps, and the types
//! those use. A context without such a table narrows nothing: all types are looked at. (The Python
//! client then uses tables of its own, the last of 2020.)

use std::collections::{BTreeSet, HashMap};
use storage::hint::with_causes;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Client, ClientError};
use crate::bestrefs::{LookupPath, Outcome, Types};
use crate::header::{Header, condition};
use crate::observatory::Observatory;
use storage::bounded;

/// The largest table that is read, in bytes. Real ones have 20 kB.
const MAX_TABLE: usize = 4 << 20;
/// The largest program a pattern of the table may become.
const MAX_REGEX: usize = 1 << 20;

/// The tables that were asked for, by the version of the calibration software.
#[derive(Debug, Default)]
pub(super) struct Applicable(HashMap<String, Option<PipelineTable>>);

/// Which pipelines an exposure goes through, and which types they use.
#[derive(Debug, Deserialize)]
struct PipelineTable {
    exptypes_to_pipelines: HashMap<String, Vec<String>>,
    pipeline_cfgs_to_steps: HashMap<String, Vec<String>>,
    steps_to_reftypes: HashMap<String, Vec<String>>,
    /// By header key, in the order in which they apply: [`Exception`]s.
    #[serde(default)]
    pipeline_exceptions: Map<String, Value>,
}

/// A header key that puts other pipelines in the place of an exposure type's usual ones.
#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(default = "undefined")]
    default_missing: String,
    /// Patterns of values that leave all as it is; with any, all other values replace.
    #[serde(default)]
    dont_replace: Vec<String>,
    /// Patterns of values that replace.
    #[serde(default)]
    do_replace: Vec<String>,
    /// What replaces what.
    #[serde(flatten)]
    pipelines: HashMap<String, String>,
}

fn undefined() -> String {
    "UNDEFINED".to_owned()
}

impl Client {
    /// The types that calibrating a dataset takes, of all instruments; `None` if that cannot be
    /// told, or does not matter, as for HST and Roman.
    pub async fn applicable_reference_types(
        &self,
        context: &str,
        header: &Header,
    ) -> Option<BTreeSet<String>> {
        self.applicable_types(context, header, &mut Applicable::default())
            .await
    }

    /// The types that calibrating a dataset takes; `None` if that cannot be told, which is said
    /// once for each version of the software.
    pub(super) async fn applicable_types(
        &self,
        context: &str,
        header: &Header,
        known: &mut Applicable,
    ) -> Option<BTreeSet<String>> {
        if self.observatory() != Observatory::Jwst {
            return None;
        }
        let version = value(header, "META.CALIBRATION_SOFTWARE_VERSION", "CAL_VER");
        if !known.0.contains_key(&version) {
            let table = match self.pipeline_table(context, &version).await {
                Ok(table) => Some(table),
                Err(reason) => {
                    tracing::info!(
                        "All reference types are looked at, not only those of the exposure type: {reason}"
                    );
                    None
                }
            };
            known.0.insert(version.clone(), table);
        }
        let table = known.0.get(&version)?.as_ref()?;
        match table.types_for(header) {
            Ok(types) if !types.is_empty() => Some(types),
            Ok(_) => None,
            Err(reason) => {
                tracing::warn!("all reference types are looked at: {reason}");
                None
            }
        }
    }

    async fn pipeline_table(&self, context: &str, version: &str) -> Result<PipelineTable, String> {
        let said = |error: ClientError| with_causes(&error).to_string();
        let rules = self.rules(context, Some("system")).await.map_err(said)?;
        let header: Header = [
            ("INSTRUME", "SYSTEM"),
            ("META.INSTRUMENT.NAME", "SYSTEM"),
            ("META.CALIBRATION_SOFTWARE_VERSION", version),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        let answers = rules
            .best_references(&header, LookupPath::Conditioned, Types::Only(&["crdscfg"]))
            .map_err(|error| with_causes(&error).to_string())?;
        let name = match answers.get("crdscfg") {
            Some(Outcome::File(name)) => name.as_str(),
            Some(Outcome::Error(failure)) => return Err(failure.to_string()),
            _ => {
                return Err(format!(
                    "{context} has no table of pipelines for version {version:?} of the software"
                ));
            }
        };
        let fetched = self.fetch_references([name], &()).await.map_err(said)?;
        let path = &fetched.first().ok_or("it was not fetched")?.path;
        let text = bounded::read_text(path, MAX_TABLE).map_err(|error| error.to_string());
        text.and_then(|text| serde_saphyr::from_str(&text).map_err(|error| error.to_string()))
            .map_err(|reason| format!("{}: {reason}", path.display()))
    }
}

impl PipelineTable {
    fn types_for(&self, header: &Header) -> Result<BTreeSet<String>, String> {
        let exposure = value(header, "META.EXPOSURE.TYPE", "EXP_TYPE");
        let pipelines = self
            .exptypes_to_pipelines
            .get(&exposure)
            .ok_or_else(|| format!("no pipeline is known for the exposure type {exposure:?}"))?;
        let mut types = BTreeSet::new();
        for pipeline in pipelines {
            let pipeline = self.replaced(pipeline, header)?;
            let steps = self
                .pipeline_cfgs_to_steps
                .get(&pipeline)
                .ok_or_else(|| format!("the pipeline {pipeline} has no steps"))?;
            for step in steps {
                let of_step = self.steps_to_reftypes.get(step);
                types.extend(
                    of_step
                        .into_iter()
                        .flatten()
                        .map(|name| name.to_lowercase()),
                );
            }
        }
        Ok(types)
    }

    /// The pipeline that an exposure with this header takes instead.
    fn replaced(&self, pipeline: &str, header: &Header) -> Result<String, String> {
        let mut pipeline = pipeline.to_owned();
        for (key, exception) in &self.pipeline_exceptions {
            let exception: Exception = serde_json::from_value(exception.clone())
                .map_err(|error| format!("pipeline_exceptions of {key}: {error}"))?;
            let key = key.to_uppercase();
            let value = header.get(&key).unwrap_or(&exception.default_missing);
            let value = condition(value);
            let replaces = (!exception.dont_replace.is_empty()
                && !any_matches(&exception.dont_replace, &value)?)
                || any_matches(&exception.do_replace, &value)?;
            if replaces && let Some(other) = exception.pipelines.get(&pipeline) {
                pipeline.clone_from(other);
            }
        }
        Ok(pipeline)
    }
}

/// A value of the header, conditioned, by its data model name or its FITS keyword.
fn value(header: &Header, model: &str, keyword: &str) -> String {
    let found = header.get(model).or_else(|| header.get(keyword));
    condition(found.unwrap_or("UNDEFINED")).into_owned()
}

/// Whether a pattern matches the whole value.
fn any_matches(patterns: &[String], value: &str) -> Result<bool, String> {
    for pattern in patterns {
        let whole = regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
            .size_limit(MAX_REGEX)
            .build();
        let whole: Regex = whole.map_err(|error| error.to_string())?;
        if whole.is_match(value) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const TABLE: &str = "
exptypes_to_pipelines:
  MIR_IMAGE: &usual [detector.cfg, image.cfg]
  MIR_SPEC: *usual
  MIR_DARK: [skip.cfg]
pipeline_cfgs_to_steps:
  detector.cfg: [dq_init, jump]
  tso.cfg: [dq_init]
  image.cfg: [flat_field, resample]
  wavefront.cfg: [flat_field]
  skip.cfg: []
steps_to_reftypes:
  dq_init: [mask]
  jump: [gain, READNOISE]
  flat_field: [flat]
  resample: &none []
pipeline_exceptions:
  meta.visit.tsovisit:
    default_missing: F
    dont_replace: [\"F\", \"NONE\"]
    detector.cfg: tso.cfg
  meta.visit.title:
    do_replace: [\".*WFSC.*\"]
    image.cfg: wavefront.cfg
";

    fn types(pairs: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let table: PipelineTable = serde_saphyr::from_str(TABLE).unwrap();
        let pairs = pairs.iter();
        let header = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let types = table.types_for(&header.collect())?;
        Ok(types.into_iter().collect())
    }

    #[test]
    fn the_exposure_type_and_other_keys_choose_the_pipelines() {
        let all = ["flat", "gain", "mask", "readnoise"];
        assert_eq!(types(&[("EXP_TYPE", "mir_image")]).unwrap(), all);
        let image = ("META.EXPOSURE.TYPE", "MIR_SPEC");
        assert_eq!(types(&[image]).unwrap(), all);
        let with = |key, value| types(&[image, (key, value)]).unwrap();
        assert_eq!(with("META.VISIT.TSOVISIT", "True"), ["flat", "mask"]);
        assert_eq!(with("META.VISIT.TSOVISIT", "false"), all);
        assert_eq!(with("META.VISIT.TITLE", "x wfsc y"), all);
        assert!(types(&[("EXP_TYPE", "MIR_DARK")]).unwrap().is_empty());
        assert!(
            types(&[("EXP_TYPE", "NRC_X")])
                .unwrap_err()
                .contains("NRC_X")
        );
        assert!(types(&[]).unwrap_err().contains("UNDEFINED"));
    }
}

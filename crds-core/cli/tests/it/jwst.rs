//! Best references of JWST exposures: which types are looked at, and what is not done for them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{fits_file, run};
use serde_json::Value;

const CONFIG: &str = "{'observatory': 'jwst', 'operational_context': 'jwst_0001.pmap', \
    'edit_context': 'jwst_0001.pmap', 'bad_files_list': [], 'context_history': [], 'mappings': []}";

/// From which pipelines an exposure type goes through to the types their steps use.
const PIPELINES: &str = "
exptypes_to_pipelines:
  MIR_IMAGE: [calwebb_detector1.cfg, calwebb_image2.cfg]
  MIR_DARKALL: [calwebb_dark.cfg, skip_2b.cfg]
pipeline_cfgs_to_steps:
  calwebb_dark.cfg: [dq_init]
  calwebb_detector1.cfg: [dq_init, jump]
  calwebb_image2.cfg: [flat_field]
  skip_2b.cfg: []
steps_to_reftypes:
  dq_init: [mask]
  flat_field: [flat, fflat]
  jump: [gain]
";

/// A cache of one context with four types for MIRI, and a table of pipelines for versions from 1.1.
fn cache(folder: &Path) -> PathBuf {
    let cache = folder.join("cache");
    let rules = cache.join("mappings/jwst");
    fs::create_dir_all(&rules).unwrap();
    let put = |name: &str, kind: &str, more: &str, selector: &str| {
        let header = format!(
            "header = {{'mapping': '{kind}', 'name': '{name}', 'derived_from': 'nothing', \
             'observatory': 'JWST', {more}}}"
        );
        fs::write(
            rules.join(name),
            format!("{header}\nselector = {selector}\n"),
        )
        .unwrap();
    };
    put(
        "jwst_0001.pmap",
        "pipeline",
        "'parkey': ('META.INSTRUMENT.NAME',)",
        "{'MIRI': 'jwst_miri_0001.imap', 'SYSTEM': 'jwst_system_0001.imap'}",
    );
    put(
        "jwst_miri_0001.imap",
        "instrument",
        "'parkey': ('REFTYPE',), 'instrument': 'MIRI'",
        "{'MASK': 'jwst_miri_mask_0001.rmap', 'GAIN': 'jwst_miri_gain_0001.rmap', \
         'FLAT': 'jwst_miri_flat_0001.rmap', 'DFLAT': 'N/A'}",
    );
    for name in ["mask", "gain", "flat"] {
        put(
            &format!("jwst_miri_{name}_0001.rmap"),
            "reference",
            &format!(
                "'parkey': (('META.INSTRUMENT.DETECTOR',),), 'instrument': 'MIRI', 'filekind': '{name}'"
            ),
            &format!("Match({{'MIRIMAGE': 'jwst_miri_{name}_0001.fits'}})"),
        );
    }
    put(
        "jwst_system_0001.imap",
        "instrument",
        "'parkey': ('REFTYPE',), 'instrument': 'SYSTEM'",
        "{'CRDSCFG': 'jwst_system_crdscfg_0001.rmap'}",
    );
    put(
        "jwst_system_crdscfg_0001.rmap",
        "reference",
        "'parkey': (('META.CALIBRATION_SOFTWARE_VERSION',),), 'instrument': 'SYSTEM', \
         'filekind': 'crdscfg'",
        "VersionAfter({'1.1.0': 'jwst_system_crdscfg_0001.yaml'})",
    );
    let references = cache.join("references/jwst/system");
    fs::create_dir_all(&references).unwrap();
    fs::write(references.join("jwst_system_crdscfg_0001.yaml"), PIPELINES).unwrap();
    fs::create_dir_all(cache.join("config/jwst")).unwrap();
    fs::write(cache.join("config/jwst/server_config"), CONFIG).unwrap();
    cache
}

fn exposure(folder: &Path, exposure_type: &str, version: &str) -> String {
    let path = folder.join("jw00001_uncal.fits");
    fits_file(
        &path,
        &[
            "SIMPLE  =                    T",
            "BITPIX  =                    8",
            "NAXIS   =                    0",
            "TELESCOP= 'JWST'",
            "INSTRUME= 'MIRI'",
            "DETECTOR= 'MIRIMAGE'",
            &format!("EXP_TYPE= '{exposure_type}'"),
            &format!("CAL_VER = '{version}'"),
        ],
    );
    path.to_str().unwrap().to_owned()
}

#[test]
fn only_the_types_of_the_exposure_are_looked_at_where_the_rules_tell() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let variables = [
        ("CRDS_PATH", cache.to_str().unwrap()),
        ("CRDS_READONLY_CACHE", "1"),
        ("CRDS_OBSERVATORY", "jwst"),
        ("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
    ];
    let types = |exposure_type: &str, version: &str, more: &[&str]| {
        let file = exposure(folder.path(), exposure_type, version);
        let asked = [&["bestrefs", "--json", "-f", file.as_str()], more].concat();
        let answered = run(&variables, &asked);
        assert_eq!(answered.code, 0, "{}", answered.stderr);
        let json: Value = serde_json::from_str(&answered.stdout).unwrap();
        let types = json["files"][0]["bestrefs"].as_object().unwrap();
        let types: Vec<&str> = types.keys().map(String::as_str).collect();
        (types.join(" "), answered.stderr)
    };
    let chosen = |exposure_type: &str, version: &str, more: &[&str]| {
        let (types, said) = types(exposure_type, version, more);
        assert!(!said.contains("All reference types"), "{said}");
        types
    };
    assert_eq!(chosen("MIR_IMAGE", "1.13.4", &[]), "flat gain mask");
    assert_eq!(chosen("MIR_DARKALL", "1.13.4", &[]), "mask");
    assert_eq!(
        chosen("MIR_DARKALL", "1.13.4", &["-t", "gain", "flat"]),
        "flat gain"
    );
    let all = "dflat flat gain mask";
    assert_eq!(chosen("MIR_DARKALL", "1.13.4", &["--all-types"]), all);
    assert_eq!(
        chosen("MIR_DARKALL", "1.13.4", &["--all-types", "-k", "MASK"]),
        "dflat flat gain"
    );
    assert_eq!(chosen("MIR_IMAGE", "1.13.4", &["-k", "flat"]), "gain mask");
    // An exposure type, a version of the software, or a context that the tables do not know.
    let (types_of_unknown, said) = types("MIR_NEW", "1.13.4", &[]);
    assert_eq!(types_of_unknown, all);
    assert!(said.contains("\"MIR_NEW\""), "{said}");
    let (types_of_old, said) = types("MIR_IMAGE", "0.7.0", &[]);
    assert_eq!(types_of_old, all);
    assert!(said.contains("All reference types are looked at"), "{said}");
    fs::write(
        cache.join("references/jwst/system/jwst_system_crdscfg_0001.yaml"),
        "exptypes_to_pipelines: [",
    )
    .unwrap();
    let (types_of_damaged, said) = types("MIR_IMAGE", "1.13.4", &[]);
    assert_eq!(types_of_damaged, all);
    assert!(said.contains("jwst_system_crdscfg_0001.yaml"), "{said}");
}

#[test]
fn headers_of_other_observatories_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let file = exposure(folder.path(), "MIR_IMAGE", "1.13.4");
    let before = fs::read(&file).unwrap();
    let variables = [
        ("CRDS_PATH", cache.to_str().unwrap()),
        ("CRDS_READONLY_CACHE", "1"),
        ("CRDS_OBSERVATORY", "jwst"),
        ("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
    ];
    let refused = run(&variables, &["bestrefs", "-u", "-f", &file]);
    assert_eq!(refused.code, 255);
    assert!(
        refused.stderr.contains("only HST's are"),
        "{}",
        refused.stderr
    );
    assert!(fs::read(&file).unwrap() == before);
}

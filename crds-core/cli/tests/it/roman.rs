//! Best references of Roman exposures, whose headers are written in two ways.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{run, run_with_input};
use serde_json::json;

const CONFIG: &str = "{'observatory': 'roman', 'operational_context': 'roman_0001.pmap', \
    'edit_context': 'roman_0001.pmap', 'bad_files_list': [], 'context_history': [], 'mappings': []}";

/// A cache of one context with one type for the wide-field instrument.
fn cache(folder: &Path) -> PathBuf {
    let cache = folder.join("cache");
    let rules = cache.join("mappings/roman");
    fs::create_dir_all(&rules).unwrap();
    for (name, kind, more, selector) in [
        (
            "roman_0001.pmap",
            "pipeline",
            "'parkey': ('ROMAN.META.INSTRUMENT.NAME',)",
            "{'WFI': 'roman_wfi_0001.imap'}",
        ),
        (
            "roman_wfi_0001.imap",
            "instrument",
            "'parkey': ('REFTYPE',), 'instrument': 'WFI'",
            "{'FLAT': 'roman_wfi_flat_0001.rmap'}",
        ),
        (
            "roman_wfi_flat_0001.rmap",
            "reference",
            "'parkey': (('ROMAN.META.INSTRUMENT.DETECTOR',), ('ROMAN.META.EXPOSURE.START_TIME',)), \
             'instrument': 'WFI', 'filekind': 'flat'",
            "Match({'WFI01': UseAfter({'2020-01-01 00:00:00': 'roman_wfi_flat_0001.asdf'})})",
        ),
    ] {
        let text = format!(
            "header = {{'mapping': '{kind}', 'name': '{name}', 'derived_from': 'nothing', \
             'observatory': 'ROMAN', {more}}}\nselector = {selector}\n"
        );
        fs::write(rules.join(name), text).unwrap();
    }
    fs::create_dir_all(cache.join("config/roman")).unwrap();
    fs::write(cache.join("config/roman/server_config"), CONFIG).unwrap();
    cache
}

#[test]
fn headers_of_the_archive_leave_out_the_first_part_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let variables = [
        ("CRDS_PATH", cache.to_str().unwrap()),
        ("CRDS_OBSERVATORY", "roman"),
        ("CRDS_READONLY_CACHE", "1"),
        ("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
    ];
    let meta = json!({
        "instrument": {"name": "WFI", "detector": "WFI01"},
        "exposure": {"start_time": "2026-01-01T00:00:00"},
    });
    let flat = |first: &str| {
        json!({
            format!("{first}META.INSTRUMENT.NAME"): "WFI",
            format!("{first}meta.instrument.detector"): "WFI01",
            format!("{first}META.EXPOSURE.START_TIME"): "2026-01-01 00:00:00",
        })
    };
    for header in [
        json!({"roman": {"meta": meta}}),
        json!({"meta": meta}),
        flat("ROMAN."),
        flat(""),
    ] {
        let file = folder.path().join("r0001_uncal.json");
        fs::write(&file, header.to_string()).unwrap();
        let file = file.to_str().unwrap();
        let found = run(
            &variables,
            &["bestrefs", "-f", file, "--print-new-references"],
        );
        assert_eq!(found.code, 0, "{header}: {}", found.stderr);
        let line = "wfi flat none roman_wfi_flat_0001.asdf\n";
        assert!(found.stdout.ends_with(line), "{header}: {}", found.stdout);
    }
    for header in [flat("ROMAN."), flat("")] {
        let line = json!({"id": 1, "header": header}).to_string();
        let asked = ["bestrefs", "--headers", "-"];
        let found = run_with_input(&variables, &asked, line.as_bytes());
        assert_eq!(
            found.stdout,
            "{\"id\":1,\"bestrefs\":{\"flat\":{\"file\":\"roman_wfi_flat_0001.asdf\"}}}\n"
        );
    }
}

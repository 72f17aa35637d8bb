//! What two contexts do differently: for datasets, whose tables may have changed in rows that they do
//! not use.

use std::fs;

use caldp_tests::{fixtures, publish_other_table};

use crate::program::{cache_copy, run};

#[test]
fn a_table_without_a_changed_row_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = cache_copy(folder.path());
    publish_other_table(&path.join("mappings/hst"));
    let tables = ["zz900004l_1dx.fits", "zz900104l_1dx.fits"];
    let [old, new] = tables.map(|name| path.join("references/hst").join(name));
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::copy(fixtures().join("crds/references/hst").join(tables[0]), &old).unwrap();
    fs::copy(&old, &new).unwrap();
    let mode = |cenwave: u32| {
        format!(
            r#"{{"LBGU{cenwave}": {{"INSTRUME": "COS", "DETECTOR": "NUV", "OBSTYPE": "SPECTROSCOPIC", "LIFE_ADJ": "1.0",
            "DATE-OBS": "2017-01-15", "TIME-OBS": "00:00:00", "OPT_ELEM": "G230L", "CENWAVE": "{cenwave}", "APERTURE": "PSA"}}}}"#
        )
    };
    let headers = path.join("headers.json");
    fs::write(
        &headers,
        [mode(2950), mode(3000)].join("\n").replace("\n ", " "),
    )
    .unwrap();
    let cache = path.to_str().unwrap();
    let variables = [
        ("CRDS_PATH", cache),
        ("CRDS_READONLY_CACHE", "1"),
        ("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
        // The size that the catalogue has is of the other table.
        ("CRDS_DOWNLOAD_LENGTHS", "0"),
    ];
    let affected = |more: &[&str]| {
        let words = [
            "bestrefs",
            "-n",
            "hst_9003.pmap",
            "-o",
            "hst_9000.pmap",
            "--print-affected",
            "-p",
        ];
        let run = run(
            &variables,
            &[&words, &[headers.to_str().unwrap()][..], more].concat(),
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    assert_eq!(affected(&[]), "lbgu2950\nlbgu3000\n");
    assert_eq!(affected(&["-z"]), "");
    let mut table = fs::read(&old).unwrap();
    // The slope of the first row, of CENWAVE 2950.
    let data = table.len() - 2880;
    table[data + 4 + 8 + 4 + 4 + 7] ^= 1;
    fs::write(&new, &table).unwrap();
    assert_eq!(affected(&["-z"]), "lbgu2950\n");
    fs::write(&new, "torn").unwrap();
    assert_eq!(affected(&["--optimize-tables"]), "lbgu2950\nlbgu3000\n");
}

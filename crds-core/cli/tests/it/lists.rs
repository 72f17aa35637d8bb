//! `crds list` as scripts read it.

use crate::program::{REFERENCE, cache, offline, run};
use caldp_tests::{CrdsServer, fixtures};
use serde_json::{Value, json};

fn list(arguments: &[&str]) -> String {
    let ran = run(&offline(&cache()), &[&["list"], arguments].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn references_show_their_headers_and_never_their_data() {
    let shown = list(&["--cat", REFERENCE]);
    assert!(
        shown.contains("File: ") && shown.contains("'SIMPLE': 'True',\n"),
        "{shown}"
    );
    assert!(!shown.contains('\u{fffd}') && shown.len() < 10_000);
    let keys = list(&["--cat", REFERENCE, "--keywords", "NAXIS", "--add-filenames"]);
    let prefix = format!("{REFERENCE}: ");
    let mut lines = keys.lines().skip(3);
    assert!(
        lines.all(|line| line.starts_with(&prefix) && line.contains("NAXIS")),
        "{keys}"
    );
    let rules = list(&["--cat", "hst-acs-darkfile-edit", "hst_9001.pmap"]);
    assert!(rules.contains("hst_acs_darkfile_9002.rmap") && rules.contains("('INSTRUME',)"));
    let all = list(&["--cat", "--mappings", "--contexts", "hst_acs_9001.imap"]);
    assert_eq!(
        all.matches("File: ").count(),
        list(&["--mappings", "--contexts", "hst_acs_9001.imap"])
            .lines()
            .count()
    );
    let json: Value = serde_json::from_str(&list(&["--cat", REFERENCE, "--json"])).unwrap();
    assert_eq!(json["cat"][0]["header"]["SIMPLE"], "True");
    // One that is nowhere does not keep others from being shown.
    let ran = run(
        &offline(&cache()),
        &["list", "--cat", "none.fits", REFERENCE],
    );
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.contains(REFERENCE) && ran.stderr.contains("none.fits"),
        "{}",
        ran.stderr
    );
}

#[test]
fn contexts_are_chosen_by_name_number_instrument_and_type() {
    let resolved = |arguments: &[&str]| list(&[&["--resolve-contexts"], arguments].concat());
    assert_eq!(
        resolved(&[
            "--contexts",
            "hst-acs-operational",
            "hst-acs-darkfile-edit",
            "hst-cos-deadtab-2026-02-01"
        ]),
        "hst_acs_9001.imap\nhst_acs_darkfile_9002.rmap\nhst_cos_deadtab_9000.rmap\n"
    );
    let all = "hst_9000.pmap\nhst_9001.pmap\nhst_9002.pmap\n";
    assert_eq!(resolved(&["--all"]), all);
    assert_eq!(resolved(&["--range", "9001:9002"]), all[14..]);
    assert_eq!(resolved(&["--last", "1"]), all[28..]);
    assert_eq!(resolved(&["--up-to-context", "latest"]), all[..28]);
    assert_eq!(resolved(&["--after-context", "hst-edit"]), all[28..]);
    assert_eq!(resolved(&[]), "hst_9001.pmap\n");
    let none = run(
        &offline(&cache()),
        &["list", "--resolve-contexts", "--range", "1:2"],
    );
    assert_eq!(none.code, 1);
    let lost = run(
        &offline(&cache()),
        &[
            "list",
            "--references",
            "--contexts",
            "hst-acs-nonefile-edit",
        ],
    );
    assert_eq!(lost.code, 255);
    assert!(
        lost.stderr.contains("no rules for acs nonefile"),
        "{}",
        lost.stderr
    );
    // The log keeps the name that was given.
    let named = run(
        &offline(&cache()),
        &["list", "--resolve-contexts", "--contexts", "hst-latest"],
    );
    assert!(
        named
            .stderr
            .contains("Symbolic context 'hst-latest' resolves to 'hst_9001.pmap'"),
        "{}",
        named.stderr
    );
}

#[test]
fn keys_are_listed_in_the_order_of_the_rules() {
    let keys = list(&["--required-parkeys"]);
    assert!(keys.contains("\nacs = ['INSTRUME', 'APERTURE', "), "{keys}");
    let of_types = list(&["--required-parkeys", "--contexts", "hst_acs_9001.imap"]);
    let dark = "darkfile: ['DETECTOR', 'CCDAMP', 'CCDGAIN', 'DATE-OBS', 'TIME-OBS', 'DARKCORR']\n";
    assert!(of_types.contains(dark), "{of_types}");
    let of_table = list(&[
        "--required-parkeys",
        "--contexts",
        "hst_acs_darkfile_9001.rmap",
    ]);
    assert_eq!(
        of_table,
        dark.replace("darkfile:", "hst_acs_darkfile_9001.rmap:")
    );
    // References come before rules, and rules are those of the context in use.
    let both = list(&["--mappings", "--references"]);
    assert_eq!(both, list(&["--references"]) + &list(&["--mappings"]));
    assert!(both.contains("hst_9001.pmap\n") && !both.contains("hst_9002.pmap\n"));
}

#[test]
fn files_tell_their_instrument_and_type() {
    assert_eq!(
        list(&[
            "--file-properties",
            REFERENCE,
            "hst_acs_darkfile_9001.rmap",
            "roman_wfi_dark_0003.asdf",
            "hst_9001.pmap"
        ]),
        format!(
            "acs ccdtab {REFERENCE}\nacs darkfile hst_acs_darkfile_9001.rmap\n\
             wfi dark roman_wfi_dark_0003.asdf\n  hst_9001.pmap\n"
        )
    );
    let unknown = run(
        &offline(&cache()),
        &["list", "--file-properties", "x_drk.fits"],
    );
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, ""));
}

#[test]
fn the_servers_catalogue_of_datasets_is_shown() {
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    server.set_answer(
        "get_dataset_ids",
        json!(["JCL403010:JCL403ECQ", "JCL403010:JCL403EEQ"]),
    );
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "OTHER": "1.0"});
    server.set_answer(
        "get_dataset_headers_by_id",
        json!({"JCL403010:JCL403ECQ": header, "JCL403010:JCL403EEQ": header}),
    );
    server.set_answer("get_remote_context", json!("hst_9000.pmap"));
    let (url, cache) = (server.url(), cache());
    let list = |arguments: &[&str]| {
        let variables = [offline(&cache), vec![("CRDS_SERVER_URL", url.as_str())]].concat();
        let ran = run(&variables, &[&["list"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    assert_eq!(
        list(&["--remote-context", "hst-ops-pipeline"]),
        "hst_9000.pmap\n"
    );
    let ids = "JCL403010:JCL403ECQ\nJCL403010:JCL403EEQ\n";
    assert_eq!(list(&["--dataset-ids-for-instruments", "acs"]), ids);
    let headers = |more: &[&str]| list(&[&["--dataset-headers", "jcl403010"], more].concat());
    assert_eq!(headers(&["--id-expansions-only"]), ids);
    assert_eq!(headers(&["--id-expansions-only", "--first-id"]), ids[..20]);
    let first = headers(&["--first-id", "--minimize-headers"]);
    assert!(first.starts_with("Dataset pars for 'JCL403010:JCL403ECQ' with respect to 'hst_9001.pmap':\n {'APERTURE': 'UNDEFINED',\n"), "{first}");
    assert!(first.contains("'CRDS_CTX': 'hst_9001.pmap',\n") && !first.contains("OTHER"));
    assert!(first.contains("'INSTRUME': 'ACS',\n"), "{first}");
    // One line each, as `bestrefs --load-pickles` reads them.
    let lines = headers(&["--json"]);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["JCL403010:JCL403ECQ"]["OTHER"], "1.0");
    assert_eq!(lines.lines().count(), 2);
    let variables = [offline(&cache), vec![("CRDS_SERVER_URL", url.as_str())]].concat();
    let of_all = ["matches", "-i", "acs", "--contexts", "latest"];
    let of_all = run(&variables, &of_all);
    assert_eq!(of_all.code, 0, "{}", of_all.stderr);
    assert!(
        of_all
            .stdout
            .starts_with("JCL403010:JCL403ECQ : DETECTOR='WFC' ")
    );
    assert_eq!(of_all.stdout.lines().count(), 2);
}

#[test]
fn all_stands_for_every_instrument_that_has_the_type() {
    let cache = cache();
    let list = |context: &str| {
        run(
            &offline(&cache),
            &["list", "--resolve-contexts", "--contexts", context],
        )
    };
    // COS has none.
    assert_eq!(
        list("hst-all-ccdtab-edit").stdout,
        "hst_acs_ccdtab_9000.rmap\nhst_stis_ccdtab_9000.rmap\nhst_wfc3_ccdtab_9000.rmap\n"
    );
    assert_eq!(
        list("hst-all-deadtab-2026-02-01").stdout,
        "hst_cos_deadtab_9000.rmap\n"
    );
    let none = list("hst-all-walktab-2026-02-01");
    assert_eq!(none.code, 1);
    assert!(
        none.stderr
            .contains("no instrument of hst_9000.pmap has what hst-all-walktab-2026-02-01"),
        "{}",
        none.stderr
    );
}

#[test]
fn a_context_that_cannot_be_had_leaves_the_others() {
    let cache = cache();
    let asked = [
        "list",
        "--mappings",
        "--contexts",
        "hst_1234.pmap",
        "hst_9000.pmap",
    ];
    let some = run(&offline(&cache), &asked);
    assert_eq!(some.code, 1);
    assert!(some.stdout.contains("hst_9000.pmap\n"), "{}", some.stdout);
    assert!(some.stderr.contains("hst_1234.pmap"), "{}", some.stderr);
    assert_eq!(run(&offline(&cache), &asked[..4]).code, 255);
}

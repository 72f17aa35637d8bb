//! Rules that are not in the cache: a draft named by its path, and what it names by paths.

use std::fs;
use std::path::Path;

use crate::program::{REFERENCE, cache_copy, offline, run};

/// Copies a rule file of the cache, with some of its text replaced.
fn rules(from: &Path, to: &Path, changes: &[(&str, String)]) {
    let mut text = fs::read_to_string(from).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    fs::write(to, text).unwrap();
}

#[test]
fn rules_at_a_path_name_others_by_their_paths() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache_copy(folder.path());
    let cached = cache.join("mappings/hst");
    let draft = folder.path().join("draft");
    fs::create_dir(&draft).unwrap();
    let at = |name: &str| draft.join(name).to_str().unwrap().to_owned();
    let pmap = at("hst_draft.pmap");
    rules(
        &cached.join("hst_9000.pmap"),
        Path::new(&pmap),
        &[("hst_acs_9000.imap", at("hst_acs_draft.imap"))],
    );
    // All else is the cache's.
    rules(
        &cached.join("hst_acs_9000.imap"),
        Path::new(&at("hst_acs_draft.imap")),
        &[("hst_acs_ccdtab_9000.rmap", at("hst_acs_ccdtab_draft.rmap"))],
    );
    rules(
        &cached.join("hst_acs_ccdtab_9000.rmap"),
        Path::new(&at("hst_acs_ccdtab_draft.rmap")),
        &[(REFERENCE, "zz900099j_ccd.fits".to_owned())],
    );
    let cache = cache.to_str().unwrap();
    let mut settings = offline(cache);
    settings.push(("CRDS_IGNORE_MAPPING_CHECKSUM", "1"));
    let row = |file: &str| {
        format!(
            " {file} : ACS CCDTAB DETECTOR='HRC' DATE-OBS='1992-01-01' TIME-OBS='00:00:00'\n \
             {file} : ACS CCDTAB DETECTOR='WFC' DATE-OBS='1992-01-01' TIME-OBS='00:00:00'\n"
        )
    };
    let matches = |context: &str, file: &str| {
        let asked = ["matches", "--contexts", context, "--files", file];
        run(&settings, &asked)
    };
    let found = matches(&pmap, "zz900099j_ccd.fits");
    assert_eq!(found.stdout, row("zz900099j_ccd.fits"), "{}", found.stderr);
    let compared = run(&settings, &["diff", "hst_9000.pmap", &pmap]);
    assert!(
        compared.stdout.contains("+ file zz900099j_ccd.fits"),
        "{}{}",
        compared.stdout,
        compared.stderr
    );

    // In the cache's rules a path is the name at its end: they lead nowhere else.
    rules(
        &cached.join("hst_acs_9000.imap"),
        &cached.join("hst_acs_9000.imap"),
        &[("hst_acs_ccdtab_9000.rmap", at("hst_acs_ccdtab_9000.rmap"))],
    );
    rules(
        Path::new(&at("hst_acs_ccdtab_draft.rmap")),
        Path::new(&at("hst_acs_ccdtab_9000.rmap")),
        &[],
    );
    let found = matches("hst_9000.pmap", REFERENCE);
    assert_eq!(found.stdout, row(REFERENCE), "{}", found.stderr);
}

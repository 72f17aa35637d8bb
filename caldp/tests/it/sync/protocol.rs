//! The states of datasets and batches, and what is on site after each.

use std::fs;

use caldp_core::layout::{BatchState, Layout};
use caldp_core::state::State;
use caldp_tests::Run;
use serde_json::json;

use super::site::{BATCH, Site, dataset};
use crate::CALDP;

#[test]
fn processed_datasets_come_on_site_in_both_layouts() {
    for layout in Layout::ALL {
        let site = Site::with(layout, 3);
        let report = site.report(&[], 0);
        for number in 0..3 {
            site.assert_on_site(&dataset(number));
            assert_eq!(site.states(&dataset(number)), [State::Synced], "{layout}");
        }
        assert_eq!(site.batch_states(), [BatchState::Done]);
        assert_eq!(report["synced"], 3);
        assert_eq!(report["states"], json!({"synced": 3}));
        assert_eq!(
            report["batches"],
            json!([{"batch": BATCH, "state": "done"}])
        );
        // all but logs have their sums in the record of the run
        assert_eq!(report["files"]["checked"]["recorded"], 9, "{report}");
        let gets = site.world.s3.count("GetObject");
        let records = site.world.s3.reads();
        let records = records
            .iter()
            .filter(|(key, _)| key.ends_with("provenance.json"));
        let read: Vec<u64> = records.map(|(_, times)| *times).collect();
        assert_eq!(read, [1, 1, 1], "{layout}");

        // nothing is left to do, and nothing is fetched
        let again = site.report(&[], 0);
        assert_eq!(
            (&again["synced"], &again["files"]["fetched"]),
            (&json!(0), &json!(0))
        );
        assert!(site.world.s3.count("GetObject") <= gets + 1);
    }
}

#[test]
fn what_is_under_way_or_failed_is_told_by_the_status_and_keeps_its_batch_open() {
    let mut site = Site::new(Layout::Tree);
    let names: Vec<_> = (0..4).map(dataset).collect();
    site.submit(&names);
    site.deliver(&names[0], 1);
    site.put(&Layout::Tree.message(State::Processing, &names[1]), "");
    site.put(&Layout::Tree.message(State::Error, &names[2]), "{}");
    site.put(&Layout::Tree.message(State::Terminated, &names[3]), "{}");
    let report = site.report(&[], 3);
    assert_eq!(site.batch_states(), [BatchState::Syncing]);
    assert_eq!(
        report["states"],
        json!({"processing": 1, "synced": 1, "error": 1, "terminated": 1})
    );
    site.remove(&Layout::Tree.message(State::Processing, &names[1]));
    site.deliver(&names[1], 1);
    site.report(&[], 4);
    site.assert_on_site(&names[1]);
    assert_eq!(site.batch_states(), [BatchState::Error]);
    // rescued meanwhile: the batch is done after all
    for (number, state) in [(2, State::Error), (3, State::Terminated)] {
        let key = site.key(&Layout::Tree.message(state, &names[number]));
        site.world.remove(&key);
        site.deliver(&names[number], 2);
    }
    site.report(&[], 0);
    assert_eq!(site.batch_states(), [BatchState::Done]);
}

#[test]
fn acknowledgements_of_the_archive_are_carried_up_with_their_content() {
    for layout in Layout::ALL {
        let site = Site::with(layout, 2);
        site.report(&[], 0);
        let message = |state| {
            site.batch_directory()
                .join(Layout::Tree.message(state, &dataset(1)))
        };
        let archived = message(State::Archived);
        fs::create_dir_all(archived.parent().unwrap()).unwrap();
        fs::write(&archived, "archived at 12:00").unwrap();
        let report = site.report(&[], 0);
        assert_eq!(report["archived"], 1, "{report}");
        assert_eq!(site.states(&dataset(1)), [State::Archived]);
        let body = site.get(&layout.message(State::Archived, &dataset(1)));
        assert_eq!(body.unwrap(), b"archived at 12:00");
        assert!(!message(State::Synced).exists() && archived.exists());
        assert_eq!(site.report(&[], 0)["archived"], 0);
    }
}

#[test]
fn a_bucket_stands_for_all_its_batches() {
    let site = Site::with(Layout::Tree, 2);
    let mut bucket = site.world.command(CALDP, ["sync", "s3://hst-out"]);
    Run::of(bucket.arg(site.path())).ended(0);
    site.assert_on_site(&dataset(1));
    site.sync(&["--json"]).ended(0);
}

#[test]
fn an_output_on_disk_is_brought_too() {
    for layout in Layout::ALL {
        let site = Site::with(layout, 2);
        let from = tempfile::tempdir().unwrap();
        for key in site.world.keys() {
            let relative = key.strip_prefix(&site.key("")).unwrap();
            let path = from.path().join(relative);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, site.world.get(&key).unwrap()).unwrap();
        }
        let output = format!("file:{}", from.path().display());
        let mut command = site.command_to(&output, site.path(), &["--json"]);
        let report = Run::of(command.env_clear()).ended(0).json();
        assert_eq!(report["synced"], 2);
        site.assert_on_site(&dataset(0));
        let synced = from.path().join(layout.message(State::Synced, &dataset(0)));
        assert!(synced.is_file());
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    for layout in Layout::ALL {
        let site = Site::with(layout, 2);
        let keys = site.world.keys();
        let nowhere = site.path().join("not/there");
        let words = ["--dry-run", "--json"];
        let mut command = site.command_to(&site.output(), &nowhere, &words);
        let report = Run::of(&mut command).json();
        assert_eq!(
            (&report["synced"], &report["dry_run"]),
            (&json!(2), &json!(true))
        );
        assert!(
            report["files"]["bytes"].as_u64() > Some(2_000_000),
            "{report}"
        );
        assert_eq!(site.world.keys(), keys);
        assert!(!nowhere.exists());
        let requests = site.world.s3.requests();
        assert!(!requests.contains_key("PutObject") && !requests.contains_key("DeleteObject"));
    }
}

#[test]
fn parts_are_brought_without_moving_states() {
    let site = Site::with(Layout::Tree, 1);
    site.report(&["--only", "previews,logs"], 3);
    assert_eq!(site.states(&dataset(0)), [State::Processed]);
    assert_eq!(site.batch_states(), [BatchState::New]);
    assert!(site.file(&dataset(0), "previews/x_drz_thumb.jpg").is_file());
    assert!(site.file(&dataset(0), "logs/process.txt").is_file());
    assert!(!site.file(&dataset(0), "j8c00_flt.fits").exists());
    let report = site.report(&[], 0);
    assert_eq!(report["files"]["there"], 3, "{report}");
    site.assert_on_site(&dataset(0));
    // what is on site is looked at again when asked for
    assert_eq!(site.report(&["--only", "data"], 0)["files"]["there"], 2);
}

#[test]
fn archives_are_kept_packed_where_asked() {
    let site = Site::with(Layout::Calcloud, 1);
    site.report(&["--keep-archives"], 0);
    let packed = site.file(&dataset(0), &dataset(0).archive_file());
    assert!(packed.is_file());
    assert!(!site.file(&dataset(0), "j8c00_flt.fits").exists());
    assert!(site.file(&dataset(0), "logs/process.txt").is_file());
}

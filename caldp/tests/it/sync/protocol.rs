//! The states of datasets and batches, and what is on site after each.

use std::fs;

use caldp_core::layout::{BatchState, Layout};
use caldp_core::state::State;
use serde_json::{Value, json};

use super::world::{BATCH, World, dataset};
use crate::CALDP;

#[test]
fn processed_datasets_come_on_site_in_both_layouts() {
    for layout in Layout::ALL {
        let world = World::with(layout, 3);
        let report = world.report(&[], 0);
        for number in 0..3 {
            world.assert_on_site(&dataset(number));
            assert_eq!(world.states(&dataset(number)), [State::Synced], "{layout}");
        }
        assert_eq!(world.batch_states(), [BatchState::Done]);
        assert_eq!(report["synced"], 3);
        assert_eq!(report["states"], json!({"synced": 3}));
        assert_eq!(
            report["batches"],
            json!([{"batch": BATCH, "state": "done"}])
        );
        // all but logs have their sums in the record of the run
        assert_eq!(report["files"]["checked"]["recorded"], 9, "{report}");
        let gets = world.server.count("GetObject");
        let records = world.server.reads();
        let records = records
            .iter()
            .filter(|(key, _)| key.ends_with("provenance.json"));
        let read: Vec<u64> = records.map(|(_, times)| *times).collect();
        assert_eq!(read, [1, 1, 1], "{layout}");

        // nothing is left to do, and nothing is fetched
        let again = world.report(&[], 0);
        assert_eq!(
            (&again["synced"], &again["files"]["fetched"]),
            (&json!(0), &json!(0))
        );
        assert!(world.server.count("GetObject") <= gets + 1);
    }
}

#[test]
fn what_is_under_way_or_failed_is_told_by_the_status_and_keeps_its_batch_open() {
    let mut world = World::new(Layout::Tree);
    let names: Vec<_> = (0..4).map(dataset).collect();
    world.submit(&names);
    world.deliver(&names[0], 1);
    world.put(&Layout::Tree.message(State::Processing, &names[1]), "");
    world.put(&Layout::Tree.message(State::Error, &names[2]), "{}");
    world.put(&Layout::Tree.message(State::Terminated, &names[3]), "{}");
    let report = world.report(&[], 3);
    assert_eq!(world.batch_states(), [BatchState::Syncing]);
    assert_eq!(
        report["states"],
        json!({"processing": 1, "synced": 1, "error": 1, "terminated": 1})
    );
    world.server.remove(
        super::world::BUCKET,
        &world.key(&Layout::Tree.message(State::Processing, &names[1])),
    );
    world.deliver(&names[1], 1);
    world.report(&[], 4);
    world.assert_on_site(&names[1]);
    assert_eq!(world.batch_states(), [BatchState::Error]);
    // rescued meanwhile: the batch is done after all
    for (number, state) in [(2, State::Error), (3, State::Terminated)] {
        let key = world.key(&Layout::Tree.message(state, &names[number]));
        world.server.remove(super::world::BUCKET, &key);
        world.deliver(&names[number], 2);
    }
    world.report(&[], 0);
    assert_eq!(world.batch_states(), [BatchState::Done]);
}

#[test]
fn acknowledgements_of_the_archive_are_carried_up_with_their_content() {
    for layout in Layout::ALL {
        let world = World::with(layout, 2);
        world.report(&[], 0);
        let message = |state| {
            world
                .batch_directory()
                .join(Layout::Tree.message(state, &dataset(1)))
        };
        let archived = message(State::Archived);
        fs::create_dir_all(archived.parent().unwrap()).unwrap();
        fs::write(&archived, "archived at 12:00").unwrap();
        let report = world.report(&[], 0);
        assert_eq!(report["archived"], 1, "{report}");
        assert_eq!(world.states(&dataset(1)), [State::Archived]);
        let body = world.get(&layout.message(State::Archived, &dataset(1)));
        assert_eq!(body.unwrap(), b"archived at 12:00");
        assert!(!message(State::Synced).exists() && archived.exists());
        assert_eq!(world.report(&[], 0)["archived"], 0);
    }
}

#[test]
fn a_bucket_stands_for_all_its_batches() {
    let world = World::with(Layout::Tree, 2);
    let mut command = world.command(&["--json"]);
    let bucket = std::process::Command::new(command.get_program())
        .args(["sync", "s3://hst-out"])
        .arg(world.site.path())
        .arg("--json")
        .env_clear()
        .envs(world.server.environment())
        .output()
        .unwrap();
    assert_eq!(bucket.status.code(), Some(0), "{bucket:?}");
    world.assert_on_site(&dataset(1));
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn an_output_on_disk_is_brought_too() {
    for layout in Layout::ALL {
        let world = World::with(layout, 2);
        let from = tempfile::tempdir().unwrap();
        for key in world.server.keys(super::world::BUCKET) {
            let relative = key.strip_prefix(&world.key("")).unwrap();
            let path = from.path().join(relative);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, world.server.get(super::world::BUCKET, &key).unwrap()).unwrap();
        }
        let output = std::process::Command::new(CALDP)
            .arg("sync")
            .arg(format!("file:{}", from.path().display()))
            .arg(world.site.path())
            .args(["--layout", layout.name(), "--json"])
            .env_clear()
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["synced"], 2);
        world.assert_on_site(&dataset(0));
        let synced = from.path().join(layout.message(State::Synced, &dataset(0)));
        assert!(synced.is_file());
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    for layout in Layout::ALL {
        let world = World::with(layout, 2);
        let keys = world.server.keys(super::world::BUCKET);
        let site = world.site.path().join("not/there");
        let output = std::process::Command::new(CALDP)
            .arg("sync")
            .arg(world.output())
            .arg(&site)
            .args(["--layout", layout.name(), "--dry-run", "--json"])
            .env_clear()
            .envs(world.server.environment())
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["synced"], &report["dry_run"]),
            (&json!(2), &json!(true))
        );
        assert!(
            report["files"]["bytes"].as_u64() > Some(2_000_000),
            "{report}"
        );
        assert_eq!(world.server.keys(super::world::BUCKET), keys);
        assert!(!site.exists());
        let requests = world.server.requests();
        assert!(!requests.contains_key("PutObject") && !requests.contains_key("DeleteObject"));
    }
}

#[test]
fn parts_are_brought_without_moving_states() {
    let world = World::with(Layout::Tree, 1);
    world.report(&["--only", "previews,logs"], 3);
    assert_eq!(world.states(&dataset(0)), [State::Processed]);
    assert_eq!(world.batch_states(), [BatchState::New]);
    assert!(
        world
            .path(&dataset(0), "previews/x_drz_thumb.jpg")
            .is_file()
    );
    assert!(world.path(&dataset(0), "logs/process.txt").is_file());
    assert!(!world.path(&dataset(0), "j8c00_flt.fits").exists());
    let report = world.report(&[], 0);
    assert_eq!(report["files"]["there"], 3, "{report}");
    world.assert_on_site(&dataset(0));
    // what is on site is looked at again when asked for
    assert_eq!(world.report(&["--only", "data"], 0)["files"]["there"], 2);
}

#[test]
fn archives_are_kept_packed_where_asked() {
    let world = World::with(Layout::Calcloud, 1);
    world.report(&["--keep-archives"], 0);
    let packed = world.path(&dataset(0), &dataset(0).archive_file());
    assert!(packed.is_file());
    assert!(!world.path(&dataset(0), "j8c00_flt.fits").exists());
    assert!(world.path(&dataset(0), "logs/process.txt").is_file());
}

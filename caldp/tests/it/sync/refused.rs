//! What is not taken: files that somebody changed, names that lead elsewhere, damaged deliveries, a full
//! disk, a policy that only allows reading.

use std::fs;
use std::process::Command;

use caldp_core::layout::{Area, BatchState, Layout};
use caldp_core::state::State;
use caldp_tests::Run;
use serde_json::{Value, json};

use super::site::{BUCKET, Files, Site, all_files, dataset};
use crate::CALDP;
use crate::small_disk::SmallDisk;

#[test]
fn a_file_that_was_changed_by_hand_is_kept_said_and_counted() {
    for layout in Layout::ALL {
        let mut site = Site::with(layout, 2);
        let one = dataset(0);
        site.report(&[], 0);
        for (name, text) in [("j8c00_flt.fits", "mine"), ("logs/process.txt", "notes")] {
            fs::write(site.file(&one, name), text).unwrap();
        }
        // on site already: said and kept
        let report = site.report(&[], 0);
        assert_eq!(report["changed"].as_array().unwrap().len(), 2, "{report}");

        // delivered again: kept, and the dataset is not called synced
        site.remove(&layout.message(State::Synced, &one));
        site.deliver(&one, 2);
        let report = site.report(&[], 4);
        let changed = report["changed"].as_array().unwrap();
        assert_eq!(changed.len(), 2, "{report}");
        assert!(changed[0].as_str().unwrap().ends_with("j8c00_flt.fits"));
        assert_eq!(report["failures"][0]["is_error"], false);
        assert!(
            report["failures"][0]["remedy"]
                .as_str()
                .unwrap()
                .contains("--restore")
        );
        assert_eq!(site.states(&one), [State::Processed]);
        if layout == Layout::Calcloud {
            let body = site.get(&layout.message(State::Processed, &one)).unwrap();
            assert_eq!(
                body,
                format!("s3://{BUCKET}/outputs/{one}/{one}.tar.gz").into_bytes()
            );
        }
        assert_eq!(
            fs::read(site.file(&one, "j8c00_flt.fits")).unwrap(),
            b"mine"
        );
        assert_eq!(
            fs::read(site.file(&one, "logs/process.txt")).unwrap(),
            b"notes"
        );
        // what nobody changed is of the new delivery
        let drz = site.file(&one, "j8c00_drz.fits");
        assert!(fs::read(drz).unwrap() == site.delivered[&one]["j8c00_drz.fits"]);
        let words = site.sync(&[]).stdout;
        assert!(words.contains("changed on site and kept: /"), "{words}");

        site.report(&["--restore"], 0);
        site.assert_on_site(&one);
        assert_eq!(site.states(&one), [State::Synced]);
        assert_eq!(site.batch_states(), [BatchState::Done]);
    }
}

#[test]
fn what_was_removed_or_changed_on_site_is_restored_where_asked() {
    for layout in Layout::ALL {
        let site = Site::with(layout, 1);
        site.report(&[], 0);
        let (gone, changed) = (
            site.file(&dataset(0), "j8c00_drz.fits"),
            site.file(&dataset(0), "logs/process.txt"),
        );
        fs::remove_file(&gone).unwrap();
        fs::write(&changed, "changed").unwrap();
        let report = site.report(&[], 0);
        assert_eq!(report["missing"], json!([gone]));
        assert_eq!(report["changed"], json!([changed]));
        site.report(&["--restore"], 0);
        site.assert_on_site(&dataset(0));
        assert_eq!(site.states(&dataset(0)), [State::Synced]);
    }
}

#[test]
fn an_earlier_delivery_is_replaced_and_what_it_alone_had_goes() {
    for layout in Layout::ALL {
        let mut site = Site::new(layout);
        let one = dataset(0);
        let mut files = Files::new();
        for name in ["j8c00_flt.fits", "j8c00_old.fits", "logs/process.txt"] {
            files.insert(name.to_owned(), name.as_bytes().to_vec());
        }
        site.store(&one, files);
        site.submit(std::slice::from_ref(&one));
        site.report(&[], 0);
        site.assert_on_site(&one);
        site.remove(&layout.message(State::Synced, &one));
        if layout == Layout::Tree {
            let old = format!("{}j8c00_old.fits", layout.data_dir(&one));
            site.remove(&old);
        }
        site.deliver(&one, 2);
        let report = site.report(&[], 0);
        assert_eq!(report["changed"], json!([]));
        site.assert_on_site(&one);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused_by_name() {
    let names = [
        "../../../../escaped",
        "/etc/escaped",
        "x/../../escaped",
        ".unfinished-x",
        "previews/../../escaped",
        &format!("{}.fits", "x".repeat(300)),
    ];
    for (number, name) in names.into_iter().enumerate() {
        let site = Site::with(Layout::Tree, 2);
        let key = format!("{}{name}", Layout::Tree.data_dir(&dataset(0)));
        site.put(&key, "hostile");
        let report = site.report(&[], 4);
        let reason = report["failures"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("is refused"), "{number} {name}: {report}");
        assert_eq!(site.states(&dataset(0)), [State::Error]);
        let message = site
            .get(&Layout::Tree.message(State::Error, &dataset(0)))
            .unwrap();
        let message: Value = serde_json::from_slice(&message).unwrap();
        assert!(
            message["explanation"]
                .as_str()
                .unwrap()
                .contains("is refused")
        );
        // nothing of it came, and the others did
        assert_eq!(
            all_files(&site.file(&dataset(0), "")),
            Vec::<std::path::PathBuf>::new()
        );
        site.assert_on_site(&dataset(1));
        assert_eq!(site.batch_states(), [BatchState::Error]);
        let everywhere = all_files(site.path());
        assert!(!everywhere.iter().any(|path| path.ends_with("escaped")));

        site.remove(&key);
        assert_eq!(site.report(&[], 4)["synced"], 0);
        site.report(&["--retry"], 0);
        site.assert_on_site(&dataset(0));
        assert_eq!(site.batch_states(), [BatchState::Done]);
    }
}

#[test]
fn a_record_of_a_run_cannot_lead_elsewhere_either() {
    let site = Site::with(Layout::Tree, 1);
    let key = Layout::Tree.file(
        &dataset(0),
        caldp_core::layout::Area::Logs,
        "provenance.json",
    );
    let record = json!({"dataset": dataset(0), "state": "processed",
        "outputs": [{"name": "../../x\u{0}", "size": 1, "sha1": "0"}]});
    site.put(&key, record.to_string());
    let report = site.report(&[], 4);
    assert!(
        report["failures"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("is refused")
    );
}

#[test]
fn a_damaged_or_incomplete_delivery_is_an_error_and_nothing_of_it_has_a_final_name() {
    for layout in Layout::ALL {
        for fault in ["damaged", "truncated", "missing"] {
            let site = Site::with(layout, 2);
            let key = match layout {
                Layout::Tree => format!("{}j8c00_flt.fits", layout.data_dir(&dataset(0))),
                Layout::Calcloud => format!("outputs/{0}/{0}.tar.gz", dataset(0)),
            };
            let mut body = site.get(&key).unwrap();
            match fault {
                "damaged" => {
                    let middle = body.len() / 2;
                    body[middle] ^= 1;
                    site.put(&key, body);
                }
                "truncated" => site.put(&key, &body[..body.len() / 2]),
                _ => site.remove(&key),
            }
            let report = site.report(&[], 4);
            assert_eq!(
                report["failures"][0]["is_error"], true,
                "{layout} {fault}: {report}"
            );
            assert_eq!(site.states(&dataset(0)), [State::Error]);
            assert!(!site.file(&dataset(0), "j8c00_flt.fits").exists());
            site.assert_nothing_partial();
            site.assert_on_site(&dataset(1));
        }
    }
}

/// The CRC-64 of a record decides; of an older record, which has none, the SHA-1.
#[test]
fn the_sum_that_a_record_has_is_compared() {
    let wrong = |digits| Some("0".repeat(digits));
    for layout in Layout::ALL {
        for (crc64, sha1, state, reason) in [
            (wrong(16), None, State::Error, "its CRC-64 is"),
            (None, None, State::Synced, ""),
            (None, wrong(40), State::Error, "its SHA-1 is"),
        ] {
            let site = Site::with(layout, 1);
            let key = layout.file(&dataset(0), Area::Logs, "provenance.json");
            let mut record: Value = serde_json::from_slice(&site.get(&key).unwrap()).unwrap();
            let outputs = record["outputs"].as_array_mut().unwrap().iter_mut();
            for file in outputs.filter(|file| file["archive"].is_null()) {
                file["crc64"] = json!(crc64);
                if let Some(sha1) = &sha1 {
                    file["sha1"] = json!(sha1);
                }
            }
            site.put(&key, record.to_string());
            let report = site.report(&[], if state == State::Error { 4 } else { 0 });
            assert_eq!(site.states(&dataset(0)), [state], "{layout}: {report}");
            let told = report["failures"].to_string();
            assert!(told.contains(reason), "{layout} {reason}: {report}");
            let product = site.file(&dataset(0), "j8c00_flt.fits");
            assert_eq!(product.exists(), state == State::Synced, "{layout}");
        }
    }
}

#[test]
fn a_full_disk_is_said_once_and_the_next_run_goes_on() {
    for layout in Layout::ALL {
        let site = Site::with(layout, 12);
        let Some(disk) = SmallDisk::mount(site.path(), 5) else {
            eprintln!("left out: a full disk: this user may not mount a file system in memory");
            return;
        };
        let report = site.report(&[], 4);
        let failures = report["failures"].as_array().unwrap();
        assert!(!failures.is_empty() && failures.len() <= 12, "{report}");
        for failure in failures {
            assert_eq!(failure["is_error"], false);
            let reason = failure["reason"].as_str().unwrap();
            assert!(reason.contains("No space left on device"), "{reason}");
            assert!(
                failure["remedy"].as_str().unwrap().contains("make room"),
                "{failure}"
            );
        }
        site.assert_nothing_partial();
        for number in 0..12 {
            let states = site.states(&dataset(number));
            assert!(
                matches!(states[..], [State::Processed | State::Synced]),
                "{states:?}"
            );
        }
        assert_eq!(site.batch_states(), [BatchState::Syncing]);
        disk.grow(100);
        site.report(&[], 0);
        for number in 0..12 {
            site.assert_on_site(&dataset(number));
        }
        assert_eq!(site.batch_states(), [BatchState::Done]);
    }
}

#[test]
fn where_messages_may_not_be_moved_the_permission_is_named_once() {
    let site = Site::with(Layout::Tree, 3);
    site.world.s3.allow_reading_only();
    let ended = site.sync(&[]);
    assert_eq!(ended.code, 1);
    let words = ended.stderr;
    assert_eq!(words.matches("s3:PutObject").count(), 1, "{words}");
    assert!(words.contains("operator_policies.sync"), "{words}");
    assert!(all_files(&site.batch_directory().join("data")).is_empty());
    // reading is enough for parts
    site.report(&["--only=previews"], 3);
    assert!(site.file(&dataset(2), "previews/x_drz_thumb.jpg").is_file());
}

#[test]
fn another_directory_s_datasets_are_left_alone_unless_it_is_gone() {
    let site = Site::with(Layout::Tree, 1);
    let claim = json!({"site": "another", "host": "there", "directory": "/data",
        "since": "2026-03-01T00:00:00Z", "processed": ""});
    let key = Layout::Tree.message(State::Syncing, &dataset(0));
    site.put(&key, claim.to_string());
    site.remove(&Layout::Tree.message(State::Processed, &dataset(0)));
    let report = site.report(&[], 3);
    assert_eq!(
        report["elsewhere"][0]["by"],
        "it is brought to /data on there"
    );
    assert_eq!(site.states(&dataset(0)), [State::Syncing]);
    site.report(&["--take-over"], 0);
    site.assert_on_site(&dataset(0));
}

#[test]
fn nothing_to_bring_is_said() {
    let site = Site::new(Layout::Tree);
    let ended = site.sync(&[]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("there are no datasets in s3://"));
    let here = format!("file:{}", site.path().display());
    let above = site.path().parent().unwrap();
    fs::create_dir_all(site.path().join("messages/dataset-processed")).unwrap();
    fs::write(site.path().join("messages/dataset-processed/j8cb010b0"), "").unwrap();
    let same = Run::of(&mut site.command_to(&here, above, &[])).ended(1);
    assert!(same.stderr.contains("is where the results are already"));
}

/// Whoever believes that results are on site may clean them in the output.
#[test]
fn what_is_on_another_site_is_not_said_to_be_here() {
    for layout in Layout::ALL {
        let site = Site::with(layout, 2);
        let here = tempfile::tempdir().unwrap();
        let sync = |options: &[&str]| {
            let words = [options, &["--json", "--layout", layout.name()]].concat();
            let mut command = Command::new(CALDP);
            command
                .arg("sync")
                .arg(site.output())
                .arg(here.path())
                .args(words);
            Run::of(command.env_clear().envs(site.world.environment()))
        };
        site.report(&[], 0);
        let report = sync(&[]).ended(4).json();
        assert_eq!(
            report["not_here"],
            json!([dataset(0), dataset(1)]),
            "{report}"
        );
        assert_eq!(
            sync(&["--dry-run"]).ended(4).json()["not_here"],
            report["not_here"]
        );
        let report = sync(&["--restore"]).ended(0).json();
        assert_eq!(report["not_here"], json!([]), "{report}");
        sync(&[]).ended(0);
        site.report(&[], 0);
    }
}

#[test]
fn a_directory_with_a_scheme_and_an_output_that_is_not_there_are_refused() {
    let site = Site::with(Layout::Tree, 1);
    let sync = |output: &str, directory: &str| {
        let mut command = Command::new(CALDP);
        command
            .args(["sync", output, directory])
            .current_dir(site.path());
        Run::of(command.env_clear().envs(site.world.environment()))
    };
    for directory in ["s3://other/place", "file:here"] {
        let run = sync(&site.output(), directory).ended(2);
        assert!(
            run.stderr.contains("is no directory of this machine"),
            "{}",
            run.stderr
        );
    }
    let run = sync("file:nowhere", "here").ended(1);
    assert!(
        run.stderr.contains("there are no datasets in file:nowhere"),
        "{}",
        run.stderr
    );
}

//! Spelling and reading back are inverse to each other, and foreign keys are told from bad names.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::super::root_of;
use super::*;

fn dataset(name: &str) -> Dataset {
    name.parse().unwrap()
}

#[test]
fn the_tree_is_the_one_documented() {
    let (tree, d) = (Layout::Tree, dataset("j8cb010b0"));
    assert_eq!(tree.data_dir(&d), "data/acs/j8cb010b0/");
    assert_eq!(
        tree.file(&d, Area::Products, "j8cb010b1_drz.fits"),
        "data/acs/j8cb010b0/j8cb010b1_drz.fits"
    );
    assert_eq!(
        tree.file(&d, Area::Logs, "process.txt"),
        "data/acs/j8cb010b0/logs/process.txt"
    );
    assert_eq!(
        tree.file(&d, Area::Previews, "x.jpg"),
        "data/acs/j8cb010b0/previews/x.jpg"
    );
    assert_eq!(
        tree.message(State::Processed, &d),
        "messages/dataset-processed/j8cb010b0"
    );
    assert_eq!(tree.attempts(&d), "control/j8cb010b0/attempts.json");
    let batch: BatchName = "batch-2".parse().unwrap();
    assert_eq!(
        tree.batch_message(BatchState::New, &batch),
        "messages/batch-new/batch-2.json"
    );
    assert_eq!(
        tree.request(Verb::Clean, &Target::Ingested),
        "messages/request-clean/ingested"
    );
    assert_eq!(
        tree.data_dir(&dataset("skycell-p1234x05y06")),
        "data/mvm/skycell-p1234x05y06/"
    );
}

#[test]
fn calcloud_is_what_its_pollers_read() {
    let (calcloud, d) = (Layout::Calcloud, dataset("j8cb010b0"));
    assert_eq!(
        calcloud.archive(&d, Area::Products).unwrap(),
        "outputs/j8cb010b0/j8cb010b0.tar.gz"
    );
    assert_eq!(
        calcloud.file(&d, Area::Logs, "preview.txt"),
        "outputs/j8cb010b0/preview.txt"
    );
    assert_eq!(
        calcloud.file(&d, Area::Previews, "x.jpg"),
        "j8cb010b0/previews/x.jpg"
    );
    let key = |state| calcloud.message(state, &d);
    assert_eq!(key(State::Processing), "messages/processing-j8cb010b0");
    assert_eq!(
        key(State::Processed),
        "messages/processed-j8cb010b0.trigger"
    );
    assert_eq!(key(State::Error), "messages/error-j8cb010b0");
    assert_eq!(key(State::Submitted), "messages/submit-j8cb010b0");
    assert_eq!(key(State::Archived), "messages/ingested-j8cb010b0");
    assert_eq!(
        calcloud.broadcast(&Broadcast::Kill),
        "messages/broadcast-kill"
    );
}

#[test]
fn the_own_folder_of_a_dataset_says_where_the_calcloud_root_is() {
    let d = dataset("j8cb010b0");
    let root = |uri: &str, asked| {
        let (root, layout) = root_of(&uri.parse().unwrap(), &d, asked);
        (root.to_string(), layout)
    };
    let own = "s3://bucket/outputs/j8cb010b0";
    for asked in [None, Some(Layout::Calcloud)] {
        assert_eq!(
            root(own, asked),
            ("s3://bucket".to_owned(), Layout::Calcloud)
        );
    }
    assert_eq!(
        root(own, Some(Layout::Tree)),
        (own.to_owned(), Layout::Tree)
    );
    assert_eq!(
        root("s3://bucket/x/outputs/j8cb010b0", None),
        ("s3://bucket/x".to_owned(), Layout::Calcloud)
    );
    for other in [
        "s3://bucket/batch-1",
        "s3://bucket",
        "s3://bucket/xoutputs/j8cb010b0",
    ] {
        assert_eq!(root(other, None), (other.to_owned(), Layout::Tree));
    }
}

#[test]
fn a_message_is_found_wherever_its_root_is() {
    let at = |key: &str| {
        let found = ParsedKey::find(key).unwrap();
        (found.root, found.layout, found.kind)
    };
    let rescue = KeyKind::Request(Verb::Rescue, Target::Dataset(dataset("j8cb010b0")));
    assert_eq!(
        at("data/batch-1/messages/request-rescue/j8cb010b0"),
        ("data/batch-1".to_owned(), Layout::Tree, rescue.clone())
    );
    assert_eq!(
        at("messages/rescue-j8cb010b0"),
        (String::new(), Layout::Calcloud, rescue)
    );
    assert_eq!(
        at("batches/night 1.ids").2,
        KeyKind::BatchList("night 1".to_owned(), BatchListFormat::Lines)
    );
    assert_eq!(
        at("messages/cancel-5b202ca1-bfd0-4c9f-b2a0-f396843ef639").2,
        KeyKind::Request(
            Verb::Cancel,
            Target::Job("5b202ca1-bfd0-4c9f-b2a0-f396843ef639".parse().unwrap())
        )
    );
    assert_eq!(
        at("messages/processed-skycell-p1234x05y06.trigger").2,
        KeyKind::State(State::Processed, dataset("skycell-p1234x05y06"))
    );
}

#[test]
fn a_bad_name_is_told_from_a_foreign_key() {
    for key in [
        "messages/clean-mydataset",
        "messages/request-rescue/nothing",
        "messages/rescue-ingested",
        "messages/dataset-error/J8CB010B0",
        "messages/rescue-5b202ca1-bfd0-4c9f-b2a0-f396843ef639",
    ] {
        let error = ParsedKey::find(key).unwrap_err();
        assert!(matches!(error, KeyError::Name { .. }), "{key}: {error}");
    }
    for key in [
        "",
        "messages",
        "messages/",
        "messages/hello",
        "messages/processed-j8cb010b0",
        "data/acs/x",
        "batches/x.tar",
        "batches/a/b.ids",
        "batches/.ids",
        "xmessages/error-j8cb010b0",
        "messages/request-rescue/j8cb010b0.refused",
        "data/b/messages/rescue-nothing.refused",
        "batches/x.ids.refused",
    ] {
        let error = ParsedKey::find(key).unwrap_err();
        assert!(matches!(error, KeyError::Unknown(_)), "{key}: {error}");
    }
}

#[test]
fn cleaning_touches_one_dataset_only() {
    for layout in Layout::ALL {
        let mine = layout.dataset_keys(&dataset("j8cb010b0"));
        assert!(mine.prefixes.iter().all(|p| p.ends_with("/j8cb010b0/")));
        assert!(mine.keys.iter().all(|k| k.contains("j8cb010b0")));
        assert!(mine.keys.contains(&"inputs/j8cb010b0.tar.gz".to_owned()));
        assert!(
            mine.keys
                .contains(&layout.message(State::Processed, &dataset("j8cb010b0")))
        );
    }
}

#[test]
fn what_belongs_to_a_dataset_has_it_as_owner() {
    for name in ["j8cb010b0", "acs_8ph_01", "skycell-p1234x05y06"] {
        let d = dataset(name);
        for layout in Layout::ALL {
            let mine = layout.dataset_keys(&d);
            for prefix in &mine.prefixes {
                for file in ["x.fits", "logs/process.txt", "a/b/c", "other-j8cb010b1"] {
                    assert_eq!(layout.owner(&format!("{prefix}{file}")), Some(d.clone()));
                }
            }
            for key in &mine.keys {
                assert_eq!(layout.owner(key), Some(d.clone()), "{key}");
            }
            for nobodys in [
                "batches/j8cb010b0.ids",
                "control/batch/j8cb010b0/plan.json",
                "messages/batch-new/j8cb010b0.json",
                "messages/broadcast-kill",
                "messages/clean-all",
                "j8cb010b0",
                "",
            ] {
                assert_eq!(layout.owner(nobodys), None, "{nobodys}");
            }
            assert!(
                mine.prefixes
                    .iter()
                    .chain(&mine.keys)
                    .all(|key| { layout.dataset_folders().iter().any(|f| key.starts_with(f)) })
            );
        }
    }
}

fn any_dataset() -> impl Strategy<Value = Dataset> {
    "[ijlo][a-z0-9]{8}|(acs|wfc3)_[a-z0-9]{3}_[a-z0-9]{2}|skycell-p[0-9]{4}x[0-9]{2}y[0-9]{2}"
        .prop_map(|name| name.parse().unwrap())
}

fn any_batch() -> impl Strategy<Value = BatchName> {
    "[a-zA-Z0-9][a-zA-Z0-9_-]{0,30}".prop_map(|name| name.parse().unwrap())
}

fn any_message() -> impl Strategy<Value = KeyKind> {
    let state = prop::sample::select(State::ALL.to_vec());
    let batch_state = prop::sample::select(BatchState::ALL.to_vec());
    let verb = prop::sample::select(Verb::ALL.to_vec());
    prop_oneof![
        (state, any_dataset()).prop_map(|(s, d)| KeyKind::State(s, d)),
        (batch_state, any_batch()).prop_map(|(s, b)| KeyKind::Batch(s, b)),
        (verb.clone(), any_dataset()).prop_map(|(v, d)| KeyKind::Request(v, Target::Dataset(d))),
        verb.prop_map(|v| KeyKind::Request(v, Target::All)),
        Just(KeyKind::Request(Verb::Clean, Target::Ingested)),
        Just(KeyKind::Broadcast(Broadcast::Kill)),
        any_batch()
            .prop_filter("kill is the end", |b| b.as_str() != "kill")
            .prop_map(|b| KeyKind::Broadcast(Broadcast::Part(b))),
    ]
}

fn spell(layout: Layout, kind: &KeyKind) -> String {
    match kind {
        KeyKind::State(state, dataset) => layout.message(*state, dataset),
        KeyKind::Batch(state, batch) => layout.batch_message(*state, batch),
        KeyKind::Request(verb, target) => layout.request(*verb, target),
        KeyKind::Broadcast(broadcast) => layout.broadcast(broadcast),
        KeyKind::Inputs(dataset) => layout.inputs(dataset),
        KeyKind::Control(dataset, file) => layout.control(dataset, file),
        KeyKind::File(dataset, area, file) => layout.file(dataset, *area, file),
        KeyKind::Archive(dataset, area) => layout.archive(dataset, *area).unwrap(),
        KeyKind::BatchList(name, _) => format!("batches/{name}.ids"),
    }
}

proptest! {
    #[test]
    fn every_message_parses_back(kind in any_message(), root in "([a-z0-9-]{1,9}(/[a-z0-9-]{1,9}){0,2})?") {
        for layout in Layout::ALL {
            let key = spell(layout, &kind);
            prop_assert_eq!(&layout.parse(&key).unwrap(), &kind);
            let absolute = if root.is_empty() { key } else { format!("{root}/{key}") };
            let found = ParsedKey::find(&absolute).unwrap();
            prop_assert_eq!(&found.kind, &kind);
            prop_assert_eq!(found.root, root.clone());
            let shared = matches!(kind, KeyKind::Batch(..));
            prop_assert!(shared || found.layout == layout);
        }
    }

    #[test]
    fn every_file_parses_back(dataset in any_dataset(), file in "[a-z0-9_]{1,12}\\.(fits|txt|tra|jpg)") {
        for area in [Area::Products, Area::Logs, Area::Previews, Area::Failed] {
            let kind = KeyKind::File(dataset.clone(), area, file.clone());
            prop_assert_eq!(Layout::Tree.parse(&spell(Layout::Tree, &kind)).unwrap(), kind);
        }
        let calcloud = [
            KeyKind::File(dataset.clone(), Area::Logs, file.clone()),
            KeyKind::Archive(dataset.clone(), Area::Products),
            KeyKind::Archive(dataset.clone(), Area::Failed),
            KeyKind::Inputs(dataset.clone()),
            KeyKind::Control(dataset, file),
        ];
        for kind in calcloud {
            prop_assert_eq!(Layout::Calcloud.parse(&spell(Layout::Calcloud, &kind)).unwrap(), kind);
        }
    }

    #[test]
    fn no_key_panics(key in ".*") {
        for layout in Layout::ALL {
            let _ = layout.parse(&key);
            let _ = layout.parse(&format!("messages/{key}"));
        }
        let _ = ParsedKey::find(&key);
    }
}

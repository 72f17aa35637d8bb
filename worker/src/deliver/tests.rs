#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use std::fs;
use storage::checksum::{Crc64Sum, Sha1Sum};
use storage::hint::explain;
use storage::store::Dir;

const DATASET: &str = "j8cb010b0";

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn files(area: Area, folder: &Path) -> Files<'_> {
    let names = list(folder).unwrap();
    Files {
        area,
        folder,
        names,
    }
}

#[tokio::test]
async fn the_calcloud_layout_packs_products_and_previews_into_one_archive() {
    let output = tempfile::tempdir().unwrap();
    let store = Dir::new(output.path());
    let dataset: Dataset = DATASET.parse().unwrap();
    let delivery = Delivery::new(&store, Layout::Calcloud, &dataset);
    let data = folder_with(&[("j8cb01u2q_flt.fits", "flt"), ("j8cb01u2q.tra", "")]);
    let previews = folder_with(&[("j8cb01u2q_flt.jpg", "jpg")]);
    let logs = folder_with(&[("process.txt", "log")]);

    let groups = [
        files(Area::Products, data.path()),
        files(Area::Previews, previews.path()),
    ];
    let records = delivery.store(&groups).await.unwrap();
    let archive = output.path().join("outputs/j8cb010b0/j8cb010b0.tar.gz");
    let bytes = fs::read(&archive).unwrap();
    let shown: Vec<_> = records
        .iter()
        .map(|r| (r.name.as_str(), r.size, r.archive.as_deref()))
        .collect();
    let within = Some("j8cb010b0.tar.gz");
    assert_eq!(
        shown,
        [
            ("j8cb010b0.tar.gz", bytes.len() as u64, None),
            ("j8cb01u2q.tra", 0, within),
            ("j8cb01u2q_flt.fits", 3, within),
            ("previews/j8cb01u2q_flt.jpg", 3, within),
        ]
    );
    assert_eq!(records[0].sha1, Sha1Sum::of(&bytes).to_string());
    assert_eq!(records[0].crc64, Some(Crc64Sum::of(&bytes).to_string()));
    assert_eq!(records[2].sha1, Sha1Sum::of(b"flt").to_string());

    let stored_logs = delivery
        .store(&[files(Area::Logs, logs.path())])
        .await
        .unwrap();
    let log = std::fs::read(logs.path().join("process.txt")).unwrap();
    assert_eq!(stored_logs[0].crc64, Some(Crc64Sum::of(&log).to_string()));
    let failed = [files(Area::Failed, data.path())];
    delivery.store(&failed).await.unwrap();
    let kept: Vec<FileRecord> = records.iter().chain(&stored_logs).cloned().collect();
    let there = || list(archive.parent().unwrap()).unwrap();
    assert_eq!(
        there(),
        ["j8cb010b0-failed.tar.gz", "j8cb010b0.tar.gz", "process.txt"]
    );
    delivery.remove_all_but(&kept).await.unwrap();
    assert_eq!(there(), ["j8cb010b0.tar.gz", "process.txt"]);
    assert_eq!(
        delivery.listing(&records),
        format!("file:{}", archive.display())
    );
}

#[tokio::test]
async fn an_archive_that_cannot_be_finished_is_not_there() {
    let output = tempfile::tempdir().unwrap();
    let store = Dir::new(output.path());
    let dataset: Dataset = DATASET.parse().unwrap();
    let delivery = Delivery::new(&store, Layout::Calcloud, &dataset);
    let data = folder_with(&[("j8cb01u2q_flt.fits", "flt")]);
    let store = async || {
        let mut products = files(Area::Products, data.path());
        products.names.push("j8cb01u3q_flt.fits".to_owned());
        let error = delivery.store(&[products]).await.unwrap_err();
        let error = explain(&error).to_string();
        assert!(error.contains("j8cb01u3q_flt.fits"), "{error}");
    };
    // One that is not there is known before anything is packed, one that is no file only then.
    store().await;
    assert!(!output.path().join("outputs").exists());
    std::fs::create_dir(data.path().join("j8cb01u3q_flt.fits")).unwrap();
    store().await;
    let stored = list(&output.path().join("outputs/j8cb010b0")).unwrap();
    assert!(stored.is_empty(), "{stored:?}");
}

#[tokio::test]
async fn nothing_to_deliver_is_no_archive() {
    let output = tempfile::tempdir().unwrap();
    let store = Dir::new(output.path());
    let dataset: Dataset = DATASET.parse().unwrap();
    let delivery = Delivery::new(&store, Layout::Calcloud, &dataset);
    let none = folder_with(&[]);
    let failed = [files(Area::Failed, none.path())];
    assert_eq!(delivery.store(&failed).await.unwrap().len(), 0);
    assert!(!output.path().join("outputs").exists());
}

//! What every source must do, whatever is behind it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use caldp_tests::{CrdsServer, S3Server, fixtures};
use storage::checksum::Sha1Sum;
use storage::s3::{Access, S3Options};

use super::*;
use crate::cache::verified_file::VerifyError;
use crate::config::Config;

const REFERENCE: &str = "zz900001j_ccd.fits";

fn connections() -> Connections {
    Connections::new(&Config::default())
}

fn folder() -> std::path::PathBuf {
    fixtures().join("crds/references/hst")
}

fn left_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

async fn conforms(uri: &str, connections: Connections) {
    let uri: FileUri = uri.parse().unwrap();
    let source = open(&uri, &Arc::new(connections));
    let name: FileName = REFERENCE.parse().unwrap();
    let missing: FileName = "missing.fits".parse().unwrap();
    let original = folder().join(REFERENCE);
    let content = fs::read(&original).unwrap();
    let right = Expected {
        size: Some(content.len() as u64),
        sha1: Some(Sha1Sum::of_file(&original).unwrap()),
        ..Expected::default()
    };
    let temporary = tempfile::tempdir().unwrap();
    let target = temporary.path().join(REFERENCE);

    // It says where things are, and gives them whole.
    assert!(source.location(&name).ends_with(&format!("/{REFERENCE}")));
    assert_eq!(source.read(&name).await.unwrap(), content);
    let arrived = AtomicU64::new(0);
    let count = |bytes| {
        arrived.fetch_add(bytes, Ordering::Relaxed);
    };
    let size = source.fetch(&name, &target, right, &count).await.unwrap();
    assert_eq!(
        (size, arrived.into_inner()),
        (content.len() as u64, content.len() as u64)
    );
    assert_eq!(fs::read(&target).unwrap(), content);

    // What is there is replaced, and only by what is right.
    fs::write(&target, "old").unwrap();
    let wrong_size = Expected {
        size: Some(content.len() as u64 + 1),
        ..right
    };
    let wrong_sum = Expected {
        sha1: Some(Sha1Sum::of_file(&fixtures().join("manifest.json")).unwrap()),
        ..right
    };
    let error = source
        .fetch(&name, &target, wrong_size, &|_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(
            &error,
            SourceError::Verify {
                problem: VerifyError::Size { .. },
                ..
            }
        ),
        "{error}"
    );
    let error = source
        .fetch(&name, &target, wrong_sum, &|_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(
            &error,
            SourceError::Verify {
                problem: VerifyError::Sum { .. },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(fs::read(&target).unwrap(), b"old");
    source
        .fetch(&name, &target, Expected::default(), &|_| {})
        .await
        .unwrap();
    assert_eq!(fs::read(&target).unwrap(), content);

    // What is missing is said to be, and leaves nothing.
    assert!(source.read(&missing).await.unwrap_err().is_not_found());
    let nowhere = temporary.path().join("missing.fits");
    let error = source
        .fetch(&missing, &nowhere, right, &|_| {})
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(error.to_string().contains("missing.fits"), "{error}");
    assert_eq!(left_in(temporary.path()), 1);
}

#[tokio::test]
async fn a_folder_conforms() {
    conforms(folder().to_str().unwrap(), connections()).await;
}

#[tokio::test]
async fn a_web_server_conforms() {
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let url = format!("{}/unchecked_get/references/hst", server.url());
    conforms(&url, connections()).await;
}

#[tokio::test]
async fn object_storage_conforms() {
    let server = S3Server::start(&["hst-crds"]);
    server.put_directory("hst-crds", "references/hst", &folder());
    let (id, secret) = server.credentials();
    let client = storage::s3::S3::new(S3Options {
        access: Access::Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
        },
        endpoint: Some(server.endpoint()),
        ..S3Options::default()
    });
    let connections = connections().with_s3(client.await);
    conforms("s3://hst-crds/references/hst", connections).await;
}

//! The public bucket, and MAST for what it does not have.

use std::path::Path;

use caldp_core::dataset::Dataset;
use caldp_tests::{MastServer, S3Server, unpack_fixture};
use caldp_worker::input::events::InputEvents;
use caldp_worker::input::public_bucket::{Found, bring};
use storage::s3::{Access, S3, S3Options};

use super::{QUICK, assert_same, directory, fetch, stored};

const BUCKET: &str = "stpubdata";

fn bucket() -> S3Server {
    let server = S3Server::start(&[BUCKET]);
    server.make_public(BUCKET);
    server
}

/// Puts files of a bundled dataset where `key` says; files without a key are left out.
fn put(server: &S3Server, dataset: &str, key: impl Fn(&str) -> Option<String>) {
    let directory = directory();
    for path in unpack_fixture(dataset, directory.path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(key) = key(name) {
            server.put(BUCKET, &key, std::fs::read(&path).unwrap());
        }
    }
}

async fn brought(server: &S3Server, dataset: &str, into: &Path) -> Found {
    let s3 = S3::new(S3Options {
        access: Access::Anonymous,
        endpoint: Some(server.endpoint()),
        retry: QUICK,
        ..S3Options::default()
    })
    .await;
    let dataset: Dataset = dataset.parse().unwrap();
    bring(&s3, &dataset, into, &InputEvents::channel().0).await
}

#[tokio::test]
async fn members_are_found_beside_their_association_or_in_their_own_folders() {
    for own_folders in [false, true] {
        let server = bucket();
        put(&server, "j8cb010b0", |name| {
            let owner = if own_folders { &name[..9] } else { "j8cb010b0" };
            Some(format!("hst/public/j8cb/{owner}/{name}"))
        });
        server.put(BUCKET, "hst/public/j8cb/j8cb010b0/j8cb010b1_drz.fits", "x");
        server.put(
            BUCKET,
            "hst/public/j8cb/j8cb010b0/old/j8cb01u2q_raw.fits",
            "x",
        );
        let into = directory();
        let found = brought(&server, "j8cb010b0", into.path()).await;
        assert_eq!(found, Found::Everything);
        assert_eq!(
            stored(into.path()).0,
            [
                "j8cb010b0_asn.fits",
                "j8cb01u2q_raw.fits",
                "j8cb01u3q_raw.fits"
            ]
        );
    }
}

#[tokio::test]
async fn what_the_bucket_does_not_have_comes_from_mast_file_by_file() {
    let server = bucket();
    put(&server, "j8cb010b0", |name| {
        let there = name != "j8cb01u3q_raw.fits";
        there.then(|| format!("hst/public/j8cb/j8cb010b0/{name}"))
    });
    let into = directory();
    let found = brought(&server, "j8cb010b0", into.path()).await;
    assert_eq!(found, Found::Part);
    let mast = MastServer::with_fixtures(&["j8cb010b0"]);
    let fetched = fetch(&mast, "j8cb010b0", into.path()).await.unwrap();
    assert_same(&mast, &fetched);
    assert_eq!(mast.downloads_of("j8cb01u3q_raw.fits"), 1);
    assert_eq!(mast.downloads_of("j8cb01u2q_raw.fits"), 0);
}

#[tokio::test]
async fn an_exposure_without_an_association_is_complete_with_its_own_file() {
    let server = bucket();
    let into = directory();
    let found = brought(&server, "octka8050", into.path()).await;
    assert_eq!(found, Found::Part, "an empty bucket");
    put(&server, "octka8050", |name| {
        Some(format!("hst/public/octk/octka8050/{name}"))
    });
    let found = brought(&server, "octka8050", into.path()).await;
    assert_eq!(found, Found::Everything);
    assert_eq!(stored(into.path()).0, ["octka8050_wav.fits"]);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_read_leaves_all_to_mast() {
    let server = S3Server::start(&[BUCKET]);
    let into = directory();
    let found = brought(&server, "octka8050", into.path()).await;
    assert_eq!((found, stored(into.path()).0), (Found::Part, vec![]));
}

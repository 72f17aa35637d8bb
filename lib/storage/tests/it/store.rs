//! What every kind of store must do, done to every kind: a directory, memory, one that could fail, a
//! bucket of the S3 server of the tests and, when `CALDP_S3_TEST_OUTPUTS` names one, a real bucket.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caldp_tests::{S3Server, real_location};
use storage::checksum::{Mismatch, Sha1Sum};
use storage::s3::{Access, ErrorKind, Expected, Length, Precondition, S3, S3Options};
use storage::store::{Dir, Failing, Fault, Memory, Moment, Operation, S3Prefix, Store};
use storage::unfinished::TEMPORARY;
use storage::uri::S3Uri;

const BUCKET: &str = "hst-test";
const ALWAYS: Precondition = Precondition::None;

/// What keeps stores alive, and empties the real one when a test is done with it.
struct Kept {
    _server: S3Server,
    dir: tempfile::TempDir,
    real: Option<Arc<dyn Store>>,
}

impl Kept {
    async fn tidy(self) {
        if let Some(store) = self.real {
            let left = keys(&*store, "").await;
            store.delete_many(&left).await.unwrap();
        }
    }
}

/// One store of each kind, empty, and what keeps them alive.
async fn stores() -> (Vec<Arc<dyn Store>>, Kept) {
    let dir = tempfile::tempdir().unwrap();
    let server = S3Server::start(&[BUCKET]);
    let (id, secret) = server.credentials();
    let s3 = S3::new(S3Options {
        access: Access::Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
        },
        endpoint: Some(server.endpoint()),
        ..S3Options::default()
    })
    .await;
    let at = |root| -> Arc<dyn Store> {
        let root = S3Uri::new(BUCKET, root).unwrap();
        Arc::new(S3Prefix::new(s3.clone(), root))
    };
    let mut stores: Vec<Arc<dyn Store>> = vec![
        Arc::new(Dir::new(dir.path().join("made/later"))),
        at("data/batch"),
        at(""),
        Arc::new(Memory::new()),
        Arc::new(Failing::new(Arc::new(Memory::new()))),
    ];
    let mut real = None;
    if let Some(root) = real_location("CALDP_S3_TEST_OUTPUTS", "a store") {
        let store = storage::store::open(&root.parse().unwrap()).await;
        stores.push(Arc::clone(&store));
        real = Some(store);
    }
    let kept = Kept {
        _server: server,
        dir,
        real,
    };
    (stores, kept)
}

async fn text(store: &dyn Store, key: &str) -> String {
    let (body, _) = store.get_bytes(key, 1000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
    let listed = store.list(prefix).collect().await.unwrap();
    listed.into_iter().map(|object| object.key).collect()
}

#[tokio::test]
async fn what_is_put_is_got_and_replaced_and_deleted() {
    let (stores, kept) = stores().await;
    for store in stores {
        let put = store
            .put_bytes("a/b/c", "one".into(), &ALWAYS)
            .await
            .unwrap();
        assert_eq!(put.size, 3);
        assert_eq!(text(&*store, "a/b/c").await, "one");
        store
            .put_bytes("a/b/c", "three".into(), &ALWAYS)
            .await
            .unwrap();
        assert_eq!(text(&*store, "a/b/c").await, "three");
        assert_eq!(store.head("a/b/c").await.unwrap().unwrap().size, 5);
        store.delete("a/b/c").await.unwrap();
        store.delete("a/b/c").await.unwrap();
        assert_eq!(store.head("a/b/c").await.unwrap(), None);
        let error = store.get_bytes("a/b/c", 9).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(
            error.to_string().contains("a/b/c: it does not exist"),
            "{error}"
        );
    }
    kept.tidy().await;
}

#[tokio::test]
async fn what_is_above_a_key_is_no_key() {
    let (stores, kept) = stores().await;
    for store in stores {
        store.put_bytes("a/b", "".into(), &ALWAYS).await.unwrap();
        assert_eq!(store.head("a").await.unwrap(), None, "{store}");
        let error = store.get_bytes("a", 9).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(store.head("a/b/c").await.unwrap(), None);
        store.delete("a").await.unwrap();
        store.delete("a/b/c").await.unwrap();
        assert_eq!(text(&*store, "a/b").await, "");
    }
    kept.tidy().await;
}

#[tokio::test]
async fn a_key_cannot_lead_out() {
    let (stores, kept) = stores().await;
    for store in stores {
        for bad in [
            "../x",
            "a/../../x",
            "/../x",
            "/x",
            "x/",
            "a//b",
            "",
            ".",
            "a\0",
        ] {
            let error = store.put_bytes(bad, "x".into(), &ALWAYS).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{bad:?}: {error}");
        }
    }
    kept.tidy().await;
}

#[tokio::test]
async fn only_the_first_of_many_writes_what_must_be_absent() {
    let (stores, kept) = stores().await;
    for store in stores {
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..16 {
            let store = store.clone();
            writers.spawn(async move {
                let body = n.to_string();
                let put = store.put_bytes("claim", body.clone().into(), &Precondition::IfAbsent);
                put.await.map(|_| body)
            });
        }
        let results = writers.join_all().await;
        let winners: Vec<_> = results.iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{store}");
        assert_eq!(&text(&*store, "claim").await, winners[0]);
        for error in results.iter().filter_map(|r| r.as_ref().err()) {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        }
    }
    kept.tidy().await;
}

#[tokio::test]
async fn of_many_updates_none_is_lost() {
    let (stores, kept) = stores().await;
    for store in stores {
        store.put_bytes("count", "0".into(), &ALWAYS).await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            writers.spawn(async move {
                loop {
                    let (body, version) = store.get_bytes("count", 100).await.unwrap();
                    let count: u32 = str::from_utf8(&body).unwrap().parse().unwrap();
                    let mine = Precondition::IfVersion(version.unwrap());
                    match store
                        .put_bytes("count", (count + 1).to_string().into(), &mine)
                        .await
                    {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Changed, "{error}"),
                    }
                }
            });
        }
        writers.join_all().await;
        assert_eq!(text(&*store, "count").await, "8", "{store}");
        let (_, version) = store.get_bytes("count", 100).await.unwrap();
        store.delete("count").await.unwrap();
        let gone = Precondition::IfVersion(version.unwrap());
        let error = store
            .put_bytes("count", "9".into(), &gone)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert_eq!(keys(&*store, "").await, [""; 0]);
    }
    kept.tidy().await;
}

#[tokio::test]
async fn listings_are_by_prefix_and_in_order() {
    let (stores, kept) = stores().await;
    for store in stores {
        for key in [
            "m/processed-b",
            "m/processed-a",
            "m/processing-a",
            "m/x/y",
            "mm",
            "z",
        ] {
            store.put_bytes(key, key.into(), &ALWAYS).await.unwrap();
        }
        assert_eq!(
            keys(&*store, "m/processed-").await,
            ["m/processed-a", "m/processed-b"]
        );
        assert_eq!(keys(&*store, "m/x/").await, ["m/x/y"]);
        assert_eq!(keys(&*store, "m/").await.len(), 4);
        assert_eq!(keys(&*store, "m").await.len(), 5);
        assert_eq!(keys(&*store, "").await.len(), 6);
        assert_eq!(keys(&*store, "nothing/here/").await, [""; 0]);
        let listed = store.list("m/x").collect().await.unwrap();
        assert_eq!(listed[0].size, 5);
        assert!(listed[0].modified.is_some());
        let all = keys(&*store, "m").await;
        store.delete_many(&all).await.unwrap();
        assert_eq!(keys(&*store, "").await, ["z"]);
        store.delete("z").await.unwrap();
    }
    kept.tidy().await;
}

#[tokio::test]
async fn files_go_in_and_out_whole_and_checked() {
    let (stores, kept) = stores().await;
    let dir = &kept.dir;
    let source = dir.path().join("source");
    for size in [0, 5, 9 * 1024 * 1024] {
        let body: Vec<u8> = (0..size)
            .map(|n: u32| n.to_le_bytes()[n as usize % 3])
            .collect();
        std::fs::write(&source, &body).unwrap();
        let expected = Expected {
            size: Some(body.len() as u64),
            sha1: Some(Sha1Sum::of(&body)),
            ..Expected::default()
        };
        for (n, store) in stores.iter().enumerate() {
            store.put_file("file", &source).await.unwrap();
            let length = Length::AtMost(u64::from(size) + 1);
            store
                .put_stream("stream", &mut &body[..], length)
                .await
                .unwrap();
            for key in ["file", "stream"] {
                let target = dir.path().join(format!("targets/{n}/{key}"));
                let arrived = AtomicU64::new(0);
                let count = |bytes| {
                    arrived.fetch_add(bytes, Ordering::Relaxed);
                };
                let get = store.get_to_file(key, &target, expected, &count);
                let done = get.await.unwrap();
                assert_eq!(
                    (done.size, arrived.into_inner()),
                    (size.into(), size.into())
                );
                assert_eq!(done.sha1, Some(Sha1Sum::of(&body)));
                assert!(std::fs::read(&target).unwrap() == body);
            }
            let wrong = Expected {
                size: Some(1),
                ..Expected::default()
            };
            let target = dir.path().join("wrong");
            let error = store
                .get_to_file("file", &target, wrong, &|_| {})
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged);
            assert!(
                matches!(error.mismatch(), Some(Mismatch::Size { expected: 1, .. })),
                "{error}"
            );
            assert!(!target.exists());
        }
    }
    for store in stores {
        let error = store
            .put_file("x", Path::new("/no/such"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LocalFile, "{error}");
        let short = store
            .put_stream("x", &mut &b"123"[..], Length::Exactly(4))
            .await
            .unwrap_err();
        assert_eq!(short.kind(), ErrorKind::LocalFile, "{short}");
        assert_eq!(store.head("x").await.unwrap(), None);
        let error = store.get_bytes("file", 8).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    }
    kept.tidy().await;
}

#[tokio::test]
async fn ranges_give_what_is_there_of_them() {
    let (stores, kept) = stores().await;
    for store in stores {
        store
            .put_bytes("a/ten", "0123456789".into(), &ALWAYS)
            .await
            .unwrap();
        store.put_bytes("none", "".into(), &ALWAYS).await.unwrap();
        for (key, range, expected) in [
            ("a/ten", 0..4, "0123"),
            ("a/ten", 3..7, "3456"),
            ("a/ten", 8..99, "89"),
            ("a/ten", 0..u64::MAX, "0123456789"),
            ("a/ten", 10..11, ""),
            ("a/ten", 99..101, ""),
            ("a/ten", 4..4, ""),
            ("none", 0..9, ""),
        ] {
            let part = store.get_range(key, range.clone()).await.unwrap();
            assert_eq!(part.bytes, expected, "{store} {key} {range:?}");
            let size = if key == "none" { 0 } else { 10 };
            assert_eq!(part.size, size, "{store} {key} {range:?}");
        }
        let whole = store.get_bytes("a/ten", 99).await.unwrap().1;
        let part = store.get_range("a/ten", 1..2).await.unwrap();
        assert!(part.version.is_none() || part.version == whole, "{store}");
        for absent in ["no", "a"] {
            let error = store.get_range(absent, 0..4).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        let all = keys(&*store, "").await;
        store.delete_many(&all).await.unwrap();
    }
    kept.tidy().await;
}

#[tokio::test]
async fn a_file_being_written_is_not_seen() {
    let dir = tempfile::tempdir().unwrap();
    let store = Dir::new(dir.path());
    let part = format!("{TEMPORARY}123");
    std::fs::write(dir.path().join(&part), "half").unwrap();
    assert_eq!(keys(&store, "").await, [""; 0]);
    let error = store.get_bytes(&part, 9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn it_fails_as_often_as_it_is_told_before_or_after_it_did_its_work() {
    let store = Failing::new(Arc::new(Memory::new()));
    for (moment, done) in [(Moment::Before, false), (Moment::After, true)] {
        store.add(Fault {
            operation: Operation::Put,
            prefix: "messages/".to_owned(),
            kind: ErrorKind::Unreachable,
            moment,
            times: 1,
        });
        let put = |key| store.put_bytes(key, "x".into(), &ALWAYS);
        put("data").await.unwrap();
        let error = put("messages/a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert_eq!(store.head("messages/a").await.unwrap().is_some(), done);
        put("messages/a").await.unwrap();
        store.delete("messages/a").await.unwrap();
    }
}

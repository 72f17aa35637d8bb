//! A server that fails now and then, or always.

use std::time::{Duration, Instant};

use caldp_tests::{Fault, Faults, S3Server};
use storage::checksum::Sha1Sum;
use storage::retry::RetryPolicy;
use storage::s3::{Delimiter, ErrorKind, Expected, Precondition};

use super::{BUCKET, HASTY, MIB, STUBBORN, all, client_with, noise, uri};

/// A third of the requests fails in every way there is, and everything still ends well.
#[tokio::test]
async fn a_third_of_requests_failing_is_survived() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client_with(&server, STUBBORN, HASTY).await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("file");
    let body = noise(17 * MIB);
    for seed in 0..2 {
        let kinds = [
            Fault::InternalError,
            Fault::SlowDown,
            Fault::Reset,
            Fault::LostAnswer,
            Fault::Truncate,
            Fault::Stall,
            Fault::Slow(Duration::from_millis(20)),
        ];
        server.set_faults(Faults::one_in(3, &kinds).seeded(seed));
        let key = uri(&format!("dir/{seed}"));
        s3.put_stream(&key, &body[..], all(&body)).await.unwrap();
        let expected = Expected {
            size: Some(body.len() as u64),
            sha1: Some(Sha1Sum::of(&body)),
            ..Expected::default()
        };
        s3.get_to_file(&key, &target, &expected).await.unwrap();
        s3.put_bytes(
            &uri(&format!("claim/{seed}")),
            format!("{seed}").into(),
            &Precondition::IfAbsent,
        )
        .await
        .unwrap();
        let listed = s3
            .list(BUCKET, "dir/", Delimiter::None)
            .collect()
            .await
            .unwrap();
        assert_eq!(listed.objects.len(), 1);
        s3.delete_many(BUCKET, &[key.key().to_owned()])
            .await
            .unwrap();
        server.set_faults(None);
    }
    assert_eq!(server.keys(BUCKET), ["claim/0", "claim/1"]);
}

/// When nothing works any more, it ends within bounds and says so.
#[tokio::test]
async fn a_server_that_only_fails_is_given_up_within_bounds() {
    let server = S3Server::start(&[BUCKET]);
    server.put(BUCKET, "k", noise(MIB));
    let retry = RetryPolicy {
        tries: 2,
        ..STUBBORN
    };
    let s3 = client_with(&server, retry, HASTY).await;
    let cases = [
        (Fault::InternalError, ErrorKind::Server),
        (Fault::SlowDown, ErrorKind::Throttled),
        (Fault::Reset, ErrorKind::Unreachable),
        (Fault::Truncate, ErrorKind::Unreachable),
        (Fault::Stall, ErrorKind::Unreachable),
        (Fault::Slow(Duration::from_mins(1)), ErrorKind::Unreachable),
    ];
    for (fault, kind) in cases {
        server.set_faults(Faults::always(fault));
        let start = Instant::now();
        let error = s3.get_bytes(&uri("k"), 2 * MIB).await.unwrap_err();
        assert_eq!((error.kind(), error.stats().tries), (kind, 2), "{fault:?}");
        assert!(error.to_string().contains("after 2 tries over"));
        let body = noise(10 * MIB);
        let error = s3
            .put_stream(&uri("up"), &body[..], all(&body))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert!(start.elapsed() < Duration::from_secs(45), "{fault:?}");
    }
}

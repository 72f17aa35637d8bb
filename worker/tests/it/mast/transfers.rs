//! Files on their way: broken off, continued, exchanged, refused.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caldp_tests::{Asked, MastServer, Trick};
use caldp_worker::input::mast::{MastClient, MastError, Progress, TransferError};
use storage::hint::explain;

use super::{assert_same, client, directory, fetch, fetch_with, fits, one_file, settings, stored};

#[tokio::test]
async fn fetching_again_downloads_only_what_is_not_there() {
    let server = MastServer::with_fixtures(&["j8cb010b0"]);
    let into = directory();
    let first = fetch(&server, "j8cb010b0", into.path()).await.unwrap();
    std::fs::write(into.path().join("j8cb01u2q_raw.fits"), "SIMPLE  = cut").unwrap();
    let second = fetch(&server, "j8cb010b0", into.path()).await.unwrap();
    assert_eq!(first, second);
    assert_same(&server, &second);
    assert_eq!(server.downloads_of("j8cb01u2q_raw.fits"), 2);
    assert_eq!(server.downloads_of("j8cb01u3q_raw.fits"), 1);
}

#[tokio::test]
async fn a_broken_transfer_is_continued_where_it_stopped() {
    for mark in [true, false] {
        let (server, dataset, file) = one_file();
        if !mark {
            server.stop_marking();
        }
        server.script(|seen| {
            let download = matches!(seen.asked, Asked::Download(_));
            (download && seen.nth <= 2).then_some(Trick::Cut(300_000))
        });
        let into = directory();
        let fetched = fetch(&server, dataset, into.path()).await.unwrap();
        assert_same(&server, &fetched);
        let downloads: Vec<_> = server
            .seen()
            .into_iter()
            .filter(|seen| seen.asked == Asked::Download(file.to_owned()))
            .map(|seen| seen.range)
            .collect();
        let range = |n: usize| Some(format!("bytes={n}-"));
        assert_eq!(downloads, [None, range(300_000), range(600_000)]);
        assert_eq!(stored(into.path()), (vec![file.to_owned()], false));
    }
}

#[tokio::test]
async fn a_server_that_ignores_ranges_is_understood() {
    let (server, dataset, _) = one_file();
    server.script(|seen| match (&seen.asked, seen.nth) {
        (Asked::Download(_), 1) => Some(Trick::Cut(300_000)),
        (Asked::Download(_), _) => Some(Trick::IgnoreRange),
        _ => None,
    });
    let into = directory();
    let fetched = fetch(&server, dataset, into.path()).await.unwrap();
    assert_same(&server, &fetched);
}

/// Fetches until some of the file is there, and is then killed.
async fn killed(server: &MastServer, dataset: &'static str, into: &Path) {
    server.script(|seen| {
        let download = matches!(seen.asked, Asked::Download(_));
        download.then_some(Trick::Slow(50_000, Duration::from_millis(20)))
    });
    let received = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&received);
    let client = client(server).with_progress(move |progress| {
        if matches!(progress, Progress::Received { bytes, .. } if *bytes > 200_000) {
            notify.notify_one();
        }
    });
    let into = into.to_owned();
    let run = tokio::spawn(async move { fetch_with(&client, dataset, &into).await });
    received.notified().await;
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    server.script(|_| None);
}

#[tokio::test]
async fn a_killed_run_is_continued_by_the_next() {
    let (server, dataset, file) = one_file();
    let into = directory();
    killed(&server, dataset, into.path()).await;
    assert_eq!(stored(into.path()), (vec![], true));
    let fetched = fetch(&server, dataset, into.path()).await.unwrap();
    assert_same(&server, &fetched);
    let range = server.seen().last().unwrap().range.clone().unwrap();
    let from: usize = range
        .trim_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .unwrap();
    assert!(from >= 100_000, "{range}");
    assert_eq!(stored(into.path()), (vec![file.to_owned()], false));
}

#[tokio::test]
async fn parts_of_two_versions_are_never_joined() {
    let (server, dataset, file) = one_file();
    let into = directory();
    killed(&server, dataset, into.path()).await;
    server.replace_file(file, &fits(1 << 20, b'b'));
    let fetched = fetch(&server, dataset, into.path()).await.unwrap();
    assert_same(&server, &fetched);
    assert!(server.seen().last().unwrap().range.is_some());
}

#[tokio::test]
async fn two_runs_into_one_directory_do_not_disturb_each_other() {
    let server = MastServer::with_fixtures(&["j8cb010b0"]);
    server.script(|seen| {
        let download = matches!(seen.asked, Asked::Download(_));
        download.then_some(Trick::Slow(30_000, Duration::from_millis(5)))
    });
    let into = directory();
    let (one, two) = tokio::join!(
        fetch(&server, "j8cb010b0", into.path()),
        fetch(&server, "j8cb010b0", into.path()),
    );
    let two = two.unwrap();
    assert_eq!(one.unwrap(), two);
    assert_same(&server, &two);
    assert!(!stored(into.path()).1);
}

#[tokio::test]
async fn a_file_that_mast_does_not_deliver_is_named() {
    let (server, dataset, _) = one_file();
    let observation = server.add_observation(dataset);
    server.list_product(observation, "j8cb02u4q_asn.fits", "ASN", 8640);
    let into = directory();
    let error = fetch(&server, dataset, into.path()).await.unwrap_err();
    let text = explain(&error).to_string();
    assert!(
        text.contains("j8cb02u4q_asn.fits") && text.contains("404"),
        "{text}"
    );
    assert_eq!(server.downloads_of("j8cb02u4q_asn.fits"), 1);
}

#[tokio::test]
async fn a_file_of_another_size_is_not_taken() {
    for longer in [false, true] {
        let (server, dataset, file) = one_file();
        if longer {
            server.replace_file(file, &fits((1 << 20) + 2880, b'a'));
        } else {
            server.script(|seen| match seen.asked {
                Asked::Download(_) => Some(Trick::Shorter(2880)),
                _ => None,
            });
        }
        let into = directory();
        let error = fetch(&server, dataset, into.path()).await.unwrap_err();
        let text = explain(&error).to_string();
        assert!(text.contains(file) && text.contains("1048576"), "{text}");
        let size = matches!(
            error,
            MastError::Download {
                source: TransferError::Size { .. },
                ..
            }
        );
        assert!(size, "{text}");
        assert_eq!(stored(into.path()).0, [""; 0]);
    }
}

#[tokio::test]
async fn without_sizes_the_content_must_still_be_a_whole_fits_file() {
    let server = MastServer::with_fixtures(&["octka6030"]);
    server.forget_sizes();
    let into = directory();
    server.script(|seen| {
        let first = matches!(seen.asked, Asked::Download(_)) && seen.nth == 1;
        first.then_some(Trick::Cut(10_000))
    });
    let fetched = fetch(&server, "octka6030", into.path()).await.unwrap();
    assert_same(&server, &fetched);
    for trick in [
        // into the data: less could be a missing fill, which the standard forgives
        Trick::Shorter(10_000),
        Trick::Text("<html>SIMPLE  =</html>"),
        Trick::Text(""),
    ] {
        server.script(move |seen| match seen.asked {
            Asked::Download(_) => Some(trick.clone()),
            _ => None,
        });
        let into = directory();
        let error = fetch(&server, "octka6030", into.path()).await.unwrap_err();
        let not_fits = matches!(
            error,
            MastError::Download {
                source: TransferError::NotFits,
                ..
            }
        );
        assert!(not_fits, "{error}");
        assert_eq!(stored(into.path()).0, [""; 0]);
    }
}

#[tokio::test]
async fn a_page_of_the_right_size_that_is_no_fits_file_is_not_taken() {
    let (server, dataset, file) = one_file();
    server.replace_file(file, &vec![b'<'; 1 << 20]);
    let into = directory();
    let error = fetch(&server, dataset, into.path()).await.unwrap_err();
    assert!(
        explain(&error).to_string().contains("not a FITS file"),
        "{error}"
    );
    assert_eq!(stored(into.path()).0, [""; 0]);
}

#[tokio::test]
async fn names_that_would_leave_the_directory_are_refused() {
    let (server, dataset, _) = one_file();
    let observation = server.add_observation(dataset);
    server.list_product(observation, "../j8cb02u4q_raw.fits", "RAW", 2880);
    let into = directory();
    let inner = into.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let error = fetch(&server, dataset, &inner).await.unwrap_err();
    assert!(
        explain(&error)
            .to_string()
            .contains("../j8cb02u4q_raw.fits"),
        "{error}"
    );
    assert_eq!(stored(into.path()).0, ["inner"]);
    assert_eq!(stored(&inner), (vec![], false));
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_for_ever() {
    let (server, dataset, _) = one_file();
    server.script(|seen| {
        let trick = match seen.asked {
            Asked::Download(_) => Trick::Slow(100_000, Duration::from_mins(1)),
            Asked::Observations => Trick::Late(Duration::from_mins(1)),
            _ => return None,
        };
        (seen.nth == 1).then_some(trick)
    });
    let mut settings = settings(&server, None);
    settings.read_timeout = Duration::from_secs(2);
    let client = MastClient::new(settings).unwrap();
    let into = directory();
    let fetched = fetch_with(&client, dataset, into.path()).await.unwrap();
    assert_same(&server, &fetched);
}

#[tokio::test]
async fn progress_is_reported() {
    let server = MastServer::with_fixtures(&["j8cb010b0"]);
    let into = directory();
    let seen = Arc::new(Mutex::new((0, 0, 0, 0)));
    let hook = Arc::clone(&seen);
    let client = client(&server).with_progress(move |progress| {
        let mut seen = hook.lock().unwrap();
        match progress {
            Progress::Planned { files, bytes } => (seen.0, seen.1) = (*files, *bytes),
            Progress::Finished { bytes, .. } => seen.2 += bytes,
            Progress::Present { .. } => seen.3 += 1,
            _ => {}
        }
    });
    fetch_with(&client, "j8cb010b0", into.path()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), (3, 354_240, 354_240, 0));
    fetch_with(&client, "j8cb010b0", into.path()).await.unwrap();
    assert_eq!(seen.lock().unwrap().3, 3);
}

#[tokio::test]
async fn files_come_side_by_side_but_not_all_at_once() {
    let server = MastServer::start();
    let observation = server.add_observation("lbgu18010");
    for exposure in 0..12 {
        let file = format!("lbgu18a{exposure:x}q_rawtag.fits");
        server.add_product(observation, &file, &fits(2880, b'a'));
    }
    let running = Arc::new(Mutex::new((0_usize, 0_usize)));
    let begun = Arc::clone(&running);
    server.script(move |seen| {
        matches!(seen.asked, Asked::Download(_)).then(|| {
            let mut running = begun.lock().unwrap();
            running.0 += 1;
            running.1 = running.1.max(running.0);
            Trick::Late(Duration::from_millis(100))
        })
    });
    let ended = Arc::clone(&running);
    let client = client(&server).with_progress(move |progress| {
        if let Progress::Finished { .. } = progress {
            ended.lock().unwrap().0 -= 1;
        }
    });
    let into = directory();
    let fetched = fetch_with(&client, "lbgu18010", into.path()).await.unwrap();
    assert_eq!(fetched.files.len(), 12);
    let most = running.lock().unwrap().1;
    assert!((2..=4).contains(&most), "{most} at once");
}

//! Getting raw files from MAST, against a real HTTP server that pages, hesitates, fails, breaks
//! off, lies and redirects.

mod mosaics;
mod public;
mod token;
mod transfers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use caldp_core::dataset::Dataset;
use caldp_tests::{Asked, MastServer, Trick};
use caldp_worker::input::events::InputEvents;
use caldp_worker::input::mast::{
    self, Fetched, InputRequest, MastClient, MastError, MastSettings, SelectError,
};
use storage::hint::explain;
use storage::retry::RetryPolicy;
use tempfile::TempDir;

const QUICK: RetryPolicy = RetryPolicy {
    tries: 8,
    total: Duration::from_mins(5),
    base: Duration::from_millis(2),
    cap: Duration::from_millis(10),
};

fn settings(server: &MastServer, token: Option<&str>) -> MastSettings {
    let mut settings = MastSettings::from_variables(|name| match name {
        mast::URL_VARIABLE => Some(server.url()),
        _ => token.map(str::to_owned),
    })
    .unwrap();
    settings.retry = QUICK;
    settings.executing = QUICK;
    settings
}

fn client(server: &MastServer) -> MastClient {
    MastClient::new(settings(server, None)).unwrap()
}

async fn fetch(server: &MastServer, dataset: &str, into: &Path) -> Result<Fetched, MastError> {
    fetch_with(&client(server), dataset, into).await
}

async fn fetch_with(client: &MastClient, dataset: &str, into: &Path) -> Result<Fetched, MastError> {
    let dataset: Dataset = dataset.parse().unwrap();
    mast::fetch(
        client,
        &InputRequest::new(&dataset, None)?,
        into,
        &InputEvents::channel().0,
    )
    .await
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The files under their final names, and whether partial ones are left.
fn stored(directory: &Path) -> (Vec<String>, bool) {
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let (hidden, mut plain): (Vec<String>, Vec<String>) = names.partition(|n| n.starts_with('.'));
    plain.sort();
    (plain, !hidden.is_empty())
}

fn names(paths: &[PathBuf]) -> Vec<&str> {
    let names = paths.iter().map(|path| path.file_name().unwrap());
    names.map(|name| name.to_str().unwrap()).collect()
}

#[track_caller]
fn assert_same(server: &MastServer, fetched: &Fetched) {
    assert!(!fetched.files.is_empty());
    for (path, name) in fetched.files.iter().zip(names(&fetched.files)) {
        assert!(std::fs::read(path).unwrap() == server.file(name), "{name}");
    }
}

/// A FITS-like file of so many bytes.
fn fits(size: usize, fill: u8) -> Vec<u8> {
    let mut content = b"SIMPLE  =                    T".to_vec();
    content.resize(size, fill);
    content
}

/// A server with one ACS exposure of one megabyte.
fn one_file() -> (MastServer, &'static str, &'static str) {
    let server = MastServer::start();
    let observation = server.add_observation("j8cb02u4q");
    server.add_product(observation, "j8cb02u4q_raw.fits", &fits(1 << 20, b'a'));
    (server, "j8cb02u4q", "j8cb02u4q_raw.fits")
}

#[tokio::test]
async fn every_kind_of_dataset_comes_complete() {
    let expected: [(&str, &[&str]); 11] = [
        (
            "ib8t01010",
            &["ib8t01010_asn", "ib8t01a1q_raw", "ib8t01a2q_raw"],
        ),
        ("ib8t02a3q", &["ib8t02a3q_raw"]),
        (
            "j8cb010b0",
            &["j8cb010b0_asn", "j8cb01u2q_raw", "j8cb01u3q_raw"],
        ),
        ("j8cb02u4q", &["j8cb02u4q_raw"]),
        ("lbgu17qnq", &["lbgu17qnq_rawtag"]),
        (
            "lbgu18010",
            &["lbgu18010_asn", "lbgu18q1q_rawtag", "lbgu18q2q_rawtag"],
        ),
        ("lbgu19qaq", &["lbgu19qaq_rawacq"]),
        (
            "lcxv13040",
            &["lcxv13040_asn", "lcxv13f1q_rawtag_a", "lcxv13f1q_rawtag_b"],
        ),
        ("octka6030", &["octka6030_raw"]),
        ("octka7040", &["octka7040_raw"]),
        ("octka8050", &["octka8050_wav"]),
    ];
    let server = MastServer::with_fixtures(&expected.map(|(dataset, _)| dataset));
    for (dataset, stems) in expected {
        let into = directory();
        let fetched = fetch(&server, dataset, into.path()).await.unwrap();
        let files: Vec<String> = stems.iter().map(|stem| format!("{stem}.fits")).collect();
        assert_eq!(names(&fetched.files), files, "{dataset}");
        assert_eq!(stored(into.path()), (files, false));
        assert_same(&server, &fetched);
        assert_eq!(fetched.warnings, []);
    }
}

#[tokio::test]
async fn every_page_is_read() {
    let server = MastServer::with_fixtures(&["j8cb010b0"]);
    server.set_page_size(1);
    let into = directory();
    let fetched = fetch(&server, "j8cb010b0", into.path()).await.unwrap();
    assert_eq!(fetched.files.len(), 3);
    let pages = server
        .seen()
        .iter()
        .filter(|seen| seen.asked == Asked::Products)
        .count();
    assert_eq!(pages, 6);
}

#[tokio::test]
async fn a_service_still_executing_is_asked_again_within_limits() {
    let server = MastServer::with_fixtures(&["j8cb02u4q"]);
    server.script(|seen| (seen.overall <= 4).then_some(Trick::Executing));
    let into = directory();
    fetch(&server, "j8cb02u4q", into.path()).await.unwrap();
    server.script(|_| Some(Trick::Executing));
    let error = fetch(&server, "j8cb02u4q", into.path()).await.unwrap_err();
    let text = explain(&error).to_string();
    assert!(
        text.contains("still working") && text.contains("8 tries"),
        "{text}"
    );
    assert!(
        text.contains("j8cb02u4q") && text.contains("127.0.0.1"),
        "{text}"
    );
}

#[tokio::test]
async fn an_error_in_a_success_is_an_error() {
    let server = MastServer::with_fixtures(&["j8cb02u4q"]);
    server.script(|seen| (seen.overall == 2).then_some(Trick::ServiceError("once")));
    let into = directory();
    fetch(&server, "j8cb02u4q", into.path()).await.unwrap();
    let before = server.seen().len();
    server.script(|_| Some(Trick::ServiceError("database\u{7} gone")));
    let error = fetch(&server, "j8cb02u4q", into.path()).await.unwrap_err();
    let text = explain(&error).to_string();
    assert!(text.contains(r"database\u{7} gone"), "{text}");
    assert_eq!(
        server.seen().len() - before,
        3,
        "tried more often than useful"
    );
}

#[tokio::test]
async fn answers_that_are_none_are_errors() {
    let server = MastServer::with_fixtures(&["j8cb02u4q"]);
    for text in [
        "<html>maintenance</html>",
        "",
        "null",
        r#"{"status":"COMPLETE","data":[{"obsid":1}]}"#,
        r#"{"status":"COMPLETE","data":[],"paging":{"page":9,"pagesFiltered":1}}"#,
        r#"{"status":"COMPLETE","data":[],"paging":{"pagesFiltered":18446744073709551615}}"#,
        r#"{"status":"COMPLETE","data":[],"paging":{"pagesFiltered":1,"rowsFiltered":3}}"#,
    ] {
        server.script(move |_| Some(Trick::Text(text)));
        let into = directory();
        let error = fetch(&server, "j8cb02u4q", into.path()).await.unwrap_err();
        assert!(matches!(error, MastError::Query { .. }), "{text}: {error}");
        assert!(explain(&error).to_string().contains("j8cb02u4q"), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_dataset_is_named() {
    let server = MastServer::with_fixtures(&["j8cb02u4q"]);
    let into = directory();
    let error = fetch(&server, "j8cb02u5q", into.path()).await.unwrap_err();
    let expected = SelectError::NoObservation("j8cb02u5q".to_owned());
    assert!(
        matches!(&error, MastError::Select(e) if *e == expected),
        "{error}"
    );
}

#[tokio::test]
async fn with_a_third_of_all_requests_failing_everything_still_comes() {
    let server = MastServer::with_fixtures(&["j8cb010b0", "lcxv13040"]);
    server.set_page_size(2);
    server.script(|seen| {
        let tricks = [
            Trick::Status(500),
            Trick::Reset,
            Trick::Cut(5000),
            Trick::Status(503),
            Trick::Executing,
            Trick::Cut(100_000),
            Trick::Status(429),
        ];
        let trick = tricks[seen.overall / 3 % tricks.len()].clone();
        let download = matches!(seen.asked, Asked::Download(_));
        let applies = match trick {
            Trick::Executing => !download,
            Trick::Cut(_) => download,
            _ => true,
        };
        let trick = if applies { trick } else { Trick::Reset };
        seen.overall.is_multiple_of(3).then_some(trick)
    });
    for dataset in ["j8cb010b0", "lcxv13040"] {
        let into = directory();
        let fetched = fetch(&server, dataset, into.path()).await.unwrap();
        assert_eq!(fetched.files.len(), 3);
        assert_same(&server, &fetched);
        assert!(!stored(into.path()).1, "partial files are left");
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_given_up_with_what_was_tried() {
    let server = MastServer::with_fixtures(&["j8cb02u4q"]);
    server.script(|_| Some(Trick::Status(503)));
    let into = directory();
    let error = fetch(&server, "j8cb02u4q", into.path()).await.unwrap_err();
    let text = explain(&error).to_string();
    assert!(
        text.contains("503") && text.contains("after 8 tries"),
        "{text}"
    );
    drop(server);
    let gone = MastServer::start();
    let client = client(&gone);
    drop(gone);
    let error = fetch_with(&client, "j8cb02u4q", into.path())
        .await
        .unwrap_err();
    assert!(
        explain(&error).to_string().contains("CALDP_MAST_URL"),
        "{error}"
    );
}

#[tokio::test]
async fn a_member_without_a_raw_file_is_named() {
    let whole = MastServer::with_fixtures(&["j8cb010b0"]);
    let server = MastServer::start();
    let observation = server.add_observation("j8cb010b0");
    for file in ["j8cb010b0_asn.fits", "j8cb01u2q_raw.fits"] {
        server.add_product(observation, file, &whole.file(file));
    }
    let into = directory();
    let error = fetch(&server, "j8cb010b0", into.path()).await.unwrap_err();
    let text = explain(&error).to_string();
    assert!(
        text.contains("j8cb010b0_asn.fits") && text.contains("j8cb01u3q"),
        "{text}"
    );
    assert!(!text.contains("j8cb01u2q"), "{text}");
}

#[tokio::test]
async fn a_busy_server_gets_the_time_it_asks_for() {
    let (server, dataset, _) = one_file();
    server.script(|seen| (seen.overall == 1).then_some(Trick::Busy(1)));
    let into = directory();
    let start = std::time::Instant::now();
    fetch(&server, dataset, into.path()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
}

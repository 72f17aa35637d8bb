//! The token and where it goes.

use std::sync::{Arc, Mutex};

use caldp_tests::{Asked, MastServer, Trick};
use caldp_worker::input::mast::MastClient;
use storage::hint::explain;
use storage::retry::RetryPolicy;

use super::{QUICK, directory, fetch, fetch_with, one_file, settings};

#[tokio::test]
async fn the_token_opens_exclusive_data_and_goes_nowhere_else() {
    let (server, dataset, file) = one_file();
    server.require_token("s3cret");
    let into = directory();
    let error = fetch(&server, dataset, into.path()).await.unwrap_err();
    assert!(
        explain(&error)
            .to_string()
            .contains("hint: the data are exclusive"),
        "{error}"
    );
    let wrong = MastClient::new(settings(&server, Some("wr0ng"))).unwrap();
    let error = fetch_with(&wrong, dataset, into.path()).await.unwrap_err();
    let text = format!("{} {error:?}", explain(&error));
    assert!(
        text.contains("MAST_API_TOKEN") && !text.contains("wr0ng"),
        "{text}"
    );
    let right = MastClient::new(settings(&server, Some("s3cret"))).unwrap();
    fetch_with(&right, dataset, into.path()).await.unwrap();

    let other = MastServer::start();
    let observation = other.add_observation(dataset);
    other.add_product(observation, file, &server.file(file));
    let elsewhere = other.url();
    server.script(move |seen| match seen.asked {
        Asked::Download(_) => Some(Trick::Redirect(elsewhere.clone())),
        _ => None,
    });
    let into = directory();
    fetch_with(&right, dataset, into.path()).await.unwrap();
    let sent = |server: &MastServer| server.seen().last().unwrap().authorization.clone();
    assert_eq!(sent(&server).as_deref(), Some("token s3cret"));
    assert_eq!(other.downloads_of(file), 1);
    assert_eq!(sent(&other), None);
}

#[tokio::test]
async fn redirects_end_somewhere() {
    let (server, dataset, _) = one_file();
    let itself = server.url();
    server.script(move |_| Some(Trick::Redirect(itself.clone())));
    let mut settings = settings(&server, None);
    settings.retry = RetryPolicy { tries: 2, ..QUICK };
    let client = MastClient::new(settings).unwrap();
    let into = directory();
    let error = fetch_with(&client, dataset, into.path()).await.unwrap_err();
    assert!(
        explain(&error).to_string().contains("too many redirects"),
        "{error}"
    );
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_token_is_in_no_log() {
    let (server, dataset, _) = one_file();
    server.require_token("s3cret");
    server.script(|seen| (seen.nth == 1).then_some(Trick::Reset));
    let log = Captured::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = MastClient::new(settings(&server, Some("s3cret"))).unwrap();
    let into = directory();
    tracing::subscriber::with_default(subscriber, || {
        runtime
            .block_on(fetch_with(&client, dataset, into.path()))
            .unwrap();
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("trying again"), "nothing was logged: {text}");
    assert!(!text.contains("s3cret"), "{text}");
}

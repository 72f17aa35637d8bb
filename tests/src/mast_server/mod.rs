//! A MAST service in process: the questions `Mast.Caom.Filtered` and `Mast.Caom.Products`,
//! and downloads with ranges, on a free port of 127.0.0.1.
//!
//! It holds what a test puts into it ([`Archive`]) and misbehaves as a test scripts it
//! ([`Trick`]).

mod answers;
mod archive;
mod tricks;

use std::sync::{Arc, Mutex, MutexGuard};

use hyper::HeaderMap;

use crate::http::{HttpThread, Port, lock};
use archive::Archive;
pub use tricks::{Asked, Seen, Trick};

type Script = Box<dyn FnMut(&Seen) -> Option<Trick> + Send>;

/// A running MAST service; dropping it stops it.
pub struct MastServer {
    http: HttpThread,
    shared: Arc<Mutex<MastContents>>,
}

#[derive(Default)]
struct MastContents {
    archive: Archive,
    page_size: Option<usize>,
    token: Option<String>,
    unmarked: bool,
    seen: Vec<Seen>,
    script: Option<Script>,
}

impl MastServer {
    /// Starts a server with an empty archive.
    pub fn start() -> Self {
        let shared: Arc<Mutex<MastContents>> = Arc::default();
        let served = Arc::clone(&shared);
        let http = Port::bind().serve("mast-server", move |request| {
            answers::answer(Arc::clone(&served), request)
        });
        Self { http, shared }
    }

    /// A server that has the raw files of bundled datasets.
    pub fn with_fixtures(datasets: &[&str]) -> Self {
        let server = Self::start();
        for dataset in datasets {
            server.add_fixture(dataset);
        }
        server
    }

    /// `http://127.0.0.1:<port>`, for `CALDP_MAST_URL`.
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// Adds the raw files of a bundled dataset as one observation, with rows of other products
    /// around them as the real service lists them.
    ///
    /// # Panics
    /// When there is no such dataset.
    pub fn add_fixture(&self, dataset: &str) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let files = crate::unpack_fixture(dataset, directory.path());
        let observation = self.add_observation(dataset);
        for path in files {
            let name = path.file_name().expect("a file").to_string_lossy();
            let content = std::fs::read(&path).expect("a file that was just written");
            self.add_product(observation, &name, &content);
        }
        let mut state = self.state();
        state
            .archive
            .add_row(observation, &format!("{dataset}_raw.jpg"), "", 1);
        state
            .archive
            .add_row(observation, &format!("{dataset}_flt.fits"), "FLT", 2880);
        state
            .archive
            .add_row(observation, &format!("{dataset}_jif.fits"), "JIF", 2880);
    }

    /// Adds an observation and returns its number.
    pub fn add_observation(&self, name: &str) -> u64 {
        self.state().archive.add_observation(name)
    }

    /// Adds a product of an observation, its suffix and description being what its name says.
    pub fn add_product(&self, observation: u64, name: &str, content: &[u8]) {
        let mut state = self.state();
        let suffix = archive::suffix(name);
        let size = content.len() as u64;
        state.archive.add_row(observation, name, &suffix, size);
        state
            .archive
            .files
            .insert(name.to_owned(), content.to_vec());
    }

    /// Lists a product that the server cannot deliver.
    pub fn list_product(&self, observation: u64, name: &str, suffix: &str, size: u64) {
        self.state()
            .archive
            .add_row(observation, name, suffix, size);
    }

    /// Changes a file's content but not what is listed of it.
    pub fn replace_file(&self, name: &str, content: &[u8]) {
        let mut state = self.state();
        state
            .archive
            .files
            .insert(name.to_owned(), content.to_vec());
    }

    /// The content of a file.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn file(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state
            .archive
            .files
            .get(name)
            .expect("a file of the archive")
            .clone()
    }

    /// Leaves the sizes out of what is listed.
    pub fn forget_sizes(&self) {
        self.state().archive.forget_sizes();
    }

    /// Gives at most so many rows in a page, whatever is asked.
    pub fn set_page_size(&self, rows: usize) {
        self.state().page_size = Some(rows);
    }

    /// Refuses downloads without this token.
    pub fn require_token(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// Stops marking the versions of files with entity tags.
    pub fn stop_marking(&self) {
        self.state().unmarked = true;
    }

    /// Has `script` asked before every answer what to do instead.
    pub fn script(&self, script: impl FnMut(&Seen) -> Option<Trick> + Send + 'static) {
        self.state().script = Some(Box::new(script));
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// How many requests for the file there were.
    pub fn downloads_of(&self, file: &str) -> usize {
        let asked = Asked::Download(file.to_owned());
        self.seen()
            .iter()
            .filter(|seen| seen.asked == asked)
            .count()
    }

    fn state(&self) -> MutexGuard<'_, MastContents> {
        lock(&self.shared)
    }
}

impl std::fmt::Debug for MastServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MastServer")
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

impl MastContents {
    /// Records a request and says what to do about it.
    fn see(&mut self, asked: Asked, headers: &HeaderMap) -> Option<Trick> {
        let nth = self.seen.iter().filter(|seen| seen.asked == asked).count() + 1;
        let header = |name| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let seen = Seen {
            asked,
            nth,
            overall: self.seen.len() + 1,
            authorization: header("authorization"),
            range: header("range"),
        };
        self.seen.push(seen.clone());
        self.script.as_mut().and_then(|script| script(&seen))
    }
}

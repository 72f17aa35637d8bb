//! What lasts from one call to the next: threads for the network, and a client for each set of
//! settings that was used. The settings are those of `os.environ` at the moment of the call.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds_core::names::ContextName;
use crds_core::observatory::UnknownObservatory;
use crds_core::{Client, Config, Observatory};
use pyo3::prelude::*;
use storage::hint::explain;
use tokio::runtime::Runtime;

use crate::errors::{Failure, Kind};
use crate::messages;

/// How many clients are kept, each with the rules it has loaded.
const CLIENTS: usize = 8;
/// Threads that move bytes while a caller waits.
const THREADS: usize = 2;
/// How often a caller that waits looks for Ctrl-C.
const TICK: Duration = Duration::from_millis(50);

/// `CRDS_...` and what it says, in order.
type Variables = Vec<(String, String)>;

/// Everything that lasts.
///
/// Its lock is only taken with Python's own held and is never kept while that is given up, so
/// that a process that Python forks never finds it taken.
struct Session {
    /// Threads do not survive a fork.
    process: u32,
    runtime: Arc<Runtime>,
    /// The one used last is last.
    clients: Vec<(Observatory, Variables, Arc<Client>)>,
}

static SESSION: Mutex<Option<Session>> = Mutex::new(None);

fn with_session<T>(act: impl FnOnce(&mut Session) -> T) -> Result<T, Failure> {
    let mut held = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(session) = held.take_if(|session| session.process != std::process::id()) {
        // Its threads are the parent's; ending them here would wait for ever.
        std::mem::forget(session);
    }
    let session = match &mut *held {
        Some(session) => session,
        empty => empty.insert(Session {
            process: std::process::id(),
            runtime: Arc::new(runtime()?),
            clients: Vec::new(),
        }),
    };
    Ok(act(session))
}

fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("crds-core")
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Crds, format!("no asynchronous I/O: {error}")))
}

/// Does something that may take long: without Python's lock, and given up at Ctrl-C.
///
/// Dropping the future is what gives it up: what is not complete then never appears in the cache.
/// What was logged meanwhile is delivered here, because only a caller may safely call Python.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    future: impl Future<Output = Result<T, Failure>> + Send,
) -> PyResult<T> {
    let runtime = with_session(|session| Arc::clone(&session.runtime));
    let runtime = runtime.map_err(|failure| failure.raise(py))?;
    let mut future = pin!(future);
    loop {
        let done = py.detach(|| {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    done = &mut future => Some(done),
                    () = tokio::time::sleep(TICK) => None,
                }
            })
        });
        messages::deliver(py)?;
        if let Some(done) = done {
            return done.map_err(|failure| failure.raise(py));
        }
        py.check_signals()?;
    }
}

/// The `CRDS_` variables of `os.environ`, which may differ from what the process began with.
fn variables(py: Python<'_>) -> PyResult<Variables> {
    let environ = py.import("os")?.getattr("environ")?;
    let mut found = Variables::new();
    for item in environ.call_method0("items")?.try_iter()? {
        let (name, value): (String, String) = item?.extract()?;
        // The Python half finds the context of a build, and names it.
        let of_build = name == "CRDS_CONTEXT" && (value == "build" || value.ends_with("-build"));
        if name.starts_with("CRDS_") && !value.is_empty() && !of_build {
            found.push((name, value));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The client for an observatory, with the settings of this moment.
pub(crate) fn client(py: Python<'_>, observatory: Observatory) -> PyResult<Arc<Client>> {
    let wanted = variables(py)?;
    let found = with_session(|session| {
        let clients = &mut session.clients;
        let known = clients
            .iter()
            .position(|(whose, of, _)| *whose == observatory && *of == wanted);
        let entry = if let Some(index) = known {
            clients.remove(index)
        } else {
            let config = Config::from_vars(wanted.iter().cloned())?;
            messages::set_base_verbosity(config.verbosity);
            let client = Arc::new(Client::new(config, observatory));
            if clients.len() == CLIENTS {
                clients.remove(0);
            }
            (observatory, wanted, client)
        };
        let client = Arc::clone(&entry.2);
        clients.push(entry);
        Ok(client)
    });
    found
        .flatten()
        .map_err(|failure: Failure| failure.raise(py))
}

/// The observatory by its name.
pub(crate) fn observatory(py: Python<'_>, name: &str) -> PyResult<Observatory> {
    name.parse().map_err(|error: UnknownObservatory| {
        Failure::new(Kind::Config, explain(&error).to_string()).raise(py)
    })
}

/// The observatory that these names of files, the settings or nobody tells.
pub(crate) fn observatory_of(py: Python<'_>, names: &[String]) -> PyResult<Option<Observatory>> {
    let config = Config::from_vars(variables(py)?);
    let config = config.map_err(|error| Failure::from(error).raise(py))?;
    let plain = names
        .iter()
        .map(|name| name.rsplit('/').next().unwrap_or(name));
    Ok(config.observatory_for(plain))
}

/// Whether the settings say that no server is asked.
#[pyfunction]
pub(crate) fn is_serverless(py: Python<'_>) -> PyResult<bool> {
    let config = Config::from_vars(variables(py)?);
    let config = config.map_err(|error| Failure::from(error).raise(py))?;
    Ok(config.is_serverless())
}

/// The observatory that the settings tell, if they do.
#[pyfunction]
pub(crate) fn default_observatory(py: Python<'_>) -> PyResult<Option<&'static str>> {
    Ok(observatory_of(py, &[])?.map(Observatory::name))
}

/// The context's name, if one is given.
pub(crate) fn parsed(py: Python<'_>, context: Option<&str>) -> PyResult<Option<ContextName>> {
    let parsed = context.map(str::parse).transpose();
    parsed.map_err(|error| Failure::from(error).raise(py))
}

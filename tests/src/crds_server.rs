//! A CRDS server: JSON-RPC under `/json/<method>/<id>/`, files under `/unchecked_get/`, from a
//! folder laid out as a cache (`mappings/hst`, `references/hst`, `pickles/hst`).
//!
//! Requests and answers have the form that the Python client 14.0.3 sends and expects. Only HST is
//! served. The server counts what is asked, and can be made to fail.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::http::{HttpThread, Port, lock};

/// How the next requests fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrdsFault {
    /// 502, as from a proxy whose server is gone.
    BadGateway,
    /// An answer that never comes.
    Silence,
    /// The right number of bytes, with one of them wrong.
    Damage,
    /// A file that ends in the middle, its connection closed.
    Truncate,
}

/// A running CRDS server; dropping it stops it.
#[derive(Debug)]
pub struct CrdsServer {
    http: HttpThread,
    shared: Arc<CrdsContents>,
}

#[derive(Debug)]
struct CrdsContents {
    root: PathBuf,
    info: Value,
    requests: Mutex<Vec<String>>,
    fault: Mutex<Option<(CrdsFault, u32)>>,
    answers: Mutex<BTreeMap<String, Value>>,
    datasets: Mutex<BTreeMap<String, Value>>,
}

impl CrdsServer {
    /// Starts a server of the files below `root`, whose contexts are named by `latest` and `edit`.
    ///
    /// # Panics
    /// When `root` has no mappings and references to serve, or no port is free.
    pub fn start(root: &Path, latest: &str, edit: &str) -> Self {
        let port = Port::bind();
        let shared = Arc::new(CrdsContents {
            root: root.to_owned(),
            info: server_info(root, &format!("http://{}", port.address), latest, edit),
            requests: Mutex::default(),
            fault: Mutex::default(),
            answers: Mutex::default(),
            datasets: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        let http = port.serve("crds-server", move |request| {
            let shared = Arc::clone(&served);
            async move { Ok::<_, Infallible>(answer(&shared, request).await) }
        });
        Self { http, shared }
    }

    /// What `CRDS_SERVER_URL` should be: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// What was asked so far: names of methods, and paths of files without their first folder.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared.requests).clone()
    }

    /// How often this method or file was asked for.
    pub fn count(&self, request: &str) -> usize {
        lock(&self.shared.requests)
            .iter()
            .filter(|asked| *asked == request)
            .count()
    }

    /// Makes the next `count` requests fail.
    pub fn fail_next(&self, count: u32, fault: CrdsFault) {
        *lock(&self.shared.fault) = Some((fault, count));
    }

    /// The catalogue: headers of datasets by their ids. What is asked for more of them at once than
    /// `max_headers_per_rpc` fails.
    pub fn set_datasets(&self, datasets: BTreeMap<String, Value>) {
        *lock(&self.shared.datasets) = datasets;
    }

    /// What a method answers that this server cannot work out by itself, such as
    /// `get_dataset_headers_by_id`.
    pub fn set_answer(&self, method: &str, result: Value) {
        lock(&self.shared.answers).insert(method.to_owned(), result);
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("cannot read {}: {e}", folder.display()))
        .map(|entry| {
            let entry = entry.expect("the folder can be read");
            entry.file_name().to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

fn server_info(root: &Path, url: &str, latest: &str, edit: &str) -> Value {
    let mut metadata = serde_json::Map::new();
    for part in ["mappings/hst", "references/hst"] {
        for name in names_in(&root.join(part)) {
            let content = std::fs::read(root.join(part).join(&name)).expect("the file is readable");
            let sum = format!("{:x}", Sha1::digest(&content));
            metadata.insert(
                name,
                json!({"size": content.len().to_string(), "sha1sum": sum}),
            );
        }
    }
    let folder = |part: &str| json!({"hst": format!("{url}/unchecked_get/{part}/hst/")});
    let both = |part: &str| json!({"checked": folder(part), "unchecked": folder(part)});
    json!({
        "observatory": "hst",
        "latest_context": latest,
        "operational_context": latest,
        "edit_context": edit,
        "bad_files_list": ["zz900098j_drk.fits"],
        "bad_files": "zz900098j_drk.fits",
        "mappings": names_in(&root.join("mappings/hst")),
        "mapping_url": both("mappings"),
        "reference_url": both("references"),
        "config_url": both("config"),
        "pickle_url": both("pickles"),
        "context_history": [
            ["2026-11-01 02:00:00", latest, "In use."],
            ["2026-01-01 02:00:00", "hst_9000.pmap", "First rules."],
        ],
        "crds_version": {"rev": "none", "str": "14.0.3", "svnurl": "/"},
        "force_remote_mode": 0,
        "last_synced": "2026-11-01 03:00:00.000000",
        "max_headers_per_rpc": 2,
        "download_metadata": encode(&Value::Object(metadata)),
    })
}

/// The compressed form in which servers send large answers.
fn encode(value: &Value) -> Value {
    use base64::Engine as _;
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(value.to_string().as_bytes())
        .expect("memory can be written");
    let gzip = gzip.finish().expect("memory can be written");
    let payload = base64::engine::general_purpose::STANDARD.encode(gzip);
    json!({"crds_encoded": "1.0", "crds_payload": payload})
}

async fn answer(shared: &CrdsContents, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let asked = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "json", method, ..] => (*method).to_owned(),
        ["", "unchecked_get", rest @ ..] => rest.join("/"),
        _ => path.clone(),
    };
    lock(&shared.requests).push(asked.clone());
    let fault = {
        let mut fault = lock(&shared.fault);
        match fault.as_mut() {
            Some((kind, left)) if *left > 0 => {
                *left -= 1;
                Some(*kind)
            }
            _ => None,
        }
    };
    match fault {
        Some(CrdsFault::BadGateway) => return status(StatusCode::BAD_GATEWAY),
        Some(CrdsFault::Silence) => tokio::time::sleep(Duration::from_hours(1)).await,
        _ => {}
    }
    if request.method() == Method::POST && path.starts_with("/json/") {
        return call(shared, &asked, request).await;
    }
    file(shared, &asked, fault)
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn file(shared: &CrdsContents, asked: &str, fault: Option<CrdsFault>) -> Response<Full<Bytes>> {
    if asked.split('/').any(|part| part == "..") {
        return status(StatusCode::NOT_FOUND);
    }
    let Ok(mut content) = std::fs::read(shared.root.join(asked)) else {
        return status(StatusCode::NOT_FOUND);
    };
    match fault {
        Some(CrdsFault::Damage) => {
            let middle = content.len() / 2;
            if let Some(byte) = content.get_mut(middle) {
                *byte ^= 1;
            }
        }
        Some(CrdsFault::Truncate) => content.truncate(content.len() / 2),
        _ => {}
    }
    Response::new(Full::new(content.into()))
}

async fn call(
    shared: &CrdsContents,
    method: &str,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let Ok(body) = request.into_body().collect().await else {
        return status(StatusCode::BAD_REQUEST);
    };
    let call: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let well_formed = call["jsonrpc"] == "1.0"
        && call["method"] == method
        && call["id"].is_string()
        && (call["params"].is_array() || call["params"].is_object());
    let result = if well_formed {
        result(shared, method, &call["params"])
    } else {
        Err(format!("not a call: {call}"))
    };
    let answer = match result {
        Ok(result) => json!({"jsonrpc": "1.0", "id": call["id"], "result": result, "error": null}),
        Err(message) => json!({
            "jsonrpc": "1.0", "id": call["id"], "result": null,
            "error": {"name": "OtherError", "code": 500, "message": message, "data": null},
        }),
    };
    Response::new(Full::new(answer.to_string().into()))
}

fn result(shared: &CrdsContents, method: &str, params: &Value) -> Result<Value, String> {
    if let Some(set) = lock(&shared.answers).get(method) {
        return Ok(set.clone());
    }
    let info = &shared.info;
    match method {
        "get_server_info" => Ok(info.clone()),
        "get_default_context" => match params[1].as_str() {
            Some("edit") => Ok(info["edit_context"].clone()),
            _ => Ok(info["latest_context"].clone()),
        },
        "get_build_context" | "get_context_by_date" => Ok(json!("hst_9000.pmap")),
        "get_context_history" => Ok(info["context_history"].clone()),
        "list_mappings" => Ok(info["mappings"].clone()),
        "get_dataset_ids" => {
            let of_instrument = |header: &Value| {
                let own = header["INSTRUME"].as_str().unwrap_or_default();
                let since = params[2].as_str().unwrap_or_default();
                own.eq_ignore_ascii_case(params[1].as_str().unwrap_or_default())
                    && header["DATE-OBS"].as_str().unwrap_or_default() >= since
            };
            let datasets = lock(&shared.datasets);
            let ids = datasets.iter().filter(|(_, header)| of_instrument(header));
            Ok(ids.map(|(id, _)| json!(id)).collect())
        }
        "get_dataset_headers_by_id" => {
            let ids = params[1].as_array().cloned().unwrap_or_default();
            if ids.len() as u64 > info["max_headers_per_rpc"].as_u64().unwrap_or_default() {
                return Err("too many headers at once".to_owned());
            }
            let datasets = lock(&shared.datasets);
            let found = ids.iter().filter_map(|id| {
                let id = id.as_str()?;
                Some((id.to_owned(), datasets.get(id)?.clone()))
            });
            Ok(Value::Object(found.collect()))
        }
        _ => Err(format!("OtherError: No method called &#39;{method}&#39;")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_serves_what_is_in_the_folder() {
        let root = crate::fixtures().join("crds");
        let server = CrdsServer::start(&root, "hst_9001.pmap", "hst_9002.pmap");
        let name = "mappings/hst/hst_9001.pmap";
        let get = |target: &str| {
            use std::io::{Read as _, Write as _};
            let mut socket = std::net::TcpStream::connect(server.http.address).expect("it listens");
            write!(socket, "GET {target} HTTP/1.0\r\n\r\n").expect("it reads");
            let mut answer = String::new();
            socket.read_to_string(&mut answer).expect("it answers");
            answer
        };
        let rules = std::fs::read_to_string(root.join(name)).expect("the fixture is there");
        assert!(get(&format!("/unchecked_get/{name}")).ends_with(&rules));
        assert!(get("/unchecked_get/mappings/hst/none.pmap").contains("404"));
        assert_eq!(server.count(name), 1);
        server.fail_next(1, CrdsFault::BadGateway);
        assert!(get(&format!("/unchecked_get/{name}")).contains("502"));
    }
}

//! Ten jobs of one machine that need the same references: what they read from S3 and how long they take, each on its own
//! and sharing. Every job is a process with a cache of its own; the server is on loopback, so that seconds are those of
//! this machine's disk and processors, and bytes those that a network would carry.
//!
//! `cargo bench -p crds-core --bench sharing`, with `TMPDIR` on the disk that is meant: it takes some GiB.
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use base64::Engine as _;
use caldp_tests::S3Server;
use crds_core::cache::shared::SharedReferences;
use crds_core::{Client, Config, Observatory, ReferenceOrigin};
use storage::checksum::Sha1Sum;

const JOBS: usize = 10;
/// As a CCD's datasets have: some large images and tables.
const REFERENCES: [usize; 10] = [160, 160, 80, 80, 40, 20, 10, 5, 1, 1];
const MIB: usize = 1 << 20;
const BUCKET: &str = "crds";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some([_, cache, shared]) = arguments
        .get(1..)
        .filter(|a| a.first().is_some_and(|a| a == "job"))
    {
        return job(cache, shared);
    }
    let server = S3Server::start(&[BUCKET]);
    publish(&server);
    println!(
        "{JOBS} jobs, {} MiB of references each",
        REFERENCES.iter().sum::<usize>()
    );
    for (how, at_once) in [
        ("one after the other", 1),
        ("two at once", 2),
        ("all at once", JOBS),
    ] {
        for together in [false, true] {
            let folder = tempfile::tempdir()?;
            let start = Instant::now();
            let fetched = run(&server, folder.path(), at_once, together)?;
            let (seconds, mib) = (start.elapsed().as_secs_f64(), fetched / MIB as u64);
            let way = if together { "sharing" } else { "each its own" };
            println!("{how}, {way}: {mib} MiB from S3, {seconds:.1} s");
        }
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("x{number:08}j_drk.fits")
}

/// Puts references and the catalogue into the bucket.
fn publish(server: &S3Server) {
    let mut random = fastrand::Rng::with_seed(1);
    let mut catalogue = serde_json::Map::new();
    for (number, size) in REFERENCES.into_iter().enumerate() {
        let mut bytes = vec![0; size * MIB];
        random.fill(&mut bytes);
        let sum = Sha1Sum::of(&bytes).to_string();
        let entry = serde_json::json!({"size": bytes.len(), "sha1sum": sum});
        catalogue.insert(name(number), entry);
        server.put(BUCKET, &format!("references/{}", name(number)), bytes);
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed
        .write_all(&serde_json::to_vec(&catalogue).unwrap())
        .unwrap();
    let payload = base64::engine::general_purpose::STANDARD.encode(packed.finish().unwrap());
    let config = format!(
        "{{'observatory': 'hst', 'operational_context': 'hst_0001.pmap', \
         'download_metadata': {{'crds_encoded': '1.0', 'crds_payload': '{payload}'}}}}"
    );
    server.put(BUCKET, "config/server_config", config);
}

/// Runs all jobs; how many bytes they fetched.
fn run(
    server: &S3Server,
    folder: &Path,
    at_once: usize,
    together: bool,
) -> Result<u64, Box<dyn Error>> {
    let shared = if together {
        folder.join("shared").display().to_string()
    } else {
        String::new()
    };
    let mut fetched = 0;
    let jobs: Vec<usize> = (0..JOBS).collect();
    for group in jobs.chunks(at_once) {
        let start = |number: &usize| -> std::io::Result<Child> {
            Command::new(std::env::current_exe()?)
                .args([
                    "job",
                    &folder.join(number.to_string()).display().to_string(),
                    &shared,
                ])
                .envs(server.environment())
                .stdout(Stdio::piped())
                .spawn()
        };
        let started: Result<Vec<Child>, _> = group.iter().map(start).collect();
        for child in started? {
            let output = child.wait_with_output()?;
            fetched += String::from_utf8(output.stdout)?.trim().parse::<u64>()?;
        }
    }
    Ok(fetched)
}

/// One job: brings every reference into its cache and says how many bytes it fetched.
fn job(cache: &str, shared: &str) -> Result<(), Box<dyn Error>> {
    let config = Config::from_vars([
        ("CRDS_PATH", cache),
        ("CRDS_CONFIG_URI", "s3://crds/config"),
        ("CRDS_REFERENCE_URI", "s3://crds/references"),
    ])?;
    let mut client = Client::new(config, Observatory::Hst);
    if !shared.is_empty() {
        client = client.sharing(SharedReferences::new(shared.into(), 1 << 40));
    }
    let names: Vec<String> = (0..REFERENCES.len()).map(name).collect();
    let names = names.iter().map(String::as_str);
    let references =
        tokio::runtime::Runtime::new()?.block_on(client.fetch_references(names, &()))?;
    let fetched = references
        .iter()
        .filter(|file| matches!(file.origin, ReferenceOrigin::Fetched { .. }));
    println!("{}", fetched.map(|file| file.size).sum::<u64>());
    Ok(())
}

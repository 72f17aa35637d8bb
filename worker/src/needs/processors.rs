//! How many processors a run may use. A job has a share of its machine, but a program that starts a
//! thread for each processor sees all of them.
//!
//! Sources: the task metadata endpoint, version 4, of Amazon ECS, which AWS Batch's jobs reach; the
//! quota of the control group. The instance metadata service is not asked: jobs are kept from it.

use crate::config::{Settings, variables};
use serde::Deserialize;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

/// How long the agent on the same machine may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// No answer of it is larger, in bytes.
const LARGEST: usize = 256 << 10;
/// Units of a processor's share.
const UNITS: f64 = 1024.0;
/// Smaller shares are what containers have that asked for none.
const LEAST_UNITS: f64 = 128.0;

/// What is known of the processors.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Processors {
    /// What `OMP_NUM_THREADS` says.
    asked: Option<u32>,
    /// The share of the job, where it has one.
    of_job: Option<f64>,
}

/// What an answer says of the container.
#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(rename = "Limits", default)]
    limits: ContainerLimits,
}

#[derive(Debug, Default, Deserialize)]
struct ContainerLimits {
    #[serde(rename = "CPU", default)]
    cpu: f64,
}

impl Processors {
    /// Looks, and asks where there is somebody to ask.
    pub(crate) async fn find(settings: &Settings) -> Self {
        let asked = settings.get(variables::THREADS);
        let of_job = match settings.get(variables::CONTAINER_METADATA) {
            Some(address) => share(address).await,
            None => None,
        };
        Self {
            asked: asked
                .and_then(|text| text.trim().parse().ok())
                .filter(|n| *n > 0),
            of_job: of_job.or_else(|| quota(Path::new("/sys/fs/cgroup/cpu.max"))),
        }
    }

    /// Processors that the run could use.
    #[allow(clippy::cast_precision_loss, reason = "machines have few processors")]
    pub(crate) fn usable(self) -> Option<f64> {
        let all = || {
            std::thread::available_parallelism()
                .ok()
                .map(|n| n.get() as f64)
        };
        self.asked.map(f64::from).or(self.of_job).or_else(all)
    }

    /// How many threads a program may start, where it is known that it must not be one for each
    /// processor.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a machine's processors"
    )]
    pub(crate) fn threads(self) -> Option<NonZero<u32>> {
        let share = self.of_job.map(|share| share.clamp(1.0, 4096.0) as u32);
        NonZero::new(self.asked.or(share)?)
    }
}

/// The job's share as the agent tells it.
async fn share(address: &str) -> Option<f64> {
    let asking = async {
        let mut answer = reqwest::get(address).await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if bytes.len() + chunk.len() > LARGEST {
                break;
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok::<_, reqwest::Error>(bytes)
    };
    let bytes = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            tracing::debug!("the job's processors are not known: {error}");
            return None;
        }
        Err(_) => return None,
    };
    told(&bytes)
}

fn told(answer: &[u8]) -> Option<f64> {
    let metadata: Metadata = serde_json::from_slice(answer).ok()?;
    let units = metadata.limits.cpu;
    (units.is_finite() && units >= LEAST_UNITS).then_some(units / UNITS)
}

/// The quota of a control group, `<time> <period>`.
fn quota(file: &Path) -> Option<f64> {
    let text = fs::read_to_string(file).ok()?;
    let (time, period) = text.trim().split_once(' ')?;
    let (time, period): (f64, f64) = (time.parse().ok()?, period.parse().ok()?);
    let share = time / period;
    (share.is_finite() && share > 0.0).then_some(share)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::ConfigName;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Settings::resolve(&ConfigName::Onsite, pairs).unwrap()
    }

    #[test]
    fn an_answer_tells_the_share_or_nothing() {
        assert_eq!(
            told(br#"{"Limits": {"CPU": 2048, "Memory": 8192}, "Name": "x"}"#),
            Some(2.0)
        );
        for none in [
            &br#"{"Limits": {"CPU": 2}}"#[..],
            b"{}",
            b"<html>",
            br#"{"Limits": {"CPU": "2"}}"#,
        ] {
            assert_eq!(told(none), None);
        }
    }

    #[tokio::test]
    async fn the_agent_is_asked_where_there_is_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/v4/x", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let body = r#"{"Limits":{"CPU":4096}}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let found =
            Processors::find(&settings(&[("ECS_CONTAINER_METADATA_URI_V4", &address)])).await;
        server.join().unwrap();
        assert_eq!(found.of_job, Some(4.0));
        assert_eq!(found.threads().map(NonZero::get), Some(4));
        // Nobody answers there any more.
        let found = Processors::find(&settings(&[
            ("ECS_CONTAINER_METADATA_URI_V4", &address),
            ("OMP_NUM_THREADS", "2"),
        ]))
        .await;
        assert_eq!(
            (found.usable(), found.threads().map(NonZero::get)),
            (Some(2.0), Some(2))
        );
    }

    #[test]
    fn a_share_of_less_than_one_processor_is_one_thread() {
        let share = Processors {
            asked: None,
            of_job: Some(0.5),
        };
        assert_eq!(share.threads().map(NonZero::get), Some(1));
        assert_eq!(share.usable(), Some(0.5));
        assert_eq!(Processors::default().threads(), None);
    }

    #[test]
    fn a_quota_is_time_by_period() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cpu.max");
        for (text, share) in [
            ("150000 100000\n", Some(1.5)),
            ("max 100000\n", None),
            ("1 0\n", None),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(quota(&file), share, "{text}");
        }
    }
}

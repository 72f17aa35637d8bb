//! What worker and trigger expect of the infrastructure, written down for the tests of the Terraform module, which
//! read `tests/system/contract.json` instead of copying constants and spelling keys. After a change that is meant,
//! `CALDP_UPDATE=1` writes it anew.

use std::path::Path;

use caldp_core::job_command::{CONTEXT_VARIABLE, JobCommand, JobInput, LAYOUT_VARIABLE};
use caldp_core::layout::{
    Area, BatchListFormat, BatchState, Broadcast, KeyKind, Layout, ParsedKey, Target, Verb,
};
use caldp_core::resources::{LONGEST, MemoryBin, SHORTEST};
use caldp_core::state::State;
use caldp_trigger::config::{Config, VARIABLES};
use serde_json::{Value, json};

/// Where results may be: the bucket itself, below `data`, below a folder that a deployment allows.
const ROOTS: [&str; 4] = ["", "data/spring", "data/spring/again", "reprocessing/2026"];
const DATASET: &str = "j8cb010b0";
const JOB: &str = "4c7599ae-0a82-49aa-ba5a-4727fcce14a8";

#[test]
fn what_the_infrastructure_is_tested_against_is_in_step() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/system/contract.json");
    let now = format!("{:#}\n", contract());
    if std::env::var_os("CALDP_UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "{} is of another version: run again with CALDP_UPDATE=1 and read the difference",
        path.display()
    );
}

#[test]
fn the_trigger_acts_on_every_key_it_expects_to_be_told_of_and_on_no_other() {
    let acts = |key: &str| {
        let kind = ParsedKey::find(key).map(|parsed| parsed.kind);
        matches!(
            kind,
            Ok(KeyKind::BatchList(..) | KeyKind::Request(..) | KeyKind::Broadcast(_))
        )
    };
    for key in acted_on() {
        assert!(acts(&key), "{key}");
    }
    for key in left_alone() {
        assert!(!acts(&key), "{key}");
    }
}

#[test]
fn the_dashboard_shows_the_metrics_that_the_trigger_writes() {
    use caldp_trigger::metric::{
        REFUSED, REFUSED_DIMENSIONS, SWEPT, SWEPT_DIMENSIONS, VERDICT_DIMENSIONS, VERDICTS,
    };
    let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra");
    let read = |file| std::fs::read_to_string(infra.join(file)).unwrap();
    let dashboard = read("dashboard.tf");
    for (metric, dimensions) in [
        (VERDICTS, VERDICT_DIMENSIONS),
        (REFUSED, REFUSED_DIMENSIONS),
        (SWEPT, SWEPT_DIMENSIONS),
    ] {
        let search = format!("{{${{var.name}},{dimensions}}} MetricName=\\\"{metric}\\\"");
        assert!(
            dashboard.contains(&search),
            "{search} is not in {dashboard}"
        );
    }
    let variable = VARIABLES
        .iter()
        .find(|v| v.name.ends_with("METRICS_NAMESPACE"));
    let trigger = read("trigger.tf");
    let set = trigger
        .lines()
        .find(|line| line.contains(variable.unwrap().name));
    assert!(
        set.is_some_and(|line| line.ends_with("= var.name")),
        "{set:?}"
    );
}

fn contract() -> Value {
    let config = Config::from_lookup(|name| match name {
        "BUCKET" => Some("hst-out".to_owned()),
        "JOBQUEUES" | "JOBDEFINITIONS" => Some("a,b,c,d".to_owned()),
        _ => None,
    })
    .unwrap();
    let command = JobCommand::ProcessAws {
        output: "s3://hst-out/data/spring".parse().unwrap(),
        input: JobInput::Dataset(DATASET.parse().unwrap()),
    };
    json!({
        "memory_bins_usable_mib": MemoryBin::ALL.map(|bin| bin.usable_gib() * 1024.0),
        "attempt_seconds": {"shortest": SHORTEST, "longest": LONGEST},
        "trigger": {
            "variables": VARIABLES.iter().map(|v| (v.name, v.default)).collect::<std::collections::BTreeMap<_, _>>(),
            "memory_retries": config.limits.memory_retries,
            "infrastructure_retries": config.limits.infrastructure_retries,
            "lease_seconds": config.lease.as_secs(),
            "reserve_seconds": config.reserve.as_secs(),
        },
        "job": {
            "command": command.words(),
            "variables": [LAYOUT_VARIABLE, CONTEXT_VARIABLE],
        },
        "keys": {"acted_on": acted_on(), "left_alone": left_alone()},
    })
}

/// Every kind of key that the trigger must be told of.
fn acted_on() -> Vec<String> {
    let dataset = Target::Dataset(DATASET.parse().unwrap());
    let mut keys = vec![];
    for layout in Layout::ALL {
        for root in ROOTS {
            let mut add = |key: String| keys.push(below(root, &key));
            for verb in Verb::ALL {
                add(layout.request(verb, &dataset));
                add(layout.request(verb, &Target::All));
            }
            add(layout.request(Verb::Clean, &Target::Ingested));
            add(layout.request(Verb::Cancel, &Target::Job(JOB.parse().unwrap())));
            add(layout.broadcast(&Broadcast::Part("rescue-1".parse().unwrap())));
            add(layout.broadcast(&Broadcast::Kill));
        }
    }
    for format in [
        BatchListFormat::Lines,
        BatchListFormat::Json,
        BatchListFormat::Yaml,
        BatchListFormat::Table,
    ] {
        keys.push(Layout::Tree.batch_list("spring", format));
    }
    keys.push(Layout::Tree.batch_list("continue-1-2", BatchListFormat::Json));
    sorted(keys)
}

/// Every other kind of key: far more of them are written, and each notice of one would cost.
fn left_alone() -> Vec<String> {
    let dataset = DATASET.parse().unwrap();
    let batch = "spring".parse().unwrap();
    let mut keys = vec![];
    for layout in Layout::ALL {
        for root in ROOTS {
            let mut add = |key: String| keys.push(below(root, &key));
            for state in State::ALL {
                add(layout.message(state, &dataset));
            }
            for state in BatchState::ALL {
                add(layout.batch_message(state, &batch));
            }
            for area in [Area::Products, Area::Logs, Area::Previews, Area::Failed] {
                let archive = layout.archive(&dataset, area);
                add(archive.unwrap_or_else(|| layout.file(&dataset, area, "j8cb010b0_x.txt")));
            }
            add(layout.inputs(&dataset));
            add(layout.attempts(&dataset));
            add(layout.batch_control(&batch, "request.json"));
            add(layout.blackboard("index.html"));
        }
    }
    sorted(keys)
}

fn below(root: &str, key: &str) -> String {
    if root.is_empty() {
        key.to_owned()
    } else {
        format!("{root}/{key}")
    }
}

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys.dedup();
    keys
}

//! Whether a batch was fanned out as promised: every dataset has exactly one job or child, one
//! message, the job's id in it, and a place in the batch's record.

use std::collections::{BTreeMap, BTreeSet};

use caldp_core::dataset::Dataset;
use caldp_tests::{Moto, QUEUES, SubmittedJob, World};
use serde_json::Value;

use super::BUCKET;

/// Whose a job is, and how many children it has if it is an array.
struct Work {
    id: String,
    command: Vec<String>,
    children: Option<u64>,
}

/// What is on S3 and at AWS Batch.
pub(crate) struct FannedOut<'a> {
    jobs: Vec<Work>,
    keys: Vec<String>,
    get: Box<dyn Fn(&str) -> String + 'a>,
    /// How many messages are read, of all that are counted.
    read: usize,
}

fn texts(value: &Value) -> Vec<String> {
    let words = value.as_array().unwrap().iter();
    words.map(|w| w.as_str().unwrap().to_owned()).collect()
}

impl<'a> FannedOut<'a> {
    fn of_stand_ins(world: &'a World) -> Self {
        let job = |job: &SubmittedJob| Work {
            id: job.id.clone(),
            command: texts(&job.request["containerOverrides"]["command"]),
            children: job.request["arrayProperties"]["size"].as_u64(),
        };
        Self {
            jobs: world.batch.jobs().iter().map(job).collect(),
            keys: world.keys(),
            get: Box::new(|key| String::from_utf8(world.stored(key).to_vec()).unwrap()),
            read: usize::MAX,
        }
    }

    /// What is in moto below `root`; children are seen one by one.
    pub(crate) fn of_moto(moto: &'a Moto, root: &str) -> Self {
        let ids: Vec<String> = QUEUES.iter().flat_map(|queue| moto.jobs(queue)).collect();
        let (children, parents): (Vec<String>, Vec<String>) =
            ids.into_iter().partition(|id| id.contains(':'));
        let mut counts = BTreeMap::<String, BTreeSet<u64>>::new();
        for child in &children {
            let (parent, index) = child.split_once(':').unwrap();
            let new = counts
                .entry(parent.to_owned())
                .or_default()
                .insert(index.parse().unwrap());
            assert!(new, "{child} is there twice");
        }
        let uri = format!("s3://{BUCKET}/{}", root.trim_end_matches('/'));
        let jobs = moto.describe_jobs(&parents).into_iter().map(|job| {
            let id = job["jobId"].as_str().unwrap().to_owned();
            let children = counts.get(&id).map(|indices| {
                let count = u64::try_from(indices.len()).unwrap();
                assert_eq!(indices.last(), Some(&(count - 1)), "indices without gaps");
                count
            });
            Work {
                command: texts(&job["container"]["command"]),
                children,
                id,
            }
        });
        Self {
            jobs: jobs.filter(|job| job.command.contains(&uri)).collect(),
            keys: moto.keys(BUCKET, root),
            get: Box::new(|key| moto.get(BUCKET, key)),
            read: 1000,
        }
    }

    /// The id of the one job or child that every dataset has.
    fn job_ids(&self) -> BTreeMap<String, String> {
        let mut ids = BTreeMap::new();
        let mut note = |dataset: String, id: String| {
            let before = ids.insert(dataset.clone(), id);
            assert!(before.is_none(), "{dataset} has a second job");
        };
        for job in &self.jobs {
            let work = job.command.last().unwrap();
            let Some(list) = work.strip_prefix('@') else {
                note(work.clone(), job.id.clone());
                continue;
            };
            let key = list.strip_prefix(&format!("s3://{BUCKET}/")).unwrap();
            let list = (self.get)(key);
            assert_eq!(u64::try_from(list.lines().count()).ok(), job.children);
            for (index, dataset) in list.lines().enumerate() {
                note(dataset.to_owned(), format!("{}:{index}", job.id));
            }
        }
        ids
    }

    /// Panics unless exactly these datasets were submitted below `root`, each once.
    pub(crate) fn assert_fanned_out(&self, root: &str, batch: &str, expected: &[Dataset]) {
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        let ids = self.job_ids();
        assert_eq!(
            ids.keys().cloned().collect::<BTreeSet<_>>(),
            expected,
            "jobs"
        );
        let prefix = format!("{root}messages/dataset-");
        let mut told = BTreeSet::new();
        for key in self.keys.iter().filter_map(|k| k.strip_prefix(&prefix)) {
            let dataset = key.strip_prefix("submitted/");
            let dataset = dataset.unwrap_or_else(|| panic!("{key} is no submitted message"));
            assert!(told.insert(dataset.to_owned()));
        }
        assert_eq!(told, expected, "messages");
        for dataset in expected.iter().take(self.read) {
            let message = (self.get)(&format!("{prefix}submitted/{dataset}"));
            let message: Value = serde_json::from_str(&message).unwrap();
            assert_eq!(message["job_id"], ids[dataset], "{dataset}");
        }
        let record = (self.get)(&format!("{root}messages/batch-new/{batch}.json"));
        let record: Value = serde_json::from_str(&record).unwrap();
        let recorded = texts(&record["datasets"]);
        assert_eq!(recorded.len(), expected.len());
        assert_eq!(
            recorded.into_iter().collect::<BTreeSet<_>>(),
            expected,
            "record"
        );
        assert_eq!(record["jobs"].as_array().unwrap().len(), self.jobs.len());
    }

    pub(crate) fn job_count(&self) -> usize {
        self.jobs.len()
    }
}

/// The same, of what is in a world.
pub(crate) fn assert_submitted(world: &World, root: &str, batch: &str, expected: &[Dataset]) {
    FannedOut::of_stand_ins(world).assert_fanned_out(root, batch, expected);
}

//! What became of jobs, asked of AWS Batch with few requests: a hundred jobs at a time, and of an array first
//! how many of its children have ended.

use std::collections::{BTreeMap, HashMap, HashSet};

use caldp_core::batch::JobId;

use crate::batch::client::{BatchClient, BatchRequestError};
use crate::batch::{Batch, DESCRIBED};
use crate::event::detail::JobDescription;

/// What became of a job.
#[derive(Debug, Clone)]
pub(super) enum FoundJob {
    /// It has not ended.
    UnderWay,
    /// It has, like this.
    Ended(Box<JobDescription>),
    /// AWS Batch does not know it: it forgets jobs some time after their end.
    Gone,
}

/// The requests to AWS Batch that are left.
#[derive(Debug)]
pub(super) struct Calls(pub(super) usize);

/// What became of these jobs; of those it says nothing of, the calls did not suffice to ask.
pub(super) async fn fates<B: Batch>(
    client: &BatchClient<B>,
    jobs: &[JobId],
    calls: &mut Calls,
) -> Result<HashMap<JobId, FoundJob>, BatchRequestError> {
    let (mut asked, mut arrays) = (vec![], BTreeMap::<String, Vec<&JobId>>::new());
    for id in jobs {
        if id.index().is_some() {
            arrays.entry(id.parent().to_string()).or_default().push(id);
        } else {
            asked.push(id.clone());
        }
    }
    let ids: Vec<JobId> = arrays
        .values()
        .filter_map(|c| Some(c.first()?.parent()))
        .collect();
    let described = describe(client, &ids, calls).await?;
    let mut fates = HashMap::new();
    for wanted in arrays.into_values() {
        let Some(id) = wanted.first().map(|child| child.parent()) else {
            continue;
        };
        let Some(array) = described.get(&id) else {
            continue;
        };
        let counts = array.as_ref().and_then(ArrayCounts::of);
        let divided = divide(client, &id, wanted, counts, calls).await?;
        let under_way = divided.under_way.into_iter();
        fates.extend(under_way.map(|id| (id.clone(), FoundJob::UnderWay)));
        asked.extend(divided.asked.into_iter().cloned());
    }
    for (id, detail) in describe(client, &asked, calls).await? {
        let fate = match detail {
            None => FoundJob::Gone,
            Some(detail) if is_over(&detail) => FoundJob::Ended(Box::new(detail)),
            Some(_) => FoundJob::UnderWay,
        };
        fates.insert(id, fate);
    }
    Ok(fates)
}

/// Children of an array of which what is known suffices, and those that are asked about one by one.
struct Divided<'a> {
    under_way: Vec<&'a JobId>,
    asked: Vec<&'a JobId>,
}

/// Divides those children of an array that are waited for, by how many of all have ended.
async fn divide<'a, B: Batch>(
    client: &BatchClient<B>,
    array: &JobId,
    wanted: Vec<&'a JobId>,
    counts: Option<ArrayCounts>,
    calls: &mut Calls,
) -> Result<Divided<'a>, BatchRequestError> {
    let (mut under_way, mut asked) = (vec![], vec![]);
    match counts {
        // those that are waited for are those that have not ended
        Some(counts) if wanted.len() <= counts.under_way => under_way = wanted,
        Some(counts) if counts.ended < wanted.len() && calls.0 > 0 => {
            calls.0 = calls.0.saturating_sub(2 + counts.ended / DESCRIBED);
            let ended = client.ended_children(array).await?;
            let ended: HashSet<JobId> = ended.into_iter().collect();
            let others: Vec<&JobId>;
            (asked, others) = wanted.into_iter().partition(|id| ended.contains(*id));
            if others.len() <= counts.under_way {
                under_way = others;
            } else {
                // of some of them AWS Batch knows nothing any more
                asked.extend(others);
            }
        }
        _ => asked = wanted,
    }
    Ok(Divided { under_way, asked })
}

/// What AWS Batch says of jobs, none for those it does not know, as far as the calls suffice.
async fn describe<B: Batch>(
    client: &BatchClient<B>,
    ids: &[JobId],
    calls: &mut Calls,
) -> Result<HashMap<JobId, Option<JobDescription>>, BatchRequestError> {
    let mut described = HashMap::new();
    for ids in ids.chunks(DESCRIBED) {
        if calls.0 == 0 {
            break;
        }
        calls.0 -= 1;
        let details = client.describe(ids).await?.into_iter();
        let mut details: HashMap<String, JobDescription> =
            details.map(|d| (d.job_id.clone(), d)).collect();
        described.extend(
            ids.iter()
                .map(|id| (id.clone(), details.remove(id.as_str()))),
        );
    }
    Ok(described)
}

fn is_over(job: &JobDescription) -> bool {
    is_end(&job.status)
}

fn is_end(status: &str) -> bool {
    matches!(status, "SUCCEEDED" | "FAILED")
}

/// How many children of an array have ended and how many have not, as far as AWS Batch knows them.
#[derive(Debug, Clone, Copy)]
struct ArrayCounts {
    ended: usize,
    under_way: usize,
}

impl ArrayCounts {
    /// None where AWS Batch does not say.
    fn of(array: &JobDescription) -> Option<Self> {
        let properties = array.array_properties.as_ref()?;
        let (mut ended, mut under_way) = (0_usize, 0_usize);
        for (status, count) in &properties.status_summary {
            let sum = if is_end(status) {
                &mut ended
            } else {
                &mut under_way
            };
            *sum = sum.saturating_add(usize::try_from(*count).ok()?);
        }
        (!properties.status_summary.is_empty()).then_some(Self { ended, under_way })
    }
}

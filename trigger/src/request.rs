//! What operators ask for: rescue, cancel, clean and placed, for one dataset or one job.
//!
//! A request is an object; it is deleted when it has been carried out, last of all. A request that
//! is gone was carried out before or withdrawn. Requests for many are in `fanout`.

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Target, Verb};
use serde_json::{Value, json};
use storage::s3::{Delimiter, ErrorKind};
use storage::uri::S3Uri;

use crate::carry_out::Fresh;
use crate::desk::{CANCELLED, Call, Desk};
use crate::error::TriggerError;
use crate::job::{JobChange, Role, Work};
use crate::jobs::Batch;
use crate::order::RequestBody;
use crate::place::Place;
use crate::record::{Record, Settings};
use crate::step::{Start, Step, Wanted, cancelled, started};

/// The largest body of a request that is read, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The most keys deleted with one request.
pub(crate) const DELETE_BATCH: usize = 1000;

/// A request for one dataset.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Where the dataset is.
    pub place: &'a Place,
    /// What is asked.
    pub verb: Verb,
    /// How.
    pub body: &'a RequestBody,
    /// What asked for it; the same origin is carried out once.
    pub origin: &'a str,
}

impl<B: Batch> Desk<B> {
    /// Carries out the request in the object at `uri`, and deletes it.
    ///
    /// # Errors
    /// [`TriggerError`]; the request stays and can be delivered again.
    pub async fn requested(
        &self,
        uri: &S3Uri,
        place: &Place,
        verb: Verb,
        target: &Target,
        origin: &str,
        call: &Call,
    ) -> Result<Value, TriggerError> {
        let bytes = match self.s3.get_bytes(uri, MAX_BODY).await {
            Ok((bytes, _)) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Ok(json!({
                    "request": uri,
                    "result": "it was carried out before, or withdrawn"
                }));
            }
            Err(e) => return Err(e.into()),
        };
        let body = RequestBody::from_bytes(&bytes)?;
        let request = Request {
            place,
            verb,
            body: &body,
            origin,
        };
        let result = match target {
            Target::Dataset(dataset) => json!(self.one(&request, dataset, call).await?),
            Target::Job(id) => json!(self.cancel_job(place, id, &body, call).await?),
            Target::All | Target::Ingested => self.fan_out(&request, target, None, call).await?,
        };
        self.s3.delete(uri).await?;
        Ok(json!({ "request": uri, "result": result }))
    }

    /// Carries out a request for one dataset and says what was done.
    ///
    /// # Errors
    /// [`TriggerError`]; repeated it is taken up where it stopped.
    pub async fn one(
        &self,
        request: &Request<'_>,
        dataset: &Dataset,
        call: &Call,
    ) -> Result<String, TriggerError> {
        match request.verb {
            Verb::Rescue => self.start(request, Start::Rescue, dataset, call).await,
            Verb::Placed => self.start(request, Start::Placed, dataset, call).await,
            Verb::Cancel => {
                self.cancel(request.place, dataset, request.body, call)
                    .await
            }
            Verb::Clean => self.clean(request.place, dataset, request.body).await,
        }
    }

    async fn start(
        &self,
        request: &Request<'_>,
        start: Start,
        dataset: &Dataset,
        call: &Call,
    ) -> Result<String, TriggerError> {
        let (place, body) = (request.place, request.body);
        let held = self.held(place, dataset).await?;
        let (inputs, bytes) = match start {
            Start::Placed => {
                let uri = place.uri(&place.layout.inputs(dataset))?;
                let size = self.s3.head(&uri).await?.size;
                let folder = uri.key().rsplit_once('/').map_or("", |(folder, _)| folder);
                (
                    Some(S3Uri::new(uri.bucket(), folder)?.to_string()),
                    Some(size),
                )
            }
            Start::Rescue => (None, None),
        };
        let kept = held.as_ref().and_then(|h| h.record.settings.timeout_scale);
        let mut overrides = body.overrides;
        overrides.timeout_scale = overrides.timeout_scale.or(kept);
        let wanted = Wanted {
            start,
            origin: request.origin.to_owned(),
            overrides: body.overrides,
            settings: Settings {
                layout: place.layout,
                inputs,
                context: body.context.clone(),
                timeout_scale: body.overrides.timeout_scale,
                ..Settings::default()
            },
            resources: self.resources(dataset, bytes, overrides).await?,
        };
        let step =
            |record: Option<Record>, _| started(record, dataset, &wanted, &self.rules(place, call));
        if body.dry_run {
            return Ok(tell(step(held.map(|h| h.record), None)));
        }
        let changed = self.change(place, dataset, step).await?;
        let ours = |r: &Record| r.pending().is_some_and(|a| a.origin == request.origin);
        if let Some(held) = changed.held.filter(|h| ours(&h.record)) {
            let fresh = if changed.fresh { Fresh::Yes } else { Fresh::No };
            self.carry_out(place, held, fresh, call).await?;
        }
        Ok(changed.why)
    }

    async fn cancel(
        &self,
        place: &Place,
        dataset: &Dataset,
        body: &RequestBody,
        call: &Call,
    ) -> Result<String, TriggerError> {
        let settings = Settings {
            layout: place.layout,
            ..Settings::default()
        };
        let step =
            |record, state| cancelled(record, dataset, &settings, state, &self.rules(place, call));
        if body.dry_run {
            let held = self.held(place, dataset).await?;
            let state = self.states(place, dataset).await?.last().copied();
            return Ok(tell(step(held.map(|h| h.record), state)));
        }
        let changed = self.change(place, dataset, step).await?;
        if let Some(held) = changed.held.filter(|h| h.record.terminated) {
            // also when the record said so before: whoever wrote that may have died since
            self.stop(place, &held.record).await?;
            self.show(place, &held.record).await?;
        }
        Ok(changed.why)
    }

    /// Cancels what a job works on: its dataset, or every dataset of its array.
    ///
    /// # Errors
    /// [`TriggerError::Foreign`] for a job of another deployment, others as they come.
    pub async fn cancel_job(
        &self,
        place: &Place,
        id: &JobId,
        body: &RequestBody,
        call: &Call,
    ) -> Result<String, TriggerError> {
        let Some(job) = self.jobs.describe(id).await? else {
            return Ok(format!(
                "AWS Batch does not know job {id}; it forgets ended jobs after a week"
            ));
        };
        let change = JobChange::of_known(id, &job)?;
        let task = change.task()?;
        self.check_bucket(&task.root)?;
        let datasets = match (&task.work, change.role) {
            (Work::Line { list, .. }, Role::Parent) => self.list(list).await?,
            _ => vec![self.subject(&task).await?.1],
        };
        let of_job = Place::new(task.root.clone(), task.layout);
        if of_job.root.bucket() != place.root.bucket() {
            return Err(self.foreign_bucket(of_job.root.bucket()));
        }
        let of_job = &of_job;
        let results = self
            .each(&datasets, |_, dataset| async move {
                let held = self.held(of_job, dataset).await?;
                if is_of(held.as_ref().map(|h| &h.record), id) {
                    self.cancel(of_job, dataset, body, call).await
                } else {
                    Ok(format!(
                        "{dataset} has another job by now and was left alone"
                    ))
                }
            })
            .await?;
        if !body.dry_run {
            self.jobs.terminate(id, CANCELLED).await?;
        }
        Ok(match results.as_slice() {
            [one] => format!("job {id} terminated: {one}"),
            many => format!("job {id} terminated, with {} datasets", many.len()),
        })
    }

    /// Deletes everything of one dataset and nothing of any other.
    async fn clean(
        &self,
        place: &Place,
        dataset: &Dataset,
        body: &RequestBody,
    ) -> Result<String, TriggerError> {
        let belongings = place.layout.dataset_keys(dataset);
        let bucket = place.root.bucket();
        let mut keys = vec![];
        for prefix in &belongings.prefixes {
            let pages = self.s3.list(bucket, &place.prefix(prefix), Delimiter::None);
            keys.extend(pages.collect().await?.objects.into_iter().map(|o| o.key));
        }
        if body.dry_run {
            let mut single = vec![];
            for key in &belongings.keys {
                match self.s3.head(&place.uri(key)?).await {
                    Ok(_) => single.push(place.prefix(key)),
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    Err(e) => return Err(e.into()),
                }
            }
            keys.extend(single);
            return Ok(format!(
                "would delete {} objects: {}",
                keys.len(),
                keys.join(" ")
            ));
        }
        if let Some(held) = self.held(place, dataset).await?
            && held.record.pending().is_some()
        {
            // its next job must be its only one
            self.stop(place, &held.record).await?;
        }
        // the request itself goes last, so that a clean that was cut short is taken up again
        let request = place
            .layout
            .request(Verb::Clean, &Target::Dataset(dataset.clone()));
        let single = belongings.keys.iter().filter(|k| **k != request);
        let found = keys.len();
        keys.extend(single.map(|k| place.prefix(k)));
        for keys in keys.chunks(DELETE_BATCH) {
            self.s3.delete_many(bucket, keys).await?;
        }
        Ok(format!(
            "{dataset} cleaned: {found} objects and its messages deleted"
        ))
    }
}

/// Whether a job, or the array it is a child of, is the record's latest attempt.
fn is_of(record: Option<&Record>, id: &JobId) -> bool {
    let Some(attempt) = record.and_then(Record::last) else {
        return true;
    };
    let known = attempt.job_id.as_ref();
    known.is_none_or(|known| known == id || known.parent() == *id)
}

/// What a step would do, in words.
fn tell(step: Step) -> String {
    match step {
        Step::Nothing(why) => format!("would do nothing: {why}"),
        Step::Change(_, why) => format!("would do this: {why}"),
    }
}

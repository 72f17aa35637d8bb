//! Any sequence of events, in any order and repeated, leaves each dataset in the one state that a
//! small reference model predicts.
//!
//! The model knows nothing of records, claims or messages: it has a state, a memory bin and two
//! counters, and says what each event does to them.

use crate::world::{BUCKET, Job, Service, all_jobs, call, created, job_event, service};
use caldp_tests::World;
use proptest::prelude::*;
use serde_json::json;

const DATASET: &str = "o8l7sws8q";
const EXITED: &str = "Essential container in task exited";

/// What happens, in words of operators.
#[derive(Debug, Clone, PartialEq)]
enum News {
    /// A job, by its place among all jobs, ends like this.
    Ends(usize, End),
    /// The worker of the latest job starts or delivers.
    Starts,
    Delivers,
    /// An operator asks; the same number is the same request delivered again.
    Rescue(u8, Option<u8>),
    Cancel(u8),
    Clean(u8),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Success,
    Memory,
    Spot,
    Broken,
    TooLong,
    Stopped,
}

impl End {
    fn event(self, job: &Job) -> serde_json::Value {
        let (status, exit, reason) = match self {
            Self::Success => ("SUCCEEDED", Some(0), EXITED),
            Self::Memory => ("FAILED", Some(34), EXITED),
            Self::Spot => ("FAILED", None, "Host EC2 (instance i-1) terminated."),
            Self::Broken => ("FAILED", Some(23), EXITED),
            Self::TooLong => ("FAILED", Some(137), "Job attempt duration exceeded timeout"),
            Self::Stopped => ("FAILED", Some(137), "Operator cancelled"),
        };
        job_event(job, None, status, exit, reason)
    }
}

/// The reference model.
#[derive(Debug, Default)]
struct Model {
    state: Option<&'static str>,
    bin: u8,
    memory: u8,
    spot: u8,
    late: u8,
    /// Whether the last end was for lack of memory.
    starved: bool,
    /// The place of the latest job, and whether it has not ended.
    job: usize,
    pending: bool,
    jobs: usize,
    asked: Vec<u8>,
    /// Jobs of an earlier life end unheard.
    born: usize,
}

impl Model {
    fn submit(&mut self, bin: u8) {
        self.bin = bin;
        self.job = self.jobs;
        self.jobs += 1;
        self.pending = true;
        self.state = Some("submitted");
    }

    fn hear(&mut self, news: &News) {
        match news {
            News::Starts if self.pending && self.state == Some("submitted") => {
                self.state = Some("processing");
            }
            News::Delivers if self.pending => self.state = Some("processed"),
            News::Starts | News::Delivers => {}
            News::Ends(job, end) => {
                if *job == self.job && *job >= self.born && self.pending {
                    self.end(*end);
                }
            }
            News::Rescue(number, bin) => {
                if !self.asked.contains(number) && !self.pending {
                    self.asked.push(*number);
                    (self.memory, self.spot, self.late) = (0, 0, 0);
                    let same = if self.starved {
                        (self.bin + 1).min(3)
                    } else {
                        self.bin
                    };
                    let first = if self.state.is_none() { 0 } else { same };
                    self.starved = false;
                    self.submit(bin.unwrap_or(first));
                }
            }
            News::Cancel(_) => {
                let stoppable = match self.state {
                    None => false,
                    Some("processed") => self.pending,
                    Some(_) => true,
                };
                if stoppable {
                    if self.pending {
                        self.starved = false;
                    }
                    self.pending = false;
                    self.state = Some("terminated");
                }
            }
            News::Clean(_) => {
                *self = Self {
                    jobs: self.jobs,
                    born: self.jobs,
                    ..Self::default()
                };
            }
        }
    }

    fn end(&mut self, end: End) {
        self.pending = false;
        let delivered = self.state == Some("processed");
        self.starved = !delivered && end == End::Memory;
        match end {
            _ if delivered => {}
            End::Memory if self.bin < 3 && self.memory < 4 => {
                self.memory += 1;
                self.submit(self.bin + 1);
                self.starved = false;
            }
            End::Spot if self.spot < 4 => {
                self.spot += 1;
                self.submit(self.bin);
            }
            End::TooLong if self.late < 1 => {
                self.late += 1;
                self.submit(self.bin);
            }
            End::Stopped => self.state = Some("terminated"),
            _ => self.state = Some("error"),
        }
    }
}

async fn tell(world: &World, service: &Service, model: &Model, news: &News, mark: usize) {
    let request = async |verb: &str, number: u8, body: String| {
        let key = format!("o/messages/request-{verb}/{DATASET}");
        world.put(&key, body);
        let event = created(&key, &format!("{verb}-{number}"));
        service
            .handle(event, &call(&format!("{mark}")))
            .await
            .unwrap();
    };
    match news {
        News::Ends(place, end) => {
            if let Some(job) = all_jobs(world).get(*place) {
                service
                    .handle(end.event(job), &call(&format!("{mark}")))
                    .await
                    .unwrap();
            }
        }
        // a worker only runs while its job does
        News::Starts | News::Delivers if !model.pending => {}
        News::Starts if model.state != Some("submitted") => {}
        News::Starts => {
            world.put(&format!("o/messages/dataset-processing/{DATASET}"), "");
        }
        News::Delivers => {
            world.put(&format!("o/messages/dataset-processed/{DATASET}"), "");
        }
        News::Rescue(number, bin) => {
            let body = bin.map_or(String::new(), |bin| format!("memory_bin: {bin}"));
            request("rescue", *number, body).await;
        }
        News::Cancel(number) => request("cancel", *number, String::new()).await,
        News::Clean(number) => request("clean", *number, String::new()).await,
    }
}

fn any_news() -> impl Strategy<Value = News> {
    let end = prop::sample::select(vec![
        End::Success,
        End::Memory,
        End::Memory,
        End::Spot,
        End::Broken,
        End::TooLong,
        End::Stopped,
    ]);
    prop_oneof![
        8 => (0usize..8, end).prop_map(|(job, end)| News::Ends(job, end)),
        2 => Just(News::Starts),
        2 => Just(News::Delivers),
        3 => (0u8..6, proptest::option::of(0u8..4)).prop_map(|(n, r)| News::Rescue(n, r)),
        1 => (0u8..3).prop_map(News::Cancel),
        1 => (0u8..3).prop_map(News::Clean),
    ]
}

/// The state that holds, of those there are messages of.
fn shown(world: &World) -> Option<String> {
    let order = [
        "submitted",
        "processing",
        "processed",
        "error",
        "terminated",
    ];
    let states = world.states("o/").remove(DATASET).unwrap_or_default();
    order
        .iter()
        .rev()
        .find(|s| states.contains(&(**s).to_owned()))
        .map(|s| (*s).to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_model_predicts_the_state(story in prop::collection::vec((any_news(), 1usize..3), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let service = service(&world, &[]).await;
            let order = json!({"datasets": DATASET, "batch_name": "b", "s3_output_bucket": format!("s3://{BUCKET}/o")});
            service.handle(order, &call("order")).await.unwrap();
            let mut model = Model::default();
            model.submit(0);
            for (mark, (news, times)) in story.iter().enumerate() {
                for _ in 0..*times {
                    // what the news is told to and what it was when it happened
                    tell(&world, &service, &model, news, mark).await;
                    model.hear(news);
                    let seen = shown(&world);
                    assert_eq!(seen.as_deref(), model.state, "after {news:?} of {story:?}: {model:?}");
                    assert_eq!(all_jobs(&world).len(), model.jobs, "after {news:?}: {model:?}");
                    if let Some(job) = all_jobs(&world).get(model.job).filter(|_| model.pending) {
                        assert_eq!(job.new.queue, ["q2", "q8", "q16", "q64"][usize::from(model.bin)]);
                    }
                }
            }
            // once the last word is spoken there is one message
            if !model.pending {
                let states = world.states("o/").remove(DATASET).unwrap_or_default();
                assert!(states.len() <= 1, "{states:?}");
            }
        });
    }
}

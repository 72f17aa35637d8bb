//! Batches from a source to judges in threads of their own and back, in order. What is under way is
//! bounded by the lengths of two queues.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::judge::{Answered, Judge};
use super::source::Questions;

/// How many batches may wait for each judge.
const WAITING: usize = 2;

/// Has every batch that `source` gives answered by one of the judges, and `take` take the answers in
/// the order of the batches. What `source` returns is returned.
pub(super) fn run<T: Send>(
    source: impl FnOnce(&mut dyn FnMut(Questions) -> bool) -> T + Send,
    judges: Vec<Judge<'_>>,
    mut take: impl FnMut(Answered),
) -> T {
    let length = WAITING * judges.len();
    let (send_batch, batches) = sync_channel::<(u64, Questions)>(length);
    let (send_answer, answers) = sync_channel::<(u64, Answered)>(length);
    let batches = Mutex::new(batches);
    thread::scope(|scope| {
        for mut judge in judges {
            let (batches, send_answer) = (&batches, send_answer.clone());
            scope.spawn(move || {
                while let Some((number, batch)) = next(batches) {
                    if send_answer.send((number, judge.answer(batch))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send_answer);
        let read = scope.spawn(move || {
            let mut numbers = 0..;
            source(&mut |batch| {
                let number = numbers.next().unwrap_or(u64::MAX);
                send_batch.send((number, batch)).is_ok()
            })
        });
        in_order(&answers, &mut take);
        match read.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn next(batches: &Mutex<Receiver<(u64, Questions)>>) -> Option<(u64, Questions)> {
    let batches = batches.lock().unwrap_or_else(PoisonError::into_inner);
    batches.recv().ok()
}

fn in_order(answers: &Receiver<(u64, Answered)>, take: &mut impl FnMut(Answered)) {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, answered) in answers {
        early.insert(number, answered);
        while let Some(answered) = early.remove(&next) {
            take(answered);
            next += 1;
        }
    }
}

//! Trying again: the one policy everything that talks over a network follows.
//!
//! What counts as worth another try is for the caller, who knows the protocol. Delays are drawn
//! with *full jitter* (AWS Architecture Blog, "Exponential Backoff And Jitter"): uniformly between
//! nothing and a bound that doubles, so that clients that failed together do not return together.
//!
//! Whoever waits is told what for, once it lasts: as a warning of [`tracing`], so that it is for programs to say
//! where it goes.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// No longer than this is tried again in silence.
const SILENCE: Duration = Duration::from_secs(3);

/// Of everything that is tried again in a process, only so often something is told.
const TOLD_AGAIN: Duration = Duration::from_mins(1);

/// When it was told last.
static TOLD: Mutex<Option<Instant>> = Mutex::new(None);

/// How often and for how long something is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most tries, the first included.
    pub tries: u32,
    /// No try begins later than this after the first began.
    pub total: Duration,
    /// The bound of the first delay; it doubles with every try.
    pub base: Duration,
    /// The bound never grows beyond this.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// Ten tries within three minutes, delays bound by 0.1 s doubling to 20 s.
    fn default() -> Self {
        Self {
            tries: 10,
            total: Duration::from_mins(3),
            base: Duration::from_millis(100),
            cap: Duration::from_secs(20),
        }
    }
}

/// How one try failed.
#[derive(Debug)]
pub enum Failure<E> {
    /// Another try may succeed.
    Transient(E),
    /// Another try would fail the same way.
    Permanent(E),
    /// Another try is made of another server, at once; the first such failure is no try.
    Elsewhere(E),
}

impl<E> Failure<E> {
    /// The same failure, told otherwise.
    pub fn map<T>(self, told: impl FnOnce(E) -> T) -> Failure<T> {
        match self {
            Self::Transient(error) => Failure::Transient(told(error)),
            Self::Permanent(error) => Failure::Permanent(told(error)),
            Self::Elsewhere(error) => Failure::Elsewhere(told(error)),
        }
    }
}

/// What was tried in vain.
#[derive(Debug)]
pub struct GaveUp<E> {
    /// The last failure.
    pub error: E,
    /// How much was tried.
    pub stats: RetryStats,
}

/// How often and for how long something was tried. Displays as `after 3 tries over 4.2 s`, and as
/// nothing after a single try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryStats {
    /// The number of tries, at least one.
    pub tries: u32,
    /// From the beginning of the first try to the end of the last.
    pub elapsed: Duration,
}

impl RetryStats {
    /// Of something that is not tried again.
    pub const ONCE: Self = Self {
        tries: 1,
        elapsed: Duration::ZERO,
    };
}

impl fmt::Display for RetryStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tries > 1 {
            let seconds = self.elapsed.as_secs_f64();
            write!(f, "after {} tries over {seconds:.1} s", self.tries)?;
        }
        Ok(())
    }
}

impl RetryPolicy {
    /// One try only.
    pub const ONCE: Self = Self {
        tries: 1,
        total: Duration::ZERO,
        base: Duration::ZERO,
        cap: Duration::ZERO,
    };

    /// Calls `attempt` with the number of the try, from 1, until it succeeds, fails for good, or
    /// the policy is exhausted. `words` say what failed and why, to be told when it lasts.
    ///
    /// # Errors
    /// The last failure, and how much was tried.
    pub async fn run<T, E, W, F, A>(&self, words: W, mut attempt: F) -> Result<T, GaveUp<E>>
    where
        W: Fn(&E) -> String,
        F: FnMut(u32) -> A,
        A: Future<Output = Result<T, Failure<E>>>,
    {
        let start = Instant::now();
        let (mut tries, mut moved) = (1, false);
        loop {
            let (error, transient) = match attempt(tries).await {
                Ok(value) => return Ok(value),
                Err(Failure::Transient(error)) => (error, true),
                Err(Failure::Elsewhere(_)) if !moved => {
                    moved = true;
                    continue;
                }
                Err(Failure::Permanent(error) | Failure::Elsewhere(error)) => (error, false),
            };
            let elapsed = start.elapsed();
            let delay = self.delay(tries);
            if !transient || tries >= self.tries || elapsed + delay > self.total {
                return Err(GaveUp {
                    error,
                    stats: RetryStats { tries, elapsed },
                });
            }
            let told = elapsed + delay >= SILENCE && is_to_be_told(&TOLD, Instant::now());
            if told {
                tracing::warn!("{}; trying again", words(&error));
            } else {
                let delay_ms = delay.as_millis();
                tracing::debug!(tries, delay_ms, "{}; trying again", words(&error));
            }
            tokio::time::sleep(delay).await;
            tries += 1;
        }
    }

    /// A delay after the given number of tries.
    fn delay(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let bound = self.base.saturating_mul(doubled).min(self.cap);
        bound.mul_f64(fastrand::f64())
    }
}

/// Whether nothing was told for a while; then it is told now.
fn is_to_be_told(told: &Mutex<Option<Instant>>, now: Instant) -> bool {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let silent = told.is_none_or(|told| now.duration_since(told) >= TOLD_AGAIN);
    if silent {
        *told = Some(now);
    }
    silent
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::cell::Cell;

    use super::*;

    const QUICK: RetryPolicy = RetryPolicy {
        tries: 4,
        total: Duration::from_secs(5),
        base: Duration::from_micros(10),
        cap: Duration::from_micros(50),
    };

    async fn failing(policy: RetryPolicy, failures: u32) -> (Result<u32, GaveUp<String>>, u32) {
        let calls = Cell::new(0);
        let result = policy
            .run(String::clone, |n| {
                calls.set(calls.get() + 1);
                async move {
                    if n > failures {
                        Ok(n)
                    } else {
                        Err(Failure::Transient(format!("failure {n}")))
                    }
                }
            })
            .await;
        (result, calls.get())
    }

    #[tokio::test]
    async fn going_elsewhere_is_no_try_and_is_done_once() {
        let seen = Cell::new(0);
        let once = RetryPolicy::ONCE.run(ToString::to_string, |number| {
            seen.set(seen.get() + 1);
            let first = seen.get() == 1;
            async move {
                assert_eq!(number, 1);
                if first {
                    Err(Failure::Elsewhere(""))
                } else {
                    Ok(())
                }
            }
        });
        once.await.unwrap();
        let twice = QUICK.run(ToString::to_string, async |_| {
            seen.set(seen.get() + 1);
            Err::<(), _>(Failure::Elsewhere("moved"))
        });
        assert_eq!(twice.await.unwrap_err().error, "moved");
        assert_eq!(seen.get(), 4);
    }

    #[tokio::test]
    async fn it_tries_until_it_succeeds() {
        let (result, calls) = failing(QUICK, 3).await;
        assert_eq!((result.unwrap(), calls), (4, 4));
    }

    #[tokio::test]
    async fn it_gives_up_and_says_how_much_it_tried() {
        let (result, calls) = failing(QUICK, 9).await;
        let gave_up = result.unwrap_err();
        assert_eq!((gave_up.error.as_str(), calls), ("failure 4", 4));
        assert!(
            gave_up
                .stats
                .to_string()
                .starts_with("after 4 tries over 0.")
        );
        assert_eq!(RetryStats::ONCE.to_string(), "");
    }

    #[tokio::test]
    async fn a_permanent_failure_is_not_tried_again() {
        let result: Result<(), _> = QUICK
            .run(ToString::to_string, |_| async {
                Err(Failure::Permanent("no"))
            })
            .await;
        assert_eq!(result.unwrap_err().stats.tries, 1);
    }

    #[tokio::test]
    async fn it_stops_when_the_time_is_over() {
        let policy = RetryPolicy {
            tries: 1000,
            total: Duration::from_millis(30),
            base: Duration::from_millis(5),
            cap: Duration::from_millis(5),
        };
        let start = Instant::now();
        let (result, _) = failing(policy, u32::MAX).await;
        assert!(result.unwrap_err().stats.tries < 1000);
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn it_is_told_once_a_minute() {
        let (told, start) = (Mutex::default(), Instant::now());
        let tell = |after| is_to_be_told(&told, start + Duration::from_secs(after));
        assert_eq!(
            [0, 1, 59, 60, 61, 120].map(tell),
            [true, false, false, true, false, true]
        );
    }

    #[test]
    fn a_delay_is_never_beyond_its_bound() {
        let policy = RetryPolicy::default();
        for tries in [1, 2, 5, 10, 40, u32::MAX] {
            for _ in 0..50 {
                assert!(policy.delay(tries) <= policy.cap);
            }
        }
        assert!(policy.delay(1) <= policy.base);
    }
}

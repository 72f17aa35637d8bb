//! How fast and how long: a token bucket for requests, and the time an invocation has.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Requests saved up while none were made: this part of a second's worth.
const BURST_PART: u32 = 5;

/// Lets a number of requests through each second, evenly, after a small burst.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    burst: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// A pace of `rate` requests per second.
    pub fn new(rate: NonZeroU32) -> Self {
        Self {
            interval: Duration::from_secs(1) / rate.get(),
            burst: Duration::from_secs(1) / BURST_PART,
            next: Mutex::new(None),
        }
    }

    /// Waits for the caller's turn.
    pub async fn turn(&self) {
        let now = Instant::now();
        let mine = {
            let mut next = self.next.lock().await;
            let earliest = now.checked_sub(self.burst).unwrap_or(now);
            let mine = next.map_or(now, |n| n.max(earliest));
            *next = Some(mine + self.interval);
            mine
        };
        sleep_until(mine).await;
    }
}

/// The time an invocation has left for work.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    until: Option<Instant>,
}

impl Budget {
    /// As long as it takes.
    pub const UNLIMITED: Self = Self { until: None };

    /// Until `reserve` before the end in `left`.
    pub fn within(left: Duration, reserve: Duration) -> Self {
        Self {
            until: Some(Instant::now() + left.saturating_sub(reserve)),
        }
    }

    /// Whether work should be handed on instead of begun.
    pub fn is_spent(self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_kept() {
        let pace = Pace::new(NonZeroU32::new(50).unwrap());
        let start = Instant::now();
        for _ in 0..150 {
            pace.turn().await;
        }
        let elapsed = start.elapsed().as_secs_f64();
        assert!((2.7..3.1).contains(&elapsed), "{elapsed}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_earns_a_small_burst_only() {
        let pace = Pace::new(NonZeroU32::new(50).unwrap());
        pace.turn().await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        let start = Instant::now();
        for _ in 0..60 {
            pace.turn().await;
        }
        assert!(
            start.elapsed() >= Duration::from_millis(900),
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_keeps_its_reserve() {
        let budget = Budget::within(Duration::from_secs(30), Duration::from_secs(10));
        assert!(!budget.is_spent());
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(budget.is_spent());
        assert!(!Budget::UNLIMITED.is_spent());
    }
}

//! How fast AWS Batch is asked: a token bucket for requests.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Requests saved up while none were made: this part of a second's worth.
const BURST_PART: u32 = 5;

/// Lets a number of requests through each second, evenly, after a small burst.
#[derive(Debug)]
pub struct RateLimiter {
    interval: Duration,
    burst: Duration,
    next: Mutex<Option<Instant>>,
}

impl RateLimiter {
    /// `rate` requests per second.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept() {
        let limiter = RateLimiter::new(NonZeroU32::new(50).unwrap());
        let start = Instant::now();
        for _ in 0..150 {
            limiter.turn().await;
        }
        let elapsed = start.elapsed().as_secs_f64();
        assert!((2.7..3.1).contains(&elapsed), "{elapsed}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_earns_a_small_burst_only() {
        let limiter = RateLimiter::new(NonZeroU32::new(50).unwrap());
        limiter.turn().await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        let start = Instant::now();
        for _ in 0..60 {
            limiter.turn().await;
        }
        assert!(
            start.elapsed() >= Duration::from_millis(900),
            "{:?}",
            start.elapsed()
        );
    }
}

//! One invocation of the trigger: its identity, and how long it may work.

use std::time::Duration;

use tokio::time::Instant;

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Its id; a retry of the same invocation has the same.
    pub id: String,
    /// Its time.
    pub budget: Budget,
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

    /// The same, and at most `time` from now.
    #[must_use]
    pub fn at_most(self, time: Duration) -> Self {
        let until = Instant::now() + time;
        Self {
            until: Some(self.until.map_or(until, |own| own.min(until))),
        }
    }

    /// Whether work should be handed on instead of begun.
    pub fn is_spent(self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_budget_keeps_its_reserve() {
        let budget = Budget::within(Duration::from_secs(30), Duration::from_secs(10));
        assert!(!budget.is_spent());
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(budget.is_spent());
        assert!(!Budget::UNLIMITED.is_spent());
    }
}

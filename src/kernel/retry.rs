//! How long to wait before trying again.

use std::time::Duration;

use super::Rng;

/// Exponential back-off with full jitter: each wait is a random part of a ceiling that doubles up to a maximum.
#[derive(Debug, Clone)]
pub struct Backoff {
    rng: Rng,
    ceiling: Duration,
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// Waits between half of `first` and at most `max`.
    pub const fn new(rng: Rng, first: Duration, max: Duration) -> Self {
        Self { rng, ceiling: first, first, max }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let half = self.ceiling / 2;
        let wait = half + Duration::from_millis(self.rng.below(half.as_millis() as u64 + 1));
        self.ceiling = (self.ceiling * 2).min(self.max);
        wait
    }

    /// After a success: start small again.
    pub const fn reset(&mut self) {
        self.ceiling = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_start_again() {
        let mut backoff = Backoff::new(Rng::seeded(1), Duration::from_millis(100), Duration::from_secs(1));
        let waits: Vec<_> = (0..8).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] <= Duration::from_millis(100));
        assert!(waits.iter().all(|wait| *wait >= Duration::from_millis(50) && *wait <= Duration::from_secs(1)));
        assert!(waits[7] >= Duration::from_millis(500));
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(100));
    }
}

//! Waiting between tries.

use std::time::Duration;

use crate::kernel::Rng;

/// Grows from 50 ms to 5 s, each time somewhere between half of it and all of it, so that many who failed together do not
/// come back together.
pub(super) struct Backoff {
    rng: Rng,
    failures: u32,
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

impl Backoff {
    pub(super) const fn new(rng: Rng) -> Self {
        Self { rng, failures: 0 }
    }

    /// The last try failed.
    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The last try succeeded.
    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How long to wait before the next try; zero unless the last one failed.
    pub(super) fn delay(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return Duration::ZERO };
        let whole = FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST).as_millis() as u64;
        Duration::from_millis(whole / 2 + self.rng.below(whole / 2 + 1))
    }

    /// Waits for [`Self::delay`].
    pub(super) async fn pause(&self) {
        let delay = self.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_bound_and_starts_over() {
        let mut backoff = Backoff::new(Rng::seeded(1));
        assert_eq!(backoff.delay(), Duration::ZERO);
        let mut last = Duration::ZERO;
        for round in 0..40 {
            backoff.failed();
            last = backoff.delay();
            let whole = FIRST.saturating_mul(2_u32.saturating_pow(round)).min(LONGEST);
            assert!(last >= whole / 2 && last <= whole, "round {round}: {last:?}");
        }
        assert!(last >= LONGEST / 2);
        backoff.succeeded();
        assert_eq!(backoff.delay(), Duration::ZERO);
    }
}

//! How long to wait before trying again.

use std::time::Duration;

use super::Rng;

/// Exponential backoff with equal jitter: a ceiling that doubles with every failure up to a maximum, and a wait at random between half
/// of the ceiling and the whole of it. The random half keeps clients that failed together from returning together; the fixed half keeps
/// a wait from being next to nothing, which full jitter allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    first: Duration,
    max: Duration,
}

impl Delays {
    /// Ceilings from `first` to `max`. A `max` below `first` counts as `first`.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max: if max.as_nanos() < first.as_nanos() { first } else { max } }
    }

    /// The wait after so many failures in a row, in whole milliseconds; zero after none.
    pub fn after(self, failures: u32, rng: &Rng) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let ceiling = self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.max);
        let half = (ceiling / 2).as_millis() as u64;
        Duration::from_millis(half + rng.below(half + 1))
    }
}

/// [`Delays`] with the count of failures.
#[derive(Debug, Clone)]
pub struct Backoff {
    rng: Rng,
    delays: Delays,
    failures: u32,
}

impl Backoff {
    /// Waits between half of `first` and at most `max`.
    pub const fn new(rng: Rng, first: Duration, max: Duration) -> Self {
        Self { rng, delays: Delays::new(first, max), failures: 0 }
    }

    /// The last try failed.
    pub const fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The last try succeeded: start small again.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How long to wait before the next try; zero unless the last one failed.
    pub fn delay(&self) -> Duration {
        self.delays.after(self.failures, &self.rng)
    }

    /// Counts a failure and says how long to wait for the next try.
    pub fn next_wait(&mut self) -> Duration {
        self.failed();
        self.delay()
    }

    /// Waits for [`Self::delay`].
    pub async fn pause(&self) {
        let delay = self.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(1);

    #[test]
    fn waits_lie_between_half_of_a_doubling_ceiling_and_the_whole_of_it() {
        let (delays, rng) = (Delays::new(FIRST, MAX), Rng::seeded(1));
        assert_eq!(delays.after(0, &rng), Duration::ZERO);
        for (failures, ceiling) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (40, 1000), (u32::MAX, 1000)] {
            let ceiling = Duration::from_millis(ceiling);
            let waits: Vec<_> = (0..200).map(|_| delays.after(failures, &rng)).collect();
            assert!(waits.iter().all(|wait| *wait >= ceiling / 2 && *wait <= ceiling), "{failures}: {waits:?}");
            let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*most - *least > ceiling / 3, "{failures}: hardly random: {least:?} to {most:?}");
        }
    }

    #[test]
    fn a_maximum_below_the_first_wait_counts_as_the_first_wait() {
        let delays = Delays::new(MAX, FIRST);
        assert_eq!(delays, Delays::new(MAX, MAX));
        assert!(delays.after(9, &Rng::seeded(1)) >= MAX / 2);
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(Rng::seeded(1), FIRST, MAX);
        assert_eq!(backoff.delay(), Duration::ZERO);
        let waits: Vec<_> = (0..8).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] <= FIRST && waits[7] >= MAX / 2, "{waits:?}");
        backoff.succeeded();
        assert_eq!(backoff.delay(), Duration::ZERO);
        assert!(backoff.next_wait() <= FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_takes_as_long_as_the_delay() {
        let mut backoff = Backoff::new(Rng::seeded(1), FIRST, MAX);
        let start = tokio::time::Instant::now();
        backoff.pause().await;
        assert!(start.elapsed().is_zero());
        backoff.failed();
        backoff.pause().await;
        assert!(start.elapsed() >= FIRST / 2 && start.elapsed() <= FIRST + Duration::from_millis(1));
    }
}

//! Since when something does not work, and whether to go on asking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// While a breaker is open, one caller in this time is let through, to see whether it works again.
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// A circuit breaker: a dependency that has failed for longer than its patience is called only now and then, and other calls fail
/// at once. Cheap to clone; clones are the same breaker.
#[derive(Debug, Clone)]
pub struct Breaker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// In milliseconds.
    patience: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The first failure since it last worked.
    since: Option<Instant>,
    probed: Option<Instant>,
}

impl Breaker {
    /// It opens when something has failed for longer than `patience`.
    pub fn new(patience: Duration) -> Self {
        Self(Arc::new(Inner { patience: AtomicU64::new(millis(patience)), state: Mutex::default() }))
    }

    /// How long something may fail before it opens.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.0.patience.load(Ordering::Relaxed))
    }

    /// It has another patience from now on.
    pub fn set_patience(&self, patience: Duration) {
        self.0.patience.store(millis(patience), Ordering::Relaxed);
    }

    /// It did not work just now.
    pub fn fails(&self) {
        self.fails_since(Instant::now());
    }

    /// It has not worked since then.
    pub fn fails_since(&self, at: Instant) {
        self.0.state.lock().since.get_or_insert(at);
    }

    /// It worked just now.
    pub fn works(&self) {
        *self.0.state.lock() = State::default();
    }

    /// Whether callers are turned away.
    pub fn is_open(&self) -> bool {
        self.0.state.lock().since.is_some_and(|since| since.elapsed() > self.patience())
    }

    /// Whether this caller may try.
    pub fn lets_through(&self) -> bool {
        let mut state = self.0.state.lock();
        if state.since.is_none_or(|since| since.elapsed() <= self.patience()) {
            return true;
        }
        let due = state.probed.is_none_or(|probed| probed.elapsed() >= PROBE_EVERY);
        if due {
            state.probed = Some(Instant::now());
        }
        due
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn lasting_trouble_opens_and_one_success_closes() {
        let breaker = Breaker::new(Duration::from_secs(1));
        breaker.fails();
        advance(Duration::from_secs(1)).await;
        breaker.fails();
        assert!(!breaker.is_open() && breaker.lets_through(), "it may be a moment's trouble");
        advance(Duration::from_millis(1)).await;
        assert!(breaker.is_open());
        assert!(breaker.lets_through(), "somebody has to look");
        assert!(!breaker.lets_through() && !breaker.lets_through());
        advance(PROBE_EVERY).await;
        assert!(breaker.lets_through() && !breaker.lets_through());
        breaker.works();
        assert!(!breaker.is_open() && breaker.lets_through() && breaker.lets_through());
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_that_was_there_before_it_was_noticed_counts() {
        let breaker = Breaker::new(Duration::from_secs(1));
        let began = Instant::now();
        advance(Duration::from_secs(2)).await;
        breaker.fails_since(began);
        assert!(breaker.is_open());
    }
}

//! How much is executed at once, so that what is begun is answered in time.
//!
//! The number of operations in work is the control, not their rate: where they wait (for the database, the gate, the broker)
//! a longer queue only makes every answer later. Ten times a second the limit follows what changes took: when even the
//! fastest of them was too slow, it goes down by a tenth of what was in work; otherwise, if it was needed, it goes up. (The
//! fastest, as `CoDel` does with queues: a burst is not yet overload. Not a multiple of the best time ever, as Vegas does:
//! purchases share commits, and those are meant to take longer when there are more of them.)
//!
//! Queries that wait for nothing never are many at once, however many come; they show as work that waits for a processor.
//! So a timer measures how late it is woken, and above the target lists are turned away, far above it all queries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config::{self, Section};

/// How often the limit is adapted.
const WINDOW: Duration = Duration::from_millis(100);

/// Measurements of the processors' queue in a window.
const PROBES: u32 = 5;

/// What is answered faster did not wait for anything, such as a purchase in a sale that is known to be sold out: it says
/// nothing about those that do.
const WAITED: Duration = Duration::from_millis(1);

/// So many times the target, work waits too long even for queries.
const FAR: u32 = 4;

/// What an operation is to the shop; each may use a part of the limit, so that the next ones find room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Pages of things.
    List,
    /// Other queries.
    Query,
    /// Changes.
    Change,
    /// Purchases.
    Purchase,
}

impl Class {
    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Query => "query",
            Self::Change => "change",
            Self::Purchase => "purchase",
        }
    }

    /// The share of the limit up to which it is let in, in percent.
    const fn share(self) -> usize {
        match self {
            Self::List => 60,
            Self::Query => 75,
            Self::Change => 90,
            Self::Purchase => 100,
        }
    }

    const fn is_measured(self) -> bool {
        matches!(self, Self::Change | Self::Purchase)
    }
}

/// The limit, and what is in work.
pub struct Load {
    limit: AtomicUsize,
    inside: AtomicUsize,
    /// Most in work in this window.
    busiest: AtomicUsize,
    /// Microseconds of the fastest change in this window; [`u64::MAX`] without one.
    fastest: AtomicU64,
    /// Microseconds that work waited for a processor in the window before, at least.
    lag: AtomicU64,
    config: Section<config::Limits>,
}

/// An operation in work, until dropped.
pub struct Permit {
    load: Arc<Load>,
    began: Option<Instant>,
}

impl Load {
    /// Begins with the configuration's most.
    pub fn new(config: Section<config::Limits>) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(config.now().concurrency_max),
            inside: AtomicUsize::new(0),
            busiest: AtomicUsize::new(0),
            fastest: AtomicU64::new(u64::MAX),
            lag: AtomicU64::new(0),
            config,
        })
    }

    /// Lets an operation in; `None` when there is no room for its class.
    pub fn enter(self: &Arc<Self>, class: Class) -> Option<Permit> {
        let lag = Duration::from_micros(self.lag.load(Ordering::Relaxed));
        let config = self.config.now();
        let target = *config.latency_target;
        let patience = match class {
            Class::List => target,
            Class::Query => target * FAR,
            Class::Change | Class::Purchase => Duration::MAX,
        };
        let room = (self.within(&config) * class.share() / 100).max(1);
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        if lag > patience || before >= room {
            self.inside.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.busiest.fetch_max(before + 1, Ordering::Relaxed);
        Some(Permit { load: self.clone(), began: class.is_measured().then(Instant::now) })
    }

    /// The limit in force.
    #[cfg(test)]
    pub fn limit(&self) -> usize {
        self.within(&self.config.now())
    }

    /// The bounds may have changed since the limit was last adapted.
    fn within(&self, config: &config::Limits) -> usize {
        let limit = self.limit.load(Ordering::Relaxed);
        limit.max(config.concurrency_min).min(config.concurrency_max)
    }

    /// Adapts the limit until the task is aborted.
    pub async fn adapt(self: Arc<Self>) {
        loop {
            let mut least = Duration::MAX;
            for _ in 0..PROBES {
                let due = Instant::now() + WINDOW / PROBES;
                sleep_until(due).await;
                least = least.min(due.elapsed());
            }
            self.turn(least);
        }
    }

    /// A window has passed, in which work waited at least `lag` for a processor.
    fn turn(&self, lag: Duration) {
        self.lag.store(lag.as_micros() as u64, Ordering::Relaxed);
        let fastest = self.fastest.swap(u64::MAX, Ordering::Relaxed);
        let busiest = self.busiest.swap(self.inside.load(Ordering::Relaxed), Ordering::Relaxed);
        let config = self.config.now();
        let limit = self.within(&config);
        let slow = fastest != u64::MAX && Duration::from_micros(fastest) > *config.latency_target;
        let next = if slow {
            limit.min(busiest) * 9 / 10
        } else if busiest * 2 >= limit {
            limit + limit / 16 + 1
        } else {
            return;
        };
        self.limit.store(next.max(config.concurrency_min).min(config.concurrency_max), Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.load.inside.fetch_sub(1, Ordering::Relaxed);
        let took = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        if took >= WAITED {
            self.load.fastest.fetch_min(took.as_micros() as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn load(min: usize, max: usize) -> Arc<Load> {
        let mut limits = Config::default_embedded().limits;
        (limits.concurrency_min, limits.concurrency_max) = (min, max);
        limits.latency_target = config::Span(Duration::from_millis(100));
        Load::new(limits.into())
    }

    #[tokio::test]
    async fn lists_are_turned_away_first_and_purchases_last() {
        let load = load(1, 100);
        let mut inside = Vec::new();
        for (class, share) in [(Class::List, 60), (Class::Query, 75), (Class::Change, 90), (Class::Purchase, 100)] {
            inside.extend(std::iter::from_fn(|| load.enter(class)));
            assert_eq!(inside.len(), share, "{class:?}");
        }
        inside.clear();
        assert!(load.enter(Class::List).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_falls_while_answers_are_slow_and_rises_when_it_is_needed() {
        let load = load(4, 1000);
        let work = async |count: usize, time: u64| {
            let inside: Vec<_> = (0..count).filter_map(|_| load.enter(Class::Purchase)).collect();
            tokio::time::advance(Duration::from_millis(time)).await;
            drop(inside);
            load.turn(Duration::ZERO);
            load.limit()
        };
        assert_eq!(work(10, 10).await, 1000, "not needed");
        assert_eq!(work(200, 150).await, 180);
        assert_eq!(work(180, 150).await, 162);
        assert_eq!(work(10, 10).await, 162, "not needed");
        assert!(work(162, 90).await > 162);
        for _ in 0..100 {
            work(1000, 150).await;
        }
        assert_eq!(load.limit(), 4);
        for _ in 0..200 {
            work(1000, 10).await;
        }
        assert_eq!(load.limit(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn one_fast_answer_tells_a_burst_from_overload() {
        let load = load(4, 1000);
        let after_a_slow_one_and_one_of = async |millis: u64| {
            let slow = load.enter(Class::Change);
            tokio::time::advance(Duration::from_millis(500)).await;
            let other = load.enter(Class::Change);
            tokio::time::advance(Duration::from_millis(millis)).await;
            drop((slow, other));
            load.turn(Duration::ZERO);
            load.limit()
        };
        assert_eq!(after_a_slow_one_and_one_of(5).await, 1000);
        assert_eq!(after_a_slow_one_and_one_of(0).await, 4, "it waited for nothing");
    }

    #[tokio::test]
    async fn work_that_waits_for_a_processor_turns_queries_away() {
        let load = load(4, 1000);
        let open = |class| load.enter(class).is_some();
        for (lag, list, query) in [(90, true, true), (110, false, true), (500, false, false), (0, true, true)] {
            load.turn(Duration::from_millis(lag));
            assert_eq!((open(Class::List), open(Class::Query)), (list, query), "{lag}");
            assert!(open(Class::Purchase) && open(Class::Change));
        }
    }
}

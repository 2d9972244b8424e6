//! Live counters of the crowd. The results are computed from the history, not from these.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// Three significant digits up to ten minutes, in microseconds.
fn histogram() -> Mutex<Histogram<u64>> {
    #[allow(clippy::expect_used, reason = "fixed arguments that the crate accepts")]
    Mutex::new(Histogram::new_with_max(600_000_000, 3).expect("valid bounds"))
}

/// Live counts.
#[derive(Debug)]
pub struct Tally {
    /// Shoppers that are signed in.
    pub signed_in: AtomicU64,
    /// Shoppers that pressed.
    pub arrived: AtomicU64,
    /// Presses that got a new or known ticket.
    pub accepted: AtomicU64,
    /// Tickets that became orders.
    pub ordered: AtomicU64,
    /// Orders cancelled.
    pub cancelled: AtomicU64,
    /// Presses repeated because the answer did not come or said to.
    pub retried: AtomicU64,
    /// Shoppers that gave up without an answer.
    pub unanswered: AtomicU64,
    /// Open sockets.
    pub sockets: AtomicI64,
    /// Units free, as pushed last; -1 until something was.
    pub stock: AtomicI64,
    stock_version: AtomicU64,
    refused: Mutex<BTreeMap<String, u64>>,
    answer_us: Mutex<Histogram<u64>>,
    push_us: Mutex<Histogram<u64>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            signed_in: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            ordered: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            sockets: AtomicI64::new(0),
            stock: AtomicI64::new(-1),
            stock_version: AtomicU64::new(0),
            refused: Mutex::default(),
            answer_us: histogram(),
            push_us: histogram(),
        }
    }
}

/// Two percentiles of a latency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// Half were faster.
    pub p50: Duration,
    /// One in a hundred was slower.
    pub p99: Duration,
}

impl Tally {
    /// Counts a refusal.
    pub fn refuse(&self, code: &str) {
        let mut refused = self.refused.lock();
        match refused.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(refused.insert(code.to_owned(), 1)),
        }
    }

    /// Refusals by code.
    pub fn refused(&self) -> BTreeMap<String, u64> {
        self.refused.lock().clone()
    }

    /// Notes a shopper's first true answer, counted from the planned press.
    pub fn answer(&self, after: Duration) {
        self.answer_us.lock().saturating_record(after.as_micros() as u64);
    }

    /// Notes the push of an outcome, counted from the acceptance.
    pub fn push(&self, after: Duration) {
        self.push_us.lock().saturating_record(after.as_micros() as u64);
    }

    /// Notes a pushed stock level.
    pub fn stock(&self, left: i64, version: u32) {
        if self.stock_version.fetch_max(u64::from(version), Relaxed) <= u64::from(version) {
            self.stock.store(left, Relaxed);
        }
    }

    /// From the planned press to the first true answer.
    pub fn answers(&self) -> Percentiles {
        percentiles(&self.answer_us.lock())
    }

    /// From the acceptance to the pushed outcome.
    pub fn pushes(&self) -> Percentiles {
        percentiles(&self.push_us.lock())
    }
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
    Percentiles { count: histogram.len(), p50: at(0.5), p99: at(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stock_wins_and_percentiles_are_of_what_was_measured() {
        let tally = Tally::default();
        tally.stock(5, 3);
        tally.stock(9, 2);
        assert_eq!(tally.stock.load(Relaxed), 5);
        for ms in 1..=100 {
            tally.answer(Duration::from_millis(ms));
        }
        let answers = tally.answers();
        assert_eq!(answers.count, 100);
        assert_eq!(answers.p50.as_millis(), 50);
        assert_eq!(answers.p99.as_millis(), 99);
    }
}

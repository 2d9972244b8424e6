//! What happened in one second, all nodes together.

use std::collections::HashMap;

use super::alert::Alert;
use super::part::{Part, Spread, add_sparse};
use crate::kernel::{Money, SaleId, Timestamp};
use crate::model::sales::SaleStatus;
use crate::telemetry::{Answer, Committed, Times};

/// Milliseconds of a second.
pub const SECOND_MS: i64 = 1_000;

/// A second of the shop. Sums grow while parts of it arrive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Which second, since 1970.
    pub second: i64,
    /// Nodes whose parts are in it.
    pub heard: usize,
    /// Nodes that ran.
    pub running: usize,
    /// Answers to `salePurchase`, by [`Answer`].
    pub answers: [u64; Answer::COUNT],
    /// What was committed about orders.
    pub committed: Committed,
    /// How long accepted purchases took.
    pub purchase: Latency,
    /// How long tickets waited for their decision.
    pub decision: Latency,
    /// Open sockets and event streams.
    pub sockets: u64,
    /// Requests turned away by limits or overload.
    pub refused: u64,
    /// How much happened in each sale.
    pub busy: HashMap<SaleId, u64>,
    /// The state at its end.
    pub end: End,
}

/// What was so when a frame was closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// Tickets that wait for their decision, in the running sales; `None`: the gate was not asked lately.
    pub waiting: Option<u64>,
    /// How long the oldest of them has waited, in milliseconds.
    pub oldest_ms: Option<u64>,
    /// Units by which the gates and the orders of running sales differ.
    pub drift: Option<u64>,
    /// What waits for a person; `None`: not known.
    pub people: Option<u64>,
    /// What an operator should look at.
    pub alerts: Vec<Alert>,
    /// The sales in which something happened, the busiest first.
    pub sales: Vec<SaleNumbers>,
}

/// A sale in numbers. `None` is what this node does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleNumbers {
    /// The sale.
    pub sale: SaleId,
    /// When the numbers were so.
    pub as_of: Timestamp,
    /// Its status.
    pub status: SaleStatus,
    /// Units in all.
    pub total: u32,
    /// Units free in the database.
    pub free: u32,
    /// Units free in the gate.
    pub free_in_gate: Option<u32>,
    /// Units in unpaid orders.
    pub held: u32,
    /// Units in paid orders.
    pub paid: Option<u64>,
    /// Accepted purchases.
    pub tickets: Option<u64>,
    /// Those that wait for their decision.
    pub waiting: Option<u64>,
    /// Those that became no order: sold out, already bought, sale ended, voided.
    pub refused: Option<[u64; 4]>,
    /// Answers to `salePurchase`, by [`Answer`], as far as this node has heard since it was started.
    pub answers: [u64; Answer::COUNT],
    /// Money of paid orders less what went back.
    pub revenue: Option<Money>,
}

impl SaleNumbers {
    /// Whether anything but the moment differs.
    pub fn differs(&self, other: &Self) -> bool {
        Self { as_of: other.as_of, ..self.clone() } != *other
    }
}

impl Frame {
    /// An empty one.
    pub fn new(second: i64) -> Self {
        Self { second, ..Self::default() }
    }

    /// Its first moment.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.second * SECOND_MS)
    }

    /// Adds what a node says.
    pub fn add(&mut self, part: &Part) {
        self.heard += 1;
        add_sparse(&mut self.answers, &part.answers);
        self.purchase.add(&part.purchase);
        self.decision.add(&part.decision);
        self.sockets += part.sockets;
        self.refused += part.refused;
        for sale in &part.sales {
            let answers: u64 = sale.answers.iter().map(|(_, count)| count).sum();
            *self.busy.entry(sale.sale).or_default() += answers + u64::from(sale.committed.is_some());
            if let Some(committed) = &sale.committed {
                self.committed.add(committed);
            }
        }
    }

    /// How often it was answered so.
    pub fn answered(&self, answer: Answer) -> u64 {
        self.answers[answer as usize]
    }
}

/// A distribution of times, of all nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latency {
    buckets: Vec<u64>,
    /// The longest, in microseconds.
    longest: u64,
}

impl Latency {
    fn add(&mut self, spread: &Spread) {
        if !spread.buckets.is_empty() {
            self.buckets.resize(Times::BUCKETS, 0);
            add_sparse(&mut self.buckets, &spread.buckets);
        }
        self.longest = self.longest.max(spread.longest);
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The bound that this share of the times, in percent, did not exceed, in milliseconds; `None` without times.
    pub fn quantile_ms(&self, percent: u64) -> Option<f64> {
        let count = self.count();
        let wanted = (count * percent).div_ceil(100).max(1);
        let mut below = 0;
        let bucket = self.buckets.iter().position(|times| {
            below += times;
            below >= wanted
        })?;
        // The last bucket has no bound of its own.
        let bound = if bucket + 1 == Times::BUCKETS { self.longest } else { Times::bound(bucket).min(self.longest) };
        Some(bound as f64 / 1_000.0)
    }

    /// The longest time in milliseconds; `None` without times.
    pub fn longest_ms(&self) -> Option<f64> {
        (self.count() > 0).then_some(self.longest as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn latency(times: impl IntoIterator<Item = u64>) -> Latency {
        let known = Times::default();
        times.into_iter().for_each(|micros| known.record(Duration::from_micros(micros)));
        let buckets = (0..).zip(known.counts()).filter(|(_, count)| *count > 0).collect();
        let mut latency = Latency::default();
        latency.add(&Spread { buckets, longest: known.take_longest() });
        latency
    }

    #[test]
    fn quantiles_are_the_bound_of_their_bucket_and_never_above_the_longest() {
        let all = latency(1..=10_000);
        for (percent, exact) in [(50, 5.0), (99, 9.9)] {
            let found = all.quantile_ms(percent).unwrap();
            assert!(found >= exact && found <= exact * 1.25, "{percent}: {found}");
        }
        assert_eq!((all.count(), all.longest_ms()), (10_000, Some(10.0)));
        assert_eq!(latency([7]).quantile_ms(99), Some(0.007));
        assert_eq!(latency([90_000_000]).quantile_ms(50), Some(90_000.0), "above all bounds");
        assert_eq!((latency([]).quantile_ms(50), latency([]).longest_ms()), (None, None));
        let slow = latency((0..99).map(|_| 100).chain([1_000_000]));
        assert!(slow.quantile_ms(99).unwrap() < 1.0 && slow.quantile_ms(100) == Some(1_000.0));
    }
}

//! What one node says of one second, and how it is read off the counters.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::kernel::{SaleId, Timestamp};
use crate::model::snapshot::Snapshot;
use crate::telemetry::{Answer, Committed, Metrics, Times};

/// Name of the message type in its envelope.
pub const PULSE: &str = "pulse";
/// Version of [`Part`] that this build writes.
pub const PULSE_VERSION: u32 = 1;

/// Counts by a number, without the zeros.
pub type Sparse = Vec<(u8, u64)>;

/// One node's second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// The node.
    pub node: String,
    /// When its process began to count, in milliseconds: tells its parts from those of an earlier process of the name.
    pub started: i64,
    /// The number of this part among those of the process, from 1.
    pub number: u64,
    /// The second, since 1970.
    pub second: i64,
    /// The seconds before it that it is about as well, because the node was late.
    pub before: i64,
    /// Whether the node serves operators.
    pub api: bool,
    /// Whether this is the node's last part.
    pub leaving: bool,
    /// Answers to `salePurchase`, by [`Answer`].
    pub answers: Sparse,
    /// How long accepted purchases took.
    pub purchase: Spread,
    /// How long tickets waited for their decision.
    pub decision: Spread,
    /// Open sockets and event streams.
    pub sockets: u64,
    /// Requests turned away by limits or overload.
    pub refused: u64,
    /// Why the node is not ready, if so.
    pub unready: Option<String>,
    /// Dependencies that do not answer it.
    pub down: Vec<String>,
    /// The running sales in their gates, from the node whose turn it is to look.
    pub gates: Option<Vec<Gated>>,
    /// What waits for a person, from the node whose turn it is to look.
    pub people: Option<People>,
    /// The sales in which something happened.
    pub sales: Vec<SalePart>,
}

/// A distribution of times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Counts by bucket of [`Times`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Sparse,
    /// The longest, in microseconds.
    #[serde(default)]
    pub longest: u64,
}

/// What happened in one sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalePart {
    /// The sale.
    pub sale: SaleId,
    /// Answers to `salePurchase`, by [`Answer`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Sparse,
    /// What was committed about its orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<Committed>,
}

/// A sale in its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gated {
    /// The sale.
    pub sale: SaleId,
    /// Units free.
    pub free: u32,
    /// Tickets that wait for their decision.
    pub pending: u32,
    /// How long the oldest of them had waited, in milliseconds; 0 without one.
    pub oldest_ms: u64,
    /// Units free in the gate less units free in the database, while nothing waits; 0 otherwise.
    pub drift: i64,
}

/// What waits for a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// Messages in the dead-letter queue.
    pub messages: u64,
    /// Payments and refunds that need attention.
    pub money: u64,
    /// Open discrepancies of bills.
    pub bills: u64,
}

/// What a node knows of itself besides its counters. Quick.
pub trait Gauges: Send + Sync + 'static {
    /// As of now.
    fn read(&self) -> Gauge;
}

/// The answer of [`Gauges`].
#[derive(Debug, Clone, Default)]
pub struct Gauge {
    /// Open sockets and event streams.
    pub sockets: u64,
    /// Requests turned away so far.
    pub refused: u64,
    /// Purchases among them by a rate limit so far.
    pub purchases_limited: u64,
    /// Purchases among them by overload so far.
    pub purchases_shed: u64,
    /// Why the node is not ready, if so.
    pub unready: Option<String>,
    /// Dependencies that do not answer.
    pub down: Vec<String>,
}

/// Remembers the counters from one part to the next.
#[derive(Debug)]
pub struct Reader {
    node: String,
    started: i64,
    number: u64,
    last_second: i64,
    answers: [u64; Answer::COUNT],
    purchase: [u64; Times::BUCKETS],
    decision: [u64; Times::BUCKETS],
    refused: u64,
    sales: HashMap<SaleId, [u64; Answer::COUNT]>,
}

impl Reader {
    /// Nothing was reported yet: the first part has everything since the process began to count, at `started`.
    pub fn new(node: &str, started: Timestamp) -> Self {
        Self {
            node: node.to_owned(),
            started: started.as_millis(),
            number: 0,
            last_second: started.as_millis() / 1_000 - 1,
            answers: [0; Answer::COUNT],
            purchase: [0; Times::BUCKETS],
            decision: [0; Times::BUCKETS],
            refused: 0,
            sales: HashMap::new(),
        }
    }

    /// What happened since the last part, as of this second.
    pub fn read(&mut self, second: i64, metrics: &Metrics, snapshot: &Snapshot, gauge: Gauge) -> Part {
        self.number += 1;
        let before = (second - self.last_second - 1).max(0);
        self.last_second = second;
        let mut answers = Answer::ALL.map(|answer| metrics.purchase_results.get(answer.name()).get());
        answers[Answer::RateLimited as usize] += gauge.purchases_limited;
        answers[Answer::Unavailable as usize] += gauge.purchases_shed;
        let spread = |times: &Times, known: &mut [u64; Times::BUCKETS]| Spread {
            buckets: advance(known, times.counts()),
            longest: times.take_longest(),
        };
        let refused = gauge.refused.saturating_sub(self.refused);
        self.refused = gauge.refused;
        Part {
            node: self.node.clone(),
            started: self.started,
            number: self.number,
            second,
            before,
            answers: advance(&mut self.answers, answers),
            purchase: spread(&metrics.watched.purchases, &mut self.purchase),
            decision: spread(&metrics.watched.decisions, &mut self.decision),
            sockets: gauge.sockets,
            refused,
            unready: gauge.unready,
            down: gauge.down,
            sales: self.sales(snapshot, metrics),
            ..Part::default()
        }
    }

    fn sales(&mut self, snapshot: &Snapshot, metrics: &Metrics) -> Vec<SalePart> {
        let mut committed = metrics.watched.events.take();
        let mut sales = Vec::new();
        for (offer, tally) in snapshot.tallies() {
            let sale = offer.sale.id;
            let counts = tally.counts();
            let known = self.sales.entry(sale).or_insert([0; Answer::COUNT]);
            let answers = advance(known, counts);
            let committed = committed.remove(&sale);
            if !answers.is_empty() || committed.is_some() {
                sales.push(SalePart { sale, answers, committed });
            }
        }
        self.sales.retain(|sale, _| snapshot.offer(*sale).is_some());
        // Sales that this node has not heard of yet, or that are over.
        sales.extend(committed.into_iter().map(|(sale, committed)| SalePart {
            sale,
            answers: Vec::new(),
            committed: Some(committed),
        }));
        sales
    }
}

/// The difference of counters to those that are known, which become these.
fn advance<const N: usize>(known: &mut [u64; N], counts: [u64; N]) -> Sparse {
    let pairs = known.iter_mut().zip(counts).enumerate();
    let difference = pairs.map(|(index, (known, count))| {
        let more = count.saturating_sub(*known);
        *known = count;
        (index as u8, more)
    });
    difference.filter(|(_, more)| *more > 0).collect()
}

/// Adds counts to these; numbers that are not known to this version are left out.
pub fn add_sparse(sums: &mut [u64], counts: &Sparse) {
    for (index, count) in counts {
        if let Some(sum) = sums.get_mut(usize::from(*index)) {
            *sum += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::OrderEvent;

    #[test]
    fn a_part_has_what_was_counted_since_the_one_before() {
        let (metrics, snapshot, sale) = (Metrics::new(), Snapshot::default(), SaleId::from_bytes([1; 16]));
        let mut reader = Reader::new("one", Timestamp::from_millis(99_500));
        metrics.purchase_results.add("admitted", 3);
        metrics.watched.purchases.record(Duration::from_millis(2));
        metrics.watched.events.happened(sale, OrderEvent::Created, 2, 0);
        let gauge = |limited| Gauge { purchases_limited: limited, refused: limited, ..Gauge::default() };
        let first = reader.read(100, &metrics, &snapshot, gauge(2));
        assert_eq!(first.answers, [(0, 3), (Answer::RateLimited as u8, 2)]);
        assert_eq!((first.number, first.before, first.refused), (1, 1, 2));
        assert_eq!(first.purchase.buckets.iter().map(|(_, count)| count).sum::<u64>(), 1);
        assert_eq!(first.sales[0].committed.unwrap().events[0].units, 2);

        metrics.purchase_results.count("sold_out");
        let second = reader.read(103, &metrics, &snapshot, gauge(2));
        assert_eq!(second.answers, [(Answer::SoldOut as u8, 1)]);
        assert_eq!((second.number, second.before, second.refused), (2, 2, 0), "two seconds were missed");
        assert_eq!((second.purchase.longest, second.purchase.buckets.len(), second.sales.len()), (0, 0, 0));
    }

    #[test]
    fn a_part_is_small_and_survives_the_way() {
        let sale =
            |n| SalePart { sale: SaleId::from_bytes([n; 16]), answers: vec![(0, 100), (2, 900)], committed: None };
        let part = Part { node: "node-1".into(), sales: (0..10).map(sale).collect(), ..Part::default() };
        let payload = crate::broker::envelope::encode(PULSE, PULSE_VERSION, &part).unwrap();
        assert!(payload.len() < 1_536, "{}", payload.len());
        let read: Part = crate::broker::envelope::decode(PULSE, PULSE_VERSION, &payload).unwrap();
        assert_eq!(read, part);
    }
}

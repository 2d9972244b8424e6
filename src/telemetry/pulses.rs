//! Counters for the control room that are no metrics: what purchases were answered, per sale; how long they took; and what became of
//! orders. Nothing of it is per buyer, and purchases take no lock here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::kernel::SaleId;

/// Microseconds below which everything is in the first bucket: a power of two.
const FINEST_BITS: u32 = 4;
/// Buckets between a power of two and the next: quantiles are at most a quarter too high.
const STEPS_BITS: u32 = 2;

/// A distribution of times that can be read: four buckets for each doubling, from 16 µs to half a minute.
#[derive(Debug)]
pub struct Times {
    buckets: [AtomicU64; Self::BUCKETS],
    /// Microseconds; since it was last taken.
    longest: AtomicU64,
}

impl Default for Times {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::default()), longest: AtomicU64::default() }
    }
}

impl Times {
    /// How many buckets there are.
    pub const BUCKETS: usize = 85;

    /// Records one time.
    pub fn record(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(micros)].fetch_add(1, Ordering::Relaxed);
        self.longest.fetch_max(micros, Ordering::Relaxed);
    }

    /// The counts so far, by bucket.
    pub fn counts(&self) -> [u64; Self::BUCKETS] {
        std::array::from_fn(|index| self.buckets[index].load(Ordering::Relaxed))
    }

    /// The longest time in microseconds since this was last called; 0 if there was none.
    pub fn take_longest(&self) -> u64 {
        self.longest.swap(0, Ordering::Relaxed)
    }

    /// The upper bound of a bucket, in microseconds.
    pub const fn bound(bucket: usize) -> u64 {
        if bucket == 0 {
            return 1 << FINEST_BITS;
        }
        let (doublings, step) = ((bucket as u64 - 1) >> STEPS_BITS, (bucket as u64 - 1) & ((1 << STEPS_BITS) - 1));
        ((1 << STEPS_BITS) + step + 1) << (doublings + (FINEST_BITS - STEPS_BITS) as u64)
    }
}

fn bucket_of(micros: u64) -> usize {
    let Some(top) = micros.checked_ilog2().filter(|top| *top >= FINEST_BITS) else { return 0 };
    let step = (micros >> (top - STEPS_BITS)) & ((1 << STEPS_BITS) - 1);
    let bucket = u64::from((top - FINEST_BITS) << STEPS_BITS) + step + 1;
    (bucket as usize).min(Times::BUCKETS - 1)
}

/// What happens to orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEvent {
    /// A ticket became an order.
    Created,
    /// It was paid.
    Paid,
    /// The buyer cancelled it.
    Cancelled,
    /// It was not paid in time.
    Expired,
    /// All of its money went back.
    Refunded,
}

/// Orders, and the units in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OrderCount {
    /// How many orders.
    pub orders: u64,
    /// How many units.
    pub units: u64,
}

/// What was committed about the orders of one sale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Committed {
    /// By [`OrderEvent`].
    pub events: [OrderCount; 5],
    /// Tickets that became no order: sold out, already bought, sale ended, voided.
    pub refused: [u64; 4],
    /// Money that came in for orders less what went back, in minor units of the sale's currency.
    pub revenue: i64,
}

impl Committed {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what happened elsewhere or later.
    pub fn add(&mut self, other: &Self) {
        for (sum, one) in self.events.iter_mut().zip(other.events) {
            sum.orders += one.orders;
            sum.units += one.units;
        }
        for (sum, one) in self.refused.iter_mut().zip(other.refused) {
            *sum += one;
        }
        self.revenue += other.revenue;
    }
}

/// What this process committed about orders since it was last taken, by sale. Transactions take this lock once after their commit.
#[derive(Debug, Default)]
pub struct SaleEvents(Mutex<HashMap<SaleId, Committed>>);

impl SaleEvents {
    /// An order of so many units; `revenue` is what it brought or cost.
    pub fn happened(&self, sale: SaleId, event: OrderEvent, units: u32, revenue: i64) {
        let mut sales = self.0.lock();
        let committed = sales.entry(sale).or_default();
        let count = &mut committed.events[event as usize];
        count.orders += 1;
        count.units += u64::from(units);
        committed.revenue += revenue;
    }

    /// Money that went back, of an order that is still one.
    pub fn returned(&self, sale: SaleId, revenue: i64) {
        self.0.lock().entry(sale).or_default().revenue -= revenue;
    }

    /// A ticket became no order, for the reason with this number of [`Committed::refused`].
    pub fn refused(&self, sale: SaleId, reason: usize) {
        if let Some(count) = self.0.lock().entry(sale).or_default().refused.get_mut(reason) {
            *count += 1;
        }
    }

    /// Takes what happened since the last call.
    pub fn take(&self) -> HashMap<SaleId, Committed> {
        std::mem::take(&mut self.0.lock())
    }
}

/// What is counted for the control room besides the metrics.
#[derive(Debug, Default)]
pub struct Watched {
    /// How long accepted purchases took.
    pub purchases: Times,
    /// How long tickets waited for their decision.
    pub decisions: Times,
    /// What was committed about orders.
    pub events: SaleEvents,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_bucket_whose_bounds_hold_it() {
        for micros in (0..2_000).chain([65_535, 65_536, 1_000_000, 29_999_999]) {
            let bucket = bucket_of(micros);
            assert!(micros < Times::bound(bucket), "{micros} is not below the bound of {bucket}");
            assert!(bucket == 0 || micros >= Times::bound(bucket - 1), "{micros} belongs below {bucket}");
        }
        assert_eq!(bucket_of(u64::MAX), Times::BUCKETS - 1);
        assert!((1..Times::BUCKETS).all(|bucket| Times::bound(bucket) * 4 <= Times::bound(bucket - 1) * 5));
    }

    #[test]
    fn the_longest_time_is_told_once() {
        let times = Times::default();
        times.record(Duration::from_millis(3));
        times.record(Duration::from_millis(2));
        assert_eq!((times.take_longest(), times.take_longest()), (3_000, 0));
        assert_eq!(times.counts().iter().sum::<u64>(), 2);
    }

    #[test]
    fn what_was_committed_is_taken_once() {
        let (events, sale) = (SaleEvents::default(), SaleId::from_bytes([1; 16]));
        events.happened(sale, OrderEvent::Created, 2, 0);
        events.happened(sale, OrderEvent::Paid, 2, 500);
        events.returned(sale, 120);
        events.refused(sale, 1);
        let taken = events.take()[&sale];
        assert_eq!(taken.events[OrderEvent::Paid as usize], OrderCount { orders: 1, units: 2 });
        assert_eq!((taken.refused, taken.revenue), ([0, 1, 0, 0], 380));
        assert!(events.take().is_empty());
    }

    #[test]
    fn answers_stand_at_their_numbers() {
        use crate::model::answers::Answer;

        assert!(Answer::ALL.iter().enumerate().all(|(index, answer)| *answer as usize == index));
    }
}

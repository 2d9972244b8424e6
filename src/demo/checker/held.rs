//! The units of a sale that are held over time.

use super::rows;
use crate::kernel::Timestamp;
use crate::model::facts::OrderFact;
use crate::model::orders::OrderState;

/// When units of a sale were taken and given back: sorted moments, each with the units of all rows up to it.
pub(super) struct Held {
    taken: Vec<(Timestamp, i64)>,
    given_back: Vec<(Timestamp, i64)>,
}

impl Held {
    /// A row holds its units from its admission until it was closed or refused.
    pub(super) fn of<'a>(
        orders: impl Iterator<Item = &'a OrderFact> + Clone,
        others: Vec<(Timestamp, Timestamp, i64)>,
    ) -> Self {
        let mut taken: Vec<_> = orders.clone().map(|order| (order.created_at, order.quantity)).collect();
        let mut given_back: Vec<_> = orders.filter_map(|order| Some((returned_at(order)?, order.quantity))).collect();
        for (from, until, units) in others {
            taken.push((from, units));
            given_back.push((until, units));
        }
        Self { taken: running_sums(taken), given_back: running_sums(given_back) }
    }

    /// Units of all rows that held some at any moment from `from` through `to`.
    pub(super) fn at_most(&self, from: Timestamp, to: Timestamp) -> i64 {
        // The millisecond of the return still counts as held.
        let just_before = Timestamp::from_millis(from.as_millis() - 1);
        up_to(&self.taken, to) - up_to(&self.given_back, just_before)
    }

    /// The most units that were held at one moment.
    pub(super) fn peak(&self) -> i64 {
        self.taken.iter().map(|(at, taken)| taken - up_to(&self.given_back, *at)).max().unwrap_or(0)
    }
}

fn running_sums(mut moments: Vec<(Timestamp, i64)>) -> Vec<(Timestamp, i64)> {
    moments.sort_unstable();
    let mut sum = 0;
    for (_, units) in &mut moments {
        sum += *units;
        *units = sum;
    }
    moments
}

fn up_to(sums: &[(Timestamp, i64)], moment: Timestamp) -> i64 {
    let count = sums.partition_point(|(at, _)| *at <= moment);
    count.checked_sub(1).map_or(0, |last| sums[last].1)
}

/// When the row's units became free for others, if they did.
fn returned_at(order: &OrderFact) -> Option<Timestamp> {
    match order.state {
        OrderState::Cancelled | OrderState::Expired | OrderState::Refunded => order.closed_at,
        _ if rows::is_refused(order) => Some(order.decided_at),
        _ => None,
    }
}

//! The database's sums of a sale, kept up from what nodes commit. They are read once. What was committed around the moment of reading may
//! be in what was read or not, so a reading counts only if nothing was: otherwise, and after a part was missed, they are not known until
//! the next quiet moment. They are never corrected silently.

use crate::model::sums::SaleSums;
use crate::telemetry::{Committed, OrderEvent};

/// Seconds around a reading in which nothing may be committed: clocks of nodes differ a little.
const MARGIN: i64 = 1;
/// Seconds until all parts of a second were heard.
const HEARD_AFTER: i64 = 3;

/// What is known of the sums of one sale.
#[derive(Debug, Default)]
pub enum Sums {
    /// Nothing.
    #[default]
    Unknown,
    /// They were read, and it is not known yet whether something was committed meanwhile.
    Read(Reading),
    /// They are kept up.
    Known(SaleSums),
}

/// A reading of the database.
#[derive(Debug)]
pub struct Reading {
    sums: SaleSums,
    from: i64,
    until: i64,
    after: Committed,
    disturbed: bool,
}

impl Sums {
    /// What was committed in these seconds.
    pub fn add(&mut self, committed: &Committed, from: i64, until: i64) {
        match self {
            Self::Unknown => {}
            Self::Read(reading) if until < reading.from - MARGIN => {}
            Self::Read(reading) if from > reading.until + MARGIN => reading.after.add(committed),
            Self::Read(reading) => reading.disturbed = true,
            Self::Known(sums) => apply(sums, committed),
        }
    }

    /// They were read between these seconds.
    pub fn seed(&mut self, sums: SaleSums, from: i64, until: i64) {
        *self = Self::Read(Reading { sums, from, until, after: Committed::default(), disturbed: false });
    }

    /// All parts up to this second were heard, or won't be.
    pub fn settle(&mut self, second: i64) {
        let Self::Read(reading) = self else { return };
        if second < reading.until + MARGIN + HEARD_AFTER {
            return;
        }
        *self = if reading.disturbed {
            Self::Unknown
        } else {
            let mut sums = reading.sums;
            apply(&mut sums, &reading.after);
            Self::Known(sums)
        };
    }

    /// Something was missed.
    pub fn forget(&mut self) {
        *self = Self::Unknown;
    }

    /// Whether they must be read.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The sums, if they are known.
    pub fn now(&self) -> Option<SaleSums> {
        match self {
            Self::Known(sums) => Some(*sums),
            Self::Unknown | Self::Read(_) => None,
        }
    }
}

/// How the events change the sums of a sale.
pub fn apply(sums: &mut crate::model::sums::SaleSums, committed: &Committed) {
    let units = |event: OrderEvent| committed.events[event as usize].units;
    let refused: u64 = committed.refused.iter().sum();
    sums.tickets += committed.events[OrderEvent::Created as usize].orders + refused;
    for (sum, one) in sums.refused.iter_mut().zip(committed.refused) {
        *sum += one;
    }
    sums.units_paid = (sums.units_paid + units(OrderEvent::Paid)).saturating_sub(units(OrderEvent::Refunded));
    sums.revenue += committed.revenue;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{OrderCount, OrderEvent};

    fn paid(units: u64) -> Committed {
        let mut committed = Committed { revenue: 100 * units as i64, ..Committed::default() };
        committed.events[OrderEvent::Paid as usize] = OrderCount { orders: 1, units };
        committed
    }

    fn read() -> Sums {
        let mut sums = Sums::default();
        sums.seed(SaleSums { units_paid: 10, revenue: 1_000, ..SaleSums::default() }, 100, 101);
        sums
    }

    #[test]
    fn what_came_after_a_quiet_reading_is_added_and_what_came_before_is_in_it() {
        let mut sums = read();
        sums.add(&paid(1), 97, 98);
        sums.add(&paid(2), 103, 103);
        assert!(sums.now().is_none() && !sums.is_unknown());
        sums.settle(104);
        assert!(sums.now().is_none(), "parts may still come");
        sums.settle(105);
        assert_eq!(sums.now().map(|sums| (sums.units_paid, sums.revenue)), Some((12, 1_200)));
        sums.add(&paid(3), 106, 106);
        assert_eq!(sums.now().map(|sums| sums.units_paid), Some(15));
    }

    #[test]
    fn a_reading_that_was_disturbed_says_nothing() {
        for (from, until) in [(99, 99), (100, 100), (102, 102), (95, 100), (95, 99)] {
            let mut sums = read();
            sums.add(&paid(1), from, until);
            sums.settle(105);
            assert!(sums.is_unknown(), "{from} to {until}");
        }
    }

    #[test]
    fn refunds_and_refusals_are_counted() {
        let mut sums = SaleSums { units_paid: 5, ..SaleSums::default() };
        let mut committed = Committed { refused: [1, 0, 0, 2], revenue: -300, ..Committed::default() };
        committed.events[OrderEvent::Created as usize] = OrderCount { orders: 4, units: 8 };
        committed.events[OrderEvent::Refunded as usize] = OrderCount { orders: 1, units: 2 };
        apply(&mut sums, &committed);
        assert_eq!(sums, SaleSums { tickets: 7, refused: [1, 0, 0, 2], units_paid: 3, revenue: -300 });
    }
}

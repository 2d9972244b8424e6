//! What a report counts while the rows pass by. It does not grow with them, except by an entry for each epoch.

use std::collections::BTreeMap;

use super::facts::{EXAMPLES_MAX, Facts};
use super::rows::{Received, Row};
use crate::kernel::{Currency, Epoch, Money, Seq};
use crate::model::orders::OrderState;

/// Tickets of one state, and their units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tickets {
    /// Tickets.
    pub tickets: u64,
    /// Their units.
    pub units: u64,
}

/// What amounts are of: a currency, or points.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Money, by its code.
    Money(String),
    /// Loyalty points.
    Points,
}

impl Unit {
    fn of(currency: Option<&str>) -> Self {
        currency.map_or(Self::Points, |code| Self::Money(code.to_owned()))
    }

    /// So much of it as money; `None` for points and for an unknown currency.
    pub fn money(&self, minor: i128) -> Option<Money> {
        let Self::Money(code) = self else { return None };
        let currency: Currency = code.parse().ok()?;
        Some(Money { minor: i64::try_from(minor).unwrap_or(i64::MAX), currency })
    }

    /// An amount of it for people.
    pub fn show(&self, amount: i128) -> String {
        match (self.money(amount), self) {
            (Some(money), _) => money.to_string(),
            (None, Self::Money(code)) => format!("{amount} minor units of {code}"),
            (None, Self::Points) => format!("{amount} points"),
        }
    }
}

/// Money or points that came in and went back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Payments that brought something in.
    pub payments: u64,
    /// What came in.
    pub received: i128,
    /// Those of them that are a surplus.
    pub surpluses: u64,
    /// What came in by those.
    pub surplus: i128,
    /// What the paid orders cost.
    pub totals: i128,
    /// Refunds that arrived.
    pub refunds: u64,
    /// What went back.
    pub returned: i128,
    /// What is on its way back.
    pub returning: i128,
}

/// The tickets of one epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EpochCount {
    /// Rows.
    pub rows: u64,
    /// The highest number of a row.
    pub last: Seq,
    /// The first number that has no row, up to `last`.
    pub missing: Option<Seq>,
}

/// Rows that are not as they must be: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Odd {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

impl Odd {
    fn note(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example());
        }
    }
}

/// What was counted.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    by_state: [Tickets; OrderState::ALL.len()],
    /// Rows.
    pub rows: u64,
    /// Rows in a state that there is not.
    pub unknown: Odd,
    /// Orders whose own columns contradict each other.
    pub contradictory: Odd,
    /// Orders with more units than `limit`.
    pub over_limit: Odd,
    /// The most units of an order.
    pub quantity_max: u64,
    /// Payments of which more goes back than came in, or something else than the records of its refunds say.
    pub over_refunded: Odd,
    flows: BTreeMap<Unit, Flow>,
    epochs: BTreeMap<Epoch, EpochCount>,
    limit: u64,
    sale_number: u64,
}

impl Counts {
    /// Nothing yet. `limit`: units that an order may have.
    pub fn new(limit: u64, sale_number: u64) -> Self {
        Self { limit, sale_number, ..Self::default() }
    }

    /// Tickets in a state.
    pub const fn of(&self, state: OrderState) -> Tickets {
        self.by_state[state as usize]
    }

    /// Tickets that became orders.
    pub fn orders(&self) -> u64 {
        let states = OrderState::ALL.into_iter().filter(|state| state.refusal().is_none());
        states.map(|state| self.of(state).tickets).sum()
    }

    /// Orders that hold their units.
    pub fn live(&self) -> u64 {
        OrderState::ALL.into_iter().filter(|state| state.is_live()).map(|state| self.of(state).tickets).sum()
    }

    /// Units of the sale that are accounted for: free ones, and those of orders.
    pub fn accounted_units(&self, facts: &Facts) -> u64 {
        let kept = if facts.offer.sale.returns_on_refund { 0 } else { self.of(OrderState::Refunded).units };
        let held = [OrderState::AwaitingPayment, OrderState::Paid, OrderState::Refunding];
        u64::from(facts.offer.stock.left) + held.map(|state| self.of(state).units).iter().sum::<u64>() + kept
    }

    /// Money and points, by their unit.
    pub fn flows(&self) -> impl Iterator<Item = (&Unit, &Flow)> {
        self.flows.iter()
    }

    /// Payments of which something is on its way back.
    pub fn returning(&self) -> i128 {
        self.flows.values().map(|flow| flow.returning).sum()
    }

    /// The epochs.
    pub fn epochs(&self) -> impl Iterator<Item = (Epoch, &EpochCount)> {
        self.epochs.iter().map(|(epoch, count)| (*epoch, count))
    }

    /// Counts the next row; they come in the order of their tickets.
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.add_to_epoch(row);
        let units = u64::try_from(row.quantity).unwrap_or(0);
        match row.state() {
            None => self.unknown.note(|| format!("{}: {}", row.number(), row.status)),
            Some(state) => {
                let counted = &mut self.by_state[state as usize];
                counted.tickets += 1;
                counted.units += units;
                if self.contradicts_itself(row, state) {
                    self.contradictory.note(|| format!("{}: {state:?}", row.number()));
                }
                if state.refusal().is_none() {
                    self.quantity_max = self.quantity_max.max(units);
                    if units > self.limit {
                        self.over_limit.note(|| format!("{}: {units}", row.number()));
                    }
                }
            }
        }
        self.add_money(row);
    }

    fn add_to_epoch(&mut self, row: &Row) {
        let count = self.epochs.entry(row.ticket.epoch).or_default();
        if row.ticket.seq != count.last + 1 && count.missing.is_none() {
            count.missing = Some(count.last + 1);
        }
        count.rows += 1;
        count.last = row.ticket.seq;
    }

    /// Whether the row says something else than its state.
    fn contradicts_itself(&self, row: &Row, state: OrderState) -> bool {
        let (paid, closed) = (row.paid_at.is_some(), row.closed_at.is_some());
        let times_agree = match state {
            OrderState::AwaitingPayment => !paid && !closed,
            OrderState::Paid | OrderState::Refunding => paid && !closed,
            OrderState::Refunded => paid && closed,
            OrderState::Cancelled | OrderState::Expired => !paid && closed,
            _ => !paid && !closed,
        };
        let (id, number) = (row.ticket.sale == row.sale, u64::try_from(row.sale_number) == Ok(self.sale_number));
        !(times_agree && id && number && row.quantity > 0)
    }

    fn add_money(&mut self, row: &Row) {
        let was_paid = matches!(row.state(), Some(OrderState::Paid | OrderState::Refunding | OrderState::Refunded));
        if was_paid {
            let with_points = row.payments.iter().any(|payment| payment.kept && payment.currency.is_none());
            let (unit, price) = if with_points {
                (Unit::Points, row.points_price.unwrap_or(0))
            } else {
                (Unit::Money(row.currency.clone()), row.price)
            };
            self.flows.entry(unit).or_default().totals += i128::from(price) * i128::from(row.quantity);
        }
        for payment in &row.payments {
            let flow = self.flows.entry(Unit::of(payment.currency.as_deref())).or_default();
            flow.payments += 1;
            flow.received += i128::from(payment.captured);
            flow.returning += i128::from(payment.returning);
            if !payment.kept {
                flow.surpluses += 1;
                flow.surplus += i128::from(payment.captured);
            }
            if refunds_differ(row, payment) {
                self.over_refunded.note(|| format!("{}: {}", row.number(), payment.id.number()));
            }
        }
        for refund in &row.refunds {
            if !row.payments.iter().any(|payment| payment.id == refund.payment && payment.currency == refund.currency) {
                self.over_refunded.note(|| format!("{}: {}", row.number(), refund.payment.number()));
            }
            if refund.done {
                let flow = self.flows.entry(Unit::of(refund.currency.as_deref())).or_default();
                flow.refunds += 1;
                flow.returned += i128::from(refund.amount);
            }
        }
    }
}

/// Whether more of the payment goes back than came in, or its refunds add up to something else than it says.
fn refunds_differ(row: &Row, payment: &Received) -> bool {
    let (mut done, mut under_way) = (0_i128, 0_i128);
    for refund in row.refunds.iter().filter(|refund| refund.payment == payment.id) {
        *(if refund.done { &mut done } else { &mut under_way }) += i128::from(refund.amount);
    }
    done + under_way > i128::from(payment.captured)
        || done != i128::from(payment.refunded)
        || under_way != i128::from(payment.returning)
}

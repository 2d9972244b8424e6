//! The decision on tickets, as a pure function: stock is assigned in the order of admission.

use std::time::Duration;

use super::order_requests::{OrderRequest, TicketPrice};
use super::orders::{Order, OrderState, Ticket};
use crate::kernel::{Epoch, Timestamp};

/// How far the gate's clock and that of the node that ended a sale may be apart. Within this the shopper is believed to have been
/// admitted before the end. It is far more than machines with NTP differ by, and a gate that has heard of the end admits nobody.
const CLOCKS_APART: Duration = Duration::from_secs(2);

/// The state of a sale that the order writer reads at the start of its transaction.
#[derive(Debug, Clone)]
pub struct SaleFacts {
    /// Short number.
    pub number: u64,
    /// Present generation of the gate.
    pub epoch: Epoch,
    /// Price of one unit.
    pub price: TicketPrice,
    /// The prices that it had before edits, the oldest first. Needed only for tickets that do not say theirs.
    pub former_prices: Vec<FormerPrice>,
    /// How long an order waits for its payment.
    pub pay_within: Duration,
    /// Name of the product.
    pub product_name: String,
    /// Units free before this batch.
    pub left: u32,
    /// When an operator ended the sale, by that node's clock.
    pub ended_at: Option<Timestamp>,
}

/// A price that an edit replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormerPrice {
    /// When it was replaced.
    pub until: Timestamp,
    /// The price.
    pub price: TicketPrice,
}

impl SaleFacts {
    /// What one unit costs the holder of a ticket: the price at which it was admitted, whatever the sale costs now.
    fn price_of(&self, request: &OrderRequest) -> TicketPrice {
        let before = || self.former_prices.iter().find(|former| request.at < former.until).map(|former| former.price);
        request.price.or_else(before).unwrap_or(self.price)
    }
}

/// Decides a batch of one sale's tickets, keeping count of the units it gave away.
#[derive(Debug)]
pub struct Decider {
    facts: SaleFacts,
    now: Timestamp,
    taken: u32,
}

impl Decider {
    /// Decisions as of `now`.
    pub const fn new(facts: SaleFacts, now: Timestamp) -> Self {
        Self { facts, now, taken: 0 }
    }

    /// Units given away so far.
    pub const fn taken(&self) -> u32 {
        self.taken
    }

    /// What the ticket becomes if nothing stands against it in the database. Count it with [`Self::take`] once its row is in.
    pub fn decide(&self, request: &OrderRequest) -> Order {
        let state = if request.ticket.epoch != self.facts.epoch {
            OrderState::Voided
        } else if self.is_late(request) {
            OrderState::RefusedSaleEnded
        } else if request.quantity > self.facts.left.saturating_sub(self.taken) && self.guards_stock() {
            OrderState::RefusedSoldOut
        } else {
            OrderState::AwaitingPayment
        };
        let price = self.facts.price_of(request);
        Order {
            ticket: request.ticket,
            sale_number: self.facts.number,
            buyer: request.buyer,
            quantity: request.quantity,
            // Of a former epoch: nobody was told of this ticket (`Orders::still_admitted`), and its key is free for another.
            key: (request.ticket.epoch >= self.facts.epoch).then(|| request.key.clone()),
            state,
            product_name: self.facts.product_name.clone(),
            unit_price: price.unit,
            points_price: price.points,
            created_at: request.at,
            decided_at: self.now,
            pay_before: self.now.plus(self.facts.pay_within),
            paid_at: None,
            closed_at: None,
            version: Ticket::DECIDED,
        }
    }

    /// Counts the units of an order whose row is in.
    pub const fn take(&mut self, order: &Order) {
        if order.state.is_live() {
            self.taken += order.quantity;
        }
    }

    /// Whether the gate admitted it after the sale had been ended, because it had not heard of that.
    fn is_late(&self, request: &OrderRequest) -> bool {
        self.facts.ended_at.is_some_and(|ended_at| request.at > ended_at.plus(CLOCKS_APART))
    }

    #[allow(clippy::unused_self, reason = "reads naturally at its call")]
    fn guards_stock(&self) -> bool {
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("writer.no_stock_guard") {
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Currency, Money, SaleId, TicketId, UserId};

    fn request(seq: u64, epoch: Epoch, quantity: u32) -> OrderRequest {
        OrderRequest {
            ticket: TicketId { sale: SaleId::from_bytes([1; 16]), epoch, seq },
            buyer: UserId::from_bytes([2; 16]),
            key: "key-00001".into(),
            quantity,
            at: Timestamp::from_millis(900),
            price: None,
        }
    }

    fn price(minor: i64, points: Option<u32>) -> TicketPrice {
        TicketPrice { unit: Money { minor, currency: Currency::Cny }, points }
    }

    fn decider(left: u32) -> Decider {
        let facts = SaleFacts {
            number: 7,
            epoch: 2,
            price: price(1990, None),
            former_prices: Vec::new(),
            pay_within: Duration::from_secs(60),
            product_name: "Lamp".into(),
            left,
            ended_at: None,
        };
        Decider::new(facts, Timestamp::from_millis(1_000))
    }

    #[test]
    fn stock_goes_out_in_order_and_never_below_zero() {
        let mut decider = decider(3);
        let mut states = Vec::new();
        for (seq, quantity) in [(1, 2), (2, 2), (3, 1), (4, 1)] {
            let order = decider.decide(&request(seq, 2, quantity));
            decider.take(&order);
            states.push(order.state);
        }
        use OrderState::{AwaitingPayment, RefusedSoldOut};
        assert_eq!(states, [AwaitingPayment, RefusedSoldOut, AwaitingPayment, RefusedSoldOut]);
        assert_eq!(decider.taken(), 3);
    }

    #[test]
    fn a_ticket_of_another_epoch_is_voided_and_one_of_a_former_epoch_leaves_its_key() {
        for (epoch, key) in [(1, None), (3, Some("key-00001"))] {
            let order = decider(3).decide(&request(1, epoch, 1));
            assert_eq!((order.state, order.key.as_deref()), (OrderState::Voided, key), "epoch {epoch}");
        }
    }

    #[test]
    fn tickets_admitted_after_the_end_are_refused_and_hold_nothing() {
        let ended_at = Timestamp::from_millis(5_000);
        let mut decider = decider(1);
        decider.facts.ended_at = Some(ended_at);
        let admitted = |at| OrderRequest { at, ..request(1, 2, 1) };
        let late = decider.decide(&admitted(ended_at.plus(CLOCKS_APART + Duration::from_millis(1))));
        assert_eq!(late.state, OrderState::RefusedSaleEnded);
        decider.take(&late);
        assert_eq!(decider.taken(), 0);
        // Whoever may have been admitted before the end gets the unit, however long the ticket was on its way.
        for at in [Timestamp::from_millis(0), ended_at, ended_at.plus(CLOCKS_APART)] {
            assert_eq!(decider.decide(&admitted(at)).state, OrderState::AwaitingPayment);
        }
        let of_another_epoch =
            OrderRequest { ticket: TicketId { epoch: 1, ..late.ticket }, ..admitted(late.created_at) };
        assert_eq!(decider.decide(&of_another_epoch).state, OrderState::Voided);
    }

    #[test]
    fn an_order_costs_what_its_ticket_was_admitted_at() {
        let mut decider = decider(9);
        let former = |until, minor| FormerPrice { until: Timestamp::from_millis(until), price: price(minor, Some(7)) };
        decider.facts.former_prices = vec![former(500, 1000), former(800, 1500)];
        let asked = |at, price| OrderRequest { at: Timestamp::from_millis(at), price, ..request(1, 2, 1) };
        let said = Some(price(777, None));
        for (at, price, expected) in [
            (499, None, (1000, Some(7))),
            (500, None, (1500, Some(7))),
            (799, None, (1500, Some(7))),
            (800, None, (1990, None)),
            (499, said, (777, None)),
            (900, said, (777, None)),
        ] {
            let order = decider.decide(&asked(at, price));
            assert_eq!((order.unit_price.minor, order.points_price), expected, "{at} {price:?}");
        }
    }

    #[test]
    fn the_order_carries_number_total_and_deadline() {
        let order = decider(3).decide(&request(12, 2, 2));
        assert_eq!(order.number(), "7-2-000012");
        assert_eq!(order.total().minor, 3980);
        assert_eq!(order.pay_before, Timestamp::from_millis(61_000));
    }
}

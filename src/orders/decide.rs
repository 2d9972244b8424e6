//! The decision on a ticket, as a pure function: who gets stock, in the order of admission.

use std::time::Duration;

use super::messages::OrderRequest;
use super::{Order, OrderState};
use crate::kernel::{Epoch, Money, Timestamp};

/// What the order writer reads of a sale at the start of its transaction.
#[derive(Debug, Clone)]
pub struct SaleFacts {
    /// Short number.
    pub number: u64,
    /// Present generation of the gate.
    pub epoch: Epoch,
    /// Price of one unit.
    pub price: Money,
    /// Price of one unit in points.
    pub points_price: Option<u32>,
    /// How long an order waits for its payment.
    pub pay_within: Duration,
    /// Name of the product.
    pub product_name: String,
    /// Units free before this batch.
    pub left: u32,
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
        } else if request.quantity > self.facts.left.saturating_sub(self.taken) && self.guards_stock() {
            OrderState::RefusedSoldOut
        } else {
            OrderState::AwaitingPayment
        };
        Order {
            ticket: request.ticket,
            sale_number: self.facts.number,
            buyer: request.buyer,
            quantity: request.quantity,
            // Of a former epoch: nobody was told of this ticket (`Orders::still_admitted`), and its key is free for another.
            key: (request.ticket.epoch >= self.facts.epoch).then(|| request.key.clone()),
            state,
            product_name: self.facts.product_name.clone(),
            unit_price: self.facts.price,
            points_price: self.facts.points_price,
            created_at: request.at,
            decided_at: self.now,
            pay_before: self.now.plus(self.facts.pay_within),
            paid_at: None,
            closed_at: None,
            version: super::Ticket::DECIDED,
        }
    }

    /// Counts the units of an order whose row is in.
    pub const fn take(&mut self, order: &Order) {
        if order.state.is_live() {
            self.taken += order.quantity;
        }
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
    use crate::kernel::{Currency, SaleId, TicketId, UserId};

    fn request(seq: u64, epoch: Epoch, quantity: u32) -> OrderRequest {
        OrderRequest {
            ticket: TicketId { sale: SaleId::from_bytes([1; 16]), epoch, seq },
            buyer: UserId::from_bytes([2; 16]),
            key: "key-00001".into(),
            quantity,
            at: Timestamp::from_millis(900),
        }
    }

    fn decider(left: u32) -> Decider {
        let facts = SaleFacts {
            number: 7,
            epoch: 2,
            price: Money { minor: 1990, currency: Currency::Cny },
            points_price: None,
            pay_within: Duration::from_secs(60),
            product_name: "Lamp".into(),
            left,
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
    fn the_order_carries_number_total_and_deadline() {
        let order = decider(3).decide(&request(12, 2, 2));
        assert_eq!(order.number(), "7-2-000012");
        assert_eq!(order.total().minor, 3980);
        assert_eq!(order.pay_before, Timestamp::from_millis(61_000));
    }
}

//! The decision on a batch of tickets, as a pure function: stock is assigned in the order of admission.

use std::collections::HashSet;
use std::slice;
use std::time::Duration;

use crate::kernel::{TicketId, Timestamp, UserId};
use crate::model::order_requests::{OrderRequest, TicketPrice};
use crate::model::orders::{Order, OrderState, Ticket, is_key};
use crate::model::sale_facts::{RecordedTicket, SaleFacts};

/// How far the gate's clock and that of the node that ended a sale may be apart. Within this the shopper is believed to have been
/// admitted before the end. It is far more than machines with NTP differ by, and a gate that has heard of the end admits nobody.
const CLOCKS_APART: Duration = Duration::from_secs(2);

/// The decisions on a batch of one sale's tickets.
#[derive(Debug, PartialEq, Eq)]
pub struct Decided {
    /// One order for each ticket that was not recorded yet, confirmed or refused, in the order of admission.
    pub orders: Vec<Order>,
    /// Units of the confirmed ones.
    pub units: u32,
}

/// Decides the tickets of one sale in their order. Those that are recorded already keep their outcome and are left out. `recorded` must
/// have every recorded ticket that is the same as one of these, has the same buyer and key, or is the live order of one of the buyers in
/// this sale.
pub fn decide(facts: &SaleFacts, recorded: &[RecordedTicket], requests: &[OrderRequest], now: Timestamp) -> Decided {
    let mut decider = Decider { facts, now, taken: 0 };
    let mut orders = Vec::with_capacity(requests.len());
    let mut taken = Taken::by(recorded, requests);
    for request in requests {
        if taken.tickets.contains(&request.ticket) {
            #[cfg(feature = "sabotage")]
            decider.count_again(request);
            continue;
        }
        let mut order = decider.decide(request);
        if taken.keys.contains(&(request.buyer, request.key.as_str())) {
            order.key = None;
            order.state = OrderState::Voided;
        } else if order.state.is_live() && taken.buyers.contains(&request.buyer) {
            order.state = OrderState::RefusedAlreadyBought;
        }
        taken.add(request.ticket, request.buyer, order.key.as_ref().map(|_| request.key.as_str()), order.state);
        // Only now: a unit that the ticket may not have goes to the next one.
        decider.take(&order);
        orders.push(order);
    }
    Decided { orders, units: decider.taken }
}

/// The refusal of a ticket that can't be decided otherwise; `None` if it is recorded already.
pub fn void(facts: &SaleFacts, recorded: &[RecordedTicket], request: &OrderRequest, now: Timestamp) -> Option<Order> {
    let taken = Taken::by(recorded, slice::from_ref(request));
    if taken.tickets.contains(&request.ticket) {
        return None;
    }
    let decided = Decider { facts, now, taken: 0 }.decide(request);
    // Its buyer may know the ticket: the key stays with it, unless it is no key or belongs to another ticket.
    let key = decided.key.filter(|key| is_key(key) && !taken.keys.contains(&(request.buyer, key.as_str())));
    Some(Order { state: OrderState::Voided, key, ..decided })
}

/// The ticket in a form that the database accepts even where key or quantity is what was wrong with it: for [`void`].
pub fn storable(request: OrderRequest) -> OrderRequest {
    let key = if is_key(&request.key) { request.key } else { String::new() };
    OrderRequest { key, quantity: request.quantity.max(1), ..request }
}

/// What new orders of a sale can't have any more.
struct Taken<'a> {
    tickets: HashSet<TicketId>,
    /// Those with a live order of the sale.
    buyers: HashSet<UserId>,
    keys: HashSet<(UserId, &'a str)>,
}

impl<'a> Taken<'a> {
    /// By what is recorded; with room for a batch.
    fn by(recorded: &'a [RecordedTicket], batch: &[OrderRequest]) -> Self {
        let room = recorded.len() + batch.len();
        let mut taken = Self {
            tickets: HashSet::with_capacity(room),
            buyers: HashSet::with_capacity(room),
            keys: HashSet::with_capacity(room),
        };
        let sale = batch.first().map(|request| request.ticket.sale);
        for RecordedTicket { ticket, buyer, key, state } in recorded {
            if Some(ticket.sale) == sale {
                taken.add(*ticket, *buyer, key.as_deref(), *state);
            } else {
                // A key belongs to one ticket over all sales; a live order counts only in its own.
                taken.keys.extend(key.as_deref().map(|key| (*buyer, key)));
            }
        }
        taken
    }

    fn add(&mut self, ticket: TicketId, buyer: UserId, key: Option<&'a str>, state: OrderState) {
        self.tickets.insert(ticket);
        if state.is_live() {
            self.buyers.insert(buyer);
        }
        self.keys.extend(key.map(|key| (buyer, key)));
    }
}

/// What one unit costs the holder of a ticket: the price at which it was admitted, whatever the sale costs now.
fn price_of(facts: &SaleFacts, request: &OrderRequest) -> TicketPrice {
    let before = || facts.former_prices.iter().find(|former| request.at < former.until).map(|former| former.price);
    request.price.or_else(before).unwrap_or(facts.price)
}

/// Gives the sale's units to tickets, keeping count.
#[derive(Debug)]
struct Decider<'a> {
    facts: &'a SaleFacts,
    now: Timestamp,
    /// Units given away so far.
    taken: u32,
}

impl Decider<'_> {
    /// What the ticket becomes if nothing recorded stands against it.
    fn decide(&self, request: &OrderRequest) -> Order {
        let state = if request.ticket.epoch != self.facts.epoch {
            OrderState::Voided
        } else if self.is_late(request) {
            OrderState::RefusedSaleEnded
        } else if request.quantity > self.facts.left.saturating_sub(self.taken) && self.guards_stock() {
            OrderState::RefusedSoldOut
        } else {
            OrderState::AwaitingPayment
        };
        let price = price_of(self.facts, request);
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

    /// Counts the units of an order.
    const fn take(&mut self, order: &Order) {
        if order.state.is_live() {
            self.taken += order.quantity;
        }
    }

    /// The mistake of taking stock for a ticket that is recorded already.
    #[cfg(feature = "sabotage")]
    fn count_again(&mut self, request: &OrderRequest) {
        if crate::kernel::sabotage::active("writer.decrement_on_redelivery") {
            self.take(&self.decide(request));
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
    use OrderState::{AwaitingPayment, RefusedAlreadyBought, RefusedSaleEnded, RefusedSoldOut, Voided};

    use super::*;
    use crate::kernel::{Currency, Epoch, Money, SaleId};
    use crate::model::sale_facts::FormerPrice;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    /// Each of a buyer of its own.
    fn request(seq: u64, epoch: Epoch, quantity: u32) -> OrderRequest {
        OrderRequest {
            ticket: TicketId { sale: SaleId::from_bytes([1; 16]), epoch, seq },
            buyer: UserId::from_bytes([seq as u8; 16]),
            key: "key-00001".into(),
            quantity,
            at: Timestamp::from_millis(900),
            price: None,
        }
    }

    fn price(minor: i64, points: Option<u32>) -> TicketPrice {
        TicketPrice { unit: Money { minor, currency: Currency::Cny }, points }
    }

    fn facts(left: u32) -> SaleFacts {
        SaleFacts {
            number: 7,
            epoch: 2,
            price: price(1990, None),
            former_prices: Vec::new(),
            pay_within: Duration::from_secs(60),
            product_name: "Lamp".into(),
            left,
            ended_at: None,
        }
    }

    /// The decision on a ticket alone.
    fn one(facts: &SaleFacts, request: &OrderRequest) -> Order {
        decide(facts, &[], slice::from_ref(request), NOW).orders.remove(0)
    }

    fn states(orders: &[Order]) -> Vec<OrderState> {
        orders.iter().map(|order| order.state).collect()
    }

    #[test]
    fn stock_goes_out_in_order_and_never_below_zero() {
        let requests = [(1, 2), (2, 2), (3, 1), (4, 1)].map(|(seq, quantity)| request(seq, 2, quantity));
        let Decided { orders, units } = decide(&facts(3), &[], &requests, NOW);
        assert_eq!(states(&orders), [AwaitingPayment, RefusedSoldOut, AwaitingPayment, RefusedSoldOut]);
        assert_eq!(units, 3);
    }

    #[test]
    fn a_ticket_of_another_epoch_is_voided_and_one_of_a_former_epoch_leaves_its_key() {
        for (epoch, key) in [(1, None), (3, Some("key-00001"))] {
            let order = one(&facts(3), &request(1, epoch, 1));
            assert_eq!((order.state, order.key.as_deref()), (Voided, key), "epoch {epoch}");
        }
    }

    #[test]
    fn tickets_admitted_after_the_end_are_refused_and_hold_nothing() {
        let ended_at = Timestamp::from_millis(5_000);
        let facts = SaleFacts { ended_at: Some(ended_at), ..facts(1) };
        let admitted = |at| OrderRequest { at, ..request(1, 2, 1) };
        let late = admitted(ended_at.plus(CLOCKS_APART + Duration::from_millis(1)));
        let Decided { orders, units } = decide(&facts, &[], slice::from_ref(&late), NOW);
        assert_eq!((states(&orders), units), (vec![RefusedSaleEnded], 0));
        // Whoever may have been admitted before the end gets the unit, however long the ticket was on its way.
        for at in [Timestamp::from_millis(0), ended_at, ended_at.plus(CLOCKS_APART)] {
            assert_eq!(one(&facts, &admitted(at)).state, AwaitingPayment);
        }
        let of_another_epoch = OrderRequest { ticket: TicketId { epoch: 1, ..late.ticket }, ..late };
        assert_eq!(one(&facts, &of_another_epoch).state, Voided);
    }

    #[test]
    fn an_order_costs_what_its_ticket_was_admitted_at() {
        let former = |until, minor| FormerPrice { until: Timestamp::from_millis(until), price: price(minor, Some(7)) };
        let facts = SaleFacts { former_prices: vec![former(500, 1000), former(800, 1500)], ..facts(9) };
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
            let order = one(&facts, &asked(at, price));
            assert_eq!((order.unit_price.minor, order.points_price), expected, "{at} {price:?}");
        }
    }

    #[test]
    fn the_order_carries_number_total_and_deadline() {
        let order = one(&facts(3), &request(12, 2, 2));
        assert_eq!(order.number(), "7-2-000012");
        assert_eq!(order.total().minor, 3980);
        assert_eq!(order.pay_before, Timestamp::from_millis(61_000));
    }

    /// A recorded ticket of the same buyer as `request(seq, …)`.
    fn recorded(seq: u64, buyer: u64, key: Option<&str>, state: OrderState) -> RecordedTicket {
        let OrderRequest { ticket, .. } = request(seq, 2, 1);
        RecordedTicket { ticket, buyer: request(buyer, 2, 1).buyer, key: key.map(str::to_owned), state }
    }

    #[test]
    fn a_recorded_ticket_keeps_its_outcome_and_takes_no_unit() {
        let requests = [request(1, 2, 1), request(2, 2, 1), request(2, 2, 1), request(3, 2, 1)];
        // Cancelled meanwhile: neither its buyer nor its units are held any more, and still it is not decided again.
        let before = [recorded(1, 1, Some("key-00001"), OrderState::Cancelled)];
        let Decided { orders, units } = decide(&facts(1), &before, &requests, NOW);
        assert_eq!(orders.iter().map(|order| order.ticket.seq).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((states(&orders), units), (vec![AwaitingPayment, RefusedSoldOut], 1));
    }

    #[test]
    fn a_buyer_has_one_live_order_in_a_sale_and_the_unit_goes_to_the_next() {
        let of_one_buyer = |seq, key: &str| OrderRequest { key: key.into(), ..request(seq, 2, 1) };
        let again = OrderRequest { buyer: request(1, 2, 1).buyer, ..of_one_buyer(5, "key-00005") };
        let requests = [of_one_buyer(1, "key-00002"), again, request(6, 2, 1)];
        // Recorded before, and in the same batch.
        for (before, expected, units) in [
            (vec![recorded(9, 1, Some("key-00009"), OrderState::Refunding)], [RefusedAlreadyBought; 2], 1),
            (vec![recorded(9, 1, Some("key-00009"), OrderState::Expired)], [AwaitingPayment, RefusedAlreadyBought], 2),
            (vec![], [AwaitingPayment, RefusedAlreadyBought], 2),
        ] {
            let decided = decide(&facts(2), &before, &requests, NOW);
            assert_eq!(states(&decided.orders[..2]), expected, "{before:?}");
            assert_eq!((decided.orders[2].state, decided.units), (AwaitingPayment, units), "{before:?}");
        }
        let elsewhere = RecordedTicket {
            ticket: TicketId { sale: SaleId::from_bytes([9; 16]), epoch: 2, seq: 1 },
            ..recorded(1, 1, Some("key-00009"), OrderState::Paid)
        };
        let decided = decide(&facts(2), &[elsewhere], &requests[..1], NOW);
        assert_eq!(states(&decided.orders), [AwaitingPayment], "a live order counts only in its own sale");
    }

    #[test]
    fn a_key_belongs_to_the_first_ticket_of_its_buyer_over_all_sales() {
        let elsewhere = RecordedTicket {
            ticket: TicketId { sale: SaleId::from_bytes([9; 16]), epoch: 2, seq: 1 },
            ..recorded(1, 1, Some("key-00001"), RefusedSoldOut)
        };
        let same_key = OrderRequest { buyer: request(2, 2, 1).buyer, ..request(3, 2, 1) };
        let requests = [request(1, 2, 1), request(2, 2, 1), same_key];
        let Decided { orders, units } = decide(&facts(9), &[elsewhere], &requests, NOW);
        assert_eq!((states(&orders), units), (vec![Voided, AwaitingPayment, Voided], 1));
        let keys: Vec<_> = orders.iter().map(|order| order.key.as_deref()).collect();
        assert_eq!(keys, [None, Some("key-00001"), None], "the key of another buyer is another key");
    }

    #[test]
    fn a_ticket_of_a_former_epoch_leaves_its_key_to_the_next_ticket_of_the_batch() {
        let again = OrderRequest { buyer: request(1, 2, 1).buyer, ..request(2, 2, 1) };
        let orders = decide(&facts(9), &[], &[request(1, 1, 1), again], NOW).orders;
        assert_eq!(states(&orders), [Voided, AwaitingPayment]);
    }

    #[test]
    fn a_voided_ticket_keeps_its_key_if_it_can() {
        let asked = request(1, 2, 1);
        let voided = |before: &[RecordedTicket], asked: &OrderRequest| void(&facts(9), before, asked, NOW);
        let key_of = |order: Option<Order>| order.map(|order| (order.state, order.key));
        assert_eq!(key_of(voided(&[], &asked)), Some((Voided, Some("key-00001".into()))));
        let used = recorded(2, 1, Some("key-00001"), RefusedSoldOut);
        assert_eq!(key_of(voided(&[used], &asked)), Some((Voided, None)));
        assert_eq!(voided(&[recorded(1, 1, None, AwaitingPayment)], &asked), None);
        let senseless = storable(OrderRequest { key: "\0".into(), quantity: 0, ..asked });
        let order = voided(&[], &senseless).unwrap();
        assert_eq!((order.state, order.key, order.quantity), (Voided, None, 1));
    }
}

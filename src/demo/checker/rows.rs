//! Checks the invariants of the rows alone.

use std::collections::{BTreeMap, HashMap};

use super::findings::{Findings, Invariant};
use crate::kernel::{Epoch, Timestamp, UserId};
use crate::model::facts::{Facts, OrderFact, SaleFact};
use crate::model::orders::OrderState;

/// Whether the row's units are taken from the stock.
pub fn holds_units(order: &OrderFact, sale: &SaleFact) -> bool {
    match order.state {
        OrderState::AwaitingPayment | OrderState::Paid | OrderState::Refunding => true,
        OrderState::Refunded => !sale.returns_on_refund,
        _ => false,
    }
}

/// Whether the row records that the ticket got nothing.
pub const fn is_refused(order: &OrderFact) -> bool {
    matches!(
        order.state,
        OrderState::RefusedSoldOut
            | OrderState::RefusedAlreadyBought
            | OrderState::RefusedSaleEnded
            | OrderState::Voided
    )
}

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    for sale in &facts.sales {
        let orders: Vec<&OrderFact> = facts.orders.iter().filter(|order| order.sale == sale.id).collect();
        units(sale, &orders, findings);
        buyers(sale, &orders, findings);
        epochs(sale, &orders, findings);
        for order in orders {
            times(sale, order, findings);
        }
    }
    identities(facts, findings);
}

fn units(sale: &SaleFact, orders: &[&OrderFact], findings: &mut Findings) {
    let held: i64 = orders.iter().filter(|order| holds_units(order, sale)).map(|order| order.quantity).sum();
    if held > sale.stock_total {
        findings.add(Invariant::NoOversell, format!("{} holds {held} units of {}", sale.id, sale.stock_total));
    }
    if sale.stock_left < 0 {
        findings.add(Invariant::NoOversell, format!("{} has {} units free", sale.id, sale.stock_left));
    }
    if sale.stock_left + held != sale.stock_total {
        let evidence = format!("{}: {} free + {held} held is not {}", sale.id, sale.stock_left, sale.stock_total);
        findings.add(Invariant::Conservation, evidence);
    }
}

fn buyers(sale: &SaleFact, orders: &[&OrderFact], findings: &mut Findings) {
    let mut live: HashMap<UserId, (u32, i64)> = HashMap::new();
    for order in orders.iter().filter(|order| order.state.is_live()) {
        let (count, units) = live.entry(order.buyer).or_default();
        *count += 1;
        *units += order.quantity;
    }
    for (buyer, (count, units)) in live {
        if count > 1 || units > sale.limit_per_buyer {
            let evidence = format!("{buyer} has {count} live orders with {units} units in {}", sale.id);
            findings.add(Invariant::BuyerLimit, evidence);
        }
    }
}

fn times(sale: &SaleFact, order: &OrderFact, findings: &mut Findings) {
    if order.created_at < sale.starts_at || order.created_at >= sale.ends_at {
        findings.add(Invariant::Window, format!("{} was admitted at {}", order.id, order.created_at.to_rfc3339()));
    }
    if is_refused(order) {
        return;
    }
    if order.pay_before < order.created_at.plus(sale.pay_within) {
        let evidence =
            format!("{} must be paid {:?} after admission", order.id, order.pay_before.since(order.created_at));
        findings.add(Invariant::NoEarlyExpiry, evidence);
    }
    if order.state == OrderState::Expired {
        if order.closed_at.is_none_or(|closed| closed < order.pay_before) {
            let evidence = format!("{} expired at {:?}, due {:?}", order.id, order.closed_at, order.pay_before);
            findings.add(Invariant::NoEarlyExpiry, evidence);
        }
        if order.paid_at.is_some() {
            findings.add(Invariant::NoEarlyExpiry, format!("{} expired although it was paid", order.id));
        }
    }
}

/// Decisions and admissions of one epoch come before those of the next. A late ticket of an old epoch may only be voided.
fn epochs(sale: &SaleFact, orders: &[&OrderFact], findings: &mut Findings) {
    let mut spans: BTreeMap<Epoch, [Timestamp; 4]> = BTreeMap::new();
    for order in orders {
        if order.id.epoch > sale.epoch {
            findings.add(
                Invariant::Epochs,
                format!("{} is of epoch {}, {} of {}", order.id, order.id.epoch, sale.id, sale.epoch),
            );
        }
        if order.state == OrderState::Voided {
            continue;
        }
        let (created, decided) = (order.created_at, order.decided_at);
        let [first_in, last_in, first_out, last_out] =
            spans.entry(order.id.epoch).or_insert([created, created, decided, decided]);
        *first_in = created.min(*first_in);
        *last_in = created.max(*last_in);
        *first_out = decided.min(*first_out);
        *last_out = decided.max(*last_out);
    }
    let spans: Vec<_> = spans.into_iter().collect();
    for pair in spans.windows(2) {
        let [(earlier, [_, last_in, _, last_out]), (later, [first_in, _, first_out, _])] = pair else { continue };
        if last_in > first_in || last_out > first_out {
            let evidence = format!("{}: epoch {earlier} still sold after epoch {later} had begun", sale.id);
            findings.add(Invariant::Epochs, evidence);
        }
    }
}

fn identities(facts: &Facts, findings: &mut Findings) {
    let mut ids = HashMap::new();
    let mut keys = HashMap::new();
    for order in &facts.orders {
        if order.id.sale != order.sale || facts.sale(order.sale).is_none() {
            findings.add(Invariant::Epochs, format!("{} stands in sale {}", order.id, order.sale));
        }
        if ids.insert(order.id, order.buyer).is_some() {
            findings.add(Invariant::Epochs, format!("{} exists twice", order.id));
        }
        let Some(key) = &order.key else { continue };
        if let Some(other) = keys.insert((order.buyer, key), order.id) {
            findings.add(Invariant::Idempotency, format!("key {key} has tickets {other} and {}", order.id));
        }
    }
}

/// Without faults nothing that was admitted is refused afterwards.
pub(super) fn check_exact_gate(facts: &Facts, findings: &mut Findings) {
    for order in facts.orders.iter().filter(|order| is_refused(order)) {
        findings.add(Invariant::ExactGate, format!("{} was admitted, then {}", order.id, order.state.as_str()));
    }
}

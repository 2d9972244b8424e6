//! Compares the responses to purchases with the records.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::held::Held;
use super::index::{At, Call, Index, Purchase};

use super::findings::{Findings, Invariant};
use crate::demo::history::Step;
use crate::kernel::{SaleId, TicketId, Timestamp, UserId};
use crate::model::facts::SaleFact;

type Key<'a> = (UserId, &'a str);

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut by_key: HashMap<Key<'_>, Vec<(&Call<'_>, Purchase<'_>)>> = HashMap::new();
    for (call, purchase) in index.purchases() {
        by_key.entry((call.buyer, purchase.key)).or_default().push((call, purchase));
        accepted(index, call, purchase, findings);
    }
    for ((_, key), calls) in &by_key {
        one_answer(key, calls, findings);
    }
    asked_for(index, &by_key, findings);
    unanswered(index, findings);
    undersell(index, findings);
}

/// I3, I5, bad input: one accepted purchase.
fn accepted(index: &Index<'_>, call: &Call<'_>, purchase: Purchase<'_>, findings: &mut Findings) {
    let Some(seen) = call.ticket() else { return };
    let place = call.place();
    if let Some(sale) = index.evidence.facts.sale(purchase.sale) {
        if purchase.quantity < 1 || purchase.quantity > sale.limit_per_buyer {
            findings.add(Invariant::BadInput, format!("{place}: quantity {} got {}", purchase.quantity, seen.id));
        }
        if call.answer.is_some_and(|answer| answer.wall < sale.starts_at)
            || call.invoked >= sale.ends_at && !index.was_known(call, seen.id)
        {
            findings.add(Invariant::Window, format!("{place}: {} outside the window", seen.id));
        }
    }
    if i64::from(seen.quantity) != purchase.quantity || seen.sale != purchase.sale {
        let evidence = format!("{place}: asked for {} in {}, got {seen:?}", purchase.quantity, purchase.sale);
        findings.add(Invariant::Idempotency, evidence);
    }
    match index.rows.get(&seen.id) {
        None if index.evidence.settled => {
            findings.add(Invariant::AcceptedIsRecorded, format!("{place}: {} was accepted and is nowhere", seen.id));
        }
        None => {}
        Some(row) => {
            let same_key = row.key.as_deref().is_none_or(|key| key == purchase.key);
            if !same_key || row.quantity != purchase.quantity || row.buyer != call.buyer {
                let evidence = format!("{place}: {} is recorded as {row:?}", seen.id);
                findings.add(Invariant::AcceptedIsRecorded, evidence);
            }
        }
    }
}

/// I5: all answers to one key. Calls are in the order of their invocation.
fn one_answer(key: &str, calls: &[(&Call<'_>, Purchase<'_>)], findings: &mut Findings) {
    let mut tickets: Vec<TicketId> = calls.iter().filter_map(|(call, _)| call.ticket()).map(|seen| seen.id).collect();
    tickets.sort_unstable();
    tickets.dedup();
    if tickets.len() > 1 {
        findings.add(Invariant::Idempotency, format!("{}: key {key} got {tickets:?}", calls[0].0.place()));
    }
    let Some((first, with)) = calls.iter().find(|(call, _)| call.ticket().is_some()) else { return };
    let answered_us = first.answer.map_or(u64::MAX, |answer| answer.us);
    for (call, purchase) in calls.iter().filter(|(call, _)| call.invoked_us > answered_us) {
        match call.definite_refusal() {
            Some(code) if purchase == with && code != "RATE_LIMITED" && code != "UNAUTHENTICATED" => {
                let evidence = format!("{}: {code} for key {key} that has a ticket", call.place());
                findings.add(Invariant::Idempotency, evidence);
            }
            _ => {}
        }
    }
}

/// I3 the other way: what is recorded for a shopper was asked for, and not refused.
fn asked_for(index: &Index<'_>, by_key: &HashMap<Key<'_>, Vec<(&Call<'_>, Purchase<'_>)>>, findings: &mut Findings) {
    for row in index.rows.values().filter(|row| index.buyers.contains(&row.buyer)) {
        let Some(key) = &row.key else { continue };
        let fits = |purchase: &Purchase<'_>| purchase.sale == row.sale && purchase.quantity == row.quantity;
        let calls: Vec<&Call<'_>> = by_key
            .get(&(row.buyer, key.as_str()))
            .into_iter()
            .flatten()
            .filter(|(_, purchase)| fits(purchase))
            .map(|(call, _)| *call)
            .collect();
        if calls.is_empty() {
            findings.add(Invariant::AcceptedIsRecorded, format!("{} of key {key} was never asked for", row.id));
        } else if calls.iter().all(|call| call.definite_refusal().is_some()) {
            let code = calls[0].definite_refusal().unwrap_or_default();
            findings.add(Invariant::AcceptedIsRecorded, format!("{} exists, but its buyer was told {code}", row.id));
        }
    }
}

/// I4: "sold out" although there were units that nobody had held, not even for a moment, since a while before the question.
fn undersell(index: &Index<'_>, findings: &mut Findings) {
    if !index.evidence.settled {
        return;
    }
    let facts = index.evidence.facts;
    let mut held: BTreeMap<SaleId, Held> = BTreeMap::new();
    for sale in &facts.sales {
        let orders = facts.orders.iter().filter(|order| order.sale == sale.id);
        held.insert(sale.id, Held::of(orders, vanished(index, sale)));
    }
    for (call, purchase) in index.purchases().filter(|(call, _)| call.refusal() == Some("SOLD_OUT")) {
        let (Some(sale), Some(held)) = (facts.sale(purchase.sale), held.get(&purchase.sale)) else { continue };
        let answered = call.answer.map_or(call.invoked, |answer| answer.wall);
        let free = sale.stock_total - held.at_most(call.invoked.minus(index.evidence.return_grace), answered);
        if free >= purchase.quantity.max(1) {
            let evidence = format!("{}: sold out, and {free} units were free in {}", call.place(), sale.id);
            findings.add(Invariant::NoUndersell, evidence);
        }
    }
}

/// Purchases that may have held units without leaving a row: admitted, and killed before anybody was promised anything.
fn vanished(index: &Index<'_>, sale: &SaleFact) -> Vec<(Timestamp, Timestamp, i64)> {
    let facts = index.evidence.facts;
    let recorded: HashSet<Key<'_>> =
        facts.orders.iter().filter_map(|order| Some((order.buyer, order.key.as_deref()?))).collect();
    let open = |call: &Call<'_>| matches!(call.answer, None | Some(At { it: Step::Unknown { .. }, .. }));
    index
        .purchases()
        .filter(|(call, purchase)| {
            let possible = purchase.sale == sale.id && (1..=sale.limit_per_buyer).contains(&purchase.quantity);
            possible && open(call) && !recorded.contains(&(call.buyer, purchase.key))
        })
        .map(|(call, purchase)| {
            let until = call.answer.map_or(call.invoked, |answer| answer.wall);
            (call.invoked, until, purchase.quantity)
        })
        .collect()
}

fn unanswered(index: &Index<'_>, findings: &mut Findings) {
    if !index.evidence.settled {
        return;
    }
    let mut answered: BTreeMap<u32, (bool, String)> = BTreeMap::new();
    for (call, _) in index.purchases() {
        let (done, last) = answered.entry(call.shopper).or_default();
        *done |= call.ticket().is_some() || call.definite_refusal().is_some();
        *last = format!("{}: {:?}", call.place(), call.answer.map(|answer| answer.it));
    }
    for (_, last) in answered.into_values().filter(|(done, _)| !done) {
        findings.add(Invariant::Answered, format!("no response, last {last}"));
    }
}

impl Index<'_> {
    /// Whether an earlier purchase had been answered with this ticket when the call began.
    fn was_known(&self, call: &Call<'_>, ticket: TicketId) -> bool {
        self.purchases().any(|(other, _)| {
            other.ticket().is_some_and(|seen| seen.id == ticket)
                && other.answer.is_some_and(|answer| answer.us < call.invoked_us)
        })
    }
}

//! Checks what shoppers saw of tickets, orders and stock over time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::findings::{Findings, Invariant};
use super::index::{At, Call, Index};
use super::rows;
use crate::demo::history::{Ending, OrderSeen, OrderStatus, Reply, Request, TicketSeen, TicketStatus};
use crate::kernel::{OrderId, TicketId};
use crate::model::facts::OrderFact;
use crate::model::orders::OrderState;

/// How long a push may take from the decision to a connected shopper.
const PUSH_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut tickets: HashMap<TicketId, BTreeMap<u32, &TicketSeen>> = HashMap::new();
    let mut orders: HashMap<OrderId, BTreeMap<u32, &OrderSeen>> = HashMap::new();
    for call in &index.calls {
        isolation(index, call, findings);
        stream(index, call, findings);
        for reply in call.replies() {
            let order = match reply.it {
                Reply::Ticket(seen) => {
                    same_ticket(&mut tickets, seen, call, findings);
                    seen.order.as_ref()
                }
                Reply::Order(order) => Some(order),
                _ => None,
            };
            if let Some(order) = order {
                if order.status == OrderStatus::Expired && reply.wall < order.pay_before {
                    findings.add(Invariant::NoEarlyExpiry, format!("{}: {order:?} is not due", call.place()));
                }
                same_order(&mut orders, order, call, findings);
            }
        }
    }
    for (id, versions) in &tickets {
        ticket_states(index.rows.get(id).copied(), versions, findings);
    }
    for (id, versions) in &orders {
        order_states(index.rows.get(&id.ticket()).copied(), versions, findings);
    }
    monotonic(index, findings);
}

/// I13: tickets and orders belong to who sees them.
fn isolation(index: &Index<'_>, call: &Call<'_>, findings: &mut Findings) {
    for reply in call.replies() {
        let id = match reply.it {
            Reply::Ticket(seen) => seen.id,
            Reply::Order(order) => order.id.ticket(),
            _ => continue,
        };
        let foreign = index.rows.get(&id).is_some_and(|row| row.buyer != call.buyer);
        if foreign || matches!(call.request, Request::Peek { .. }) {
            findings.add(Invariant::Isolation, format!("{}: {} was shown {id}", call.place(), call.buyer));
        }
        let other_id =
            matches!(call.request, Request::Ticket { id: asked } | Request::Follow { id: asked, .. } if *asked != id);
        let other_order = matches!(call.request, Request::Cancel { id: asked } if asked.ticket() != id);
        if other_id || other_order {
            findings.add(Invariant::Isolation, format!("{}: asked {:?}, was shown {id}", call.place(), call.request));
        }
    }
}

/// I9, I11, I16: one subscription.
fn stream(index: &Index<'_>, call: &Call<'_>, findings: &mut Findings) {
    match call.request {
        Request::Follow { id, after } => {
            let mut last = *after;
            let mut decided = after.is_some_and(|after| after > 1);
            for push in &call.pushes {
                let Reply::Ticket(seen) = push.it else { continue };
                if last.is_some_and(|last| seen.version <= last) {
                    let evidence = format!("{}: version {} of {id} after {last:?}", call.place(), seen.version);
                    findings.add(Invariant::Transitions, evidence);
                }
                last = Some(seen.version);
                decided = seen.status != TicketStatus::Queued;
            }
            ending(index, call, *id, decided, findings);
        }
        Request::Stock { sale } => {
            let total = index.evidence.facts.sale(*sale).map_or(i64::MAX, |sale| sale.stock_total);
            let mut last = 0;
            for push in &call.pushes {
                let Reply::Stock { left, version, .. } = push.it else { continue };
                if *version < last || *left < 0 || *left > total {
                    let evidence = format!("{}: {left} units, version {version} after {last}", call.place());
                    findings.add(Invariant::Freshness, evidence);
                }
                last = *version;
            }
        }
        _ => {}
    }
}

fn ending(index: &Index<'_>, call: &Call<'_>, id: TicketId, decided: bool, findings: &mut Findings) {
    match call.ended {
        Some(At { it: Ending::Completed, .. }) if !decided => {
            findings.add(Invariant::Delivery, format!("{}: completed without the outcome of {id}", call.place()));
        }
        Some(At { it: Ending::GaveUp, wall, .. }) if !decided => {
            let due = index.rows.get(&id).map(|row| row.decided_at.max(call.invoked).plus(PUSH_WITHIN));
            if due.is_some_and(|due| due < wall) {
                findings.add(Invariant::Delivery, format!("{}: {id} was decided, and not pushed", call.place()));
            }
        }
        _ => {}
    }
}

fn same_ticket<'a>(
    tickets: &mut HashMap<TicketId, BTreeMap<u32, &'a TicketSeen>>,
    seen: &'a TicketSeen,
    call: &Call<'_>,
    findings: &mut Findings,
) {
    let known = *tickets.entry(seen.id).or_default().entry(seen.version).or_insert(seen);
    if known.status != seen.status || known.refusal != seen.refusal || known.quantity != seen.quantity {
        let evidence = format!("{}: version {} of {} is {seen:?} and {known:?}", call.place(), seen.version, seen.id);
        findings.add(Invariant::Transitions, evidence);
    }
}

fn same_order<'a>(
    orders: &mut HashMap<OrderId, BTreeMap<u32, &'a OrderSeen>>,
    seen: &'a OrderSeen,
    call: &Call<'_>,
    findings: &mut Findings,
) {
    let known = *orders.entry(seen.id).or_default().entry(seen.version).or_insert(seen);
    if known != seen {
        let evidence = format!("{}: version {} of {} is {seen:?} and {known:?}", call.place(), seen.version, seen.id);
        findings.add(Invariant::Transitions, evidence);
    }
}

/// I11, I9: a ticket's versions, and its row.
fn ticket_states(row: Option<&OrderFact>, versions: &BTreeMap<u32, &TicketSeen>, findings: &mut Findings) {
    let seen: Vec<&TicketSeen> = versions.values().copied().collect();
    for pair in seen.windows(2) {
        if pair[0].status != TicketStatus::Queued {
            findings.add(Invariant::Transitions, format!("{} went on from {:?} to {:?}", pair[0].id, pair[0], pair[1]));
        }
    }
    let (Some(last), Some(row)) = (seen.last(), row) else { return };
    let agrees = match last.status {
        TicketStatus::Queued => true,
        TicketStatus::Confirmed => !rows::is_refused(row) && last.refusal.is_none(),
        TicketStatus::Refused => last.refusal.as_deref() == refusal(row.state),
    };
    if !agrees {
        findings.add(Invariant::Delivery, format!("{last:?} was shown, {} is recorded", row.state.as_str()));
    }
}

const fn refusal(state: OrderState) -> Option<&'static str> {
    match state {
        OrderState::RefusedSoldOut => Some("SOLD_OUT"),
        OrderState::RefusedAlreadyBought => Some("ALREADY_BOUGHT"),
        OrderState::RefusedSaleEnded => Some("SALE_ENDED"),
        OrderState::Voided => Some("VOIDED"),
        _ => None,
    }
}

/// I11: an order's versions, and its row.
fn order_states(row: Option<&OrderFact>, versions: &BTreeMap<u32, &OrderSeen>, findings: &mut Findings) {
    let mut path: Vec<(u32, OrderStatus)> = versions.iter().map(|(version, seen)| (*version, seen.status)).collect();
    let recorded = row.and_then(|row| Some((row.version, status(row.state)?)));
    let (Some(row), Some((last, _))) = (row, path.last()) else { return };
    match recorded {
        Some((version, _)) if version < *last => {
            findings.add(Invariant::Transitions, format!("{} was shown in version {last}, is in {version}", row.id));
        }
        Some(recorded) => path.push(recorded),
        None => findings.add(Invariant::Transitions, format!("{} was shown as an order, and is none", row.id)),
    }
    for pair in path.windows(2) {
        let ((from_version, from), (to_version, to)) = (pair[0], pair[1]);
        if !from.leads_to(to) || from_version == to_version && from != to {
            findings.add(Invariant::Transitions, format!("{} went from {from:?} to {to:?}", row.id));
        }
    }
}

const fn status(state: OrderState) -> Option<OrderStatus> {
    match state {
        OrderState::AwaitingPayment => Some(OrderStatus::AwaitingPayment),
        OrderState::Paid => Some(OrderStatus::Paid),
        OrderState::Refunding => Some(OrderStatus::Refunding),
        OrderState::Refunded => Some(OrderStatus::Refunded),
        OrderState::Cancelled => Some(OrderStatus::Cancelled),
        OrderState::Expired => Some(OrderStatus::Expired),
        _ => None,
    }
}

/// I11: who saw a version and asks afterwards sees no older one. Purchases are left out: they answer with the receipt.
fn monotonic(index: &Index<'_>, findings: &mut Findings) {
    let mut seen: HashMap<(u32, TicketId), Vec<(u64, u32)>> = HashMap::new();
    for call in &index.calls {
        if matches!(call.request, Request::Purchase { .. } | Request::Peek { .. }) {
            continue;
        }
        for reply in call.replies() {
            let Reply::Ticket(ticket) = reply.it else { continue };
            let versions = seen.entry((call.shopper, ticket.id)).or_default();
            // Ticket and order grow separately; their sum never goes down.
            let version = ticket.version + ticket.order.as_ref().map_or(0, |order| order.version);
            if versions.iter().any(|(us, earlier)| *us < call.invoked_us && *earlier > version) {
                findings.add(Invariant::Transitions, format!("{}: {} went back in time", call.place(), ticket.id));
            }
            versions.push((reply.us, version));
        }
    }
}

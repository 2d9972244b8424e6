//! The order writer's batch, closing, and what is read of orders.

use std::collections::BTreeMap;
use std::time::Duration;

use doorbuster::kernel::{SaleId, UserId};
use doorbuster::model::gate::Units;
use doorbuster::model::messages::Topic;
use doorbuster::model::messages::{Scope, StoredEvent};
use doorbuster::model::order_requests::OrderRequest;
use doorbuster::model::orders::{ListKey, OrderPage, OrderState};
use doorbuster::orders::OrdersError;
use doorbuster::payments::Cancelled;
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::{NOW, Place, on, on_both, request};
use OrderState::{AwaitingPayment, Expired, RefusedAlreadyBought, RefusedSoldOut, Voided};

on_both!(
    winners_and_losers_are_recorded_in_order,
    a_ticket_is_decided_once_however_often_it_comes,
    one_live_order_per_buyer_and_one_ticket_per_key,
    a_unit_that_a_ticket_may_not_have_goes_to_the_next,
    a_ticket_of_another_epoch_is_voided_and_an_unknown_sale_refuses_the_batch,
    a_batch_with_an_impossible_ticket_changes_nothing,
    a_ticket_can_be_voided_before_it_is_decided,
    cancelling_and_expiring_return_the_units_once,
    the_same_orders_expired_and_cancelled_from_all_sides_return_their_units_once,
    batches_of_one_sale_at_the_same_moment_never_oversell,
    overlapping_batches_of_several_sales_all_get_through,
    events_are_relayed_in_the_order_they_were_written,
    known_tickets_are_those_decided,
    a_buyers_orders_are_listed_in_pages,
    facts_are_of_one_moment,
);

async fn states(place: &Place, requests: &[OrderRequest]) -> Vec<Option<OrderState>> {
    let facts = place.facts().await;
    let state = |request: &OrderRequest| facts.orders.iter().find(|order| order.id == request.ticket);
    requests.iter().map(|request| state(request).map(|order| order.state)).collect()
}

async fn outbox(place: &Place) -> Vec<StoredEvent> {
    let scope = Scope::Own(place.db().origin().to_owned());
    on!(place.db(), read, |conn| sql::outbox::claim(conn, &scope, 0, &[], 1_000).await).unwrap()
}

async fn winners_and_losers_are_recorded_in_order(place: Place) {
    let sale = place.sale(3, 2).await;
    let buyers = place.buyers(0, 4).await;
    let requests: Vec<_> = [2, 2, 1, 1]
        .into_iter()
        .zip(&buyers)
        .zip(1..)
        .map(|((units, buyer), seq)| request(sale, seq, *buyer, "key-00001", units))
        .collect();
    place.app.orders().record(requests.clone()).await.unwrap();
    let expected = [AwaitingPayment, RefusedSoldOut, AwaitingPayment, RefusedSoldOut].map(Some);
    assert_eq!(states(&place, &requests).await, expected);
    assert_eq!(place.units(sale).await, (0, 3));
    let order = place.find(requests[0].ticket).await.unwrap();
    assert_eq!((order.buyer, order.quantity, order.key.as_deref()), (buyers[0], 2, Some("key-00001")));
    assert_eq!((order.product_name.as_str(), order.total().minor), ("Lamp", 1_980));
    assert_eq!(order.pay_before, NOW.plus(Duration::from_secs(900)));
    assert_eq!((order.created_at, order.decided_at, order.closed_at, order.version), (NOW, NOW, None, 2));
    let topics: Vec<_> = outbox(&place).await.into_iter().map(|event| (event.topic, event.deliver_at)).collect();
    let timeouts = (Topic::PaymentTimeouts.name().to_owned(), Some(order.pay_before));
    assert_eq!(topics, [timeouts, (Topic::PurchaseResults.name().to_owned(), None)]);
}

async fn a_ticket_is_decided_once_however_often_it_comes(place: Place) {
    let sale = place.sale(5, 1).await;
    let buyers = place.buyers(0, 3).await;
    let one = request(sale, 1, buyers[0], "key-00001", 1);
    let two = request(sale, 2, buyers[1], "key-00001", 1);
    let three = request(sale, 3, buyers[2], "key-00001", 1);
    place.app.orders().record(vec![one.clone(), one.clone(), two.clone()]).await.unwrap();
    assert_eq!(place.units(sale).await, (3, 2));
    let before = (place.facts().await, outbox(&place).await.len());
    place.app.orders().record(vec![one.clone(), two.clone()]).await.unwrap();
    assert_eq!((place.facts().await, outbox(&place).await.len()), before, "nothing changes and nothing is announced");
    place.app.orders().record(vec![two, three, one]).await.unwrap();
    assert_eq!(place.units(sale).await, (2, 3));
}

async fn one_live_order_per_buyer_and_one_ticket_per_key(place: Place) {
    let (sale, other) = (place.sale(9, 1).await, place.sale(9, 1).await);
    let buyer = place.buyers(0, 1).await[0];
    let batch = [
        request(sale, 1, buyer, "key-00001", 1),
        request(sale, 2, buyer, "key-00002", 1),
        request(sale, 3, buyer, "key-00001", 1),
    ];
    place.app.orders().record(batch.to_vec()).await.unwrap();
    assert_eq!(states(&place, &batch).await, [AwaitingPayment, RefusedAlreadyBought, Voided].map(Some));
    // The same against what was recorded before; and a key belongs to one ticket over all sales.
    let later = [
        request(sale, 4, buyer, "key-00004", 1),
        request(sale, 5, buyer, "key-00002", 1),
        request(other, 1, buyer, "key-00001", 1),
        request(other, 2, buyer, "key-00005", 1),
    ];
    place.app.orders().record(later.to_vec()).await.unwrap();
    assert_eq!(states(&place, &later).await, [RefusedAlreadyBought, Voided, Voided, AwaitingPayment].map(Some));
    assert_eq!((place.units(sale).await, place.units(other).await), ((8, 1), (8, 1)));
    assert_eq!(place.find(batch[2].ticket).await.unwrap().key, None, "the key stays with its ticket");
    let of_key = "key-00002".to_owned();
    let found = on!(place.db(), read, |conn| sql::orders::find_by_key(conn, buyer, of_key).await).unwrap().unwrap();
    assert_eq!(found.ticket, batch[1].ticket);
    let of_sale = place.app.orders().ticket_in_sale(buyer, sale).await.unwrap().unwrap();
    assert_eq!(of_sale.id, batch[0].ticket, "the live one, not the newest");
}

/// What stands against a ticket is found out late; by then it may have been given a unit, which others of its batch lack.
async fn a_unit_that_a_ticket_may_not_have_goes_to_the_next(place: Place) {
    let sale = place.sale(4, 1).await;
    let buyers = place.buyers(0, 4).await;
    let first = request(sale, 1, buyers[0], "key-00001", 1);
    place.app.orders().record(vec![first.clone()]).await.unwrap();
    let batch = [
        first,
        request(sale, 2, buyers[0], "key-00002", 1),
        request(sale, 3, buyers[1], "key-00001", 1),
        request(sale, 4, buyers[0], "key-00001", 1),
        request(sale, 5, buyers[2], "key-00001", 2),
        request(sale, 6, buyers[3], "key-00001", 1),
    ];
    place.app.orders().record(batch.to_vec()).await.unwrap();
    let expected = [AwaitingPayment, RefusedAlreadyBought, AwaitingPayment, Voided, AwaitingPayment, RefusedSoldOut];
    assert_eq!(states(&place, &batch).await, expected.map(Some));
    assert_eq!(place.units(sale).await, (0, 4));
}

async fn a_ticket_of_another_epoch_is_voided_and_an_unknown_sale_refuses_the_batch(place: Place) {
    let sale = place.sale(5, 1).await;
    let buyers = place.buyers(0, 2).await;
    let mut old = request(sale, 1, buyers[0], "key-00001", 1);
    old.ticket.epoch = 0;
    place.app.orders().record(vec![old.clone()]).await.unwrap();
    assert_eq!((states(&place, &[old]).await, place.units(sale).await), (vec![Some(Voided)], (5, 0)));
    let before = place.facts().await;
    let nowhere = request(SaleId::from_bytes([200; 16]), 1, buyers[0], "key-00002", 1);
    let good = request(sale, 2, buyers[1], "key-00001", 1);
    refused(place.app.orders().record(vec![good, nowhere]).await);
    assert_eq!(place.facts().await, before);
}

/// The batch can never be recorded, so that the writer splits it.
fn refused(result: Result<(), OrdersError>) {
    match result {
        Err(OrdersError::Store(error)) if !error.is_transient() => {}
        other => panic!("{other:?}"),
    }
}

async fn a_batch_with_an_impossible_ticket_changes_nothing(place: Place) {
    let sale = place.sale(5, 1).await;
    let buyers = place.buyers(0, 2).await;
    let before = place.facts().await;
    let good = request(sale, 1, buyers[0], "key-00001", 1);
    let nobody = request(sale, 2, UserId::from_bytes([99; 16]), "key-00001", 1);
    refused(place.app.orders().record(vec![good.clone(), nobody]).await);
    let nothing = request(sale, 3, buyers[1], "key-00001", 0);
    refused(place.app.orders().record(vec![good.clone(), nothing]).await);
    assert_eq!(place.facts().await, before);
    place.app.orders().record(vec![good]).await.unwrap();
    assert_eq!(place.units(sale).await, (4, 1));
}

async fn a_ticket_can_be_voided_before_it_is_decided(place: Place) {
    let sale = place.sale(5, 1).await;
    let buyer = place.buyers(0, 1).await[0];
    let (voided, decided) = (request(sale, 1, buyer, "key-00001", 1), request(sale, 2, buyer, "key-00002", 1));
    place.app.orders().void(voided.clone()).await.unwrap();
    place.app.orders().record(vec![voided.clone(), decided.clone()]).await.unwrap();
    place.app.orders().void(decided.clone()).await.unwrap();
    assert_eq!(states(&place, &[voided, decided]).await, [Voided, AwaitingPayment].map(Some));
    assert_eq!(place.units(sale).await, (4, 1));
}

async fn cancelling_and_expiring_return_the_units_once(place: Place) {
    let sale = place.sale(6, 2).await;
    let buyers = place.buyers(0, 4).await;
    let requests: Vec<_> = (0..3).map(|n| request(sale, n as u64 + 1, buyers[n], "key-00001", 2)).collect();
    let (orders, payments) = (place.app.orders(), place.app.payments());
    orders.record(requests.clone()).await.unwrap();
    let of = |n: usize| requests[n].ticket.order();
    assert!(matches!(payments.cancel(buyers[1], of(0)).await.unwrap(), Cancelled::NotFound), "another's");
    assert_eq!(place.units(sale).await, (0, 6));
    assert!(matches!(payments.cancel(buyers[0], of(0)).await.unwrap(), Cancelled::Done(_)));
    assert!(matches!(payments.cancel(buyers[0], of(0)).await.unwrap(), Cancelled::Done(_)), "the same again");
    assert_eq!(place.units(sale).await, (2, 4));
    assert_eq!(payments.expire(vec![requests[1].ticket]).await.unwrap(), 0, "not due");
    assert_eq!(payments.sweep(10).await.unwrap(), 0);
    place.clock.advance(Duration::from_secs(900));
    assert_eq!(payments.expire(vec![requests[1].ticket, requests[1].ticket, requests[0].ticket]).await.unwrap(), 1);
    assert_eq!(payments.sweep(10).await.unwrap(), 1);
    assert_eq!(payments.sweep(10).await.unwrap(), 0);
    assert!(matches!(payments.cancel(buyers[2], of(2)).await.unwrap(), Cancelled::Refused(_)));
    assert_eq!(place.units(sale).await, (6, 0));
    let expired = place.find(requests[2].ticket).await.unwrap();
    assert_eq!((expired.state, expired.closed_at, expired.version), (Expired, Some(place.clock.clock().now()), 3));
    let again = request(sale, 4, buyers[0], "key-00004", 2);
    orders.record(vec![again.clone()]).await.unwrap();
    assert_eq!(states(&place, &[again]).await, [Some(AwaitingPayment)], "the buyer may try again");
}

async fn the_same_orders_expired_and_cancelled_from_all_sides_return_their_units_once(place: Place) {
    let sales = [place.sale(40, 1).await, place.sale(40, 1).await];
    let buyers = place.buyers(0, 40).await;
    let mut requests = Vec::new();
    for sale in sales {
        requests.extend((0..40).map(|n| request(sale, n as u64 + 1, buyers[n], &format!("key-{sale}-{n}"), 1)));
    }
    let (orders, payments) = (place.app.orders(), place.app.payments());
    orders.record(requests.clone()).await.unwrap();
    place.clock.advance(Duration::from_secs(900));
    let tickets: Vec<_> = requests.iter().map(|request| request.ticket).collect();
    let backwards: Vec<_> = tickets.iter().rev().copied().collect();
    let closings = (0..4).map(|n| payments.expire(if n % 2 == 0 { tickets.clone() } else { backwards.clone() }));
    let cancelling = requests.iter().map(|request| payments.cancel(request.buyer, request.ticket.order()));
    let (expired, cancelled, swept) = tokio::join!(join_all(closings), join_all(cancelling), payments.sweep(100));
    let expired: usize = expired.into_iter().map(Result::unwrap).sum::<usize>() + swept.unwrap();
    let cancelled =
        cancelled.into_iter().filter(|answer| matches!(answer.as_ref().unwrap(), Cancelled::Done(_))).count();
    assert_eq!(expired + cancelled, 80);
    for sale in sales {
        assert_eq!(place.units(sale).await, (40, 0));
    }
}

async fn batches_of_one_sale_at_the_same_moment_never_oversell(place: Place) {
    let sale = place.sale(50, 1).await;
    let buyers = place.buyers(0, 120).await;
    let other = place.other_node().await;
    let request = |n: usize| request(sale, n as u64 + 1, buyers[n], "key-00001", 1);
    // Each ticket twice, in different batches, to two nodes.
    let batches = (0..24).map(|n| {
        let app = if n % 2 == 0 { &place.app } else { &other };
        app.orders().record((0..10).map(|m| request((n * 5 + m) % 120)).collect())
    });
    for result in join_all(batches).await {
        result.unwrap();
    }
    assert_eq!(place.units(sale).await, (0, 50));
    assert_eq!(place.facts().await.orders.len(), 120);
}

async fn overlapping_batches_of_several_sales_all_get_through(place: Place) {
    let sales = [place.sale(500, 1).await, place.sale(500, 1).await, place.sale(500, 1).await];
    let buyers = place.buyers(0, 60).await;
    let key = |sale: SaleId, n: usize| format!("key-{sale}-{n}");
    let place = &place;
    let batches = (0..12_usize).map(|batch| {
        let mut requests: Vec<_> = (0..60_usize)
            .map(|n| (n, sales[(n + batch) % 3]))
            .map(|(n, sale)| request(sale, (batch * 60 + n) as u64 + 1, buyers[n], &key(sale, n), 1))
            .collect();
        requests.rotate_left(batch * 5);
        async move {
            place.app.orders().record(requests.clone()).await.unwrap();
            let closed =
                requests.iter().step_by(7).map(|order| place.app.payments().cancel(order.buyer, order.ticket.order()));
            for answer in join_all(closed).await {
                answer.unwrap();
            }
        }
    });
    join_all(batches).await;
    for sale in sales {
        let (left, sold) = place.units(sale).await;
        assert_eq!(left + sold, 500);
    }
    assert_eq!(place.facts().await.orders.len(), 720);
}

async fn events_are_relayed_in_the_order_they_were_written(place: Place) {
    let sale = place.sale(50, 1).await;
    let buyers = place.buyers(0, 30).await;
    for (n, buyer) in buyers.iter().enumerate() {
        place.app.orders().record(vec![request(sale, n as u64 + 1, *buyer, "key-00001", 1)]).await.unwrap();
    }
    let events = outbox(&place).await;
    assert_eq!(events.len(), 60);
    assert!(events.is_sorted_by(|a, b| a.id < b.id));
    let results: Vec<_> = events.iter().filter(|event| event.topic == Topic::PurchaseResults.name()).collect();
    for (n, event) in results.iter().enumerate() {
        let text = String::from_utf8_lossy(&event.payload);
        assert!(text.contains(&request(sale, n as u64 + 1, buyers[n], "", 1).ticket.to_string()), "{n}: {text}");
    }
    let published: Vec<_> = events[..20].iter().map(|event| event.id).collect();
    on!(place.db(), write, |conn| sql::outbox::delete(conn, &published).await).unwrap();
    let ids = |events: &[StoredEvent]| events.iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(&outbox(&place).await), ids(&events[20..]));
    let sent: Vec<_> = events[20..30].iter().map(|event| event.id).collect();
    let (after, scope) = (events[29].id, Scope::Own(place.db().origin().to_owned()));
    let own = scope.clone();
    let unsent = on!(place.db(), read, |conn| sql::outbox::claim(conn, &own, 0, &sent, 5).await).unwrap();
    assert_eq!(ids(&unsent), ids(&events[30..35]), "what was sent already is not read again");
    let page = on!(place.db(), read, |conn| sql::outbox::claim(conn, &scope, after, &[], 5).await).unwrap();
    assert_eq!(ids(&page), ids(&events[30..35]));
}

async fn known_tickets_are_those_decided(place: Place) {
    let sale = place.sale(2, 1).await;
    let buyers = place.buyers(0, 3).await;
    let requests: Vec<_> = (0..3).map(|n| request(sale, n as u64 + 1, buyers[n], "key-00001", 1)).collect();
    place.app.orders().record(requests.clone()).await.unwrap();
    place.app.payments().cancel(buyers[0], requests[0].ticket.order()).await.unwrap();
    let page = on!(place.db(), read, |conn| sql::orders::known_tickets(conn, sale, true, None, 10).await).unwrap();
    assert_eq!(page.iter().map(|(_, closed_at)| *closed_at).collect::<Vec<_>>(), [Some(NOW), None, None]);
    let told: Vec<_> = page.iter().map(|(known, _)| (known.ticket, known.buyer, known.quantity, known.units)).collect();
    let expected = [Units::Free, Units::Held, Units::Free];
    assert_eq!(told, (0..3).map(|n| (requests[n].ticket, buyers[n], 1, expected[n])).collect::<Vec<_>>());
}

async fn a_buyers_orders_are_listed_in_pages(place: Place) {
    let buyer = place.buyers(0, 1).await[0];
    let mut tickets = Vec::new();
    for n in 0..5_u64 {
        let sale = place.sale(5, 1).await;
        // Two of them at the same moment.
        let at = NOW.plus(Duration::from_secs(n / 2));
        let ask = OrderRequest { at, ..request(sale, 1, buyer, &format!("key-0000{n}"), 1) };
        place.app.orders().record(vec![ask.clone()]).await.unwrap();
        tickets.push((at, ask.ticket));
    }
    tickets.sort_unstable();
    tickets.reverse();
    let page = |after: Option<usize>, before: Option<usize>, from_end| {
        let key = |n: usize| ListKey { at: tickets[n].0, ticket: tickets[n].1 };
        let states = vec![AwaitingPayment, Expired];
        OrderPage { states, after: after.map(key), before: before.map(key), limit: 2, from_end }
    };
    let orders = place.app.orders();
    for (page, expected, more) in [
        (page(None, None, false), 0..2, true),
        (page(Some(1), None, false), 2..4, true),
        (page(Some(3), None, false), 4..5, false),
        (page(None, Some(4), true), 2..4, true),
        (page(None, None, true), 3..5, true),
    ] {
        let list = orders.list_of_buyer(buyer, page).await.unwrap();
        let found: Vec<_> = list.orders.iter().map(|order| order.ticket).collect();
        assert_eq!(found, tickets[expected].iter().map(|(_, ticket)| *ticket).collect::<Vec<_>>());
        assert_eq!((list.more, list.total), (more, 5));
    }
}

async fn facts_are_of_one_moment(place: Place) {
    let sale = place.sale(300, 1).await;
    let buyers = place.buyers(0, 100).await;
    let writing = async {
        for (n, buyer) in buyers.iter().enumerate() {
            let ask = request(sale, n as u64 + 1, *buyer, "key-00001", 1);
            place.app.orders().record(vec![ask]).await.unwrap();
        }
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    let looking = async {
        let mut looks = 0;
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            let (left, sold) = place.units(sale).await;
            assert_eq!(left + sold, 300);
            looks += 1;
        }
        looks
    };
    let writing = async {
        writing.await;
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let ((), looks) = tokio::join!(writing, looking);
    assert!(looks > 5, "{looks}");
}

/// What a batch does, as numbers: (which sale, which buyer, which key, units, the ticket's seq).
type Ask = (usize, usize, usize, u32, u64);

fn asks() -> impl Strategy<Value = Vec<Vec<Ask>>> {
    let ask = (0..2_usize, 0..4_usize, 0..5_usize, 1..3_u32, 1..16_u64);
    prop::collection::vec(prop::collection::vec(ask, 1..8), 1..6)
}

/// Everything that the batches left behind, sales and buyers by their numbers.
async fn aftermath(place: &Place, sales: &[SaleId], buyers: &[UserId], batches: &[Vec<Ask>]) -> Vec<String> {
    let mut told = Vec::new();
    // A ticket always asks for the same; only the first of each counts.
    let mut first = BTreeMap::new();
    for batch in batches {
        let requests = batch.iter().map(|(sale, buyer, key, units, seq)| {
            let (buyer, key, units) = *first.entry((*sale, *seq)).or_insert((*buyer, *key, *units));
            request(sales[*sale], *seq, buyers[buyer], &format!("key-{key:05}"), units)
        });
        place.app.orders().record(requests.collect()).await.unwrap();
        let last = batch.last().map(|(sale, _, _, _, seq)| (sales[*sale], *seq)).unwrap();
        let mine = place.find(request(last.0, last.1, buyers[0], "", 1).ticket).await.unwrap();
        if mine.quantity == 2 {
            place.app.payments().cancel(mine.buyer, mine.ticket.order()).await.unwrap();
        }
    }
    let facts = place.facts().await;
    for (n, sale) in sales.iter().enumerate() {
        told.push(format!("sale {n} left {}", facts.sale(*sale).unwrap().stock_left));
        for order in facts.orders.iter().filter(|order| order.sale == *sale) {
            let buyer = buyers.iter().position(|buyer| *buyer == order.buyer).unwrap();
            told.push(format!("{n}/{} {buyer} {} {:?} {:?}", order.id.seq, order.quantity, order.key, order.state));
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn both_dialects_decide_the_same() {
    let places = [Place::sqlite().await, Place::postgres().await];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for round in 0..40_u64 {
        let batches = asks().new_tree(&mut runner).unwrap().current();
        let mut told = Vec::new();
        for place in &places {
            let buyers = place.buyers(round * 4, 4).await;
            // A batch is recorded sale by sale in the order of their ids.
            let mut sales = [place.sale(4, 2).await, place.sale(4, 2).await];
            sales.sort_unstable();
            told.push(aftermath(place, &sales, &buyers, &batches).await);
        }
        assert_eq!(told[0], told[1], "{batches:?}");
    }
}

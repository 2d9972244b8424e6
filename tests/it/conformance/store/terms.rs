//! What happens while the gate has not heard what the database says of a sale: nothing is sold against it, and one round of
//! reconciliation puts it right.

use std::time::Duration;

use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use doorbuster::kernel::{SaleId, TicketId, Timestamp, UserId};
use doorbuster::model::order_requests::OrderRequest;
use doorbuster::model::orders::{OrderState, Ticket};
use doorbuster::orders::reconcile::{Reconciled, Reconciler};
use doorbuster::orders::{PurchaseRefusal, PurchaseRequest};

use super::{NOW, Place, first_epoch, on_both, request};
use crate::support::until;

on_both!(
    a_round_replaces_each_term_that_differs_without_a_rebuild,
    a_node_that_knows_of_the_end_sells_nothing_by_a_gate_that_does_not,
    a_pause_that_only_the_node_knows_of_is_kept_and_so_is_its_end,
    tickets_admitted_after_the_end_are_refused_and_their_units_stay_free,
);

const DAY: Duration = Duration::from_secs(86_400);

async fn round(place: &Place) -> Reconciled {
    Reconciler::default().round(place.app.orders(), DAY, DAY).await.unwrap()
}

async fn buy(place: &Place, buyer: UserId, sale: SaleId, key: &str, quantity: i32) -> Result<Ticket, PurchaseRefusal> {
    let asked = PurchaseRequest { sale: Some(sale), quantity, key: key.into() };
    place.app.orders().purchase(buyer, asked).await.unwrap()
}

/// Changes the sale's row as an act of a node that died right after its commit, or of somebody at an SQL prompt: the gate and the
/// other nodes hear nothing.
async fn edit(place: &Place, what: &str) {
    // Here there is one sale.
    place.execute(&format!("UPDATE sales SET {what}")).await;
}

async fn a_round_replaces_each_term_that_differs_without_a_rebuild(place: Place) {
    let sale = place.sale(2, 2).await;
    let buyers = place.buyers(0, 12).await;
    assert_eq!(round(&place).await, Reconciled::default(), "a gate that is right is left alone");
    let at = |moment: Timestamp| moment.as_millis();
    let later = NOW.plus(Duration::from_secs(60));
    let edits = [
        // With a new version, as an act has it, and without, as an edit by hand.
        ("limit_per_buyer = 1, version = version + 1".to_owned(), Err(PurchaseRefusal::QuantityInvalid { limit: 1 })),
        ("limit_per_buyer = 2".to_owned(), Ok(())),
        ("status = 'PAUSED', version = version + 1".to_owned(), Err(PurchaseRefusal::Paused)),
        ("status = 'PUBLISHED'".to_owned(), Err(PurchaseRefusal::SoldOut)),
        ("stock_total = stock_total + 7, stock_left = stock_left + 7".to_owned(), Ok(())),
        (format!("status = 'ENDED', ended_at = {}, version = version + 1", at(NOW)), Err(PurchaseRefusal::Ended)),
    ];
    for ((what, expected), buyer) in edits.into_iter().zip(&buyers) {
        edit(&place, &what).await;
        assert_eq!(round(&place).await, Reconciled { replaced: 1, ..Reconciled::default() }, "{what}");
        let bought = buy(&place, *buyer, sale, "key-00001", 2).await;
        assert_eq!(bought.map(drop), expected, "{what}");
        assert_eq!(round(&place).await, Reconciled::default(), "{what}");
    }
    edit(&place, "status = 'PUBLISHED', ended_at = NULL, version = version + 1").await;
    for (window, expected) in [
        (format!("starts_at = {}", at(later)), Err(PurchaseRefusal::NotStarted { starts_at: later })),
        (format!("starts_at = {}, ends_at = {}", at(NOW) - 2, at(NOW) - 1), Err(PurchaseRefusal::Ended)),
        (format!("ends_at = {}", at(later)), Ok(())),
    ] {
        place.execute(&format!("UPDATE sale_sessions SET {window}")).await;
        assert_eq!(round(&place).await, Reconciled { replaced: 1, ..Reconciled::default() }, "{window}");
        assert_eq!(buy(&place, buyers[9], sale, "key-00001", 1).await.map(drop), expected, "{window}");
    }
    let facts = place.facts().await;
    assert_eq!(facts.sale(sale).unwrap().epoch, first_epoch(), "nothing was rebuilt");
}

async fn a_node_that_knows_of_the_end_sells_nothing_by_a_gate_that_does_not(place: Place) {
    let sale = place.sale(9, 2).await;
    let buyers = place.buyers(0, 4).await;
    let first = buy(&place, buyers[0], sale, "key-00001", 2).await.unwrap();
    edit(&place, &format!("status = 'ENDED', ended_at = {}, version = version + 1", NOW.as_millis())).await;
    buy(&place, buyers[1], sale, "key-00001", 1).await.expect("neither the node nor its gate has heard of it");
    place.app.sales().refresh().await.unwrap();
    assert_eq!(buy(&place, buyers[2], sale, "key-00001", 1).await, Err(PurchaseRefusal::Ended));
    // Nothing said now contradicts what was accepted before.
    assert_eq!(buy(&place, buyers[0], sale, "key-00001", 2).await.unwrap().id, first.id);
    assert_eq!(buy(&place, buyers[0], sale, "key-00001", 1).await, Err(PurchaseRefusal::KeyReused));
    assert_eq!(buy(&place, buyers[3], sale, "key-00001", 1).await, Err(PurchaseRefusal::Ended));
    assert_eq!(round(&place).await, Reconciled::default(), "the purchase itself updated the gate");
}

async fn a_pause_that_only_the_node_knows_of_is_kept_and_so_is_its_end(place: Place) {
    let sale = place.sale(9, 1).await;
    let buyers = place.buyers(0, 3).await;
    edit(&place, "status = 'PAUSED', version = version + 1").await;
    place.app.sales().refresh().await.unwrap();
    assert_eq!(buy(&place, buyers[0], sale, "key-00001", 1).await, Err(PurchaseRefusal::Paused));
    // Another node, which has heard of nothing yet, is stopped by the gate; and one that has heard more opens it.
    edit(&place, "status = 'PUBLISHED', version = version + 1").await;
    assert_eq!(buy(&place, buyers[0], sale, "key-00001", 1).await, Err(PurchaseRefusal::Paused));
    place.app.sales().refresh().await.unwrap();
    buy(&place, buyers[0], sale, "key-00001", 1).await.unwrap();
}

async fn tickets_admitted_after_the_end_are_refused_and_their_units_stay_free(place: Place) {
    let sale = place.sale(2, 1).await;
    let buyers = place.buyers(0, 3).await;
    place.app.sales().sale_end(place.operator, sale).await.unwrap();
    let admitted = |seq: u64, at| OrderRequest { at, ..request(sale, seq, buyers[seq as usize - 1], "key-00001", 1) };
    // Decided late, but admitted in time; in the same moment; and a minute later by a gate that had not heard of the end.
    let minute = Duration::from_secs(60);
    let requests = [admitted(1, NOW.minus(minute)), admitted(2, NOW.plus(minute)), admitted(3, NOW)];
    place.clock.advance(2 * minute);
    place.app.orders().record(requests.to_vec()).await.unwrap();
    let mut states = Vec::new();
    for request in &requests {
        states.push(place.find(request.ticket).await.unwrap().state);
    }
    assert_eq!(states, [OrderState::AwaitingPayment, OrderState::RefusedSaleEnded, OrderState::AwaitingPayment]);
    assert_eq!(place.units(sale).await, (0, 2));
    // It is final and stays: asked again, or delivered again.
    place.app.orders().record(requests.to_vec()).await.unwrap();
    assert_eq!(place.units(sale).await, (0, 2));
    let ticket: TicketId = requests[1].ticket;
    let of_buyer = place.app.orders().ticket_of_buyer(buyers[1], ticket).await.unwrap().unwrap();
    assert_eq!(of_buyer.decision.unwrap().state, OrderState::RefusedSaleEnded);
}

/// The act is committed while a rebuild has read the sale, and not opened it yet: there is no gate that it could update.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_does_not_open_with_terms_that_changed_meanwhile() {
    let place = Place::postgres().await;
    let sale = place.sale(9, 1).await;
    let mut lock = AsyncPgConnection::establish(place.config.store.url.expose()).await.unwrap();
    lock.batch_execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let orders = place.app.orders().clone();
    let opening = tokio::spawn(async move { orders.open_gates(DAY).await });
    // It waits for the tickets, so it has read the terms.
    let waits = "SELECT 1 / (SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass)";
    until("waiting", async || {
        lock.batch_execute(&format!("SAVEPOINT look; {waits}")).await.is_ok() || {
            lock.batch_execute("ROLLBACK TO look").await.unwrap();
            false
        }
    })
    .await;
    let ended = place.app.sales().sale_end(place.operator, sale).await.unwrap();
    assert_eq!(place.app.sales().gate_is_up_to_date(&ended).await, Some(false));
    lock.batch_execute("COMMIT").await.unwrap();
    assert_eq!(opening.await.unwrap().unwrap().opened, 1);
    assert_eq!(place.app.sales().gate_is_up_to_date(&ended).await, Some(true));
}

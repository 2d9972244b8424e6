//! The order writer itself, on a broker of its own: tickets that the database never takes, a database that goes away in the middle, and one
//! that is too slow for a whole batch.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use doorbuster::broker::embedded::EmbeddedBroker;
use doorbuster::broker::envelope;
use doorbuster::broker::{Broker, Failure};
use doorbuster::config::{Secret, Span};
use doorbuster::kernel::{Clock, Rng, SaleId};
use doorbuster::model::messages::{Message, Topic};
use doorbuster::model::order_requests::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};
use doorbuster::model::orders::OrderState;
use doorbuster::model::results::{RESULTS, RESULTS_VERSION, ResultBatch, ResultEvent};
use doorbuster::orders::rebuild::WRITER;
use doorbuster::store::Database;
use doorbuster::store::trouble::Loss;
use doorbuster::telemetry::Metrics;
use doorbuster::workers::order_writer::OrderWriter;
use tempfile::TempDir;

use super::{Place, on, on_both, request};
use crate::support::until;

on_both!(
    a_poison_ticket_is_dead_lettered_and_its_neighbours_are_recorded,
    several_poison_tickets_and_one_of_no_sale,
    nothing_is_acknowledged_before_it_has_an_outcome,
    a_database_that_is_away_dead_letters_nothing,
);

/// The writer of a place, whose tickets come from a broker that stays when the place's database goes.
struct Desk {
    place: Place,
    broker: Arc<EmbeddedBroker>,
    metrics: Metrics,
    sale: SaleId,
    _folder: TempDir,
}

impl Desk {
    async fn open(place: Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = place.config.clone();
        config.store.url = Secret::new(format!("sqlite://{}", folder.path().join("broker.db").display()));
        let db = Database::open(&config.store).await.unwrap();
        db.migrate().await.unwrap();
        let broker = EmbeddedBroker::open(db, Clock::system(), Rng::system(), &config.broker).await.unwrap();
        let sale = place.sale(1_000, 1).await;
        Self { place, broker: Arc::new(broker), metrics: Metrics::new(), sale, _folder: folder }
    }

    /// So many good tickets from `first` on, each of a buyer of its own.
    async fn tickets(&self, first: u64, count: u64) -> Vec<OrderRequest> {
        let buyers = self.place.buyers(first, count).await;
        (first..).zip(buyers).map(|(seq, buyer)| request(self.sale, seq + 1, buyer, "key-00001", 1)).collect()
    }

    fn partition(&self) -> u32 {
        self.broker.partition_of(Topic::OrderRequests, &self.sale.to_bytes())
    }

    async fn publish(&self, tickets: Vec<OrderRequest>) {
        let payload = envelope::encode(REQUESTS, REQUESTS_VERSION, &OrderRequests { tickets }).unwrap();
        let key = Bytes::copy_from_slice(&self.sale.to_bytes());
        self.broker.publish(Topic::OrderRequests, vec![Message { key, payload, deliver_at: None }]).await.unwrap();
    }

    /// Whether everything that was published is acknowledged.
    async fn is_done(&self) -> bool {
        let (topic, partition) = (Topic::OrderRequests, self.partition());
        let end = self.broker.end_position(topic, partition).await.unwrap();
        self.broker.acked_through(topic, partition, WRITER).await.unwrap() >= end
    }

    /// Lets the writer work until this holds.
    async fn write_until(&self, what: &str, condition: impl AsyncFnMut() -> bool) {
        let writer = OrderWriter {
            orders: self.place.app.orders().clone(),
            broker: self.broker.clone(),
            config: self.place.config.orders.clone().into(),
            metrics: self.metrics.clone(),
            clock: self.place.clock.clock(),
            rng: Rng::system(),
        };
        tokio::select! {
            ended = writer.run(self.partition()) => panic!("{ended:?}"),
            () = until(what, condition) => {}
        }
    }

    async fn dead_letters(&self) -> Vec<Failure> {
        self.broker.failures(0, 1_000).await.unwrap().into_iter().map(|(_, failure)| failure).collect()
    }

    async fn state(&self, ticket: &OrderRequest) -> Option<OrderState> {
        self.place.find(ticket.ticket).await.map(|order| order.state)
    }

    /// Failed transactions for this reason.
    fn failures(&self, reason: &str) -> u64 {
        let text = self.metrics.encode().unwrap();
        let line = text.lines().find(|line| line.contains("writer_failures") && line.contains(reason)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// What is announced of a ticket.
    async fn announced(&self, ticket: &OrderRequest) -> Vec<OrderState> {
        let scope = doorbuster::model::messages::Scope::Own(self.place.db().origin().to_owned());
        let events = on!(self.place.db(), read, |conn| sql::outbox::claim(conn, &scope, 0, &[], 1_000).await).unwrap();
        let batches = events.iter().filter(|event| event.topic == Topic::PurchaseResults.name());
        batches
            .flat_map(|event| envelope::decode::<ResultBatch>(RESULTS, RESULTS_VERSION, &event.payload).unwrap().events)
            .filter_map(|event| match event {
                ResultEvent::Order(order) if order.ticket == ticket.ticket => Some(order.state),
                _ => None,
            })
            .collect()
    }
}

fn tickets_in(failure: &Failure) -> Vec<OrderRequest> {
    envelope::decode::<OrderRequests>(REQUESTS, REQUESTS_VERSION, &failure.payload).unwrap().tickets
}

async fn a_poison_ticket_is_dead_lettered_and_its_neighbours_are_recorded(place: Place) {
    let desk = Desk::open(place).await;
    let mut tickets = desk.tickets(0, 64).await;
    tickets[37].quantity = 0;
    desk.publish(tickets.clone()).await;
    desk.write_until("acknowledged", async || desk.is_done().await).await;
    for (number, ticket) in tickets.iter().enumerate() {
        let expected = if number == 37 { OrderState::Voided } else { OrderState::AwaitingPayment };
        assert_eq!(desk.state(ticket).await, Some(expected), "{number}");
        assert_eq!(desk.announced(ticket).await, [expected], "its buyer is told, once: {number}");
    }
    assert_eq!(desk.place.units(desk.sale).await, (937, 63));
    let dead_letters = desk.dead_letters().await;
    assert_eq!(dead_letters.len(), 1, "{dead_letters:?}");
    assert_eq!(tickets_in(&dead_letters[0]), [tickets[37].clone()]);
    let seen = desk.place.app.orders().ticket_of_buyer(tickets[37].buyer, tickets[37].ticket).await.unwrap().unwrap();
    assert_eq!(seen.decision.unwrap().state, OrderState::Voided, "the buyer of the poison has an end");
    // It comes again, as after a crash: nothing changes.
    desk.publish(tickets).await;
    desk.write_until("acknowledged again", async || desk.is_done().await).await;
    assert_eq!((desk.place.units(desk.sale).await, desk.dead_letters().await.len()), ((937, 63), 1));
}

async fn several_poison_tickets_and_one_of_no_sale(place: Place) {
    let desk = Desk::open(place).await;
    let mut tickets = desk.tickets(0, 40).await;
    let bad = [0, 1, 20, 39];
    for number in bad {
        tickets[number].quantity = 0;
    }
    tickets[20].quantity = 1;
    tickets[20].ticket.sale = SaleId::from_bytes([200; 16]);
    desk.publish(tickets.clone()).await;
    desk.write_until("acknowledged", async || desk.is_done().await).await;
    for (number, ticket) in tickets.iter().enumerate() {
        let expected = match number {
            20 => None,
            _ if bad.contains(&number) => Some(OrderState::Voided),
            _ => Some(OrderState::AwaitingPayment),
        };
        assert_eq!(desk.state(ticket).await, expected, "{number}");
    }
    let dead_letters: Vec<_> = desk.dead_letters().await.iter().flat_map(tickets_in).collect();
    assert_eq!(dead_letters, bad.map(|number| tickets[number].clone()));
    assert_eq!(desk.failures("no_outcome"), 1, "no row can refer to a sale that there is not");
}

async fn nothing_is_acknowledged_before_it_has_an_outcome(place: Place) {
    let desk = Desk::open(place).await;
    for (round, (deaf, crash)) in [(false, false), (true, false), (false, true), (true, true)].into_iter().enumerate() {
        for after in 0.. {
            let first = round as u64 * 1_000 + u64::from(after) * 10;
            let mut tickets = desk.tickets(first, 3).await;
            tickets[1].quantity = 0;
            let trouble = desk.place.db().trouble();
            desk.publish(tickets.clone()).await;
            trouble.lose(Loss { after, deaf, once: false });
            let mut lost = false;
            if crash {
                // What it has not done by then, another writer does.
                desk.write_until("lost, or done", async || trouble.is_reached() || desk.is_done().await).await;
                lost = trouble.heal();
            }
            let mended = async || {
                lost |= trouble.is_reached() && trouble.heal();
                desk.is_done().await
            };
            desk.write_until("done", mended).await;
            // Where the writer needed fewer calls than that.
            lost |= trouble.heal();
            let mut states = Vec::new();
            for ticket in &tickets {
                states.push(desk.state(ticket).await);
            }
            let good = Some(OrderState::AwaitingPayment);
            assert_eq!(states, [good, Some(OrderState::Voided), good], "lost after {after} calls, deaf: {deaf}");
            let dead_letters: Vec<_> = desk.dead_letters().await.iter().flat_map(tickets_in).collect();
            assert!(dead_letters.contains(&tickets[1]), "lost after {after} calls, deaf: {deaf}");
            if !lost {
                assert!(after > 5, "{after}");
                break;
            }
        }
    }
}

async fn a_database_that_is_away_dead_letters_nothing(place: Place) {
    let desk = Desk::open(place).await;
    let tickets = desk.tickets(0, 20).await;
    desk.publish(tickets.clone()).await;
    desk.place.db().trouble().lose(Loss { after: 0, deaf: false, once: false });
    // More often than a ticket may be refused, each by itself already.
    let enough = u64::from(desk.place.config.orders.poison_tries) + 5;
    desk.write_until("tried often", async || desk.failures("unavailable") > enough).await;
    assert!(desk.place.db().trouble().heal());
    desk.write_until("acknowledged", async || desk.is_done().await).await;
    assert_eq!(desk.place.units(desk.sale).await, (980, 20));
    assert!(desk.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_too_slow_gets_through_in_parts() {
    let place = Place::postgres_with(|config| config.store.work_timeout = Span(Duration::from_secs(3))).await;
    let desk = Desk::open(place).await;
    // Forty of these take longer than a transaction may, twenty do not.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$;
                CREATE TRIGGER slow BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION slow()";
    desk.place.execute(slow).await;
    desk.publish(desk.tickets(0, 40).await).await;
    desk.write_until("acknowledged", async || desk.is_done().await).await;
    assert_eq!(desk.place.units(desk.sale).await, (960, 40));
    assert!(desk.failures("unavailable") > 0, "not slow at all");
    assert!(desk.dead_letters().await.is_empty());
}

/// One that can never be expired keeps none of the others.
#[tokio::test(flavor = "multi_thread")]
async fn orders_that_take_too_long_to_expire_together_expire_in_parts() {
    let place = Place::postgres_with(|config| config.store.work_timeout = Span(Duration::from_secs(3))).await;
    let desk = Desk::open(place).await;
    let tickets = desk.tickets(0, 40).await;
    desk.publish(tickets.clone()).await;
    desk.write_until("acknowledged", async || desk.is_done().await).await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN IF NEW.quantity = 2 THEN RAISE EXCEPTION 'no'; END IF; PERFORM pg_sleep(0.1); RETURN NEW; END $$;
                CREATE TRIGGER slow BEFORE UPDATE OF status ON orders FOR EACH ROW EXECUTE FUNCTION slow();
                UPDATE orders SET quantity = 2 WHERE substring(id FROM 28) = '\\x28'";
    desk.place.execute(slow).await;
    desk.place.clock.set(desk.place.clock.clock().now().plus(Duration::from_secs(3_600)));
    let orders = tickets.iter().map(|ticket| ticket.ticket).collect();
    // A part whose answer came too late may have been committed all the same: it is not counted then.
    let expired = desk.place.app.payments().expire(orders).await.unwrap();
    assert!((1..=39).contains(&expired), "{expired}");
    for ticket in &tickets {
        let expected = if ticket.ticket.seq == 40 { OrderState::AwaitingPayment } else { OrderState::Expired };
        assert_eq!(desk.state(ticket).await, Some(expected), "{}", ticket.ticket);
    }
}

//! The tasks: telling the others what this node counted, hearing them, closing frames, and reading sums.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::part::{Gated, Gauges, PULSE, PULSE_VERSION, Part, People};
use super::{Pulse, SaleFacts};
use crate::broker::{Broker, BrokerError, envelope};
use crate::hub::StockView;
use crate::kernel::{Clock, SaleId, Timestamp};
use crate::model::messages::{Message, Topic};
use crate::model::snapshot::Offer;
use crate::model::sums::SaleSums;
use crate::orders::{GateView, Orders};
use crate::payments::Payments;
use crate::sales::Sales;
use crate::store::{self, Database, StoreError};
use crate::telemetry::Metrics;

const SECOND: Duration = Duration::from_secs(1);
/// From the end of a second until its frame is closed: 1.2 s, of which one is waited for by taking the second before.
const CLOSE_AFTER: Duration = Duration::from_millis(200);
/// Parts taken from the broker at once.
const BATCH: usize = 256;
/// A part that takes longer on its way out is lost.
const PUBLISH_WITHIN: Duration = Duration::from_millis(700);
/// A look at the gates that takes longer says nothing.
const LOOK_WITHIN: Duration = Duration::from_millis(300);
/// Sales whose gates are looked at.
const GATES_MAX: usize = 64;
/// How long a sale's gate is looked at after its end: units come back, and tickets are decided.
const GATED_AFTER: Duration = Duration::from_secs(600);
/// How often it is counted what waits for a person.
const PEOPLE_EVERY: Duration = Duration::from_secs(15);
/// Sales whose sums are read in one round.
const SUMS_MAX: usize = 20;
/// The pause after a reading of a busy sale; it doubles, to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(4);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// What a [`Worker`] is made of.
pub struct Parts {
    /// What was heard.
    pub pulse: Pulse,
    /// This node.
    pub gauges: Arc<dyn Gauges>,
    /// Its counters.
    pub metrics: Metrics,
    /// The sales that it lists.
    pub sales: Sales,
    /// Their stock.
    pub stock: Arc<dyn StockView>,
    /// Their gates.
    pub orders: Orders,
    /// Money that waits for a person.
    pub payments: Payments,
    /// The sums.
    pub db: Database,
    /// The way to the other nodes.
    pub broker: Arc<dyn Broker>,
    /// Time.
    pub clock: Clock,
    /// The name of the node.
    pub node: String,
    /// Whether it serves operators.
    pub api: bool,
}

/// Does the work. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    parts: Parts,
    /// Since the last part.
    gates: Mutex<Option<Vec<Gated>>>,
    people: Mutex<Option<People>>,
    /// When the sums of a sale may be read again, and how long to wait after that.
    pauses: Mutex<HashMap<SaleId, (Instant, Duration)>>,
}

impl std::ops::Deref for Worker {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl Worker {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let (gates, people, pauses) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { parts, gates, people, pauses }))
    }

    /// Tells what each second came to, until `stop`; then says that the node leaves.
    pub async fn tell(&self, stop: CancellationToken) {
        let mut told = i64::MIN;
        loop {
            let stopped = tokio::select! {
                () = self.boundary(Duration::ZERO) => false,
                () = stop.cancelled() => true,
            };
            let now = self.clock.now().as_millis() / 1_000;
            // What is counted now belongs to the second that has just ended; to the present one when the node leaves in its middle.
            let second = if stopped { now } else { now - 1 };
            if second == told {
                continue;
            }
            told = second;
            let mut part = self.read(second);
            part.leaving = stopped;
            part.gates = self.0.gates.lock().take();
            part.people = *self.0.people.lock();
            self.spread(part, now).await;
            if stopped {
                return;
            }
        }
    }

    fn read(&self, second: i64) -> Part {
        let part = self.pulse.0.reader.lock().read(second, &self.metrics, &self.sales.snapshot(), self.gauges.read());
        Part { api: self.api, ..part }
    }

    /// A node's own part does not go the way of the others, which may be away.
    async fn spread(&self, part: Part, now: i64) {
        let message = self.db.is_shared().then(|| envelope::encode(PULSE, PULSE_VERSION, &part));
        self.pulse.0.merge.lock().add(part, now);
        // It always has a JSON form.
        let Some(Ok(payload)) = message else { return };
        let message = Message { key: bytes::Bytes::new(), payload, deliver_at: None };
        match timeout(PUBLISH_WITHIN, self.broker.publish(Topic::Pulses, vec![message])).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "could not tell the other nodes what this one counted"),
            Err(_) => tracing::debug!("could not tell the other nodes in time what this one counted"),
        }
    }

    /// Hears the other nodes. Ends only when the broker fails.
    pub async fn hear(&self) -> anyhow::Result<()> {
        let mut consumer = self.broker.subscribe(Topic::Pulses, 0, &self.node).await?;
        loop {
            let messages = match consumer.receive(BATCH, Duration::ZERO).await {
                Ok(messages) => messages,
                // The numbers of the parts tell what is missing.
                Err(BrokerError::Lagged(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            let now = self.clock.now().as_millis() / 1_000;
            for message in &messages {
                match envelope::decode::<Part>(PULSE, PULSE_VERSION, &message.payload) {
                    Ok(part) if part.node == self.node => {}
                    Ok(part) => self.pulse.0.merge.lock().add(part, now),
                    Err(error) => tracing::debug!(%error, "could not decode what another node counted"),
                }
            }
            if let Some(last) = messages.last() {
                consumer.ack(last.position).await?;
            }
        }
    }

    /// Closes a frame every second.
    pub async fn close_frames(&self) -> anyhow::Result<()> {
        loop {
            self.boundary(CLOSE_AFTER).await;
            let now = self.clock.now();
            // The second before the last one has ended 1.2 s ago.
            self.pulse.close(now.as_millis() / 1_000 - 2, now, &self.facts(now));
        }
    }

    /// Waits until a second begins, and a bit longer.
    async fn boundary(&self, after: Duration) {
        let into = self.clock.now().minus(after).as_millis().rem_euclid(1_000);
        sleep(SECOND - Duration::from_millis(into.unsigned_abs())).await;
    }

    fn has_turn(&self, now: i64) -> bool {
        self.api && self.pulse.0.merge.lock().has_turn(&self.node, now)
    }

    fn facts(&self, now: Timestamp) -> HashMap<SaleId, SaleFacts> {
        let snapshot = self.sales.snapshot();
        let listed = snapshot.offers().iter().filter(|offer| !offer.is_draft());
        listed.map(|offer| (offer.sale.id, SaleFacts::of(offer, &*self.stock, now))).collect()
    }

    /// Looks at the gates shortly before each second ends, if it is this node's turn.
    pub async fn look_at_gates(&self) -> anyhow::Result<()> {
        loop {
            self.boundary(SECOND - LOOK_WITHIN).await;
            if self.has_turn(self.clock.now().as_millis() / 1_000) {
                let gates = timeout(LOOK_WITHIN, self.gates()).await.ok().flatten();
                *self.0.gates.lock() = gates;
            }
        }
    }

    /// The running sales in their gates; `None` when a gate does not answer.
    async fn gates(&self) -> Option<Vec<Gated>> {
        let (snapshot, now) = (self.sales.snapshot(), self.clock.now());
        let runs = |offer: &&Offer| {
            let session = &offer.session;
            !offer.is_draft() && session.starts_at <= now && now < session.ends_at.plus(GATED_AFTER)
        };
        let mut gates = Vec::new();
        for offer in snapshot.offers().iter().filter(runs).take(GATES_MAX) {
            let sale = offer.sale.id;
            match self.orders.gate_view(sale).await {
                Ok(Some(GateView { free, pending, oldest })) => {
                    let left = SaleFacts::of(offer, &*self.stock, now).free;
                    // While something is pending, it is on its way.
                    let drift = if pending == 0 { i64::from(free) - i64::from(left) } else { 0 };
                    let oldest_ms = oldest.map_or(0, |oldest| now.since(oldest).as_millis() as u64);
                    gates.push(Gated { sale, free, pending, oldest_ms, drift });
                }
                // It is being rebuilt, or was forgotten.
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "could not look at the gates");
                    return None;
                }
            }
        }
        Some(gates)
    }

    /// Counts what waits for a person every now and then, if it is this node's turn.
    pub async fn count_people(&self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(PEOPLE_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let has_turn = self.has_turn(self.clock.now().as_millis() / 1_000);
            let people = if has_turn { self.people().await } else { Ok(None) };
            *self.0.people.lock() = people.unwrap_or_else(|error| {
                tracing::debug!(%error, "could not count what waits for a person");
                None
            });
        }
    }

    async fn people(&self) -> anyhow::Result<Option<People>> {
        let messages = self.broker.backlog(Topic::Failures, "").await?;
        let (money, bills) = self.payments.money_waiting().await?;
        Ok(Some(People { messages, money, bills }))
    }

    /// Reads the sums of sales that are not known.
    pub async fn read_sums(&self) -> anyhow::Result<()> {
        loop {
            sleep(SECOND).await;
            let unknown = self.pulse.0.merge.lock().unknown_sums();
            self.0
                .pauses
                .lock()
                .retain(|sale, _| unknown.contains(sale) || self.sales.snapshot().offer(*sale).is_some());
            for sale in unknown.into_iter().filter(|sale| self.may_read(*sale)).take(SUMS_MAX) {
                let from = self.clock.now().as_millis() / 1_000;
                match self.sums(sale).await {
                    Ok(sums) => {
                        let until = self.clock.now().as_millis() / 1_000;
                        self.pulse.0.merge.lock().seed(sale, sums, from, until);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "could not read the sums of a sale");
                        break;
                    }
                }
            }
        }
    }

    /// Whether it was not read lately. Then it is read, and not again for a while.
    fn may_read(&self, sale: SaleId) -> bool {
        let (now, mut pauses) = (Instant::now(), self.0.pauses.lock());
        let (again, pause) = pauses.entry(sale).or_insert((now, FIRST_PAUSE));
        let may = *again <= now;
        if may {
            *again = now + *pause;
            *pause = (*pause * 2).min(LONGEST_PAUSE);
        }
        may
    }

    async fn sums(&self, sale: SaleId) -> Result<SaleSums, StoreError> {
        store::read!(&self.db, |conn| sql::outcomes::sums(conn, sale).await)
    }
}

impl SaleFacts {
    /// As this node knows the sale now.
    pub fn of(offer: &Offer, stock: &dyn StockView, now: Timestamp) -> Self {
        let heard = stock.level(offer.sale.id).filter(|heard| heard.version > offer.stock.version);
        let level = heard.unwrap_or(offer.stock);
        Self {
            sale: offer.sale.id,
            status: offer.sale.status(&offer.session, level.left, now),
            total: level.total,
            free: level.left,
            held: level.held,
            currency: offer.sale.price.currency,
        }
    }
}

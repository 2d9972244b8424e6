//! What the tests of resolvers share: the services of a process without its network and workers.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::broker::{Broker, Relay};
use crate::config::Config;
use crate::gate::{Coalescer, Gate, MemoryGate};
use crate::hub::Hub;
use crate::kernel::{Clock, Rng};
use crate::orders::{self, Orders, publisher::publisher};
use crate::sales::{self, Sales};
use crate::store::Database;
use crate::telemetry::Metrics;

use super::context::Services;

/// Services over a database and a broker, with a gate in memory. Replace what a test wants otherwise:
/// `Services { accounts, ..services(…) }`.
pub fn services(db: &Database, broker: Arc<dyn Broker>, clock: &Clock, config: Config) -> Services {
    let (rng, metrics) = (Rng::system(), Metrics::new());
    let gate: Arc<dyn Gate> = Arc::new(MemoryGate::new(clock.clone()));
    let hub = Hub::new(config.hub.recent_orders);
    let relay = Relay::new(db.clone(), broker.clone(), clock.clone(), rng.clone(), &config.broker);
    let accounts =
        Accounts::new(db.clone(), broker.clone(), clock.clone(), rng.clone(), &config.accounts, &metrics).unwrap();
    let sales = Sales::new(sales::Parts {
        db: db.clone(),
        broker: broker.clone(),
        gate: gate.clone(),
        relay: relay.clone(),
        clock: clock.clone(),
        rng,
        config: config.sales.clone(),
    })
    .unwrap();
    let (publisher, _) = publisher(broker.clone(), &config.broker);
    let orders = Orders::new(orders::Parts {
        db: db.clone(),
        coalescer: Coalescer::new(gate.clone(), &config.gate),
        gate,
        publisher,
        broker,
        relay,
        hub: hub.clone(),
        sales: sales.clone(),
        clock: clock.clone(),
        metrics,
    });
    Services {
        clock: clock.clone(),
        config: Arc::new(config),
        accounts,
        catalog: Arc::new(sales.clone()),
        sales,
        stock: Arc::new(hub),
        orders,
    }
}

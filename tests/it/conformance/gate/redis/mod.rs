//! The gate in Redis, against a real server.

mod faults;
mod loss;
mod tls;
mod together;

use std::sync::Arc;
use std::time::Duration;

use doorbuster::app::open_redis;
use doorbuster::config;
use doorbuster::gate::{Attempt, Decision, Gate, GateError, RedisGate};
use doorbuster::kernel::{Clock, Epoch, Rng, SaleId, UserId};
use doorbuster::model::gate::{KnownTicket, SaleTerms, SaleVersion, Units};
use tokio::runtime::{Builder, Runtime};

use super::properties::{self, Time};
use crate::support::redis::{assert_nothing_remains, connect, fresh_prefix, settings};
use crate::support::servers;

async fn open(settings: &config::Gate) -> Result<RedisGate, GateError> {
    let rng = Rng::system();
    Ok(RedisGate::new(&open_redis(settings, &rng).await?, &rng))
}

async fn node(url: &str, prefix: &str) -> RedisGate {
    open(&settings(url, prefix)).await.unwrap()
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// An open sale, one unit per buyer.
fn terms(sale: SaleId, epoch: Epoch, stock_total: u32) -> SaleTerms {
    let (now, hour) = (Clock::system().now(), Duration::from_secs(3600));
    let (starts_at, ends_at, version, limit_per_buyer) = (now.minus(hour), now.plus(hour), 1, 1);
    SaleTerms { sale, epoch, version, starts_at, ends_at, limit_per_buyer, stock_total, paused: false, ended: false }
}

fn new_sale() -> SaleId {
    SaleId::generate(&Clock::system(), &Rng::system())
}

fn new_buyer() -> UserId {
    UserId::generate(&Clock::system(), &Rng::system())
}

/// One buyer's one attempt.
async fn buy(gate: &dyn Gate, sale: SaleId, epoch: Epoch, buyer: UserId, key: &str) -> Decision {
    let attempt = Attempt { buyer, key: key.to_owned(), quantity: 1 };
    gate.admit(sale, SaleVersion::of_epoch(epoch), vec![attempt]).await.unwrap().remove(0)
}

mod conforms {
    use super::super::*;

    all_cases!(Rig::of(Arc::new(super::node(&crate::support::servers::redis(), &super::fresh_prefix()).await)));
}

#[test]
fn answers_like_its_model() {
    let (runtime, url, prefix) = (runtime(), servers::redis(), fresh_prefix());
    let gate: Arc<dyn Gate> = Arc::new(runtime.block_on(node(&url, &prefix)));
    properties::answers_like_its_model(&runtime, 64, false, || (gate.clone(), Time::Real(Clock::system())));
    runtime.block_on(assert_nothing_remains(&url, &prefix));
}

#[test]
fn never_more_units_than_stock() {
    let (runtime, url, prefix) = (runtime(), servers::redis(), fresh_prefix());
    let gate: Arc<dyn Gate> = Arc::new(runtime.block_on(node(&url, &prefix)));
    properties::never_more_units_than_stock(&runtime, 64, || gate.clone());
    runtime.block_on(assert_nothing_remains(&url, &prefix));
}
